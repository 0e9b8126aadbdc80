// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's watchpoints: what the architecture that is made up can
 * do and this machine cannot.
 */
#include <linux/ptrace.h>

#include "kunit_made_up.h"
#include "kunit_steps.h"

/* An odd region within a word is one slot, and so is a whole page */
static void slots_select_bytes(struct kunit *test)
{
	static u8 page[4096] __aligned(4096);
	struct table table;

	expect_set(test, word(0) + 1, 5, WATCH);
	expect_set(test, (unsigned long)page, sizeof(page), WATCH);
	table = armed();
	expect_slots(test, &table, 2);
	slot(test, &table, word(0) + 1, 5, WATCH);
	slot(test, &table, (unsigned long)page, sizeof(page), WATCH);

	/* Across the end of a word it is two */
	remove_all();
	expect_set(test, word(0) + 5, 6, WATCH);
	table = armed();
	expect_slots(test, &table, 2);
	slot(test, &table, word(0) + 5, 3, WATCH);
	slot(test, &table, word(1), 3, WATCH);
}

static void reads_have_slots_of_their_own(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0), 8, RWATCH);
	table = armed();
	expect_slots(test, &table, 1);
	slot(test, &table, word(0), 8, RWATCH);
}

/* Neither kind takes the other's slots, and a refusal counts its own kind */
static void kinds_are_counted_apart(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0), 4, WATCH);
	expect_set(test, word(1), 4, WATCH);
	expect_refused(test, word(2), 4, WATCH, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 2");
	expect_set(test, BREAK_ADDR, 4, HBREAK);
	table = armed();
	expect_slots(test, &table, 3);
	KUNIT_EXPECT_EQ(test, slot(test, &table, BREAK_ADDR, 1, HBREAK),
			(unsigned int)BIT(MADE_UP_BREAK_SLOT));

	expect_refused(test, BREAK_ADDR + 4, 4, HBREAK, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 1");
	expect_removed(test, word(0), 4, WATCH);
	expect_refused(test, BREAK_ADDR + 4, 4, HBREAK, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 1");
	run();
	KUNIT_EXPECT_EQ(test, hweight32(made_up.reserved), 2U);
}

static void the_architecture_refuses(struct kunit *test)
{
	made_up.dragons = word(3);
	expect_refused(test, word(3), 4, WATCH, -EINVAL, "there are dragons");
	made_up.refuse = BIT(1);
	expect_set(test, word(0), 4, WATCH);
	expect_refused(test, word(1), 4, WATCH, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 1, perf holds 1");
}

/* A hit before the access that nobody wants any more is stepped over */
static void stale_hits_are_stepped_over(struct kunit *test)
{
	struct pt_regs regs = { };
	unsigned long flags;
	struct table table;
	bool live[2];
	int i;

	expect_set(test, word(0), 4, RWATCH);
	table = armed();
	for (i = 0; i < 2; i++) {
		const struct kgdb_hit_info info = {
			.slot = __ffs(table.wanted),
			.since = table.set.slot[__ffs(table.wanted)].since,
			.generation = table.set.generation,
		};

		local_irq_save(flags);
		kgdb_hit_record(&info);
		live[i] = kgdb_hit_resolve(&regs);
		kgdb_hit_next();
		local_irq_restore(flags);
		KUNIT_EXPECT_EQ(test, made_up.stepped_over, (unsigned int)i);
		expect_removed(test, word(0), 4, RWATCH);
		run();
		if (!i)
			expect_set(test, word(0), 4, RWATCH);
	}
	KUNIT_EXPECT_TRUE(test, live[0]);
	KUNIT_EXPECT_FALSE(test, live[1]);
}

static struct kunit_case arch_cases[] = {
	KUNIT_CASE(slots_select_bytes),
	KUNIT_CASE(reads_have_slots_of_their_own),
	KUNIT_CASE(kinds_are_counted_apart),
	KUNIT_CASE(the_architecture_refuses),
	KUNIT_CASE(stale_hits_are_stepped_over),
	{ }
};

static struct kunit_suite arch_suite = {
	.name = "kgdb_watchpoint_arch",
	.init = made_up_init,
	.exit = made_up_exit,
	.test_cases = arch_cases,
};

kunit_test_suite(arch_suite);
