/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware watchpoints for KGDB: what the rest of the kernel calls.
 *
 * A watchpoint is what gdb or kdb asked for; a slot is a hardware register.
 * kernel/debug/watchpoint/ keeps the table of both and knows no hardware; the
 * architecture programs the slots and reports which of them hit: see
 * <linux/kgdb_slots.h> for the contract between them. The path of a
 * watchpoint is packet -> plan -> table -> slots -> arch -> hit -> match ->
 * stop reply, one file each.
 *
 * Locking: the table is changed only by the CPU that is master in the
 * debugger while all others are held, or with the master's lock held to keep
 * all CPUs out of the debugger, so it has no lock of its own. What is settled
 * is published as a snapshot, which any CPU may read at any time.
 * What belongs to one CPU (its pending hit, what its registers hold) is
 * touched by that CPU alone.
 */
#ifndef _LINUX_KGDB_WATCH_H
#define _LINUX_KGDB_WATCH_H

#include <linux/compiler.h>
#include <linux/types.h>

#ifdef CONFIG_KGDB_WATCHPOINT
#include <linux/kgdb.h>
/* kgdb_watch_perf_event(), perf_bp_event()'s door to the overflow handler */
#include <asm/kgdb_watch.h>
#endif

struct module;
struct perf_event;
struct pt_regs;

/* The debug core: have gdb show a text to the user */
void dbg_tell_gdb(const char *text);

#ifdef CONFIG_KGDB_WATCHPOINT

/* command.c: the Z and z packets */
void kgdb_break_command(const char *in, char *out);

/* client.c: the qSupported packet */
bool kgdb_supported_query(const char *in, char *out);

/* table.c: what is wanted; the operations of struct kgdb_arch */
int kgdb_set_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype);
int kgdb_remove_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype);
void kgdb_remove_all_hw_break(void);

/* slots.c: each CPU is brought in line with what is settled */
void kgdb_slots_sync(void);
void kgdb_watch_enter(struct pt_regs *regs);
void kgdb_watch_leave(void);
void kgdb_watch_catch_up(struct pt_regs *regs);
void kgdb_correct_hw_break(void);

/* lifecycle.c: the machine goes on; what changes the table outside of the debugger */
void kgdb_watch_resume(void);
bool kgdb_watch_table_busy(void);
void kgdb_watch_late(void);
void kgdb_watch_cpu_starting(void);
void kgdb_watch_percpu_copied(unsigned int cpu);
void kgdb_watch_module_freed(const struct module *mod, unsigned long state);
void kgdb_watch_free_init_mem(void);
void kgdb_watch_exit(void);

/* kdb.c: for kdb's commands */
const char *kgdb_kdb_set_watch(unsigned long addr, int len,
			       enum kgdb_bptype bptype);
int kgdb_kdb_remove_watch(unsigned long addr, int len, enum kgdb_bptype bptype);
bool kgdb_kdb_has_watch(unsigned long addr, int len, enum kgdb_bptype bptype);

/* hit.c: hits, from the overflow handler to the stop reply */
bool kgdb_hit_pending(void);
bool kgdb_hit_resolve(struct pt_regs *regs);
bool kgdb_hit_again(void);
bool kgdb_hit_next(void);
bool kgdb_hit_reported(void);
const char *kgdb_hit_describe(unsigned long *addr);
const char *kgdb_hit_of_kdb(unsigned long *addr);
char *kgdb_hit_stop_reason(char *buf);
void kgdb_hit_tell(void);
bool kgdb_hit_locked_down(void);

/* What watchpoints use of the debug core */
extern int dbg_kdb_mode;
extern raw_spinlock_t dbg_master_lock;
int dbg_set_sw_break(unsigned long addr);
int dbg_remove_sw_break(unsigned long addr);

#else /* ! CONFIG_KGDB_WATCHPOINT */

static inline void kgdb_break_command(const char *in, char *out) { }
static inline bool kgdb_supported_query(const char *in, char *out)
{
	return false;
}

static inline void kgdb_watch_resume(void) { }
static inline void kgdb_watch_exit(void) { }
static inline bool kgdb_watch_table_busy(void) { return false; }
static inline void kgdb_watch_late(void) { }
static inline void kgdb_watch_enter(struct pt_regs *regs) { }
static inline void kgdb_watch_leave(void) { }
static inline void kgdb_watch_catch_up(struct pt_regs *regs) { }
static inline void kgdb_watch_cpu_starting(void) { }
static inline void kgdb_watch_percpu_copied(unsigned int cpu) { }
static inline void kgdb_watch_module_freed(const struct module *mod,
					   unsigned long state) { }
static inline void kgdb_watch_free_init_mem(void) { }
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
static inline void kgdb_hit_tell(void) { }
static inline bool kgdb_hit_locked_down(void) { return false; }
static inline bool kgdb_watch_perf_event(struct perf_event *event,
					 struct pt_regs *regs)
{
	return false;
}

#endif /* CONFIG_KGDB_WATCHPOINT */
#endif /* _LINUX_KGDB_WATCH_H */
