/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An architecture that is made up, for KUnit tests: two slots for data and one
 * for instructions, slots that select bytes and watch for reads alone, and
 * hits before the access.
 */
#ifndef _KGDB_WATCH_KUNIT_MADE_UP_H
#define _KGDB_WATCH_KUNIT_MADE_UP_H

#include <kunit/test.h>

#define MADE_UP_BREAK_SLOT 2

/**
 * struct made_up - what a test tells the hardware, and what that has been told
 * @dragons: an address that it must not watch
 * @refuse: bitmap of the slots that perf has
 * @reserved: bitmap of the slots that the debugger has
 * @stepped_over: how many instructions it has stepped over
 */
struct made_up {
	unsigned long dragons;
	unsigned int refuse;
	unsigned int reserved;
	unsigned int stepped_over;
};

extern struct made_up made_up;

int made_up_init(struct kunit *test);
void made_up_exit(struct kunit *test);

#endif /* _KGDB_WATCH_KUNIT_MADE_UP_H */
