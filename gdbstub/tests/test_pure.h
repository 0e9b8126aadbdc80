/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tests of the pure code, by the file they test. A list ends with a test that
 * has no name.
 */
#ifndef _KGDB_WATCH_TEST_PURE_H
#define _KGDB_WATCH_TEST_PURE_H

/**
 * struct test - one that can be run by its name
 * @name: that of its function
 * @run: makes its checks
 */
struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(_name) { .name = #_name, .run = _name }

extern const struct test packet_tests[];
extern const struct test plan_tests[];
extern const struct test match_tests[];
extern const struct test oracle_tests[];

#endif /* _KGDB_WATCH_TEST_PURE_H */
