// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's table of watchpoints and of its hits, on the slots of
 * this machine. No debug register is armed for them.
 *
 * The table's functions are called as the debugger calls them, with interrupts
 * off, and one by one: a KUnit expectation that fails allocates memory. In
 * between nobody else changes the table, since the tests are skipped while a
 * debugger is connected. A debugger that connects during a test removes all
 * watchpoints, and that test fails.
 */
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/limits.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "watch.h"

/* As gdb's commands */
#define WATCH BP_WRITE_WATCHPOINT
#define RWATCH BP_READ_WATCHPOINT
#define AWATCH BP_ACCESS_WATCHPOINT
#define HBREAK BP_HARDWARE_BREAKPOINT

#define ALL_SLOTS ((unsigned int)BIT(KGDB_HW_SLOTS) - 1)

/* Memory to watch, eight bytes for each slot and as many too many */
static u64 watched[KGDB_HW_SLOTS + 1] __aligned(8);

static unsigned long word(unsigned int i)
{
	return (unsigned long)&watched[i];
}

/* A place for breakpoints */
static noinline void breakpoint_here(void)
{
	barrier();
}

#define BREAK_ADDR ((unsigned long)breakpoint_here)

/*
 * What a debugger does
 */

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

/* The machine runs on, up to the next stop */
static void run(void)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_watch_settle();
	kgdb_release_idle_slots();
	local_irq_restore(flags);
}

static void expect_set(struct kunit *test, unsigned long addr, int len,
		       enum kgdb_bptype type)
{
	KUNIT_EXPECT_EQ(test, set(addr, len, type), 0);
}

static void expect_removed(struct kunit *test, unsigned long addr, int len,
			   enum kgdb_bptype type)
{
	KUNIT_EXPECT_EQ(test, remove(addr, len, type), 0);
}

static void expect_refused(struct kunit *test, unsigned long addr, int len,
			   enum kgdb_bptype type, int err, const char *why)
{
	KUNIT_EXPECT_EQ(test, set(addr, len, type), err);
	KUNIT_EXPECT_STREQ(test, kgdb_watch_refusal(), why);
}

/*
 * What a CPU sees
 */

/**
 * struct table - what CPUs are told to arm
 * @wanted: bitmap of the slots
 * @id: names what each of them watches
 * @spec: what it watches
 * @settled: changes when this does
 * @newest: the highest id that was given
 */
struct table {
	unsigned int wanted;
	unsigned int id[KGDB_HW_SLOTS];
	struct kgdb_slot_spec spec[KGDB_HW_SLOTS];
	unsigned int settled;
	unsigned int newest;
};

static struct table look(void)
{
	const struct kgdb_slot_spec *spec;
	struct table table = { };
	unsigned long flags;
	unsigned int i;

	local_irq_save(flags);
	table.settled = kgdb_watch_settled();
	table.newest = kgdb_watch_newest();
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		spec = kgdb_slot_wanted(i, &table.id[i]);
		if (!spec)
			continue;
		table.wanted |= BIT(i);
		table.spec[i] = *spec;
	}
	local_irq_restore(flags);
	return table;
}

/* Run, and look at what is armed then */
static struct table armed(void)
{
	run();
	return look();
}

/* The one slot that watches this: its bit */
static unsigned int slot(struct kunit *test, const struct table *table,
			 unsigned long addr, int len, enum kgdb_bptype type)
{
	const struct kgdb_slot_spec spec = {
		.type = (enum kgdb_watch_type)type,
		.addr = addr,
		.len = len,
	};
	unsigned int i, slots = 0;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (table->wanted & BIT(i) &&
		    kgdb_slot_spec_equal(&table->spec[i], &spec))
			slots |= BIT(i);
	}
	KUNIT_ASSERT_EQ_MSG(test, hweight32(slots), 1U,
			    "slots of type %d at %lx, length %d", type, addr, len);
	return slots;
}

static void expect_slots(struct kunit *test, const struct table *table,
			 unsigned int count)
{
	KUNIT_EXPECT_EQ(test, hweight32(table->wanted), count);
}

/* These slots watch the same as before, and are known by it */
static void expect_kept(struct kunit *test, const struct table *before,
			const struct table *now, unsigned int slots)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, now->wanted & slots, slots);
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (!(slots & BIT(i)))
			continue;
		KUNIT_EXPECT_EQ(test, now->id[i], before->id[i]);
		KUNIT_EXPECT_TRUE(test, kgdb_slot_spec_equal(&now->spec[i],
							     &before->spec[i]));
	}
}

/* The same slots, for the same */
static void expect_same(struct kunit *test, const struct table *before)
{
	struct table now = look();

	KUNIT_EXPECT_EQ(test, now.wanted, before->wanted);
	expect_kept(test, before, &now, before->wanted);
}

/* Fill all slots with write watchpoints, one each */
static struct table fill(struct kunit *test)
{
	struct table table;
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++)
		expect_set(test, word(i), sizeof(long), WATCH);
	table = armed();
	KUNIT_ASSERT_EQ(test, table.wanted, ALL_SLOTS);
	return table;
}

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
	KUNIT_EXPECT_NE(test, after.settled, before.settled);
	expect_slots(test, &after, 1);

	expect_removed(test, word(0), 4, WATCH);
	expect_same(test, &after);
	before = armed();
	KUNIT_EXPECT_NE(test, before.settled, after.settled);
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
	for (i = 0; i < KGDB_HW_SLOTS; i++)
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

	expect_refused(test, word(KGDB_HW_SLOTS), 4, WATCH, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 4");
	expect_refused(test, word(0), sizeof(long), AWATCH, -ENOSPC,
		       "needs 1 slot, 0 free: the debugger holds 4");
	run();
	expect_same(test, &full);

	/* It fits as soon as one has gone, and only in its place */
	expect_removed(test, word(1), sizeof(long), WATCH);
	expect_set(test, word(KGDB_HW_SLOTS), 4, WATCH);
	table = armed();
	KUNIT_EXPECT_EQ(test, table.wanted, ALL_SLOTS);
	KUNIT_EXPECT_EQ(test, slot(test, &table, word(KGDB_HW_SLOTS), 4, WATCH),
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
	KUNIT_EXPECT_GT(test, len, KGDB_HW_SLOTS);
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
	static const char own[] = "the debugger itself uses this memory";
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
		{ (unsigned long)&kgdb_active, 4, AWATCH, own },
		{ (unsigned long)&kgdb_active - 2, 4, WATCH, own },
		{ (unsigned long)&arch_kgdb_ops, 1, RWATCH, own },
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

	for (round = 0; round < KGDB_HW_SLOTS; round++) {
		for (i = 0; i < KGDB_HW_SLOTS; i++)
			expect_removed(test, word(i), sizeof(long), WATCH);
		expect_same(test, &full);
		for (i = KGDB_HW_SLOTS; i > 0; i--)
			expect_set(test, word((i + round) % KGDB_HW_SLOTS),
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
	expect_set(test, word(KGDB_HW_SLOTS), 4, AWATCH);
	for (i = KGDB_HW_SLOTS - 1; i > 0; i--)
		expect_set(test, word(i), sizeof(long), WATCH);
	table = armed();
	kept = full.wanted & ~slot(test, &full, word(0), sizeof(long), WATCH);
	expect_kept(test, &full, &table, kept);
	slot(test, &table, word(KGDB_HW_SLOTS), 4, AWATCH);
	KUNIT_EXPECT_NE(test, table.settled, full.settled);

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
	unsigned int last = 0, place, i, n;

	place = __ffs(slot(test, &full, word(0), sizeof(long), WATCH));
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		for (n = 0; n < i; n++)
			KUNIT_EXPECT_NE(test, full.id[i], full.id[n]);
		last = max(last, full.id[i]);
	}

	expect_removed(test, word(0), sizeof(long), WATCH);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		expect_set(test, word(KGDB_HW_SLOTS), others[i].len, others[i].type);
		table = armed();
		KUNIT_EXPECT_EQ(test, slot(test, &table, word(KGDB_HW_SLOTS),
					   others[i].len, others[i].type),
				(unsigned int)BIT(place));
		KUNIT_EXPECT_GT(test, table.id[place], last);
		last = table.id[place];
		expect_kept(test, &full, &table, ALL_SLOTS & ~BIT(place));
		expect_removed(test, word(KGDB_HW_SLOTS), others[i].len,
			       others[i].type);
	}

	/* The machine ran without it */
	run();
	expect_set(test, word(0), sizeof(long), WATCH);
	table = armed();
	KUNIT_EXPECT_GT(test, table.id[place], last);
}

/*
 * Hits: recorded on this CPU, resolved and forgotten within one section with
 * interrupts off, as by one debug exception.
 */
static struct {
	bool pending, left;
	unsigned int stops;
	struct {
		bool live, reported;
		char reason[KGDB_WATCH_REASON_SIZE];
		char *end;
	} stop[KGDB_HW_SLOTS + 1];
} hit;

/* What gdb removes at the first stop, if anything */
static struct kgdb_watch_spec removed_at_stop;

/* An exception that finds these slots hit, as they were armed with @then */
static void take_hits(const struct table *then, unsigned int slots)
{
	/* Registers that point at no instruction */
	struct pt_regs regs = { };
	unsigned int i, newest;
	unsigned long flags;
	bool more;

	memset(&hit, 0, sizeof(hit));
	newest = then->newest;
	local_irq_save(flags);
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slots & BIT(i))
			kgdb_hit_record(i, then->id[i], newest);
	}
	hit.pending = kgdb_hit_pending();
	do {
		i = hit.stops++;
		hit.stop[i].live = kgdb_hit_resolve(&regs);
		hit.stop[i].reported = kgdb_hit_reported();
		hit.stop[i].end = kgdb_hit_stop_reason(hit.stop[i].reason);
		if (!i && removed_at_stop.len)
			kgdb_remove_hw_break(removed_at_stop.addr, removed_at_stop.len,
					     (enum kgdb_bptype)removed_at_stop.type);
		kgdb_watch_settle();
		more = kgdb_hit_next();
	} while (more && hit.stops < ARRAY_SIZE(hit.stop));
	hit.left = more || kgdb_hit_pending() || kgdb_hit_reported();
	local_irq_restore(flags);
	removed_at_stop = (struct kgdb_watch_spec){ };
}

static void expect_stop(struct kunit *test, unsigned int stop, const char *field,
			unsigned long addr)
{
	char expected[KGDB_WATCH_REASON_SIZE] = "";

	if (*field)
		snprintf(expected, sizeof(expected), "%s:%0*lx;", field,
			 (int)(2 * sizeof(long)), addr);
	KUNIT_ASSERT_GT(test, hit.stops, stop);
	KUNIT_EXPECT_TRUE(test, hit.stop[stop].live);
	KUNIT_EXPECT_TRUE(test, hit.stop[stop].reported);
	KUNIT_EXPECT_STREQ(test, hit.stop[stop].reason, expected);
	KUNIT_EXPECT_PTR_EQ(test, hit.stop[stop].end,
			    hit.stop[stop].reason + strlen(expected));
}

static void expect_no_stop(struct kunit *test, unsigned int stop)
{
	KUNIT_ASSERT_GT(test, hit.stops, stop);
	KUNIT_EXPECT_FALSE(test, hit.stop[stop].live);
	KUNIT_EXPECT_FALSE(test, hit.stop[stop].reported);
	KUNIT_EXPECT_STREQ(test, hit.stop[stop].reason, "");
}

static void expect_over(struct kunit *test, unsigned int stops)
{
	KUNIT_EXPECT_TRUE(test, hit.pending);
	KUNIT_EXPECT_EQ(test, hit.stops, stops);
	KUNIT_EXPECT_FALSE(test, hit.left);
}

static void expect_reported(struct kunit *test, const char *field,
			    unsigned long addr)
{
	expect_stop(test, 0, field, addr);
	expect_over(test, 1);
}

static void expect_dropped(struct kunit *test)
{
	expect_no_stop(test, 0);
	expect_over(test, 1);
}

static void hits_are_reported(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0), 4, WATCH);
	expect_set(test, word(1), 4, AWATCH);
	expect_set(test, BREAK_ADDR, 1, HBREAK);
	table = armed();
	take_hits(&table, slot(test, &table, word(0), 4, WATCH));
	expect_reported(test, "watch", word(0));
	take_hits(&table, slot(test, &table, word(1), 4, AWATCH));
	expect_reported(test, "awatch", word(1));

	/* gdb knows a breakpoint from the PC */
	take_hits(&table, slot(test, &table, BREAK_ADDR, 1, HBREAK));
	expect_reported(test, "", 0);
	take_hits(&table, slot(test, &table, BREAK_ADDR, 1, HBREAK) |
		  slot(test, &table, word(0), 4, WATCH));
	expect_reported(test, "watch", word(0));
}

static void no_hit_no_reason(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0), 4, WATCH);
	table = armed();
	take_hits(&table, 0);
	KUNIT_EXPECT_FALSE(test, hit.pending);
	expect_no_stop(test, 0);
	KUNIT_EXPECT_FALSE(test, hit.left);
}

static void the_address_is_that_of_the_piece(struct kunit *test)
{
	struct table table;

	expect_set(test, word(0) + 1, 7, WATCH);
	table = armed();
	take_hits(&table, slot(test, &table, word(0) + 2, 2, WATCH));
	expect_reported(test, "watch", word(0) + 2);
	take_hits(&table, slot(test, &table, word(0) + 2, 2, WATCH) |
		  slot(test, &table, word(0) + 4, 4, WATCH));
	expect_reported(test, "watch", word(0) + 2);
}

static void writes_are_not_reads(struct kunit *test)
{
	unsigned int writes, all;
	struct table table;

	expect_set(test, word(0), 4, RWATCH);
	table = armed();
	writes = slot(test, &table, word(0), 4, WATCH);
	all = slot(test, &table, word(0), 4, AWATCH);
	take_hits(&table, all);
	expect_reported(test, "rwatch", word(0));
	take_hits(&table, all | writes);
	expect_dropped(test);

	expect_set(test, word(0), 4, WATCH);
	run();
	take_hits(&table, all | writes);
	expect_dropped(test);
	table = look();
	take_hits(&table, all | writes);
	expect_reported(test, "watch", word(0));
	take_hits(&table, all);
	expect_reported(test, "rwatch", word(0));
}

/* A hit that waited for the debugger while gdb removed the watchpoint */
static void stale_hits_are_dropped(struct kunit *test)
{
	struct table full = fill(test), table;
	unsigned int first = slot(test, &full, word(0), sizeof(long), WATCH);

	expect_removed(test, word(0), sizeof(long), WATCH);
	run();
	take_hits(&full, first);
	expect_dropped(test);

	/* Put back after the machine ran, it is another watchpoint */
	expect_set(test, word(0), sizeof(long), WATCH);
	table = armed();
	take_hits(&full, first);
	expect_dropped(test);
	take_hits(&table, first);
	expect_reported(test, "watch", word(0));

	/* Something else in the slot: no blame on that */
	expect_removed(test, word(0), sizeof(long), WATCH);
	expect_set(test, word(KGDB_HW_SLOTS), 4, AWATCH);
	full = armed();
	take_hits(&table, first);
	expect_dropped(test);
	take_hits(&full, first);
	expect_reported(test, "awatch", word(KGDB_HW_SLOTS));

	remove_all();
	run();
	take_hits(&full, first);
	expect_dropped(test);
}

/* A hit that waited while gdb had another stop, and meant nothing by it */
static void hits_count_over_a_stop(struct kunit *test)
{
	struct table full = fill(test);
	unsigned int i;

	remove_all();
	expect_set(test, word(KGDB_HW_SLOTS), 4, AWATCH);
	for (i = KGDB_HW_SLOTS - 1; i > 0; i--)
		expect_set(test, word(i), sizeof(long), WATCH);
	run();
	take_hits(&full, slot(test, &full, word(0), sizeof(long), WATCH));
	expect_dropped(test);
	for (i = 1; i < KGDB_HW_SLOTS; i++) {
		take_hits(&full, slot(test, &full, word(i), sizeof(long), WATCH));
		expect_reported(test, "watch", word(i));
	}

	/* Of slots that were hit together, only what is still there */
	take_hits(&full, slot(test, &full, word(0), sizeof(long), WATCH) |
		  slot(test, &full, word(3), sizeof(long), WATCH));
	expect_reported(test, "watch", word(3));
}

static void most_specific_hit_is_reported(struct kunit *test)
{
	unsigned int all, writes, inner;
	struct table table;

	expect_set(test, word(0), 4, AWATCH);
	expect_set(test, word(0), 4, WATCH);
	expect_set(test, word(0) + 2, 1, AWATCH);
	table = armed();
	all = slot(test, &table, word(0), 4, AWATCH);
	writes = slot(test, &table, word(0), 4, WATCH);
	inner = slot(test, &table, word(0) + 2, 1, AWATCH);

	take_hits(&table, all);
	expect_reported(test, "awatch", word(0));
	take_hits(&table, all | writes);
	expect_reported(test, "watch", word(0));
	take_hits(&table, all | writes | inner);
	expect_reported(test, "watch", word(0) + 2);
	take_hits(&table, all | inner);
	expect_reported(test, "awatch", word(0) + 2);

	/* What is set after the access has nothing to do with it */
	expect_set(test, word(0), 4, RWATCH);
	run();
	take_hits(&table, all);
	expect_reported(test, "awatch", word(0));
	table = look();
	take_hits(&table, all);
	expect_reported(test, "rwatch", word(0));
	take_hits(&table, all | inner);
	expect_reported(test, "rwatch", word(0) + 2);
}

static void two_stops_for_one_access(struct kunit *test)
{
	unsigned int first, second;
	struct table table;

	expect_set(test, word(0), sizeof(long), WATCH);
	expect_set(test, word(1), 4, WATCH);
	table = armed();
	first = slot(test, &table, word(0), sizeof(long), WATCH);
	second = slot(test, &table, word(1), 4, WATCH);

	take_hits(&table, first | second);
	KUNIT_EXPECT_EQ(test, hit.stops, 2U);
	expect_stop(test, 0, "watch", word(0));
	expect_stop(test, 1, "watch", word(1));
	expect_over(test, 2);

	/* Each time anew */
	take_hits(&table, first | second);
	expect_over(test, 2);
	take_hits(&table, first);
	expect_reported(test, "watch", word(0));

	/* One address that lies in both needs one stop */
	expect_set(test, word(0), 8 + 4, WATCH);
	run();
	take_hits(&table, first | second);
	KUNIT_EXPECT_EQ(test, hit.stops, 2U);
	expect_removed(test, word(0), sizeof(long), WATCH);
	run();
	take_hits(&table, first | second);
	expect_reported(test, "watch", word(1));
}

static void second_stop_is_dropped_with_its_watchpoint(struct kunit *test)
{
	struct table table;
	unsigned int both;

	expect_set(test, word(0), 2, WATCH);
	expect_set(test, word(0) + 2, 1, WATCH);
	table = armed();
	both = table.wanted;

	removed_at_stop = (struct kgdb_watch_spec){
		.type = KGDB_WATCH_WRITE, .addr = word(0) + 2, .len = 1,
	};
	take_hits(&table, both);
	expect_stop(test, 0, "watch", word(0));
	expect_no_stop(test, 1);
	expect_over(test, 2);

	/* The one that was reported makes no difference */
	expect_set(test, word(0) + 2, 1, WATCH);
	table = armed();
	removed_at_stop = (struct kgdb_watch_spec){
		.type = KGDB_WATCH_WRITE, .addr = word(0), .len = 2,
	};
	take_hits(&table, both);
	expect_stop(test, 0, "watch", word(0));
	expect_stop(test, 1, "watch", word(0) + 2);
	expect_over(test, 2);
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
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS - i);
		expect_set(test, word(i), 4, WATCH);
	}
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);

	/* Slots are held over a stop, and given back when the machine runs */
	run();
	remove_all();
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);
	run();
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS);

	/* Only idle ones are given back, and what is shared is held once */
	expect_set(test, word(0), 3, RWATCH);
	run();
	KUNIT_EXPECT_EQ(test, perf_can_have(), 0);
	expect_set(test, word(0), 2, WATCH);
	expect_removed(test, word(0), 3, RWATCH);
	run();
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS - 1);

	/* A refusal holds nothing */
	expect_refused(test, word(1), 7, RWATCH, -ENOSPC,
		       "needs 6 slots, 3 free: the debugger holds 1");
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS - 1);
}

static void kgdb_gets_what_perf_leaves(struct kunit *test)
{
	static const char * const refusals[KGDB_HW_SLOTS] = {
		"needs 1 slot, 0 free: the debugger holds 3, perf holds 1",
		"needs 1 slot, 0 free: the debugger holds 2, perf holds 2",
		"needs 1 slot, 0 free: the debugger holds 1, perf holds 3",
		"needs 1 slot, 0 free: perf holds 4",
	};
	struct perf_event * __percpu *event[KGDB_HW_SLOTS];
	struct table table;
	int held, i;

	for (held = 0; held < KGDB_HW_SLOTS; held++) {
		event[held] = perf_breakpoint(held);
		if (IS_ERR((void __force *)event[held])) {
			KUNIT_FAIL(test, "perf breakpoint %d: error %ld", held,
				   PTR_ERR((void __force *)event[held]));
			break;
		}

		for (i = held + 1; i < KGDB_HW_SLOTS; i++)
			expect_set(test, word(i), 4, WATCH);
		expect_refused(test, word(KGDB_HW_SLOTS), 4, WATCH, -ENOSPC,
			       refusals[held]);
		table = armed();
		expect_slots(test, &table, KGDB_HW_SLOTS - 1 - held);
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
		KUNIT_EXPECT_FALSE(test, IS_ERR((void __force *)event[i]));
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
		if (!IS_ERR((void __force *)event[i]))
			unregister_wide_hw_breakpoint(event[i]);
	}
}

/* Marks the table as the test's to clean up */
static char claimed;

static int table_init(struct kunit *test)
{
	if (kgdb_connected || look().wanted || perf_can_have() != KGDB_HW_SLOTS)
		kunit_skip(test, "the hardware slots are in use");

	test->priv = &claimed;
	return 0;
}

/* An NMI may have armed what was there when it came */
static void table_exit(struct kunit *test)
{
	if (test->priv != &claimed)
		return;

	kgdb_arch_watch_exit();
	KUNIT_EXPECT_EQ(test, look().wanted, 0U);
	KUNIT_EXPECT_EQ(test, perf_can_have(), KGDB_HW_SLOTS);
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
	KUNIT_CASE(hits_are_reported),
	KUNIT_CASE(no_hit_no_reason),
	KUNIT_CASE(the_address_is_that_of_the_piece),
	KUNIT_CASE(writes_are_not_reads),
	KUNIT_CASE(stale_hits_are_dropped),
	KUNIT_CASE(hits_count_over_a_stop),
	KUNIT_CASE(most_specific_hit_is_reported),
	KUNIT_CASE(two_stops_for_one_access),
	KUNIT_CASE(second_stop_is_dropped_with_its_watchpoint),
	KUNIT_CASE(perf_gets_what_is_left),
	KUNIT_CASE(kgdb_gets_what_perf_leaves),
	KUNIT_CASE(refusals_count_what_perf_holds),
	{ }
};

static struct kunit_suite table_suite = {
	.name = "kgdb_watchpoint_table",
	.init = table_init,
	.exit = table_exit,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
