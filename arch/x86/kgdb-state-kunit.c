// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what is under way on a CPU: a #DB that has not handed on what
 * it is about. FRED's frames are made up, as few machines have FRED.
 */
#include <linux/bits.h>
#include <linux/irqflags.h>
#include <linux/kgdb_slots.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>

#include <asm/debugreg.h>
#include <asm/kgdb_watch.h>
#include <asm/trapnr.h>

#include <kunit/test.h>

#include "kgdb-x86.h"

/* DR6 with these of its low bits set; the others are as after a reset */
static unsigned long dr6(unsigned long bits)
{
	return DR6_RESERVED | bits;
}

/* What DR6 says is in flight until #DB resets it, and after FRED's #DB never */
static void dr6_tells_what_is_in_flight(struct kunit *test)
{
	bool early, late, other, unasked, fred;
	unsigned long flags;

	local_irq_save(flags);
	set_debugreg(dr6(DR_TRAP1), 6);
	early = kgdb_hit_in_flight(DR_TRAP1 | DR_TRAP2, false);
	other = kgdb_hit_in_flight(DR_TRAP0, false);
	unasked = kgdb_hit_in_flight(0, false);
	fred = kgdb_hit_in_flight(DR_TRAP1, true);
	set_debugreg(dr6(0), 6);
	late = kgdb_hit_in_flight(DR_TRAP1, false);
	local_irq_restore(flags);

	KUNIT_EXPECT_TRUE(test, early);
	KUNIT_EXPECT_FALSE(test, other);
	KUNIT_EXPECT_FALSE(test, unasked);
	KUNIT_EXPECT_FALSE(test, fred);
	KUNIT_EXPECT_FALSE(test, late);
}

/* Is @set applied? It leaves no register that is taken for KGDB's. */
static bool applied(const struct kgdb_slot_set *set)
{
	bool done = kgdb_arch_slots.apply(set);

	kgdb_arch_slots.arm();
	return done;
}

/* Nobody changes the registers between the reading and the handing on */
static void what_was_read_is_in_flight(struct kunit *test)
{
	struct kgdb_slot_set none = { };
	bool refused, accepted, dr6_read, fred_read;
	unsigned long flags;

	local_irq_save(flags);
	none.generation = kgdb_arch_slots.applied();
	this_cpu_write(kgdb_db.regs, BIT(1));
	kgdb_dr6_read(DR_TRAP1 | DR_STEP);
	dr6_read = kgdb_hit_in_flight(0, false);
	fred_read = kgdb_hit_in_flight(0, true);
	refused = !applied(&none);
	this_cpu_write(kgdb_db.unread, 0);
	accepted = applied(&none);
	local_irq_restore(flags);

	KUNIT_EXPECT_TRUE(test, dr6_read);
	KUNIT_EXPECT_TRUE(test, fred_read);
	KUNIT_EXPECT_TRUE(test, refused);
	KUNIT_EXPECT_TRUE(test, accepted);
}

#ifdef CONFIG_X86_FRED
/* An event: what FRED's frame says of it */
struct event {
	unsigned int type;
	unsigned int vector;
	unsigned int level;	/* the stack level it came from */
	unsigned long data;
};

/* Those of stack level 0 are on the task's stack: from user mode or not */
static struct event nmi_in(unsigned int level)
{
	return (struct event){ EVENT_TYPE_NMI, X86_TRAP_NMI, level };
}

static struct event db(unsigned long data)
{
	return (struct event){ EVENT_TYPE_HWEXC, X86_TRAP_DB, 0, data };
}

static struct event from_user_mode(unsigned int type, unsigned int vector)
{
	return (struct event){ type, vector, 0, DR_TRAP0 };
}

/* SYSCALL is vector 1 as well */
static struct event system_call(void)
{
	return from_user_mode(EVENT_TYPE_OTHER, X86_TRAP_DB);
}

static struct fred_frame frame(struct event event)
{
	struct fred_frame frame = { .info.edata = event.data };

	frame.regs.fred_ss.type = event.type;
	frame.regs.fred_ss.vector = event.vector;
	frame.regs.fred_cs.sl = event.level;
	return frame;
}

/* Frames are long: each test has three at a time, and here */
static noinline unsigned long unread(struct event nmi, struct event db,
				     struct event user)
{
	struct fred_frame frames[] = { frame(nmi), frame(db), frame(user) };

	return kgdb_fred_unread(&frames[0].regs, &frames[1].regs,
				&frames[2].regs);
}

/* NMI comes before #DB has looked at its frame, and KGDB learns of all hits */
static void nmi_at_the_entry_of_db(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, unread(nmi_in(1), db(DR_TRAP0), system_call()),
			(unsigned long)DR_TRAP0);
	KUNIT_EXPECT_EQ(test,
			unread(nmi_in(1), db(DR_TRAP1 | DR_TRAP3 | DR_STEP),
			       system_call()),
			(unsigned long)(DR_TRAP1 | DR_TRAP3));
	/* The end of a step, and nothing else */
	KUNIT_EXPECT_EQ(test, unread(nmi_in(1), db(DR_STEP), system_call()), 0UL);
}

/* #DB reads its frame once: an NMI after that finds nothing there */
static void nmi_after_db_has_read(struct kunit *test)
{
	struct fred_frame nmi = frame(nmi_in(1)), user = frame(system_call());
	struct fred_frame hit = frame(db(DR_TRAP1 | DR_TRAP2 | DR_STEP));
	unsigned long before, after, noted, flags;

	local_irq_save(flags);
	before = kgdb_fred_unread(&nmi.regs, &hit.regs, &user.regs);
	this_cpu_write(kgdb_db.regs, BIT(1));
	kgdb_fred_read(&hit.regs);
	noted = this_cpu_read(kgdb_db.unread);
	this_cpu_write(kgdb_db.unread, 0);
	this_cpu_write(kgdb_db.regs, 0);
	after = kgdb_fred_unread(&nmi.regs, &hit.regs, &user.regs);
	local_irq_restore(flags);

	KUNIT_EXPECT_EQ(test, before, (unsigned long)(DR_TRAP1 | DR_TRAP2));
	/* Perf's register 2 is none of KGDB's business, and is read as well */
	KUNIT_EXPECT_EQ(test, noted, (unsigned long)DR_TRAP1);
	KUNIT_EXPECT_EQ(test, after, 0UL);
	KUNIT_EXPECT_EQ(test, hit.info.edata, (unsigned long)DR_STEP);
}

/* A #DB from user mode is on the task's stack; the other one's is long past */
static void nmi_at_the_entry_of_db_from_user_mode(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, unread(nmi_in(0), db(0), db(DR_TRAP2)),
			(unsigned long)DR_TRAP2);
	KUNIT_EXPECT_EQ(test, unread(nmi_in(0), db(DR_TRAP0), db(0)), 0UL);
	/* Both: the task's was read, if it was a hit, before the other came */
	KUNIT_EXPECT_EQ(test, unread(nmi_in(1), db(DR_TRAP0), db(DR_TRAP2)),
			(unsigned long)DR_TRAP0);
}

static void nmi_elsewhere(struct kunit *test)
{
	struct event interrupt = from_user_mode(EVENT_TYPE_EXTINT, X86_TRAP_DB);
	struct event fault = from_user_mode(EVENT_TYPE_HWEXC, X86_TRAP_PF);
	struct fred_frame hit = frame(db(DR_TRAP0));

	/* In a system call, an interrupt, another exception from user mode */
	KUNIT_EXPECT_EQ(test, unread(nmi_in(0), db(DR_TRAP0), system_call()),
			0UL);
	KUNIT_EXPECT_EQ(test, unread(nmi_in(0), db(DR_TRAP0), interrupt), 0UL);
	KUNIT_EXPECT_EQ(test, unread(nmi_in(0), db(DR_TRAP0), fault), 0UL);
	/* In user mode, and no NMI: not on NMI's stack */
	KUNIT_EXPECT_EQ(test, kgdb_fred_unread(NULL, &hit.regs, &hit.regs), 0UL);
}

/* NMI and #MC share a stack: its first frame says what they have come into */
static void nmi_within_others(struct kunit *test)
{
	struct event mc = { EVENT_TYPE_HWEXC, X86_TRAP_MC, 1 };

	KUNIT_EXPECT_EQ(test, unread(mc, db(DR_TRAP3), system_call()),
			(unsigned long)DR_TRAP3);
	mc.level = 0;
	KUNIT_EXPECT_EQ(test, unread(mc, db(DR_TRAP3), system_call()), 0UL);
	/* That would be an event within NMI or #MC: not the first frame there */
	KUNIT_EXPECT_EQ(test, unread(nmi_in(2), db(DR_TRAP3), db(DR_TRAP3)), 0UL);
	KUNIT_EXPECT_EQ(test, unread(nmi_in(3), db(DR_TRAP3), db(DR_TRAP3)), 0UL);
}

/* KGDB counts an NMI as exc_nmi() does without FRED, and nothing else */
static void nmi_is_counted_by_kgdb(struct kunit *test)
{
	struct fred_frame nmi = frame(nmi_in(0)), hit = frame(db(DR_TRAP0));

	KUNIT_EXPECT_TRUE(test, kgdb_nmi_uncounted(&nmi.regs, true));
	KUNIT_EXPECT_FALSE(test, kgdb_nmi_uncounted(&nmi.regs, false));
	KUNIT_EXPECT_FALSE(test, kgdb_nmi_uncounted(&hit.regs, true));
	KUNIT_EXPECT_FALSE(test, kgdb_nmi_uncounted(NULL, true));
}
#endif

static struct kunit_case state_cases[] = {
	KUNIT_CASE(dr6_tells_what_is_in_flight),
	KUNIT_CASE(what_was_read_is_in_flight),
#ifdef CONFIG_X86_FRED
	KUNIT_CASE(nmi_at_the_entry_of_db),
	KUNIT_CASE(nmi_after_db_has_read),
	KUNIT_CASE(nmi_at_the_entry_of_db_from_user_mode),
	KUNIT_CASE(nmi_elsewhere),
	KUNIT_CASE(nmi_within_others),
	KUNIT_CASE(nmi_is_counted_by_kgdb),
#endif
	{ }
};

static struct kunit_suite state_suite = {
	.name = "kgdb_watchpoint_state",
	.test_cases = state_cases,
};

kunit_test_suite(state_suite);
