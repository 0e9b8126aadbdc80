/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between KGDB's watchpoints and an architecture's registers.
 *
 * A slot is a hardware register (pair) that watches one region on all CPUs.
 * Down: the table decides which slot serves what, and hands each CPU one
 * settled snapshot, struct kgdb_slot_set, to apply. Up: the architecture
 * reports each slot that hit, with kgdb_hit_record(). It calls nothing else
 * of KGDB's watchpoints.
 *
 * struct kgdb_slot_arch says what the hardware can do and how it is done.
 * Each function there says in which context it is called.
 */
#ifndef _LINUX_KGDB_SLOTS_H
#define _LINUX_KGDB_SLOTS_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <asm/kgdb_slots.h>
#else
#include <stdbool.h>
/* The pure code's tests run with as many slots as x86 has */
#define KGDB_SLOTS_MAX 4
#endif

struct pt_regs;

/*
 * What a watchpoint or a slot is for. The values are those of the type digit
 * of a Z packet ("Packets" in the gdb manual, appendix E.2), and the same as
 * those of enum kgdb_bptype (asserted in table.c).
 */
enum kgdb_watch_type {
	KGDB_WATCH_SOFTWARE	= 0,
	KGDB_WATCH_EXECUTE	= 1,
	KGDB_WATCH_WRITE	= 2,
	KGDB_WATCH_READ		= 3,
	KGDB_WATCH_ACCESS	= 4,
};

/**
 * struct kgdb_slot_spec - what one slot is programmed to
 * @type: KGDB_WATCH_EXECUTE, _WRITE, _ACCESS, or _READ where the hardware has
 *        slots for reads (@read_slots of struct kgdb_slot_caps)
 * @addr: first byte, a virtual address
 * @len: number of bytes
 *
 * The same description makes an equal slot, which watchpoints can share.
 */
struct kgdb_slot_spec {
	enum kgdb_watch_type type;
	unsigned long addr;
	unsigned long len;
};

/* Does [@addr, @addr + @len) have a byte in common with @size bytes at @base? */
static inline bool kgdb_overlaps(unsigned long addr, unsigned long len,
				 const void *base, unsigned long size)
{
	return addr - (unsigned long)base < size ||
	       (unsigned long)base - addr < len;
}

/**
 * struct kgdb_slot - one slot of a snapshot, the same on every CPU
 * @spec: what it watches, if it is wanted
 * @since: the generation in which it was given this to watch; with the number
 *         of the slot it names what is watched, and nothing else ever
 * @wanted: it is to be armed
 */
struct kgdb_slot {
	struct kgdb_slot_spec spec;
	unsigned int since;
	bool wanted;
};

/**
 * struct kgdb_slot_set - a settled snapshot: what every CPU is to have armed
 * @generation: counts the snapshots; 0 until something is set
 * @slot: those for data first, then those for instructions, if these have
 *        slots of their own
 */
struct kgdb_slot_set {
	unsigned int generation;
	struct kgdb_slot slot[KGDB_SLOTS_MAX];
};

/**
 * struct kgdb_hit_info - a slot that hit, as the architecture reports it
 * @slot: which slot
 * @since: as in the snapshot from which this CPU had it armed
 * @generation: that of this snapshot
 * @addr: first byte of the access
 * @len: its number of bytes; 0 if the hardware does not say
 * @wrote: it was a write; only with @len
 */
struct kgdb_hit_info {
	unsigned int slot;
	unsigned int since;
	unsigned int generation;
	unsigned long addr;
	unsigned long len;
	bool wrote;
};

/**
 * struct kgdb_slot_caps - what an architecture's slots can do
 * @watch_slots: how many slots there are for data; for instructions as well,
 *               if @break_slots is 0
 * @break_slots: how many more there are for instructions alone
 * @max_len: the longest region that one slot watches, a power of two
 * @byte_select: a slot watches any run of bytes within an aligned word of
 *               8 bytes, not only aligned powers of two
 * @read_slots: a slot can watch for reads alone
 *
 * The two numbers of slots add up to KGDB_SLOTS_MAX at most. They may be
 * learned when the kernel boots, before the first debugger connects.
 */
struct kgdb_slot_caps {
	unsigned int watch_slots;
	unsigned int break_slots;
	unsigned long max_len;
	bool byte_select;
	bool read_slots;
};

/**
 * struct kgdb_slot_arch - an architecture's slots
 * @caps: what they can do
 */
struct kgdb_slot_arch {
	const struct kgdb_slot_caps *caps;

	/**
	 * @check: can and may the hardware watch this?
	 *
	 * Refuses what the exception entry itself touches with the slots
	 * armed, and user space.
	 *
	 * Context: master CPU in the debugger, all others held; or the boot
	 * CPU alone.
	 * Return: NULL, or the reason for a refusal as a constant text.
	 */
	const char *(*check)(const struct kgdb_slot_spec *spec);

	/**
	 * @reserve: claim a slot on all possible CPUs from the perf layer
	 *
	 * perf and ptrace get what is left. Programs nothing.
	 *
	 * Context: master CPU in the debugger, all others held.
	 * Return: 0, -ENOSPC (perf holds what is left) or -EBUSY (perf was
	 * stopped while it changed its accounting). Nothing has changed on an
	 * error.
	 */
	int (*reserve)(unsigned int slot);

	/**
	 * @release: give a reserved slot back to the perf layer
	 *
	 * Context: as @reserve. No CPU can run with the slot armed any more.
	 * Return: true, or false when perf was stopped while it changed its
	 * accounting: the slot stays reserved, and is given back later.
	 */
	bool (*release)(unsigned int slot);

	/**
	 * @off: nothing on this CPU hits from here on, whoever armed it
	 *
	 * Calls nest: each is undone by one @on.
	 *
	 * Context: this CPU, interrupts off; the first act of the debugger.
	 */
	void (*off)(struct pt_regs *regs);

	/**
	 * @on: the other end of @off; after the outermost one, @arm arms
	 *
	 * Context: this CPU, interrupts off; before the last look at what is
	 * settled, and the last @arm, on the way out of the debugger.
	 */
	void (*on)(void);

	/**
	 * @apply: program this CPU's registers, and leave them disarmed
	 *
	 * Changes nothing if this CPU was interrupted while a hit is in
	 * flight, or while somebody changes the registers: the end of that
	 * calls kgdb_slots_sync().
	 *
	 * Context: this CPU, interrupts off.
	 * Return: whether the registers hold @set now.
	 */
	bool (*apply)(const struct kgdb_slot_set *set);

	/**
	 * @applied: the generation of what this CPU's registers hold
	 *
	 * Context: this CPU, interrupts off.
	 * Return: the generation; 0 if KGDB has never programmed them, or
	 * what it had armed is lost.
	 */
	unsigned int (*applied)(void);

	/**
	 * @arm: enable what was applied, unless the debugger or an exception
	 *       that has breakpoints disabled will do that as it ends
	 *
	 * Context: this CPU, interrupts off, after @apply or @on.
	 */
	void (*arm)(void);

	/**
	 * @forget: what KGDB has armed on a CPU is lost
	 *
	 * Its registers were reset, or its per-CPU area is a copy of another
	 * CPU's.
	 *
	 * Context: on that CPU, or before that CPU has started.
	 */
	void (*forget)(unsigned int cpu);

	/**
	 * @step_over: let the instruction that hit make its access
	 *
	 * For a hit that nobody wants to hear of, where slots hit before the
	 * access is made; NULL elsewhere. gdb has to be told nothing of that:
	 * it knows when watchpoints of its architecture hit.
	 *
	 * Context: the exception that hit, on this CPU.
	 */
	void (*step_over)(struct pt_regs *regs);
};

/* The architecture provides these */
extern const struct kgdb_slot_arch kgdb_arch_slots;

/* The architecture calls this: see hit.c */
void kgdb_hit_record(const struct kgdb_hit_info *info);

#endif /* _LINUX_KGDB_SLOTS_H */
