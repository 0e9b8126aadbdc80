// SPDX-License-Identifier: GPL-2.0-only
/*
 * KGDB's state of the debug registers on each CPU, and what can be told from it.
 *
 * What is under way on a CPU must be left alone: somebody else's values in the
 * registers, and a hit that #DB has not handed on.
 */
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include <asm/asm.h>
#include <asm/cpu_entry_area.h>
#include <asm/debugreg.h>
#include <asm/hw_breakpoint.h>
#include <asm/kgdb_watch.h>
#include <asm/trapnr.h>

#include "kgdb-x86.h"

DEFINE_PER_CPU(struct kgdb_db, kgdb_db);

/**
 * kgdb_registers_lent() - do the debug registers hold somebody else's values?
 * @dr7: what DR7 is to hold, by the records
 *
 * Those of a KVM guest, or none while a temporary mm is in use. Who has put them
 * there restores from the records. What cannot be told is a guest's registers
 * where the host had none in use.
 *
 * Context: this CPU, interrupts off.
 * Return: true if so.
 */
bool kgdb_registers_lent(unsigned long dr7)
{
	unsigned long value = 0;
	int reg;

	for (reg = 0; reg < HBP_NUM; reg++) {
		if (!(dr7 >> (reg * DR_ENABLE_SIZE) & 3))
			continue;
		switch (reg) {
		case 0:
			get_debugreg(value, 0);
			break;
		case 1:
			get_debugreg(value, 1);
			break;
		case 2:
			get_debugreg(value, 2);
			break;
		case 3:
			get_debugreg(value, 3);
			break;
		}
		if (value != this_cpu_read(cpu_debugreg[reg]))
			return true;
	}
	return false;
}
NOKPROBE_SYMBOL(kgdb_registers_lent);

#ifdef CONFIG_X86_FRED
/* Of the stack of a #DB that came from the kernel: cpu_init_fred_rsps() */
#define FRED_DB_LEVEL 1

/**
 * kgdb_fred_unread() - which hits has #DB not read yet, by FRED's frames?
 * @nmi: the first frame on NMI's stack; NULL where the CPU is not on that
 * @db: the first frame on #DB's stack
 * @user: the frame with which the task came from user mode
 *
 * FRED event delivery pushes what #DB is about, as event data (SDM vol. 3A, 8.3
 * "FRED Event Delivery"), and exc_debug() takes it from there: it is in flight
 * before any instruction is executed. DR6 does not tell: it changes as without
 * FRED, but exc_debug() does not reset it, so it speaks of hits long past.
 *
 * What came from the kernel says on which stack level the CPU was. An NMI during
 * a machine check has that frame above its own, and the first one counts. From
 * user mode both are on the task's stack, and nothing is in flight. A #DB from
 * user mode is on the task's stack too: the level is 0 as for a system call.
 *
 * Context: any.
 * Return: what #DB is to read, of B0 to B3 in DR6.
 */
unsigned long kgdb_fred_unread(const struct pt_regs *nmi,
			       const struct pt_regs *db,
			       const struct pt_regs *user)
{
	const struct pt_regs *regs;

	if (!nmi || nmi->fred_cs.sl > FRED_DB_LEVEL)
		return 0;
	regs = nmi->fred_cs.sl == FRED_DB_LEVEL ? db : user;
	/* SYSCALL has the vector of #DB, and another type */
	if (regs->fred_ss.type != EVENT_TYPE_HWEXC ||
	    regs->fred_ss.vector != X86_TRAP_DB)
		return 0;
	return fred_event_data((struct pt_regs *)regs) & DR_TRAP_BITS;
}
NOKPROBE_SYMBOL(kgdb_fred_unread);

/* The first frame that FRED has pushed on a stack */
static struct pt_regs *first_frame(unsigned long top)
{
	return &((struct fred_frame *)top - 1)->regs;
}
NOKPROBE_SYMBOL(first_frame);

static unsigned long fred_unread(void)
{
	struct cea_exception_stacks *stacks = this_cpu_read(cea_exception_stacks);
	bool on_nmi_stack = current_stack_pointer > CEA_ESTACK_BOT(stacks, NMI) &&
			    current_stack_pointer <= CEA_ESTACK_TOP(stacks, NMI);

	if (!on_nmi_stack)
		return 0;
	return kgdb_fred_unread(first_frame(CEA_ESTACK_TOP(stacks, NMI)),
				first_frame(CEA_ESTACK_TOP(stacks, DB)),
				task_pt_regs(current));
}
NOKPROBE_SYMBOL(fred_unread);
#else
static unsigned long fred_unread(void)
{
	return 0;
}
#endif

/**
 * kgdb_hit_in_flight() - has #DB not handed on yet what it is about?
 * @bits: of DR6, which are looked at; 0 where DR6 tells nothing: without an NMI,
 *        since #DB is delivered before anybody gets there, and where it is a
 *        guest's, whose bits stay until the guest clears them
 * @fred: FRED delivers events: the frames are looked at, and not DR6
 *
 * #DB may have been interrupted by NMI before it has read what it is about, or
 * after that.
 *
 * Context: this CPU, interrupts off.
 * Return: true if one of these bits is set, or was and is a hit of KGDB's.
 */
bool kgdb_hit_in_flight(unsigned long bits, bool fred)
{
	unsigned long dr6;

	if (this_cpu_read(kgdb_db.unread))
		return true;
	if (fred)
		return fred_unread() & this_cpu_read(kgdb_db.regs);
	if (!bits)
		return false;
	get_debugreg(dr6, 6);
	return dr6 & bits;
}
NOKPROBE_SYMBOL(kgdb_hit_in_flight);

/**
 * kgdb_nmi_uncounted() - is this an NMI in which breakpoints are still enabled?
 * @regs: where it, or another event, came; NULL for none
 * @fred: FRED delivers events
 *
 * With FRED exc_nmi() does not call local_db_save(): a #DB within it does no
 * harm to it. The debugger writes DR7, and has to leave it as it was where
 * somebody has disabled it, or is about to look at it, as #DB's entry.
 *
 * Context: any.
 * Return: true if local_db_save() has to be called for it.
 */
bool kgdb_nmi_uncounted(const struct pt_regs *regs, bool fred)
{
#ifdef CONFIG_X86_FRED
	return fred && regs && regs->fred_ss.type == EVENT_TYPE_NMI;
#else
	return false;
#endif
}
NOKPROBE_SYMBOL(kgdb_nmi_uncounted);
