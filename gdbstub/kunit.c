// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's hardware watchpoints: the pure parts by the tables in
 * cases.h, and the watchpoint table with its hits on the slots of this
 * machine. Nothing here arms a debug register.
 */
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/irqflags.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/kernel.h>
#include <linux/perf_event.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "cases.h"
#include "watch.h"

/*
 * The pure parts
 */

static void parse_desc(const struct kgdb_parse_case *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "'%.*s'",
		 (int)strcspn(row->text, "\n"), row->text);
}

KUNIT_ARRAY_PARAM(parse, kgdb_parse_cases, parse_desc);

static void parse_break(struct kunit *test)
{
	const struct kgdb_parse_case *row = test->param_value;
	struct kgdb_break_packet packet;
	const char *why = kgdb_parse_break(row->text, &packet);

	KUNIT_ASSERT_STREQ(test, why ?: "", row->why ?: "");
	if (why)
		return;
	KUNIT_EXPECT_EQ(test, packet.insert, row->packet.insert);
	KUNIT_EXPECT_EQ(test, (int)packet.spec.type, (int)row->packet.spec.type);
	KUNIT_EXPECT_EQ(test, packet.spec.addr, row->packet.spec.addr);
	KUNIT_EXPECT_EQ(test, packet.spec.len, row->packet.spec.len);
}

static void plan_desc(const struct kgdb_plan_case *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "type %d address %lx length %lx",
		 row->watch.type, row->watch.addr, row->watch.len);
}

KUNIT_ARRAY_PARAM(plan, kgdb_plan_cases, plan_desc);

static void plan_slot(struct kunit *test)
{
	const struct kgdb_plan_case *row = test->param_value;
	struct kgdb_slot_spec slot;
	const char *why = kgdb_plan_slot(&row->watch, &slot);

	KUNIT_ASSERT_STREQ(test, why ?: "", row->why ?: "");
	if (why)
		return;
	KUNIT_EXPECT_EQ(test, (int)slot.type, (int)row->watch.type);
	KUNIT_EXPECT_EQ(test, slot.addr, row->watch.addr);
	KUNIT_EXPECT_EQ(test, slot.len, row->slot_len);
}

static void format_desc(const struct kgdb_format_case *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "type %d '%s'", row->watch.type,
		 row->text);
}

KUNIT_ARRAY_PARAM(format, kgdb_format_cases, format_desc);

static void format_watch(struct kunit *test)
{
	const struct kgdb_format_case *row = test->param_value;
	char buf[KGDB_WATCH_REASON_SIZE + 1];
	char *end;

	memset(buf, '?', sizeof(buf));
	end = kgdb_format_watch(buf, &row->watch);
	KUNIT_EXPECT_PTR_EQ(test, end, buf + strlen(row->text));
	KUNIT_EXPECT_EQ(test, buf[KGDB_WATCH_REASON_SIZE], '?');
	KUNIT_ASSERT_LT(test, strnlen(buf, sizeof(buf)), sizeof(buf));
	KUNIT_EXPECT_STREQ(test, buf, row->text);
}

static struct kunit_case pure_cases[] = {
	KUNIT_CASE_PARAM(parse_break, parse_gen_params),
	KUNIT_CASE_PARAM(plan_slot, plan_gen_params),
	KUNIT_CASE_PARAM(format_watch, format_gen_params),
	{ }
};

static struct kunit_suite pure_suite = {
	.name = "kgdb_watchpoint_pure",
	.test_cases = pure_cases,
};

/*
 * The table
 *
 * Its functions are called as the debugger calls them, with interrupts off,
 * and one by one: a KUnit expectation that fails allocates memory. In between
 * nobody else changes the table, since the tests are skipped while a debugger
 * is connected. A debugger that connects during a test removes all
 * watchpoints, and that test fails.
 */

/* Memory to watch, one word for each slot and one too many */
static unsigned long watched[KGDB_HW_SLOTS + 1];

static unsigned long word(unsigned int i)
{
	return (unsigned long)&watched[i];
}

static int set(unsigned long addr, int len, enum kgdb_bptype type)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = kgdb_set_hw_break(addr, len, type);
	local_irq_restore(flags);
	return err;
}

static int remove(unsigned long addr, int len, enum kgdb_bptype type)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = kgdb_remove_hw_break(addr, len, type);
	local_irq_restore(flags);
	return err;
}

static void remove_all(void)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_remove_all_hw_break();
	local_irq_restore(flags);
}

static void release_idle(void)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_release_idle_slots();
	local_irq_restore(flags);
}

/* Bitmap of the slots that CPUs are to arm */
static unsigned int wanted(void)
{
	unsigned int generation, i, slots = 0;
	unsigned long flags;

	local_irq_save(flags);
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (kgdb_slot_wanted(i, &generation))
			slots |= BIT(i);
	}
	local_irq_restore(flags);
	return slots;
}

static unsigned int generation_of(unsigned int slot)
{
	unsigned int generation;
	unsigned long flags;

	local_irq_save(flags);
	kgdb_slot_wanted(slot, &generation);
	local_irq_restore(flags);
	return generation;
}

/* Set a watchpoint that needs a slot of its own; which one it got, and when */
static void set_in_slot(struct kunit *test, unsigned long addr, int len,
			enum kgdb_bptype type, unsigned int *slot,
			unsigned int *generation)
{
	unsigned int before = wanted(), added;

	KUNIT_ASSERT_EQ(test, set(addr, len, type), 0);
	added = wanted() & ~before;
	KUNIT_ASSERT_EQ(test, hweight32(added), 1U);
	KUNIT_ASSERT_EQ(test, wanted(), before | added);
	*slot = __ffs(added);
	*generation = generation_of(*slot);
}

static struct kgdb_watch_spec found;

/* Look up what a slot serves, into @found */
static bool find(unsigned int slot, unsigned int generation)
{
	unsigned long flags;
	bool any;

	memset(&found, 0, sizeof(found));
	local_irq_save(flags);
	any = kgdb_watch_find(slot, generation, &found);
	local_irq_restore(flags);
	return any;
}

static void expect_found(struct kunit *test, unsigned int slot,
			 unsigned int generation, unsigned long addr, int len,
			 enum kgdb_bptype type)
{
	KUNIT_EXPECT_TRUE(test, find(slot, generation));
	KUNIT_EXPECT_EQ(test, found.addr, addr);
	KUNIT_EXPECT_EQ(test, found.len, (unsigned long)len);
	KUNIT_EXPECT_EQ(test, (int)found.type, (int)type);
}

/* Fill all slots with write watchpoints, on one word each */
static void fill(struct kunit *test, unsigned int *slot, unsigned int *generation)
{
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++)
		set_in_slot(test, word(i), sizeof(long), BP_WRITE_WATCHPOINT,
			    &slot[i], &generation[i]);
	KUNIT_ASSERT_EQ(test, wanted(), (unsigned int)BIT(KGDB_HW_SLOTS) - 1);
}

static void expect_full(struct kunit *test, const unsigned int *slot,
			const unsigned int *generation)
{
	int i;

	KUNIT_EXPECT_EQ(test, wanted(), (unsigned int)BIT(KGDB_HW_SLOTS) - 1);
	for (i = 0; i < KGDB_HW_SLOTS; i++)
		expect_found(test, slot[i], generation[i], word(i),
			     sizeof(long), BP_WRITE_WATCHPOINT);
}

/*
 * Replace what is in one slot, with all others in use: a free one might be
 * taken instead, because it watched the same once. Its new generation.
 */
static unsigned int put_in_slot(struct kunit *test, unsigned int slot,
				unsigned long addr, int len,
				enum kgdb_bptype type)
{
	unsigned int new_slot, generation;

	KUNIT_ASSERT_TRUE(test, find(slot, generation_of(slot)));
	KUNIT_ASSERT_EQ(test, remove(found.addr, found.len,
				     (enum kgdb_bptype)found.type), 0);
	set_in_slot(test, addr, len, type, &new_slot, &generation);
	KUNIT_ASSERT_EQ(test, new_slot, slot);
	expect_found(test, slot, generation, addr, len, type);
	return generation;
}

static void insertion_is_idempotent(struct kunit *test)
{
	unsigned int slot, generation;

	set_in_slot(test, word(0), 4, BP_WRITE_WATCHPOINT, &slot, &generation);
	KUNIT_EXPECT_EQ(test, set(word(0), 4, BP_WRITE_WATCHPOINT), 0);
	KUNIT_EXPECT_EQ(test, wanted(), (unsigned int)BIT(slot));
	KUNIT_EXPECT_EQ(test, generation_of(slot), generation);

	/* It was set once, whatever it was told */
	KUNIT_EXPECT_EQ(test, remove(word(0), 4, BP_WRITE_WATCHPOINT), 0);
	KUNIT_EXPECT_EQ(test, wanted(), 0U);
	KUNIT_EXPECT_EQ(test, remove(word(0), 4, BP_WRITE_WATCHPOINT), -ENOENT);
}

static void removal_takes_the_one_that_is_named(struct kunit *test)
{
	unsigned int slot, generation;

	set_in_slot(test, word(0), 4, BP_WRITE_WATCHPOINT, &slot, &generation);
	KUNIT_EXPECT_EQ(test, remove(word(0), 2, BP_WRITE_WATCHPOINT), -ENOENT);
	KUNIT_EXPECT_EQ(test, remove(word(0) + 4, 4, BP_WRITE_WATCHPOINT),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, remove(word(0), 4, BP_ACCESS_WATCHPOINT),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, wanted(), (unsigned int)BIT(slot));
	expect_found(test, slot, generation, word(0), 4, BP_WRITE_WATCHPOINT);
}

/* A place for breakpoints */
static noinline void breakpoint_here(void)
{
	barrier();
}

#define BREAK_ADDR ((unsigned long)breakpoint_here)

/* Breakpoints of different "kind" at one address are one slot */
static void equal_slots_are_shared(struct kunit *test)
{
	unsigned int slot, generation;

	set_in_slot(test, BREAK_ADDR, 1, BP_HARDWARE_BREAKPOINT, &slot,
		    &generation);
	KUNIT_EXPECT_EQ(test, set(BREAK_ADDR, 4, BP_HARDWARE_BREAKPOINT), 0);
	KUNIT_EXPECT_EQ(test, wanted(), (unsigned int)BIT(slot));
	KUNIT_EXPECT_EQ(test, generation_of(slot), generation);

	KUNIT_EXPECT_EQ(test, remove(BREAK_ADDR, 1, BP_HARDWARE_BREAKPOINT), 0);
	KUNIT_EXPECT_EQ(test, wanted(), (unsigned int)BIT(slot));
	expect_found(test, slot, generation, BREAK_ADDR, 4,
		     BP_HARDWARE_BREAKPOINT);

	KUNIT_EXPECT_EQ(test, remove(BREAK_ADDR, 4, BP_HARDWARE_BREAKPOINT), 0);
	KUNIT_EXPECT_EQ(test, wanted(), 0U);
	KUNIT_EXPECT_FALSE(test, find(slot, generation));
}

static void types_have_slots_of_their_own(struct kunit *test)
{
	unsigned int slot[2], generation[2];

	set_in_slot(test, word(0), 4, BP_WRITE_WATCHPOINT, &slot[0],
		    &generation[0]);
	set_in_slot(test, word(0), 4, BP_ACCESS_WATCHPOINT, &slot[1],
		    &generation[1]);
	expect_found(test, slot[0], generation[0], word(0), 4,
		     BP_WRITE_WATCHPOINT);
	expect_found(test, slot[1], generation[1], word(0), 4,
		     BP_ACCESS_WATCHPOINT);

	KUNIT_EXPECT_EQ(test, remove(word(0), 4, BP_WRITE_WATCHPOINT), 0);
	KUNIT_EXPECT_FALSE(test, find(slot[0], generation[0]));
	expect_found(test, slot[1], generation[1], word(0), 4,
		     BP_ACCESS_WATCHPOINT);
}

static void one_too_many_is_refused(struct kunit *test)
{
	unsigned int slot[KGDB_HW_SLOTS], generation[KGDB_HW_SLOTS];

	fill(test, slot, generation);
	KUNIT_EXPECT_EQ(test, set(word(KGDB_HW_SLOTS), 4, BP_WRITE_WATCHPOINT),
			-ENOSPC);
	expect_full(test, slot, generation);
	KUNIT_EXPECT_EQ(test, set(word(0), sizeof(long), BP_ACCESS_WATCHPOINT),
			-ENOSPC);
	expect_full(test, slot, generation);

	/* It fits as soon as one has gone, and only in its place */
	KUNIT_EXPECT_EQ(test, remove(word(1), sizeof(long), BP_WRITE_WATCHPOINT),
			0);
	KUNIT_EXPECT_EQ(test, set(word(KGDB_HW_SLOTS), 4, BP_WRITE_WATCHPOINT),
			0);
	expect_found(test, slot[1], generation_of(slot[1]), word(KGDB_HW_SLOTS),
		     4, BP_WRITE_WATCHPOINT);
	KUNIT_EXPECT_FALSE(test, find(slot[1], generation[1]));
	expect_found(test, slot[0], generation[0], word(0), sizeof(long),
		     BP_WRITE_WATCHPOINT);
}

/* The table ends before its slots do if all entries share one */
static void full_table_is_refused(struct kunit *test)
{
	unsigned int slot, generation;
	int len, err = 0;

	set_in_slot(test, BREAK_ADDR, 1, BP_HARDWARE_BREAKPOINT, &slot,
		    &generation);
	for (len = 2; len < 1000 && !err; len++)
		err = set(BREAK_ADDR, len, BP_HARDWARE_BREAKPOINT);
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	len--;
	KUNIT_EXPECT_GT(test, len, KGDB_HW_SLOTS);
	KUNIT_EXPECT_EQ(test, wanted(), (unsigned int)BIT(slot));
	KUNIT_EXPECT_EQ(test, generation_of(slot), generation);

	/* The refused one left no reference to its slot */
	while (--len) {
		KUNIT_EXPECT_EQ(test, wanted(), (unsigned int)BIT(slot));
		KUNIT_EXPECT_EQ(test, remove(BREAK_ADDR, len,
					     BP_HARDWARE_BREAKPOINT), 0);
	}
	KUNIT_EXPECT_EQ(test, wanted(), 0U);
}

static void refusal_changes_nothing(struct kunit *test)
{
	const struct {
		unsigned long addr;
		int len;
		enum kgdb_bptype type;
	} bad[] = {
		{ word(1), 0, BP_WRITE_WATCHPOINT },
		{ word(1), 3, BP_WRITE_WATCHPOINT },
		{ word(1), 2 * sizeof(long), BP_ACCESS_WATCHPOINT },
		{ word(1), -1, BP_WRITE_WATCHPOINT },
		{ word(1), INT_MIN, BP_WRITE_WATCHPOINT },
		{ word(1) + 1, 2, BP_WRITE_WATCHPOINT },
		{ word(1) + 2, 4, BP_ACCESS_WATCHPOINT },
		{ -2UL, 4, BP_WRITE_WATCHPOINT },
		{ 0, 4, BP_WRITE_WATCHPOINT },
		{ 0x1000, 4, BP_ACCESS_WATCHPOINT },
		{ 0x1000, 1, BP_HARDWARE_BREAKPOINT },
		{ word(1), 4, BP_READ_WATCHPOINT },
		{ word(1), 4, BP_BREAKPOINT },
		{ word(1), 4, (enum kgdb_bptype)9 },
	};
	unsigned int slot, generation;
	int i;

	set_in_slot(test, word(0), 4, BP_WRITE_WATCHPOINT, &slot, &generation);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, set(bad[i].addr, bad[i].len, bad[i].type),
				    -EINVAL, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, wanted(), (unsigned int)BIT(slot),
				    "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, remove(bad[i].addr, bad[i].len,
						 bad[i].type),
				    -ENOENT, "row %d", i);
	}
	expect_found(test, slot, generation, word(0), 4, BP_WRITE_WATCHPOINT);
}

/* As at each stop: gdb takes all out and puts them back, in whatever order */
static void slots_are_kept_over_a_stop(struct kunit *test)
{
	unsigned int slot[KGDB_HW_SLOTS], generation[KGDB_HW_SLOTS];
	int round, i;

	fill(test, slot, generation);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < KGDB_HW_SLOTS; i++)
			KUNIT_EXPECT_EQ(test, remove(word(i), sizeof(long),
						     BP_WRITE_WATCHPOINT), 0);
		KUNIT_EXPECT_EQ(test, wanted(), 0U);
		for (i = 0; i < KGDB_HW_SLOTS; i++)
			KUNIT_EXPECT_FALSE(test, find(slot[i], generation[i]));

		/* The machine may run in between, and perf get the slots */
		if (round & 1)
			release_idle();
		for (i = KGDB_HW_SLOTS - 1; i >= 0; i--)
			KUNIT_EXPECT_EQ(test, set(word(i), sizeof(long),
						  BP_WRITE_WATCHPOINT), 0);
		expect_full(test, slot, generation);
	}
}

static void generation_changes_with_what_is_watched(struct kunit *test)
{
	unsigned int slot[KGDB_HW_SLOTS], generation[KGDB_HW_SLOTS];
	unsigned int before, after;

	fill(test, slot, generation);
	before = generation[0];

	/* Other memory, length or type: each is something else */
	after = put_in_slot(test, slot[0], word(KGDB_HW_SLOTS), sizeof(long),
			    BP_WRITE_WATCHPOINT);
	KUNIT_EXPECT_NE(test, after, before);
	KUNIT_EXPECT_FALSE(test, find(slot[0], before));

	before = after;
	after = put_in_slot(test, slot[0], word(KGDB_HW_SLOTS), 2,
			    BP_WRITE_WATCHPOINT);
	KUNIT_EXPECT_NE(test, after, before);
	KUNIT_EXPECT_FALSE(test, find(slot[0], before));

	before = after;
	after = put_in_slot(test, slot[0], word(KGDB_HW_SLOTS), 2,
			    BP_ACCESS_WATCHPOINT);
	KUNIT_EXPECT_NE(test, after, before);
	KUNIT_EXPECT_FALSE(test, find(slot[0], before));

	/* What was there first is new as well when it comes back */
	generation[0] = put_in_slot(test, slot[0], word(0), sizeof(long),
				    BP_WRITE_WATCHPOINT);
	KUNIT_EXPECT_NE(test, generation[0], after);
	expect_full(test, slot, generation);
}

static void remove_all_leaves_nothing(struct kunit *test)
{
	unsigned int slot[KGDB_HW_SLOTS], generation[KGDB_HW_SLOTS];
	int i;

	fill(test, slot, generation);
	remove_all();
	KUNIT_EXPECT_EQ(test, wanted(), 0U);
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		KUNIT_EXPECT_FALSE(test, find(slot[i], generation[i]));
		KUNIT_EXPECT_EQ(test, remove(word(i), sizeof(long),
					     BP_WRITE_WATCHPOINT), -ENOENT);
	}
	remove_all();
	KUNIT_EXPECT_EQ(test, wanted(), 0U);
}

/*
 * Hits: recorded on this CPU, resolved and forgotten within one section with
 * interrupts off, as by one debug exception.
 */
static struct {
	bool pending, live, reported, left;
	char reason[KGDB_WATCH_REASON_SIZE];
	char *end;
} hit;

static void take_hits(int count, const unsigned int *slot,
		      const unsigned int *generation)
{
	unsigned long flags;
	int i;

	memset(&hit, 0, sizeof(hit));
	local_irq_save(flags);
	for (i = 0; i < count; i++)
		kgdb_hit_record(slot[i], generation[i]);
	hit.pending = kgdb_hit_pending();
	hit.live = kgdb_hit_resolve();
	hit.reported = kgdb_hit_reported();
	hit.end = kgdb_hit_stop_reason(hit.reason);
	kgdb_hit_clear();
	hit.left = kgdb_hit_pending() || kgdb_hit_reported();
	local_irq_restore(flags);
}

static void expect_reported(struct kunit *test, const char *field,
			    unsigned long addr)
{
	char expected[KGDB_WATCH_REASON_SIZE] = "";

	if (*field)
		snprintf(expected, sizeof(expected), "%s:%0*lx;", field,
			 (int)(2 * sizeof(long)), addr);
	KUNIT_EXPECT_TRUE(test, hit.pending);
	KUNIT_EXPECT_TRUE(test, hit.live);
	KUNIT_EXPECT_TRUE(test, hit.reported);
	KUNIT_EXPECT_STREQ(test, hit.reason, expected);
	KUNIT_EXPECT_PTR_EQ(test, hit.end, hit.reason + strlen(expected));
	KUNIT_EXPECT_FALSE(test, hit.left);
}

static void expect_dropped(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, hit.pending);
	KUNIT_EXPECT_FALSE(test, hit.live);
	KUNIT_EXPECT_FALSE(test, hit.reported);
	KUNIT_EXPECT_STREQ(test, hit.reason, "");
	KUNIT_EXPECT_FALSE(test, hit.left);
}

static void hits_are_reported(struct kunit *test)
{
	unsigned int slot, generation;

	set_in_slot(test, word(0), 4, BP_WRITE_WATCHPOINT, &slot, &generation);
	take_hits(1, &slot, &generation);
	expect_reported(test, "watch", word(0));

	set_in_slot(test, word(1), 4, BP_ACCESS_WATCHPOINT, &slot, &generation);
	take_hits(1, &slot, &generation);
	expect_reported(test, "awatch", word(1));

	/* gdb knows a breakpoint from the PC */
	set_in_slot(test, BREAK_ADDR, 1, BP_HARDWARE_BREAKPOINT, &slot,
		    &generation);
	take_hits(1, &slot, &generation);
	expect_reported(test, "", 0);
}

static void no_hit_no_reason(struct kunit *test)
{
	unsigned int slot, generation;

	set_in_slot(test, word(0), 4, BP_WRITE_WATCHPOINT, &slot, &generation);
	take_hits(0, NULL, NULL);
	KUNIT_EXPECT_FALSE(test, hit.pending);
	KUNIT_EXPECT_FALSE(test, hit.live);
	KUNIT_EXPECT_FALSE(test, hit.reported);
	KUNIT_EXPECT_STREQ(test, hit.reason, "");
	KUNIT_EXPECT_PTR_EQ(test, hit.end, (char *)hit.reason);
}

static void stale_hits_are_dropped(struct kunit *test)
{
	unsigned int slot[KGDB_HW_SLOTS], generation[KGDB_HW_SLOTS], later;

	fill(test, slot, generation);
	KUNIT_EXPECT_EQ(test, remove(word(0), sizeof(long), BP_WRITE_WATCHPOINT),
			0);
	take_hits(1, slot, generation);
	expect_dropped(test);

	/* Put back, it is the same watchpoint, and the hit counts */
	KUNIT_EXPECT_EQ(test, set(word(0), sizeof(long), BP_WRITE_WATCHPOINT),
			0);
	take_hits(1, slot, generation);
	expect_reported(test, "watch", word(0));

	/* Something else in the slot: no blame on that */
	later = put_in_slot(test, slot[0], word(KGDB_HW_SLOTS), 4,
			    BP_ACCESS_WATCHPOINT);
	take_hits(1, slot, generation);
	expect_dropped(test);
	take_hits(1, slot, &later);
	expect_reported(test, "awatch", word(KGDB_HW_SLOTS));

	remove_all();
	release_idle();
	take_hits(1, slot, &later);
	expect_dropped(test);
}

/* One access may hit several slots: the watchpoint that says most is named */
static void most_specific_hit_is_reported(struct kunit *test)
{
	unsigned int slot[KGDB_HW_SLOTS], generation[KGDB_HW_SLOTS];
	unsigned int first = 0, last = KGDB_HW_SLOTS - 1;
	unsigned int hits[] = { first, last };
	unsigned int generations[2], stale[2], later_is_stale[2];

	fill(test, slot, generation);

	/* Whichever slot comes first */
	generations[0] = put_in_slot(test, first, word(KGDB_HW_SLOTS), 4,
				     BP_ACCESS_WATCHPOINT);
	generations[1] = put_in_slot(test, last, word(KGDB_HW_SLOTS), 4,
				     BP_WRITE_WATCHPOINT);
	take_hits(2, hits, generations);
	expect_reported(test, "watch", word(KGDB_HW_SLOTS));

	generations[0] = put_in_slot(test, first, word(KGDB_HW_SLOTS), 2,
				     BP_WRITE_WATCHPOINT);
	generations[1] = put_in_slot(test, last, word(KGDB_HW_SLOTS) + 2, 2,
				     BP_ACCESS_WATCHPOINT);
	take_hits(2, hits, generations);
	expect_reported(test, "watch", word(KGDB_HW_SLOTS));

	/* Only of those that are still there, whichever comes first */
	stale[0] = generations[0] - 1;
	stale[1] = generations[1] - 1;
	later_is_stale[0] = generations[0];
	later_is_stale[1] = stale[1];
	take_hits(2, hits, later_is_stale);
	expect_reported(test, "watch", word(KGDB_HW_SLOTS));
	KUNIT_EXPECT_EQ(test, remove(word(KGDB_HW_SLOTS), 2,
				     BP_WRITE_WATCHPOINT), 0);
	take_hits(2, hits, generations);
	expect_reported(test, "awatch", word(KGDB_HW_SLOTS) + 2);
	take_hits(2, hits, stale);
	expect_dropped(test);
}

/*
 * Sharing with perf: neither side takes what the other has.
 */
static struct perf_event * __percpu *perf_breakpoint(unsigned int i)
{
	struct perf_event_attr attr;

	hw_breakpoint_init(&attr);
	attr.bp_addr = word(i);
	attr.bp_len = HW_BREAKPOINT_LEN_4;
	attr.bp_type = HW_BREAKPOINT_W;
	attr.disabled = 1;
	return register_wide_hw_breakpoint(&attr, NULL, NULL);
}

/* How many breakpoints perf can have on every CPU, with all given back */
static int perf_can_have(void)
{
	struct perf_event * __percpu *event[KGDB_HW_SLOTS + 1];
	int count, i;

	for (count = 0; count < ARRAY_SIZE(event); count++) {
		event[count] = perf_breakpoint(count);
		if (IS_ERR((void __force *)event[count]))
			break;
	}
	for (i = 0; i < count; i++)
		unregister_wide_hw_breakpoint(event[i]);
	return count;
}

static void perf_gets_what_is_left(struct kunit *test)
{
	unsigned int slot, generation;
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS - i);
		set_in_slot(test, word(i), 4, BP_WRITE_WATCHPOINT, &slot,
			    &generation);
	}
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);

	/* Slots are held over a stop, and given back when the machine runs */
	remove_all();
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);
	release_idle();
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS);

	/* Only idle ones are given back */
	KUNIT_EXPECT_EQ(test, set(word(0), 4, BP_WRITE_WATCHPOINT), 0);
	release_idle();
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS - 1);
}

static void kgdb_gets_what_perf_leaves(struct kunit *test)
{
	struct perf_event * __percpu *event[KGDB_HW_SLOTS];
	unsigned int slot, generation;
	int held, i, err;

	for (held = 0; held < KGDB_HW_SLOTS; held++) {
		event[held] = perf_breakpoint(held);
		if (IS_ERR((void __force *)event[held])) {
			KUNIT_FAIL(test, "perf breakpoint %d: error %ld", held,
				   PTR_ERR((void __force *)event[held]));
			break;
		}

		for (i = held + 1; i < KGDB_HW_SLOTS; i++)
			KUNIT_EXPECT_EQ(test, set(word(i), 4, BP_WRITE_WATCHPOINT), 0);
		err = set(word(KGDB_HW_SLOTS), 4, BP_WRITE_WATCHPOINT);
		KUNIT_EXPECT_EQ(test, err, -ENOSPC);
		KUNIT_EXPECT_EQ(test, hweight32(wanted()), KGDB_HW_SLOTS - 1U - held);
		remove_all();
		release_idle();
	}
	while (held--)
		unregister_wide_hw_breakpoint(event[held]);
	set_in_slot(test, word(0), 4, BP_WRITE_WATCHPOINT, &slot, &generation);
}

/* Marks the table as the test's to clean up */
static char claimed;

static int table_init(struct kunit *test)
{
	if (kgdb_connected || wanted() || perf_can_have() != KGDB_HW_SLOTS)
		kunit_skip(test, "the hardware slots are in use");

	test->priv = &claimed;
	return 0;
}

static void table_exit(struct kunit *test)
{
	if (test->priv != &claimed)
		return;

	remove_all();
	release_idle();
	KUNIT_EXPECT_EQ(test, wanted(), 0U);
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(insertion_is_idempotent),
	KUNIT_CASE(removal_takes_the_one_that_is_named),
	KUNIT_CASE(equal_slots_are_shared),
	KUNIT_CASE(types_have_slots_of_their_own),
	KUNIT_CASE(one_too_many_is_refused),
	KUNIT_CASE(full_table_is_refused),
	KUNIT_CASE(refusal_changes_nothing),
	KUNIT_CASE(slots_are_kept_over_a_stop),
	KUNIT_CASE(generation_changes_with_what_is_watched),
	KUNIT_CASE(remove_all_leaves_nothing),
	KUNIT_CASE(hits_are_reported),
	KUNIT_CASE(no_hit_no_reason),
	KUNIT_CASE(stale_hits_are_dropped),
	KUNIT_CASE(most_specific_hit_is_reported),
	KUNIT_CASE(perf_gets_what_is_left),
	KUNIT_CASE(kgdb_gets_what_perf_leaves),
	{ }
};

static struct kunit_suite table_suite = {
	.name = "kgdb_watchpoint_table",
	.init = table_init,
	.exit = table_exit,
	.test_cases = table_cases,
};

kunit_test_suites(&pure_suite, &table_suite);
