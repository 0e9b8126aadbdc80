// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of which NMI handlers may hit: by where the NMI came, and what is
 * under way on the CPU. Both are made up.
 */
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>

#include <asm/cpu_entry_area.h>
#include <asm/debugreg.h>
#include <asm/kgdb_watch.h>

#include <kunit/test.h>

#include "kgdb-x86.h"

/* May the handlers of an NMI that came with this stack pointer hit? */
static bool may_arm(unsigned long sp, unsigned int depth, bool fred)
{
	const struct pt_regs regs = { .sp = sp };
	unsigned long flags;
	bool answer;

	local_irq_save(flags);
	this_cpu_add(cpu_db_depth, depth);
	answer = kgdb_nmi_may_arm(&regs, fred);
	this_cpu_sub(cpu_db_depth, depth);
	local_irq_restore(flags);
	return answer;
}

static unsigned long somewhere(void)
{
	return (unsigned long)__builtin_frame_address(0);
}

/* exc_nmi() counts itself, and so do #DB and #MC, which it may have come into */
static void nmi_is_alone(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, may_arm(somewhere(), 1, false));
	KUNIT_EXPECT_FALSE(test, may_arm(somewhere(), 2, false));
	KUNIT_EXPECT_FALSE(test, may_arm(somewhere(), 3, false));
}

/* With FRED it does not: whoever counts is #DB or #MC, and the others hit as it is */
static void nmi_with_fred(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, may_arm(somewhere(), 0, true));
	KUNIT_EXPECT_FALSE(test, may_arm(somewhere(), 1, true));
}

#ifdef CONFIG_X86_64
/* #DB is on its stack before it counts, and after it has */
static void nmi_on_the_stack_of_db(struct kunit *test)
{
	struct cea_exception_stacks *stacks = this_cpu_read(cea_exception_stacks);
	unsigned long top = CEA_ESTACK_TOP(stacks, DB);
	unsigned long bottom = CEA_ESTACK_BOT(stacks, DB);

	KUNIT_EXPECT_FALSE(test, may_arm(top, 1, false));
	KUNIT_EXPECT_FALSE(test, may_arm(top - 40, 1, false));
	KUNIT_EXPECT_FALSE(test, may_arm(bottom + 8, 1, false));
	KUNIT_EXPECT_TRUE(test, may_arm(top + 8, 1, false));
	KUNIT_EXPECT_TRUE(test, may_arm(bottom, 1, false));
}
#endif

static void nmi_during_others(struct kunit *test)
{
	bool entered, busy, unread;
	unsigned long flags;

	local_irq_save(flags);
	this_cpu_inc(kgdb_db.entered);
	entered = may_arm(somewhere(), 1, false);
	this_cpu_dec(kgdb_db.entered);
	this_cpu_inc(kgdb_db.busy);
	busy = may_arm(somewhere(), 1, false);
	this_cpu_dec(kgdb_db.busy);
	this_cpu_write(kgdb_db.unread, DR_TRAP0);
	unread = may_arm(somewhere(), 1, false);
	this_cpu_write(kgdb_db.unread, 0);
	local_irq_restore(flags);

	KUNIT_EXPECT_FALSE(test, entered);
	KUNIT_EXPECT_FALSE(test, busy);
	KUNIT_EXPECT_FALSE(test, unread);
}

static struct kunit_case nmi_cases[] = {
	KUNIT_CASE(nmi_is_alone),
	KUNIT_CASE(nmi_with_fred),
#ifdef CONFIG_X86_64
	KUNIT_CASE(nmi_on_the_stack_of_db),
#endif
	KUNIT_CASE(nmi_during_others),
	{ }
};

static struct kunit_suite nmi_suite = {
	.name = "kgdb_watchpoint_nmi",
	.test_cases = nmi_cases,
};

kunit_test_suite(nmi_suite);
