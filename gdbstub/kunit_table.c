// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's watchpoints: setting, removing, refusals, and what stays over a stop.
 */
#include <linux/limits.h>
#include <linux/string.h>

#include "kunit_steps.h"

/*
 * Setting and removing
 */

static void insertion_is_idempotent(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0), 4, WATCH);
	table = armed();
	expect_slots(test, &table, 1);
	slot(test, &table, word(0), 4, WATCH);

	expect_set(test, word(0), 4, WATCH);
	run();
	expect_same(test, &table);

	/* It was set once, whatever it was told */
	expect_removed(test, word(0), 4, WATCH);
	table = armed();
	expect_slots(test, &table, 0);
	KUNIT_EXPECT_EQ(test, remove(word(0), 4, WATCH), -ENOENT);
	KUNIT_EXPECT_STREQ(test, kgdb_watch_refusal(),
			   "there is no such watchpoint");
}

static void removal_takes_the_one_that_is_named(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0), 4, WATCH);
	table = armed();
	KUNIT_EXPECT_EQ(test, remove(word(0), 2, WATCH), -ENOENT);
	KUNIT_EXPECT_EQ(test, remove(word(0) + 4, 4, WATCH), -ENOENT);
	KUNIT_EXPECT_EQ(test, remove(word(0), 4, AWATCH), -ENOENT);
	run();
	expect_same(test, &table);
}

/* Until the machine runs, what CPUs have armed stays as it is */
static void nothing_is_settled_before_the_end(struct kunit *test)
{
	struct table before = armed(), after;

	expect_set(test, word(0), 4, WATCH);
	expect_same(test, &before);
	after = armed();
	KUNIT_EXPECT_NE(test, after.set.generation, before.set.generation);
	expect_slots(test, &after, 1);

	expect_removed(test, word(0), 4, WATCH);
	expect_same(test, &after);
	before = armed();
	KUNIT_EXPECT_NE(test, before.set.generation, after.set.generation);
	expect_slots(test, &before, 0);
}

static void regions_are_split(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0) + 1, 7, AWATCH);
	table = armed();
	expect_slots(test, &table, 3);
	slot(test, &table, word(0) + 1, 1, AWATCH);
	slot(test, &table, word(0) + 2, 2, AWATCH);
	slot(test, &table, word(0) + 4, 4, AWATCH);

	expect_removed(test, word(0) + 1, 7, AWATCH);
	table = armed();
	expect_slots(test, &table, 0);
}

static void reads_have_pairs_of_slots(struct kunit *test)
{
	struct table table, before;

	expect_set(test, word(0), 3, RWATCH);
	before = armed();
	expect_slots(test, &before, 4);
	slot(test, &before, word(0), 2, WATCH);
	slot(test, &before, word(0), 2, AWATCH);
	slot(test, &before, word(0) + 2, 1, WATCH);
	slot(test, &before, word(0) + 2, 1, AWATCH);

	/* Others on the same bytes find what they need */
	expect_set(test, word(0), 3, WATCH);
	expect_set(test, word(0), 2, AWATCH);
	expect_set(test, word(0) + 2, 1, RWATCH);
	run();
	expect_same(test, &before);

	expect_removed(test, word(0), 3, RWATCH);
	run();
	expect_same(test, &before);

	expect_removed(test, word(0) + 2, 1, RWATCH);
	table = armed();
	expect_slots(test, &table, 3);
	expect_kept(test, &before, &table,
		    slot(test, &before, word(0), 2, WATCH) |
		    slot(test, &before, word(0), 2, AWATCH) |
		    slot(test, &before, word(0) + 2, 1, WATCH));
}

/* Breakpoints of different "kind" at one address are one slot */
static void equal_slots_are_shared(struct kunit *test)
{
	struct table table;

	expect_set(test, BREAK_ADDR, 1, HBREAK);
	table = armed();
	expect_slots(test, &table, 1);
	slot(test, &table, BREAK_ADDR, 1, HBREAK);

	expect_set(test, BREAK_ADDR, 4, HBREAK);
	expect_removed(test, BREAK_ADDR, 1, HBREAK);
	run();
	expect_same(test, &table);

	expect_removed(test, BREAK_ADDR, 4, HBREAK);
	table = armed();
	expect_slots(test, &table, 0);
}

static void overlapping_watchpoints_share_slots(struct kunit *test)
{
	struct table both, one;

	expect_set(test, word(0) + 2, 6, WATCH);
	expect_set(test, word(0) + 4, 5, WATCH);
	both = armed();
	expect_slots(test, &both, 3);

	/* The first one leaves the other */
	expect_removed(test, word(0) + 2, 6, WATCH);
	one = armed();
	expect_slots(test, &one, 2);
	expect_kept(test, &both, &one,
		    slot(test, &both, word(0) + 4, 4, WATCH) |
		    slot(test, &both, word(1), 1, WATCH));

	/* And the other one the first */
	expect_set(test, word(0) + 2, 6, WATCH);
	both = armed();
	expect_slots(test, &both, 3);
	expect_kept(test, &one, &both, one.wanted);
	expect_removed(test, word(0) + 4, 5, WATCH);
	one = armed();
	expect_slots(test, &one, 2);
	expect_kept(test, &both, &one,
		    slot(test, &both, word(0) + 2, 2, WATCH) |
		    slot(test, &both, word(0) + 4, 4, WATCH));
}

static void types_have_slots_of_their_own(struct kunit *test)
{
	struct table both, one;

	expect_set(test, word(0), 4, WATCH);
	expect_set(test, word(0), 4, AWATCH);
	both = armed();
	expect_slots(test, &both, 2);

	expect_removed(test, word(0), 4, WATCH);
	one = armed();
	expect_slots(test, &one, 1);
	expect_kept(test, &both, &one,
		    slot(test, &both, word(0), 4, AWATCH));
}

static void remove_all_leaves_nothing(struct kunit *test)
{
	struct table table;
	int i;

	fill(test);
	remove_all();
	table = armed();
	expect_slots(test, &table, 0);
	for (i = 0; i < KGDB_SLOTS_MAX; i++)
		KUNIT_EXPECT_EQ(test, remove(word(i), sizeof(long), WATCH),
				-ENOENT);
	remove_all();
	run();
	expect_same(test, &table);
}

/*
 * Refusals
 */

static void one_too_many_is_refused(struct kunit *test)
{
	struct table full = fill(test), table;

	expect_refused(test, word(KGDB_SLOTS_MAX), 4, WATCH, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 4");
	expect_refused(test, word(0), sizeof(long), AWATCH, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 4");
	run();
	expect_same(test, &full);

	/* It fits as soon as one has gone, and only in its place */
	expect_removed(test, word(1), sizeof(long), WATCH);
	expect_set(test, word(KGDB_SLOTS_MAX), 4, WATCH);
	table = armed();
	KUNIT_EXPECT_EQ(test, table.wanted, ALL_SLOTS);
	KUNIT_EXPECT_EQ(test, slot(test, &table, word(KGDB_SLOTS_MAX), 4, WATCH),
			slot(test, &full, word(1), sizeof(long), WATCH));
	expect_kept(test, &full, &table, ALL_SLOTS &
		    ~slot(test, &full, word(1), sizeof(long), WATCH));
}

/* What needs several slots gets all of them or none */
static void refusal_is_as_a_whole(struct kunit *test)
{
	struct table before, table;

	expect_refused(test, word(0) + 1, 7, RWATCH, -ENOSPC,
		       "needs 6 slots, 4 free");
	expect_refused(test, word(0), 0x1000000, WATCH, -ENOSPC,
		       sizeof(long) == 8 ? "needs 2097152 slots, 4 free" :
					   "needs 4194304 slots, 4 free");
	table = armed();
	expect_slots(test, &table, 0);

	expect_set(test, word(1), 3, WATCH);
	before = armed();
	expect_refused(test, word(2) + 1, 7, WATCH, -ENOSPC,
		       "needs 3 slots, 2 free: the debugger holds 2");
	run();
	expect_same(test, &before);

	/* Slots that are there already are not needed once more */
	expect_set(test, word(1) - 4, 7, WATCH);
	table = armed();
	expect_slots(test, &table, 3);
	expect_refused(test, word(1) - 4, 11, WATCH, -ENOSPC,
		       "needs 3 slots, 1 free: the debugger holds 3");
	run();
	expect_same(test, &table);

	/* What the refused ones tried for can be had */
	remove_all();
	expect_set(test, word(2) + 1, 7, WATCH);
	table = armed();
	expect_slots(test, &table, 3);
}

/* The table ends before its slots do if all entries share one */
static void full_table_is_refused(struct kunit *test)
{
	struct table table;
	int len, err = 0;

	expect_set(test, BREAK_ADDR, 1, HBREAK);
	table = armed();
	for (len = 2; len < 1000 && !err; len++)
		err = set(BREAK_ADDR, len, HBREAK);
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_STREQ(test, kgdb_watch_refusal(),
			   "the watchpoint table is full");
	len--;
	KUNIT_EXPECT_GT(test, len, KGDB_SLOTS_MAX);
	run();
	expect_same(test, &table);

	while (--len) {
		run();
		expect_same(test, &table);
		expect_removed(test, BREAK_ADDR, len, HBREAK);
	}
	table = armed();
	expect_slots(test, &table, 0);
}

static void refusal_changes_nothing(struct kunit *test)
{
	static const char zero[] = "the length is zero";
	static const char wrap[] = "the region wraps around the end of memory";
	static const char user[] = "the address is in user space";
	static const char type[] = "not a hardware breakpoint or watchpoint";
	const struct {
		unsigned long addr;
		int len;
		enum kgdb_bptype type;
		const char *why;
	} bad[] = {
		{ word(1), 0, WATCH, zero },
		{ word(1), 0, RWATCH, zero },
		{ word(1), -1, WATCH, wrap },
		{ word(1), INT_MIN, WATCH, wrap },
		{ -2UL, 4, WATCH, wrap },
		{ 0, 4, WATCH, user },
		{ 0x1000, 4, AWATCH, user },
		{ 0x1001, 3, RWATCH, user },
		{ 0x1000, 1, HBREAK, user },
		{ word(1), 4, BP_BREAKPOINT, type },
		{ word(1), 4, (enum kgdb_bptype)9, type },
	};
	struct table table;
	int i;

	expect_set(test, word(0), 4, WATCH);
	table = armed();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, set(bad[i].addr, bad[i].len, bad[i].type),
				    -EINVAL, "row %d", i);
		KUNIT_EXPECT_STREQ_MSG(test, kgdb_watch_refusal(), bad[i].why,
				       "row %d", i);
		run();
		expect_same(test, &table);
		KUNIT_EXPECT_EQ_MSG(test, remove(bad[i].addr, bad[i].len,
						 bad[i].type),
				    -ENOENT, "row %d", i);
	}
}

/*
 * Over stops
 */

/* gdb takes all out and puts them back, in whatever order */
static void slots_are_kept_over_a_stop(struct kunit *test)
{
	struct table full = fill(test);
	int round, i;

	for (round = 0; round < KGDB_SLOTS_MAX; round++) {
		for (i = 0; i < KGDB_SLOTS_MAX; i++)
			expect_removed(test, word(i), sizeof(long), WATCH);
		expect_same(test, &full);
		for (i = KGDB_SLOTS_MAX; i > 0; i--)
			expect_set(test, word((i + round) % KGDB_SLOTS_MAX),
				   sizeof(long), WATCH);
		run();
		expect_same(test, &full);
	}
}

/* Also when others are set before them, or not set again */
static void slots_stay_when_others_change(struct kunit *test)
{
	struct table full = fill(test), table;
	unsigned int kept;
	int i;

	remove_all();
	expect_set(test, word(KGDB_SLOTS_MAX), 4, AWATCH);
	for (i = KGDB_SLOTS_MAX - 1; i > 0; i--)
		expect_set(test, word(i), sizeof(long), WATCH);
	table = armed();
	kept = full.wanted & ~slot(test, &full, word(0), sizeof(long), WATCH);
	expect_kept(test, &full, &table, kept);
	slot(test, &table, word(KGDB_SLOTS_MAX), 4, AWATCH);
	KUNIT_EXPECT_NE(test, table.set.generation, full.set.generation);

	remove_all();
	expect_set(test, word(2), sizeof(long), WATCH);
	table = armed();
	expect_slots(test, &table, 1);
	expect_kept(test, &full, &table,
		    slot(test, &full, word(2), sizeof(long), WATCH));
}

/* Whatever a slot watches has a name of its own, and one that comes back a new one */
static void ids_are_used_once(struct kunit *test)
{
	static const struct {
		int len;
		enum kgdb_bptype type;
	} others[] = {
		{ 4, WATCH }, { 2, WATCH }, { 2, AWATCH }, { 4, AWATCH },
		{ 4, WATCH }, { 2, WATCH },
	};
	struct table full = fill(test), table = full;
	unsigned int last = 0, place, i;

	place = __ffs(slot(test, &full, word(0), sizeof(long), WATCH));
	for (i = 0; i < KGDB_SLOTS_MAX; i++)
		last = max(last, full.set.slot[i].since);

	expect_removed(test, word(0), sizeof(long), WATCH);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		expect_set(test, word(KGDB_SLOTS_MAX), others[i].len, others[i].type);
		table = armed();
		KUNIT_EXPECT_EQ(test, slot(test, &table, word(KGDB_SLOTS_MAX),
					   others[i].len, others[i].type),
				(unsigned int)BIT(place));
		KUNIT_EXPECT_GT(test, table.set.slot[place].since, last);
		last = table.set.slot[place].since;
		expect_kept(test, &full, &table, ALL_SLOTS & ~BIT(place));
		expect_removed(test, word(KGDB_SLOTS_MAX), others[i].len,
			       others[i].type);
	}

	/* The machine ran without it */
	run();
	expect_set(test, word(0), sizeof(long), WATCH);
	table = armed();
	KUNIT_EXPECT_GT(test, table.set.slot[place].since, last);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(insertion_is_idempotent),
	KUNIT_CASE(removal_takes_the_one_that_is_named),
	KUNIT_CASE(nothing_is_settled_before_the_end),
	KUNIT_CASE(regions_are_split),
	KUNIT_CASE(reads_have_pairs_of_slots),
	KUNIT_CASE(equal_slots_are_shared),
	KUNIT_CASE(overlapping_watchpoints_share_slots),
	KUNIT_CASE(types_have_slots_of_their_own),
	KUNIT_CASE(remove_all_leaves_nothing),
	KUNIT_CASE(one_too_many_is_refused),
	KUNIT_CASE(refusal_is_as_a_whole),
	KUNIT_CASE(full_table_is_refused),
	KUNIT_CASE(refusal_changes_nothing),
	KUNIT_CASE(slots_are_kept_over_a_stop),
	KUNIT_CASE(slots_stay_when_others_change),
	KUNIT_CASE(ids_are_used_once),
	{ }
};

static struct kunit_suite table_suite = {
	.name = "kgdb_watchpoint_table",
	.init = claim_table,
	.exit = clear_table,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
