// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hits of KGDB's watchpoints inside NMI handlers.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kgdb.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>

#include <asm/cpu_entry_area.h>
#include <asm/debugreg.h>
#include <asm/kgdb_watch.h>

#include "kgdb-x86.h"

/*
 * #DB has one stack on x86_64, from its top: a second one would overwrite the
 * frame of the first. An NMI may have come while #DB was on its way in or out
 * there, with breakpoints enabled.
 */
static __always_inline bool on_db_stack(const struct pt_regs *regs)
{
#ifdef CONFIG_X86_64
	struct cea_exception_stacks *stacks = this_cpu_read(cea_exception_stacks);

	return regs->sp > CEA_ESTACK_BOT(stacks, DB) &&
	       regs->sp <= CEA_ESTACK_TOP(stacks, DB);
#else
	return false;
#endif
}

/**
 * kgdb_nmi_may_arm() - may the handlers of this NMI hit, and do not yet?
 * @regs: where the NMI came
 * @fred: FRED delivers events
 *
 * Not in an NMI that came while #DB or #MC were handled, in the debugger, or in
 * the midst of a change of the registers, nor where they are not the host's:
 * with KVM, NMI ends the guest's turn.
 *
 * With FRED exc_nmi() has not disabled breakpoints, and does not count as one
 * that has: who counts there is #DB or #MC, which the NMI has come into.
 *
 * Context: NMI, this CPU.
 * Return: true if so.
 */
bool kgdb_nmi_may_arm(const struct pt_regs *regs, bool fred)
{
	if (fred || db_depth() != 1 || this_cpu_read(kgdb_db.entered) ||
	    this_cpu_read(kgdb_db.busy) || on_db_stack(regs) ||
	    kgdb_registers_lent(this_cpu_read(cpu_dr7)))
		return false;
	/* #DB has a stack of its own only on x86_64, and for the kernel's mode */
	return !kgdb_hit_in_flight(this_cpu_read(cpu_dr7) ?
				   DR_TRAP_BITS | DR_STEP : 0, fred);
}
NOKPROBE_SYMBOL(kgdb_nmi_may_arm);

/**
 * kgdb_nmi_begin() - let the NMI handlers hit KGDB's breakpoints
 * @regs: where the NMI came
 *
 * exc_nmi() has disabled all breakpoints, for the sake of the memory its entry
 * and exit use. Kdump's handler and that of a microcode update are called
 * elsewhere.
 *
 * An NMI while the debugger has the machine is most likely its round-up, whose
 * own accesses do not hit. It may be another handler's as well:
 * kgdb_nmi_handler(), the first of them, enables the breakpoints then, as the
 * debugger lets this CPU go or does not want it.
 *
 * Context: nmi_handle(), before it calls the registered handlers.
 * Return: whether kgdb_nmi_end() is to be called after them.
 */
bool kgdb_nmi_begin(struct pt_regs *regs)
{
	if (!kgdb_nmi_may_arm(regs, kgdb_fred()))
		return false;

	this_cpu_write(kgdb_db.nmi_armed, true);
	barrier();
	if (this_cpu_read(kgdb_db.own) && atomic_read(&kgdb_active) == -1)
		set_debugreg(this_cpu_read(kgdb_db.own) | DR7_FIXED, 7);
	return true;
}
NOKPROBE_SYMBOL(kgdb_nmi_begin);

/**
 * kgdb_nmi_end() - the other end of kgdb_nmi_begin()
 *
 * Context: nmi_handle(), after the registered handlers.
 */
void kgdb_nmi_end(void)
{
	set_debugreg(DR7_FIXED, 7);
	barrier();
	this_cpu_write(kgdb_db.nmi_armed, false);
}
NOKPROBE_SYMBOL(kgdb_nmi_end);

/**
 * kgdb_nested_dr7() - what a handler within another one restores
 * @dr7: what DR7 held before
 *
 * A #DB inside an NMI handler returns to what is KGDB's by now, and in the
 * debugger to nothing.
 *
 * Context: local_db_restore(), unless it restores cpu_dr7.
 * Return: what to write to DR7; 0 for nothing.
 */
noinstr unsigned long kgdb_nested_dr7(unsigned long dr7)
{
	if (!this_cpu_read(kgdb_db.nmi_armed))
		return dr7;
	return this_cpu_read(kgdb_db.entered) ? 0 : this_cpu_read(kgdb_db.own);
}
