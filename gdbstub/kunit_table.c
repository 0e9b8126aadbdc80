// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's watchpoints: setting, removing, refusals, and what
 * stays over a stop. Each runs on the slots of this machine, and on those of
 * an architecture that is made up.
 */
#include <linux/limits.h>
#include <linux/string.h>

#include "kunit_made_up.h"
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
	unsigned int i;

	fill(test);
	remove_all();
	table = armed();
	expect_slots(test, &table, 0);
	for (i = 0; i < data_slots(); i++)
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
	unsigned long more = word(data_slots());
	char why[64];

	scnprintf(why, sizeof(why), "needs 1 slot, 0 free: the debugger holds %u",
		  data_slots());
	expect_refused(test, more, 4, WATCH, -ENOSPC, why);
	expect_refused(test, word(0), sizeof(long), AWATCH, -ENOSPC, why);
	run();
	expect_same(test, &full);

	/* It fits as soon as one has gone, and only in its place */
	expect_removed(test, word(1), sizeof(long), WATCH);
	expect_set(test, more, 4, WATCH);
	table = armed();
	KUNIT_EXPECT_EQ(test, table.wanted, full.wanted);
	KUNIT_EXPECT_EQ(test, slot(test, &table, more, 4, WATCH),
			slot(test, &full, word(1), sizeof(long), WATCH));
	expect_kept(test, &full, &table, full.wanted &
		    ~slot(test, &full, word(1), sizeof(long), WATCH));
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
	unsigned int round, i;

	for (round = 0; round < data_slots(); round++) {
		for (i = 0; i < data_slots(); i++)
			expect_removed(test, word(i), sizeof(long), WATCH);
		expect_same(test, &full);
		for (i = data_slots(); i > 0; i--)
			expect_set(test, word((i + round) % data_slots()),
				   sizeof(long), WATCH);
		run();
		expect_same(test, &full);
	}
}

/* Also when others are set before them, or not set again */
static void slots_stay_when_others_change(struct kunit *test)
{
	struct table full = fill(test), table;
	unsigned int kept, i;

	remove_all();
	expect_set(test, word(data_slots()), 4, AWATCH);
	for (i = data_slots() - 1; i > 0; i--)
		expect_set(test, word(i), sizeof(long), WATCH);
	table = armed();
	kept = full.wanted & ~slot(test, &full, word(0), sizeof(long), WATCH);
	expect_kept(test, &full, &table, kept);
	slot(test, &table, word(data_slots()), 4, AWATCH);
	KUNIT_EXPECT_NE(test, table.set.generation, full.set.generation);

	remove_all();
	expect_set(test, word(1), sizeof(long), WATCH);
	table = armed();
	expect_slots(test, &table, 1);
	expect_kept(test, &full, &table,
		    slot(test, &full, word(1), sizeof(long), WATCH));
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
		expect_kept(test, &full, &table, full.wanted & ~BIT(place));
		expect_removed(test, word(KGDB_SLOTS_MAX), others[i].len,
			       others[i].type);
	}

	/* The machine ran without it */
	run();
	expect_set(test, word(0), sizeof(long), WATCH);
	table = armed();
	KUNIT_EXPECT_GT(test, table.set.slot[place].since, last);
}

static const struct machine {
	const char *name;
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
} machines[] = {
	{ "the slots of this machine", claim_table, clear_table },
	{ "slots that are made up", made_up_init, made_up_exit },
};

static void describe(const struct machine *machine, char *text)
{
	strscpy(text, machine->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(machine, machines, describe);

static int table_init(struct kunit *test)
{
	return ((const struct machine *)test->param_value)->init(test);
}

static void table_exit(struct kunit *test)
{
	((const struct machine *)test->param_value)->exit(test);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE_PARAM(insertion_is_idempotent, machine_gen_params),
	KUNIT_CASE_PARAM(removal_takes_the_one_that_is_named, machine_gen_params),
	KUNIT_CASE_PARAM(nothing_is_settled_before_the_end, machine_gen_params),
	KUNIT_CASE_PARAM(equal_slots_are_shared, machine_gen_params),
	KUNIT_CASE_PARAM(types_have_slots_of_their_own, machine_gen_params),
	KUNIT_CASE_PARAM(remove_all_leaves_nothing, machine_gen_params),
	KUNIT_CASE_PARAM(one_too_many_is_refused, machine_gen_params),
	KUNIT_CASE_PARAM(full_table_is_refused, machine_gen_params),
	KUNIT_CASE_PARAM(refusal_changes_nothing, machine_gen_params),
	KUNIT_CASE_PARAM(slots_are_kept_over_a_stop, machine_gen_params),
	KUNIT_CASE_PARAM(slots_stay_when_others_change, machine_gen_params),
	KUNIT_CASE_PARAM(ids_are_used_once, machine_gen_params),
	{ }
};

static struct kunit_suite table_suite = {
	.name = "kgdb_watchpoint_table",
	.init = table_init,
	.exit = table_exit,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
