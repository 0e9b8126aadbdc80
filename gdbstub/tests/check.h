/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the pure code say: checks that are counted, and the values that
 * a check which failed expected and got.
 */
#ifndef _KGDB_WATCH_CHECK_H
#define _KGDB_WATCH_CHECK_H

#include "packet.h"

/* Count one check of @row; says what is wrong if it failed */
void check(bool passed, const char *row, const char *expected, const char *got);

/* Say how many checks a test made, and how many failed; whether it has passed */
bool check_summary(const char *test);

/*
 * Values as text, valid for the next few calls of the same function
 */

/* As a terminal and a log can take it; NULL is no reason to refuse */
const char *show(const char *text);

const char *show_region(unsigned int type, unsigned long addr, unsigned long len);
const char *show_watch(const struct kgdb_watch_spec *watch);

/* Why it is refused, else what it says */
const char *show_packet(const char *why, const struct kgdb_break_packet *packet);

/* Why it is refused, else how many slots it needs */
const char *show_count(const char *why, unsigned long count);

#endif /* _KGDB_WATCH_CHECK_H */
