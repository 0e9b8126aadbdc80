// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which accesses of the guest the oracle logs, each once: those that overlap a
 * watched range.  The ranges and the log are here.
 */
#include "oracle.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_RANGES	64
#define MAX_ENTRIES	(1u << 20)	/* 56 bytes each */
#define MAX_ACCESS	128		/* bytes; more than any instruction moves in one go */

/*
 * The watched ranges.  Changed under the lock; read without it by the first
 * look of a memory callback, which may be wrong for as long as a change takes:
 * the second look, under the lock, decides.
 */
static struct range {
	uint64_t addr;
	uint64_t len;
	bool stores;	/* and no loads */
} ranges[MAX_RANGES];
static unsigned int nr_ranges;
/* Accesses of interest start at [bound_low, bound_low + bound_span). */
static uint64_t bound_low;
static uint64_t bound_span;

/* The log, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;
static size_t nr_entries;
static size_t room;
static uint64_t next_index;
static uint64_t lost;

static bool overlaps(const struct access *access)
{
	unsigned int i, n = load(&nr_ranges);

	for (i = 0; i < n; i++) {
		uint64_t addr = load(&ranges[i].addr);

		if (!access->is_store && load(&ranges[i].stores))
			continue;
		if (access->vaddr - addr < load(&ranges[i].len) ||
		    addr - access->vaddr < access->size)
			return true;
	}
	return false;
}

static bool same(const struct access *a, const struct access *b)
{
	return a->vaddr == b->vaddr && a->size == b->size && a->is_store == b->is_store;
}

static void append(const struct entry *entry)
{
	if (nr_entries == room) {
		size_t more = room ? 2 * room : 1024;
		struct entry *grown = NULL;

		if (more <= MAX_ENTRIES)
			grown = realloc(entries, more * sizeof(*entries));
		if (!grown) {
			lost++;
			next_index++;
			return;
		}
		entries = grown;
		room = more;
	}
	entries[nr_entries] = *entry;
	entries[nr_entries++].index = next_index++;
}

/*
 * An instruction that makes several accesses may make some, then be abandoned
 * by QEMU at the next (an x86 watchpoint, a store to translated code), and be
 * run again from its beginning: "incl x" under a write watchpoint loads x
 * twice.  To the guest it ran once, and so it is logged once.
 *
 * Between the tries nothing else runs in the thread.  With one vCPU its count
 * says so: exactly one instruction has begun since, this one.  With several
 * there may be two more tries (an atomic instruction is tried again alone, with
 * the other vCPUs stopped), but each is a block of just this instruction, on the
 * same vCPU.
 * An instruction that completed and then follows itself directly is a repeated
 * string instruction, and that has moved on to another address.
 */
static bool tried_again(const struct thread *thread, uint64_t pc, uint64_t who, uint64_t insns,
			const struct access *access)
{
	if (pc != thread->pc || who != thread->who || !thread->nr_seen ||
	    !same(access, &thread->seen[0]))
		return false;
	if (nr_vcpus == 1)
		return insns == thread->try_insns + 1;
	return insns != thread->try_insns && !thread->left;
}

static void record(unsigned int index, const struct access *access, void *packed)
{
	struct thread *thread = thread_of(index);
	uint64_t insns = insns_of(thread);
	uint64_t pc = packed_pc(packed);
	uint64_t who = who_runs(index);
	struct entry entry;

	if (tried_again(thread, pc, who, insns, access)) {
		thread->try_insns = insns;
		thread->position = 0;
	} else if (pc != thread->pc || who != thread->who || insns != thread->try_insns) {
		thread->pc = pc;
		thread->who = who;
		thread->first_insns = insns;
		thread->try_insns = insns;
		thread->left = false;
		thread->nr_seen = 0;
		thread->position = 0;
	}

	if (thread->position < thread->nr_seen && same(access, &thread->seen[thread->position])) {
		thread->position++;
		return;
	}

	entry = (struct entry) {
		.access = *access,
		.insns = thread->first_insns,
		.pc = pc,
		.next_pc = pc + packed_size(packed),
		.who = who,
	};
	pthread_mutex_lock(&lock);
	if (!overlaps(access)) {
		pthread_mutex_unlock(&lock);
		return;
	}
	append(&entry);
	pthread_mutex_unlock(&lock);

	if (thread->position < MAX_SEEN) {
		thread->seen[thread->position++] = *access;
		thread->nr_seen = thread->position;
	}
}

void on_access(unsigned int index, qemu_plugin_meminfo_t info, uint64_t vaddr, void *packed)
{
	struct access access;

	if (vaddr - load(&bound_low) >= load(&bound_span))
		return;

	access = (struct access) {
		.vaddr = vaddr,
		.size = 1u << qemu_plugin_mem_size_shift(info),
		.is_store = qemu_plugin_mem_is_store(info),
	};
	if (overlaps(&access))
		record(index, &access, packed);
}

/* Set the bounds to what the ranges are; open wide in between. */
static void update_bounds(void)
{
	uint64_t low = UINT64_MAX, last = 0;
	unsigned int i;

	if (!nr_ranges) {
		store(&bound_span, 0);
		return;
	}
	for (i = 0; i < nr_ranges; i++) {
		uint64_t end = ranges[i].addr + (ranges[i].len - 1);

		if (ranges[i].addr < low)
			low = ranges[i].addr;
		if (end > last)
			last = end;
	}
	low = low > MAX_ACCESS ? low - MAX_ACCESS : 0;
	__atomic_store_n(&bound_span, UINT64_MAX, __ATOMIC_SEQ_CST);
	__atomic_store_n(&bound_low, low, __ATOMIC_SEQ_CST);
	__atomic_store_n(&bound_span, last - low == UINT64_MAX ? UINT64_MAX : last - low + 1,
			 __ATOMIC_SEQ_CST);
}

const char *watch_range(uint64_t addr, uint64_t len, bool stores)
{
	const char *reason = NULL;

	pthread_mutex_lock(&lock);
	if (!len || addr + (len - 1) < addr) {
		reason = "empty range, or one that wraps around";
	} else if (nr_ranges == MAX_RANGES) {
		reason = "too many ranges";
	} else {
		store(&ranges[nr_ranges].addr, addr);
		store(&ranges[nr_ranges].len, len);
		store(&ranges[nr_ranges].stores, stores);
		__atomic_store_n(&nr_ranges, nr_ranges + 1, __ATOMIC_SEQ_CST);
		update_bounds();
	}
	pthread_mutex_unlock(&lock);
	return reason;
}

void clear_ranges(void)
{
	pthread_mutex_lock(&lock);
	store(&nr_ranges, 0);
	update_bounds();
	pthread_mutex_unlock(&lock);
}

struct entry *take_log(size_t *nr_taken, uint64_t *missing)
{
	struct entry *taken;

	pthread_mutex_lock(&lock);
	taken = entries;
	*nr_taken = nr_entries;
	*missing = lost;
	entries = NULL;
	nr_entries = 0;
	room = 0;
	lost = 0;
	pthread_mutex_unlock(&lock);
	return taken;
}
