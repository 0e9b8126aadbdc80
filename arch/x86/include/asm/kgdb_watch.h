/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KGDB_WATCH_H
#define _ASM_X86_KGDB_WATCH_H

#include <linux/compiler.h>
#include <linux/percpu-defs.h>
#include <linux/types.h>
#include <asm/percpu.h>

/* DR0 to DR3: SDM vol. 3B, 18.2 */
#define KGDB_HW_SLOTS 4

/* DR7 with nothing enabled: bit 10 always reads as 1, SDM vol. 3B, 18.2.4 */
#define KGDB_DR7_DISABLED 0x400UL

#ifdef CONFIG_KGDB_WATCHPOINT
/*
 * How many handlers on this CPU run with breakpoints disabled, and whether
 * the debugger has changed cpu_dr7 under one of them.
 *
 * #DB, NMI and #MC save DR7, clear it, and put the saved value back when they
 * return. The debugger runs inside them: it is entered by #DB, and by NMI on
 * the CPUs that are rounded up. What gdb set or removed there must survive
 * the return, so the outermost handler restores what cpu_dr7 holds by then.
 */
DECLARE_PER_CPU(unsigned int, kgdb_db_depth);
DECLARE_PER_CPU(bool, kgdb_dr7_changed);
DECLARE_PER_CPU(unsigned long, cpu_dr7);

/*
 * Bitmaps of slots. The round-up NMI may come between the access that hits and
 * the overflow handler, and this CPU may leave the round-up with other
 * watchpoints in its slots: DR6 then speaks of the old ones. What DR6 said of
 * kgdb_stale_slots is void. kgdb_unread_slots are those that changed while
 * DR6 held a hit which no handler had read.
 */
DECLARE_PER_CPU(unsigned int, kgdb_stale_slots);
DECLARE_PER_CPU(unsigned int, kgdb_unread_slots);

/* Called by #DB before it reads DR6 */
static __always_inline void kgdb_dr6_read_begin(void)
{
	this_cpu_write(kgdb_stale_slots, this_cpu_read(kgdb_unread_slots));
	barrier();
}

/* Called by #DB when it has read and reset DR6 */
static __always_inline void kgdb_dr6_read_end(void)
{
	barrier();
	this_cpu_write(kgdb_unread_slots, 0);
}

/* Called by local_db_save() */
static __always_inline void kgdb_db_save(void)
{
	this_cpu_inc(kgdb_db_depth);
}

/* Called by local_db_restore() with the DR7 it saved; returns the one to use */
static __always_inline unsigned long kgdb_db_restore(unsigned long dr7)
{
	if (this_cpu_dec_return(kgdb_db_depth) ||
	    !this_cpu_read(kgdb_dr7_changed))
		return dr7;

	this_cpu_write(kgdb_dr7_changed, false);
	return this_cpu_read(cpu_dr7);
}
#else
static __always_inline void kgdb_dr6_read_begin(void) { }
static __always_inline void kgdb_dr6_read_end(void) { }
static __always_inline void kgdb_db_save(void) { }
static __always_inline unsigned long kgdb_db_restore(unsigned long dr7)
{
	return dr7;
}
#endif

#endif /* _ASM_X86_KGDB_WATCH_H */
