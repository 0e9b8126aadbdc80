// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's watchpoints that need several slots, on a machine whose
 * slots hold aligned powers of two and are not for reads alone: x86.
 */
#include "kunit_steps.h"

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

static struct kunit_case pieces_cases[] = {
	KUNIT_CASE(regions_are_split),
	KUNIT_CASE(reads_have_pairs_of_slots),
	KUNIT_CASE(overlapping_watchpoints_share_slots),
	KUNIT_CASE(refusal_is_as_a_whole),
	{ }
};

static struct kunit_suite pieces_suite = {
	.name = "kgdb_watchpoint_pieces",
	.init = claim_table,
	.exit = clear_table,
	.test_cases = pieces_cases,
};

kunit_test_suite(pieces_suite);
