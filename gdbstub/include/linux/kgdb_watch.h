/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware watchpoints for KGDB: what the rest of the kernel calls.
 *
 * A watchpoint is what gdb asked for; a slot is a hardware register pair.
 * kernel/debug/watchpoint/ keeps the table of both and knows no hardware;
 * the architecture programs the slots and reports which of them hit. The
 * path of a watchpoint is packet -> plan -> watch -> arch -> hit -> stop
 * reply, one file each.
 *
 * Locking: the table is changed only by the CPU that is master in the
 * debugger while all others are held, or with the master's lock held to keep
 * all CPUs out of the debugger, so it has no lock of its own. Other CPUs read
 * it on their way out of the debugger, which the master awaits; one that
 * starts looks whether it has changed meanwhile.
 * What belongs to one CPU (its pending hit, what its registers hold) is
 * touched by that CPU alone.
 */
#ifndef _LINUX_KGDB_WATCH_H
#define _LINUX_KGDB_WATCH_H

#include <linux/compiler.h>
#include <linux/types.h>

#ifdef CONFIG_KGDB_WATCHPOINT
#include <linux/kgdb.h>
#endif
#include <asm/kgdb_watch.h>

struct perf_event;
struct pt_regs;

#ifdef CONFIG_KGDB_WATCHPOINT
struct kgdb_access;
struct kgdb_slot_spec;

/* command.c: the Z, z and qSupported packets */
void kgdb_break_command(const char *in, char *out);
bool kgdb_supported_query(const char *in, char *out);

/* Does [@addr, @addr + @len) have a byte in common with @size bytes at @base? */
static inline bool kgdb_overlaps(unsigned long addr, unsigned long len,
				 const void *base, unsigned long size)
{
	return addr - (unsigned long)base < size ||
	       (unsigned long)base - addr < len;
}

bool kgdb_overlaps_percpu(unsigned long addr, unsigned long len,
			  const void __percpu *base, unsigned long size);

/* Is this memory the debugger core's own? In debug_core.c and gdbstub.c */
bool dbg_owns(unsigned long addr, unsigned long len);
bool gdbstub_owns(unsigned long addr, unsigned long len);

/* watch.c: the table, and the kgdb_arch operations on it */
int kgdb_set_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype);
int kgdb_remove_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype);
void kgdb_remove_all_hw_break(void);
void kgdb_remove_every_hw_break(void);
void kgdb_correct_hw_break(void);
void kgdb_watch_settle(void);
unsigned int kgdb_watch_newest(void);
unsigned int kgdb_watch_settled(void);
void kgdb_release_idle_slots(void);
void kgdb_watch_freed(const void *base, unsigned long size);
void kgdb_watch_free_init_mem(void);
void kgdb_watch_recheck(void);
void kgdb_watch_late(void);
const struct kgdb_slot_spec *kgdb_slot_wanted(unsigned int slot,
					      unsigned int *id);

/* watch.c: for kdb's commands */
const char *kgdb_kdb_set_watch(unsigned long addr, int len,
			       enum kgdb_bptype bptype);
int kgdb_kdb_remove_watch(unsigned long addr, int len, enum kgdb_bptype bptype);
bool kgdb_kdb_has_watch(unsigned long addr, int len, enum kgdb_bptype bptype);

/* hit.c: hits, from the overflow handler to the stop reply */
void kgdb_hit_record(unsigned int slot, unsigned int id, unsigned int newest);
bool kgdb_hit_owns(unsigned long addr, unsigned long len);
bool kgdb_hit_pending(void);
bool kgdb_hit_resolve(struct pt_regs *regs);
bool kgdb_hit_again(void);
bool kgdb_hit_next(void);
bool kgdb_hit_reported(void);
const char *kgdb_hit_describe(unsigned long *addr);
const char *kgdb_hit_of_kdb(unsigned long *addr);
char *kgdb_hit_stop_reason(char *buf);

/*
 * The architecture's side.
 */

/**
 * kgdb_arch_slot_check() - can and may the hardware watch this?
 * @spec: what a slot would be programmed to
 *
 * Context: master CPU in the debugger, all others held.
 * Return: NULL, or the reason for a refusal as a constant text.
 */
const char *kgdb_arch_slot_check(const struct kgdb_slot_spec *spec);

/**
 * kgdb_arch_slot_reserve() - claim a hardware slot on all CPUs
 * @slot: which of the KGDB_HW_SLOTS slots; not claimed yet
 *
 * Accounts for the slot with the perf layer on every possible CPU, so that
 * perf and ptrace get what is left and a CPU that comes online later finds
 * the slot reserved. Programs nothing.
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, -ENOSPC (perf holds what is left) or -EBUSY (perf was stopped
 * while it changed the accounting). Nothing has changed on an error.
 */
int kgdb_arch_slot_reserve(unsigned int slot);

/**
 * kgdb_arch_slot_release() - give a reserved slot back to the perf layer
 * @slot: which slot; no CPU may have it programmed any more
 *
 * Context: master CPU on its way out of the debugger, all others gone or
 * held; or with kgdb unregistered.
 * Return: true, or false when perf was stopped while it changed the
 * accounting; the slot stays reserved then.
 */
bool kgdb_arch_slot_release(unsigned int slot);

/**
 * kgdb_arch_slot_setup() - prepare a claimed slot for what it is to watch
 * @slot: which slot; every CPU that has it armed will be told to reprogram it
 * @spec: what kgdb_arch_slot_check() has accepted
 *
 * Context: master CPU in the debugger, all others held.
 */
void kgdb_arch_slot_setup(unsigned int slot, const struct kgdb_slot_spec *spec);

/**
 * kgdb_arch_slots_sync() - bring this CPU's registers in line with the table
 *
 * Asks kgdb_slot_wanted() for each slot.
 *
 * Context: this CPU, interrupts off.
 */
void kgdb_arch_slots_sync(void);

/**
 * kgdb_arch_slots_suspend() - disarm this CPU while it changes the table
 *
 * It is not stepped either until kgdb_arch_slots_resume().
 *
 * Context: this CPU, interrupts off, not in an exception.
 */
void kgdb_arch_slots_suspend(void);

/**
 * kgdb_arch_slots_resume() - bring this CPU's registers in line with the table
 *
 * Context: this CPU, as kgdb_arch_slots_suspend().
 */
void kgdb_arch_slots_resume(void);

/**
 * kgdb_arch_slots_hand_over() - make early slots ordinary ones
 *
 * What is armed stays in the registers as it is.
 *
 * Context: the boot CPU, the only one, between kgdb_arch_slots_suspend() and
 * kgdb_arch_slots_resume().
 */
void kgdb_arch_slots_hand_over(void);

/**
 * kgdb_arch_access() - which memory did the instruction that hit access?
 * @regs: of the debug exception
 * @access: @addr, @len and @wrote are set if that can be told
 *
 * The hardware says it all with the slots that hit; emulators may say less.
 *
 * Context: the debugger, on the CPU that hit.
 */
void kgdb_arch_access(struct pt_regs *regs, struct kgdb_access *access);

/* The architecture's kgdb_arch operations, its part of kgdb_arch_init() and _exit() */
void kgdb_disable_hw_debug(struct pt_regs *regs);
void kgdb_arch_watch_init(void);
void kgdb_arch_watch_exit(void);

/* perf's door to the overflow handler: see perf_bp_event() */
bool kgdb_watch_perf_event(struct perf_event *event, struct pt_regs *regs);

#else /* ! CONFIG_KGDB_WATCHPOINT */

static inline void kgdb_break_command(const char *in, char *out) { }
static inline bool kgdb_supported_query(const char *in, char *out)
{
	return false;
}

static inline void kgdb_remove_every_hw_break(void) { }
static inline void kgdb_watch_settle(void) { }
static inline void kgdb_watch_freed(const void *base, unsigned long size) { }
static inline void kgdb_watch_free_init_mem(void) { }
static inline void kgdb_arch_watch_init(void) { }
static inline bool kgdb_hit_pending(void) { return false; }
static inline bool kgdb_hit_resolve(struct pt_regs *regs) { return true; }
static inline bool kgdb_hit_again(void) { return false; }
static inline bool kgdb_hit_next(void) { return false; }
static inline bool kgdb_hit_reported(void) { return false; }
static inline const char *kgdb_hit_describe(unsigned long *addr)
{
	return NULL;
}

static inline const char *kgdb_hit_of_kdb(unsigned long *addr) { return NULL; }
static inline const char *kgdb_kdb_set_watch(unsigned long addr, int len,
					     int bptype)
{
	return "there is no table of watchpoints";
}

static inline int kgdb_kdb_remove_watch(unsigned long addr, int len, int bptype)
{
	return 0;
}

static inline bool kgdb_kdb_has_watch(unsigned long addr, int len, int bptype)
{
	return false;
}

static inline char *kgdb_hit_stop_reason(char *buf) { return buf; }
static inline bool kgdb_watch_perf_event(struct perf_event *event,
					 struct pt_regs *regs)
{
	return false;
}

#endif /* CONFIG_KGDB_WATCHPOINT */
#endif /* _LINUX_KGDB_WATCH_H */
