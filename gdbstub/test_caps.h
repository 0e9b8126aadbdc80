/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The slots that the tests of the pure code are made for: x86's.
 */
#ifndef _KGDB_WATCH_TEST_CAPS_H
#define _KGDB_WATCH_TEST_CAPS_H

#include <linux/kgdb_slots.h>

static const struct kgdb_slot_caps kgdb_test_caps = {
	.watch_slots = 4,
	.max_len = sizeof(long),
};

#endif /* _KGDB_WATCH_TEST_CAPS_H */
