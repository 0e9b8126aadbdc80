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

struct arch_hw_breakpoint;
struct perf_event;
struct pt_regs;

#ifdef CONFIG_KGDB_WATCHPOINT
/**
 * struct kgdb_db - what #DB, NMI and the debugger tell each other on one CPU
 * @depth: how many handlers run with breakpoints disabled
 * @changed: the debugger has changed cpu_dr7 under one of them
 * @stepping: KGDB's breakpoints are disabled while it makes a single step
 * @nmi_armed: the NMI handler at @depth 1 runs with KGDB's breakpoints enabled
 * @busy: how many are changing the debug registers: see kgdb_regs_begin()
 * @deferred: the debugger wanted to change them meanwhile
 * @dr7: the bits of cpu_dr7 that are KGDB's
 * @regs: bitmap of the debug registers that are KGDB's
 * @unread: the bits of DR6 that the debugger took before any handler read them
 * @taken: the bits of what the handler has read that the debugger took
 * @read: the bits that a handler has read and not yet handed on
 * @off: the debugger has this CPU, and cpu_dr7 reads 0
 * @off_dr7: what cpu_dr7 is when the debugger leaves
 * @table: this CPU changes the table of watchpoints outside of the debugger
 *
 * #DB, NMI and #MC save DR7, clear it, and put the saved value back when they
 * return. The debugger runs inside them: it is entered by #DB, and by NMI on
 * the CPUs that are rounded up. What gdb set or removed there must survive
 * the return, so the outermost handler restores what cpu_dr7 holds by then.
 *
 * The round-up NMI may come between the access that hits and the overflow
 * handler, and this CPU may leave the round-up with other watchpoints in its
 * registers: the bits that #DB finds in DR6 then speak of the old ones. The
 * debugger takes such hits as it is entered; the handler ignores them.
 */
struct kgdb_db {
	unsigned int depth;
	bool changed;
	bool stepping;
	bool nmi_armed;
	unsigned int busy;
	bool deferred;
	unsigned long dr7;
	unsigned int regs;
	unsigned int unread;
	unsigned int taken;
	unsigned int read;
	bool off;
	unsigned long off_dr7;
	bool table;
};

DECLARE_PER_CPU(struct kgdb_db, kgdb_db);
DECLARE_PER_CPU(unsigned long, cpu_dr7);

/* Called by #DB before it reads DR6 */
static __always_inline void kgdb_dr6_read_begin(void)
{
	this_cpu_write(kgdb_db.taken, this_cpu_read(kgdb_db.unread));
	barrier();
}

/* Called by #DB with what it has read, before it resets DR6 */
static __always_inline void kgdb_dr6_read(unsigned long dr6)
{
	this_cpu_write(kgdb_db.read, dr6 & this_cpu_read(kgdb_db.regs));
	barrier();
}

/* Called by #DB when it has reset DR6 */
static __always_inline void kgdb_dr6_read_end(void)
{
	barrier();
	this_cpu_write(kgdb_db.unread, 0);
}

/* Called by hw_breakpoint_handler(): has #DB read what KGDB has to find itself? */
static __always_inline bool kgdb_dr6_unclaimed(void)
{
	return this_cpu_read(kgdb_db.read);
}

/* Called by kgdb_notify(): is this CPU changing the table of watchpoints? */
static __always_inline bool kgdb_table_busy(void)
{
	return this_cpu_read(kgdb_db.table);
}

/* Called by local_db_save() */
static __always_inline void kgdb_db_save(void)
{
	this_cpu_inc(kgdb_db.depth);
}

/* Called by local_db_restore() with the DR7 it saved; returns the one to use */
static __always_inline unsigned long kgdb_db_restore(unsigned long dr7)
{
	unsigned int depth = this_cpu_dec_return(kgdb_db.depth);

	if (!this_cpu_read(kgdb_db.changed))
		return dr7;
	if (depth == 1 && this_cpu_read(kgdb_db.nmi_armed))
		return this_cpu_read(kgdb_db.dr7);
	if (depth)
		return dr7;

	this_cpu_write(kgdb_db.changed, false);
	return this_cpu_read(kgdb_db.stepping) ? KGDB_DR7_DISABLED :
						 this_cpu_read(cpu_dr7);
}

/*
 * Called by arch_install_hw_breakpoint() and arch_uninstall_hw_breakpoint()
 * before and after they change the debug registers and what the kernel knows
 * of them. The round-up may come in between by NMI: what the debugger has to
 * change then waits for the end.
 */
static __always_inline void kgdb_regs_begin(void)
{
	this_cpu_inc(kgdb_db.busy);
	barrier();
}

void kgdb_regs_end(void);

void kgdb_dr6_done(struct pt_regs *regs, unsigned long dr6);
void kgdb_cpu_starting(void);
void kgdb_percpu_copied(unsigned int cpu);
void kgdb_nmi_begin(struct pt_regs *regs);
void kgdb_nmi_end(void);
bool kgdb_late_nmi(void);

/* Memory of others that is used while breakpoints are enabled in between */
bool nmi_owns(unsigned long addr, unsigned long len);
bool hw_breakpoint_owns(unsigned long addr, unsigned long len);

/* In hw_breakpoint.c, for early boot */
void hw_breakpoint_write(unsigned int reg, const struct arch_hw_breakpoint *info);
int hw_breakpoint_adopt(struct perf_event *bp, unsigned int reg);

void kgdb_step_done(struct pt_regs *regs);
unsigned long kgdb_probed_ip(unsigned long ip);
#else
static __always_inline void kgdb_dr6_read_begin(void) { }
static __always_inline void kgdb_dr6_read(unsigned long dr6) { }
static __always_inline void kgdb_dr6_read_end(void) { }
static __always_inline bool kgdb_dr6_unclaimed(void) { return false; }
static __always_inline bool kgdb_table_busy(void) { return false; }
static __always_inline void kgdb_dr6_done(struct pt_regs *regs,
					  unsigned long dr6) { }
static __always_inline void kgdb_db_save(void) { }
static __always_inline unsigned long kgdb_db_restore(unsigned long dr7)
{
	return dr7;
}

static __always_inline void kgdb_regs_begin(void) { }
static __always_inline void kgdb_regs_end(void) { }
static __always_inline void kgdb_cpu_starting(void) { }
static __always_inline void kgdb_percpu_copied(unsigned int cpu) { }
static __always_inline void kgdb_nmi_begin(struct pt_regs *regs) { }
static __always_inline void kgdb_nmi_end(void) { }
static __always_inline bool kgdb_late_nmi(void) { return false; }
static __always_inline void kgdb_step_done(struct pt_regs *regs) { }
static __always_inline unsigned long kgdb_probed_ip(unsigned long ip)
{
	return ip;
}
#endif

#endif /* _ASM_X86_KGDB_WATCH_H */
