// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hits of KGDB's watchpoints inside NMI handlers.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/kgdb.h>
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
static __always_inline bool on_db_stack(struct pt_regs *regs)
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
 * kgdb_nmi_begin() - let the NMI handlers hit KGDB's breakpoints
 * @regs: where the NMI came
 *
 * exc_nmi() has disabled all breakpoints, for the sake of the memory its entry
 * and exit use. Not in an NMI that came while #DB or #MC were handled, or while
 * the debugger has the machine: that is its round-up, whose own accesses do not
 * hit.
 *
 * Context: exc_nmi(), after local_db_save().
 */
noinstr void kgdb_nmi_begin(struct pt_regs *regs)
{
	if (this_cpu_read(cpu_db_depth) != 1 ||
	    this_cpu_read(kgdb_db.entered) ||
	    READ_ONCE(kgdb_active.counter) != -1 || on_db_stack(regs))
		return;

	this_cpu_write(kgdb_db.nmi_armed, true);
	if (this_cpu_read(kgdb_db.own))
		set_debugreg(this_cpu_read(kgdb_db.own) | DR7_FIXED, 7);
}

/**
 * kgdb_nmi_end() - the other end of kgdb_nmi_begin()
 *
 * Context: exc_nmi(), before local_db_restore().
 */
noinstr void kgdb_nmi_end(void)
{
	if (!this_cpu_read(kgdb_db.nmi_armed))
		return;

	set_debugreg(DR7_FIXED, 7);
	barrier();
	this_cpu_write(kgdb_db.nmi_armed, false);
}
