/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What KUnit tests of KGDB's watchpoints do and look at. No debug register is
 * armed for them.
 *
 * The table's functions are called as the debugger calls them, with interrupts
 * off, and one by one: a KUnit expectation that fails allocates memory. In
 * between nobody else changes the table, since the tests are skipped while a
 * debugger is connected. A debugger that connects during a test removes all
 * watchpoints, and that test fails.
 */
#ifndef _KGDB_WATCH_KUNIT_STEPS_H
#define _KGDB_WATCH_KUNIT_STEPS_H

#include <linux/bits.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/perf_event.h>

#include <kunit/test.h>

#include "packet.h"
#include "plan.h"
#include "room.h"
#include "slots.h"
#include "table.h"

/* As gdb's commands */
#define WATCH BP_WRITE_WATCHPOINT
#define RWATCH BP_READ_WATCHPOINT
#define AWATCH BP_ACCESS_WATCHPOINT
#define HBREAK BP_HARDWARE_BREAKPOINT

/* Memory to watch, eight bytes for each slot and as many too many */
static u64 watched[KGDB_SLOTS_MAX + 1] __aligned(8);

/* How many slots for data there are, where the test runs */
static inline unsigned int data_slots(void)
{
	return kgdb_slot_arch->caps->watch_slots;
}

static inline unsigned long word(unsigned int i)
{
	return (unsigned long)&watched[i];
}

/* A place for breakpoints */
static noinline __maybe_unused void breakpoint_here(void)
{
	barrier();
}

#define BREAK_ADDR ((unsigned long)breakpoint_here)

/*
 * What a debugger does
 */

static inline int set(unsigned long addr, int len, enum kgdb_bptype type)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = kgdb_set_hw_break(addr, len, type);
	local_irq_restore(flags);
	return err;
}

static inline int remove(unsigned long addr, int len, enum kgdb_bptype type)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = kgdb_remove_hw_break(addr, len, type);
	local_irq_restore(flags);
	return err;
}

static inline void remove_all(void)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_remove_all_hw_break();
	local_irq_restore(flags);
}

/* The machine runs on, up to the next stop */
static inline void run(void)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_table_settle();
	kgdb_slots_release_idle();
	local_irq_restore(flags);
}

static inline void expect_set(struct kunit *test, unsigned long addr, int len,
			      enum kgdb_bptype type)
{
	KUNIT_EXPECT_EQ(test, set(addr, len, type), 0);
}

static inline void expect_removed(struct kunit *test, unsigned long addr, int len,
				  enum kgdb_bptype type)
{
	KUNIT_EXPECT_EQ(test, remove(addr, len, type), 0);
}

static inline void expect_refused(struct kunit *test, unsigned long addr, int len,
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
 * @set: the snapshot
 */
struct table {
	unsigned int wanted;
	struct kgdb_slot_set set;
};

static inline struct table look(void)
{
	struct table table = { };
	unsigned long flags;
	unsigned int i;

	local_irq_save(flags);
	table.set = *kgdb_slots_current();
	local_irq_restore(flags);
	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (table.set.slot[i].wanted)
			table.wanted |= BIT(i);
	}
	return table;
}

/* Run, and look at what is armed then */
static inline struct table armed(void)
{
	run();
	return look();
}

/* The one slot that watches this: its bit */
static inline unsigned int slot(struct kunit *test, const struct table *table,
				unsigned long addr, int len, enum kgdb_bptype type)
{
	const struct kgdb_slot_spec spec = {
		.type = (enum kgdb_watch_type)type,
		.addr = addr,
		.len = len,
	};
	unsigned int i, slots = 0;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (table->wanted & BIT(i) &&
		    kgdb_slot_spec_equal(&table->set.slot[i].spec, &spec))
			slots |= BIT(i);
	}
	KUNIT_ASSERT_EQ_MSG(test, hweight32(slots), 1U,
			    "slots of type %d at %lx, length %d", type, addr, len);
	return slots;
}

static inline void expect_slots(struct kunit *test, const struct table *table,
				unsigned int count)
{
	KUNIT_EXPECT_EQ(test, hweight32(table->wanted), count);
}

/* These slots watch the same as before, and are known by it */
static inline void expect_kept(struct kunit *test, const struct table *before,
			       const struct table *now, unsigned int slots)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, now->wanted & slots, slots);
	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (!(slots & BIT(i)))
			continue;
		KUNIT_EXPECT_EQ(test, now->set.slot[i].since, before->set.slot[i].since);
		KUNIT_EXPECT_TRUE(test, kgdb_slot_spec_equal(&now->set.slot[i].spec,
							     &before->set.slot[i].spec));
	}
}

/* The same slots, for the same */
static inline void expect_same(struct kunit *test, const struct table *before)
{
	struct table now = look();

	KUNIT_EXPECT_EQ(test, now.wanted, before->wanted);
	expect_kept(test, before, &now, before->wanted);
}

/* Fill all slots for data with write watchpoints, one each */
static inline struct table fill(struct kunit *test)
{
	struct table table;
	unsigned int i;

	for (i = 0; i < data_slots(); i++)
		expect_set(test, word(i), sizeof(long), WATCH);
	table = armed();
	KUNIT_ASSERT_EQ(test, table.wanted, (unsigned int)BIT(data_slots()) - 1);
	return table;
}

/*
 * Sharing with perf
 */

static inline struct perf_event * __percpu *perf_breakpoint(unsigned int i)
{
	struct perf_event_attr attr;

	hw_breakpoint_init(&attr);
	attr.bp_addr = word(i);
	attr.bp_len = HW_BREAKPOINT_LEN_4;
	attr.bp_type = HW_BREAKPOINT_W;
	attr.disabled = 1;
	return register_wide_hw_breakpoint(&attr, NULL, NULL);
}

/*
 * The error that perf_breakpoint() returned in place of a breakpoint, else 0.
 * A per-CPU pointer may be of another address space than IS_ERR() takes.
 */
static inline long perf_error(struct perf_event * __percpu *event)
{
	unsigned long value = (__force unsigned long)event;

	return IS_ERR_VALUE(value) ? (long)value : 0;
}

/* How many breakpoints perf can have on every CPU, with all given back */
static inline int perf_can_have(void)
{
	struct perf_event * __percpu *event[KGDB_SLOTS_MAX + 1];
	int count, i;

	for (count = 0; count < ARRAY_SIZE(event); count++) {
		event[count] = perf_breakpoint(count);
		if (perf_error(event[count]))
			break;
	}
	for (i = 0; i < count; i++)
		unregister_wide_hw_breakpoint(event[i]);
	return count;
}

/* All there are: this machine's, of which perf knows, for data */
static inline int slots_of_perf(void)
{
	return kgdb_arch_slots.caps->watch_slots;
}

/* Marks the table as the test's to clean up */
static char claimed;

static inline int claim_table(struct kunit *test)
{
	/* The rows of a table of parameters have one struct kunit */
	test->priv = NULL;
	if (kgdb_connected || look().wanted || perf_can_have() != slots_of_perf())
		kunit_skip(test, "the hardware slots are in use");

	test->priv = &claimed;
	return 0;
}

/* An NMI may have armed what was there when it came */
static inline void clear_table(struct kunit *test)
{
	if (test->priv != &claimed)
		return;

	kgdb_watch_exit();
	KUNIT_EXPECT_EQ(test, look().wanted, 0U);
	KUNIT_EXPECT_EQ(test, perf_can_have(), slots_of_perf());
}

#endif /* _KGDB_WATCH_KUNIT_STEPS_H */
