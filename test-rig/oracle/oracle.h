/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the oracle share: accesses, instructions, who runs them, and what
 * each file does for the others.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qemu-plugin-api.h"

#define load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)

#define MAX_SEEN	32

/* One access, without who made it. */
struct access {
	uint64_t vaddr;
	uint32_t size;
	bool is_store;
};

struct entry {
	struct access access;
	uint64_t index;
	uint64_t insns;
	uint64_t pc;
	uint64_t next_pc;
	uint64_t who;			/* vcpu_of() */
};

/*
 * A thread of QEMU's that runs vCPUs: one runs all by turns, or each has its own.
 * Written by that thread only; insns is read by others as well: insns_of().
 */
struct thread {
	uint64_t insns;

	/* The last instruction that touched a watched range. */
	uint64_t pc;
	uint64_t who;
	uint64_t first_insns;		/* the count at its first try */
	uint64_t try_insns;		/* and at its last */
	bool left;			/* other blocks have run since (several vCPUs) */
	unsigned int nr_seen;		/* its accesses that are in the log */
	unsigned int position;		/* how many of them this try has made */
	struct access seen[MAX_SEEN];
} __attribute__((aligned(64)));

extern struct thread *threads;
extern unsigned int nr_vcpus;
extern bool in_turns;

static inline struct thread *thread_of(unsigned int index)
{
	return in_turns ? &threads[0] : &threads[index];
}

/*
 * A callback gets one pointer: it carries the pc and, in the top four bits,
 * the size of the instruction.  An x86 instruction has at most 15 bytes, and
 * bits 63 to 60 of a virtual address repeat bit 59 on every supported guest.
 */
_Static_assert(sizeof(void *) == 8, "the oracle needs a 64-bit host");

static inline void *pack_insn(const struct qemu_plugin_insn *insn)
{
	uint64_t pc = qemu_plugin_insn_vaddr(insn);
	uint64_t size = qemu_plugin_insn_size(insn);

	return (void *)(uintptr_t)((size << 60) | (pc & ~(UINT64_C(15) << 60)));
}

static inline uint64_t packed_pc(void *packed)
{
	return (uint64_t)((int64_t)((uint64_t)(uintptr_t)packed << 4) >> 4);
}

static inline uint64_t packed_size(void *packed)
{
	return (uint64_t)(uintptr_t)packed >> 60;
}

/*
 * accesses.c: which accesses are logged, and the log
 */

/* Log what overlaps a range as well, or just the stores; NULL, or why not. */
const char *watch_range(uint64_t addr, uint64_t len, bool stores);
void clear_ranges(void);

/* The log, which is empty afterwards; the caller frees it. */
struct entry *take_log(size_t *nr_entries, uint64_t *lost);

/* A memory callback for any instruction. */
void on_access(unsigned int index, qemu_plugin_meminfo_t info, uint64_t vaddr, void *packed);

/*
 * who.c: which vCPU makes an access
 */

/* Has an instruction's accesses reported. */
void register_accesses(struct qemu_plugin_insn *insn, void *packed);

/* In a memory callback: what the vCPU that runs is known by. */
uint64_t who_runs(unsigned int index);

/* The vCPU that is known by that; -1 if that cannot be told yet. */
int vcpu_of(uint64_t who);

/*
 * oracle.c: what is counted
 */

/* How many instructions the vCPUs of a thread have begun, and all of them have. */
uint64_t insns_of(const struct thread *thread);
uint64_t count_insns(void);
uint64_t count_debugreg_writes(void);

/* Executions of an instruction since this was asked first; false if there are too many. */
bool count_visits(uint64_t pc, uint64_t *visits);

/*
 * server.c: the control socket
 */

bool start_server(const char *path);
void stop_server(void);

#endif /* ORACLE_H */
