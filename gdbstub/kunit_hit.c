// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KGDB's watchpoints: from the slots that hit to the stop reply.
 */
#include <linux/ptrace.h>
#include <linux/string.h>

#include "kunit_steps.h"
#include "match.h"

/*
 * Hits: recorded on this CPU, resolved and forgotten within one section with
 * interrupts off, as by one debug exception.
 */
static struct {
	bool pending, left;
	unsigned int stops;
	struct {
		bool live, reported;
		char reason[KGDB_REPORTS_MAX * KGDB_WATCH_REASON_SIZE];
		char *end;
	} stop[KGDB_SLOTS_MAX + 1];
} hit;

/* What gdb removes at the first stop, if anything */
static struct kgdb_watch_spec removed_at_stop;

/* What gdb has said that it takes, as it does in its first packet */
static const char *offer = "qSupported";

/* An exception that finds these slots hit, as they were armed with @then */
static void take_hits(const struct table *then, unsigned int slots)
{
	/* Registers that point at no instruction */
	struct pt_regs regs = { };
	char answer[32] = "";
	unsigned long flags;
	unsigned int i;
	bool more;

	memset(&hit, 0, sizeof(hit));
	local_irq_save(flags);
	kgdb_supported_query(offer, answer);
	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		const struct kgdb_hit_info info = {
			.slot = i,
			.since = then->set.slot[i].since,
			.generation = then->set.generation,
		};

		if (slots & BIT(i))
			kgdb_hit_record(&info);
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
		kgdb_table_settle();
		more = kgdb_hit_next();
	} while (more && hit.stops < ARRAY_SIZE(hit.stop));
	hit.left = more || kgdb_hit_pending() || kgdb_hit_reported();
	kgdb_supported_query("qSupported", answer);
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
	expect_set(test, word(KGDB_SLOTS_MAX), 4, AWATCH);
	full = armed();
	take_hits(&table, first);
	expect_dropped(test);
	take_hits(&full, first);
	expect_reported(test, "awatch", word(KGDB_SLOTS_MAX));

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
	expect_set(test, word(KGDB_SLOTS_MAX), 4, AWATCH);
	for (i = KGDB_SLOTS_MAX - 1; i > 0; i--)
		expect_set(test, word(i), sizeof(long), WATCH);
	run();
	take_hits(&full, slot(test, &full, word(0), sizeof(long), WATCH));
	expect_dropped(test);
	for (i = 1; i < KGDB_SLOTS_MAX; i++) {
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

/* gdb or kdb sets this, or removes it */
static void expect_by(struct kunit *test, bool kdb, bool insert, unsigned long addr,
		      unsigned long len, enum kgdb_watch_type type)
{
	const struct kgdb_watch_spec spec = { .type = type, .addr = addr, .len = len };
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = insert ? kgdb_table_set(&spec, kdb) : kgdb_table_remove(&spec, kdb);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, err, 0);
}

static void gdb_sets(struct kunit *test, unsigned long addr, unsigned long len,
		     enum kgdb_watch_type type)
{
	expect_by(test, false, true, addr, len, type);
}

static void gdb_removes(struct kunit *test, unsigned long addr, unsigned long len,
			enum kgdb_watch_type type)
{
	expect_by(test, false, false, addr, len, type);
}

/* The same for a debugger that takes several watchpoints in one stop */
static void take_hits_at_once(const struct table *then, unsigned int slots)
{
	offer = "qSupported:multi-wp-addr+";
	take_hits(then, slots);
	offer = "qSupported";
}

/* Its one stop: two fields, for each the address */
static void expect_two_in_one(struct kunit *test, const char *first, unsigned long addr,
			      const char *second, unsigned long other)
{
	char expected[2 * KGDB_WATCH_REASON_SIZE];
	int digits = 2 * sizeof(long);

	snprintf(expected, sizeof(expected), "%s:%0*lx;%s:%0*lx;", first, digits, addr,
		 second, digits, other);
	KUNIT_EXPECT_TRUE(test, hit.stop[0].live);
	KUNIT_EXPECT_TRUE(test, hit.stop[0].reported);
	KUNIT_EXPECT_STREQ(test, hit.stop[0].reason, expected);
	KUNIT_EXPECT_PTR_EQ(test, hit.stop[0].end, hit.stop[0].reason + strlen(expected));
	expect_over(test, 1);
}

static void one_stop_names_all(struct kunit *test)
{
	struct table table;

	gdb_sets(test, word(0), sizeof(long), KGDB_WATCH_WRITE);
	gdb_sets(test, word(1), 4, KGDB_WATCH_WRITE);
	table = armed();
	take_hits_at_once(&table, table.wanted);
	expect_two_in_one(test, "watch", word(0), "watch", word(1));

	/* Each time anew, and for another debugger as it was */
	take_hits_at_once(&table, table.wanted);
	expect_two_in_one(test, "watch", word(0), "watch", word(1));
	take_hits(&table, table.wanted);
	expect_stop(test, 0, "watch", word(0));
	expect_stop(test, 1, "watch", word(1));
	expect_over(test, 2);

	/* One within the other: a field for each, with one address */
	gdb_removes(test, word(0), sizeof(long), KGDB_WATCH_WRITE);
	gdb_removes(test, word(1), 4, KGDB_WATCH_WRITE);
	gdb_sets(test, word(0), 4, KGDB_WATCH_ACCESS);
	gdb_sets(test, word(0) + 2, 1, KGDB_WATCH_WRITE);
	table = armed();
	take_hits_at_once(&table, table.wanted);
	expect_two_in_one(test, "watch", word(0) + 2, "awatch", word(0) + 2);
}

/* While the CPU waited for the debugger */
static void one_stop_without_what_was_removed(struct kunit *test)
{
	struct table table;

	gdb_sets(test, word(0), 2, KGDB_WATCH_WRITE);
	gdb_sets(test, word(0) + 2, 1, KGDB_WATCH_WRITE);
	gdb_sets(test, word(1), 1, KGDB_WATCH_ACCESS);
	table = armed();
	gdb_removes(test, word(0) + 2, 1, KGDB_WATCH_WRITE);
	run();
	take_hits_at_once(&table, table.wanted);
	expect_two_in_one(test, "watch", word(0), "awatch", word(1));
}

/* gdb would not know it */
static void what_is_kdbs_alone_is_not_named(struct kunit *test)
{
	struct table table;

	gdb_sets(test, word(0), 2, KGDB_WATCH_WRITE);
	expect_by(test, true, true, word(0) + 2, 2, KGDB_WATCH_WRITE);
	gdb_sets(test, word(0) + 4, 4, KGDB_WATCH_WRITE);
	table = armed();
	take_hits_at_once(&table, table.wanted);
	expect_stop(test, 0, "watch", word(0));
	expect_stop(test, 1, "watch", word(0) + 2);
	expect_stop(test, 2, "watch", word(0) + 4);
	expect_over(test, 3);
}

static struct kunit_case hit_cases[] = {
	KUNIT_CASE(hits_are_reported),
	KUNIT_CASE(no_hit_no_reason),
	KUNIT_CASE(the_address_is_that_of_the_piece),
	KUNIT_CASE(writes_are_not_reads),
	KUNIT_CASE(stale_hits_are_dropped),
	KUNIT_CASE(hits_count_over_a_stop),
	KUNIT_CASE(most_specific_hit_is_reported),
	KUNIT_CASE(two_stops_for_one_access),
	KUNIT_CASE(second_stop_is_dropped_with_its_watchpoint),
	KUNIT_CASE(one_stop_names_all),
	KUNIT_CASE(one_stop_without_what_was_removed),
	KUNIT_CASE(what_is_kdbs_alone_is_not_named),
	{ }
};

static struct kunit_suite hit_suite = {
	.name = "kgdb_watchpoint_hit",
	.init = claim_table,
	.exit = clear_table,
	.test_cases = hit_cases,
};

kunit_test_suite(hit_suite);
