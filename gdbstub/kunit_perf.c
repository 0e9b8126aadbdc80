// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's watchpoints: neither side takes what the other has.
 */
#include "kunit_steps.h"

static void perf_gets_what_is_left(struct kunit *test)
{
	int i;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_SLOTS_MAX - i);
		expect_set(test, word(i), 4, WATCH);
	}
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);

	/* Slots are held over a stop, and given back when the machine runs */
	run();
	remove_all();
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);
	run();
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_SLOTS_MAX);

	/* Only idle ones are given back, and what is shared is held once */
	expect_set(test, word(0), 3, RWATCH);
	run();
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);
	expect_set(test, word(0), 2, WATCH);
	expect_removed(test, word(0), 3, RWATCH);
	run();
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_SLOTS_MAX - 1);

	/* A refusal holds nothing */
	expect_refused(test, word(1), 7, RWATCH, -ENOSPC,
		       "needs 6 slots, 3 free: the debugger holds 1");
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_SLOTS_MAX - 1);
}

static void kgdb_gets_what_perf_leaves(struct kunit *test)
{
	static const char * const refusals[KGDB_SLOTS_MAX] = {
		"needs 1 slot, 0 free: the debugger holds 3, perf holds 1",
		"needs 1 slot, 0 free: the debugger holds 2, perf holds 2",
		"needs 1 slot, 0 free: the debugger holds 1, perf holds 3",
		"needs 1 slot, 0 free: perf holds 4",
	};
	struct perf_event * __percpu *event[KGDB_SLOTS_MAX];
	struct table table;
	int held, i;

	for (held = 0; held < KGDB_SLOTS_MAX; held++) {
		event[held] = perf_breakpoint(held);
		if (perf_error(event[held])) {
			KUNIT_FAIL(test, "perf breakpoint %d: error %ld", held,
				   perf_error(event[held]));
			break;
		}

		for (i = held + 1; i < KGDB_SLOTS_MAX; i++)
			expect_set(test, word(i), 4, WATCH);
		expect_refused(test, word(KGDB_SLOTS_MAX), 4, WATCH, -ENOSPC,
			       refusals[held]);
		table = armed();
		expect_slots(test, &table, KGDB_SLOTS_MAX - 1 - held);
		remove_all();
		run();
	}
	while (held--)
		unregister_wide_hw_breakpoint(event[held]);
	expect_set(test, word(0), 4, WATCH);
}

static void refusals_count_what_perf_holds(struct kunit *test)
{
	struct perf_event * __percpu *event[2];
	int i;

	for (i = 0; i < ARRAY_SIZE(event); i++) {
		event[i] = perf_breakpoint(i);
		KUNIT_EXPECT_EQ(test, perf_error(event[i]), 0);
	}
	expect_refused(test, word(0), 7, WATCH, -ENOSPC,
		       "needs 3 slots, 2 free: perf holds 2");
	expect_refused(test, word(0), 7, RWATCH, -ENOSPC,
		       "needs 6 slots, 2 free: perf holds 2");
	expect_set(test, word(1), 1, WATCH);
	expect_refused(test, word(0), 7, WATCH, -ENOSPC,
		       "needs 3 slots, 1 free: the debugger holds 1, perf holds 2");
	KUNIT_EXPECT_EQ(test, perf_can_have(), 1);
	for (i = 0; i < ARRAY_SIZE(event); i++) {
		if (!perf_error(event[i]))
			unregister_wide_hw_breakpoint(event[i]);
	}
}

static struct kunit_case perf_cases[] = {
	KUNIT_CASE(perf_gets_what_is_left),
	KUNIT_CASE(kgdb_gets_what_perf_leaves),
	KUNIT_CASE(refusals_count_what_perf_holds),
	{ }
};

static struct kunit_suite perf_suite = {
	.name = "kgdb_watchpoint_perf",
	.init = claim_table,
	.exit = clear_table,
	.test_cases = perf_cases,
};

kunit_test_suite(perf_suite);
