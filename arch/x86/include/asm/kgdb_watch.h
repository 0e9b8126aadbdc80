/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the exception entries and perf's code tell KGDB's watchpoints.
 */
#ifndef _ASM_X86_KGDB_WATCH_H
#define _ASM_X86_KGDB_WATCH_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <asm/debugreg.h>
#ifdef CONFIG_X86_FRED
#include <asm/fred.h>
#endif

struct pt_regs;

#ifdef CONFIG_KGDB_WATCHPOINT
struct perf_event;

/**
 * struct kgdb_db - KGDB's state of the debug registers on one CPU
 * @regs: bitmap of the debug registers that are KGDB's
 * @unread: hits of these that #DB has read from DR6 and not handed on yet
 * @entered: how often the debugger was entered and not left; DR7 and cpu_dr7
 *           have nothing enabled then
 * @generation: that of what the registers hold
 * @dr7: what cpu_dr7 is to be when the debugger is left
 * @busy: how many changes of the registers are under way
 * @own: the bits of DR7 that enable KGDB's registers
 * @nmi_armed: an NMI handler runs with KGDB's registers enabled
 * @nmi_dr7: of local_db_save(), where KGDB has called it in the stead of exc_nmi()
 *
 * The round-up NMI may come in the midst of #DB or of a change. What was
 * settled then is applied at the end of that, so that DR6 always speaks of
 * what the registers hold.
 */
struct kgdb_db {
	unsigned int regs;
	unsigned int unread;
	unsigned int entered;
	unsigned int generation;
	unsigned long dr7;
	unsigned long own;
	unsigned int busy;
	bool nmi_armed;
	unsigned long nmi_dr7;
};

DECLARE_PER_CPU(struct kgdb_db, kgdb_db);

/* Is a byte from @addr to @end in it? #DB's entry accesses it */
static inline bool kgdb_within_db(unsigned long addr, unsigned long end, int cpu)
{
	unsigned long db = (unsigned long)&per_cpu(kgdb_db, cpu);

	return end >= db && addr < db + sizeof(kgdb_db);
}

void kgdb_slots_sync(void);

/* Called by #DB with what it has read from DR6, before it resets that */
static __always_inline void kgdb_dr6_read(unsigned long dr6)
{
	if (!kgdb_in_use())
		return;
	this_cpu_write(kgdb_db.unread, dr6 & this_cpu_read(kgdb_db.regs));
	barrier();
}

#ifdef CONFIG_X86_FRED
/*
 * The same with FRED, where the processor pushes what #DB is about. The hits go
 * out of the frame as they are read: those in it are in flight, and nobody looks
 * there again (kgdb_fred_unread()).
 */
static __always_inline void kgdb_fred_read(struct pt_regs *regs)
{
	kgdb_dr6_read(fred_event_data(regs));
	fred_info(regs)->edata &= ~(unsigned long)DR_TRAP_BITS;
}
#endif

/* Has #DB read hits of KGDB's that it has not handed on? */
static inline bool kgdb_dr6_unread(void)
{
	return this_cpu_read(kgdb_db.unread);
}

/* Called by the last of #DB's notifiers: the hits have been handed on */
static inline void kgdb_dr6_done(void)
{
	this_cpu_write(kgdb_db.unread, 0);
	kgdb_slots_sync();
}

/*
 * Called by arch_install_hw_breakpoint() and arch_uninstall_hw_breakpoint()
 * before and after they change the registers and the records of them.
 */
static __always_inline void kgdb_regs_begin(void)
{
	this_cpu_inc(kgdb_db.busy);
	barrier();
}

static __always_inline void kgdb_regs_end(void)
{
	barrier();
	if (!this_cpu_dec_return(kgdb_db.busy))
		kgdb_slots_sync();
}

bool kgdb_take_perf_event(struct perf_event *event, struct pt_regs *regs);

/* Called by perf_bp_event(): true if the hit is KGDB's, and nothing of perf's */
static inline bool kgdb_watch_perf_event(struct perf_event *event,
					 struct pt_regs *regs)
{
	return kgdb_in_use() && kgdb_take_perf_event(event, regs);
}

bool kgdb_nmi_begin(struct pt_regs *regs);
void kgdb_nmi_end(void);
unsigned long kgdb_probed_ip(unsigned long ip);
#else
static inline bool kgdb_within_db(unsigned long addr, unsigned long end, int cpu)
{
	return false;
}

static __always_inline void kgdb_dr6_read(unsigned long dr6) { }
static __always_inline void kgdb_fred_read(struct pt_regs *regs) { }

static inline bool kgdb_dr6_unread(void)
{
	return false;
}

static __always_inline void kgdb_dr6_done(void) { }
static __always_inline bool kgdb_nmi_begin(struct pt_regs *regs)
{
	return false;
}

static __always_inline void kgdb_nmi_end(void) { }
static __always_inline unsigned long kgdb_probed_ip(unsigned long ip)
{
	return ip;
}

static __always_inline void kgdb_regs_begin(void) { }
static __always_inline void kgdb_regs_end(void) { }
#endif

#endif /* _ASM_X86_KGDB_WATCH_H */
