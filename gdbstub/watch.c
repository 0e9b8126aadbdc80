// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchpoint table: what gdb asked for, and the slots that serve it.
 *
 * The table is the truth. CPUs are brought in line with it when they leave
 * the debugger (kgdb_correct_hw_break()) and when they come online; nothing
 * here touches a debug register.
 */
#define pr_fmt(fmt) "KGDB: " fmt

#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/smp.h>

#include "watch.h"

/*
 * More watchpoints than slots, since equal ones share: gdb sets several
 * watchpoints of one expression, and kdb and gdb may want the same bytes.
 */
#define KGDB_WATCH_MAX 32

/**
 * struct kgdb_watch - one watchpoint
 * @spec: what gdb asked for
 * @slots: bitmap of the slots that serve it; empty in a free entry
 */
struct kgdb_watch {
	struct kgdb_watch_spec spec;
	unsigned int slots;
};

/**
 * struct kgdb_slot - one hardware slot, the same on every CPU
 * @spec: what it is programmed to, or was last
 * @refs: how many watchpoints use it; nobody has it armed at 0
 * @generation: counts what the slot has watched; changes only when @spec does
 * @reserved: accounted for with the perf layer
 *
 * gdb takes all watchpoints out at each stop and puts them back before it
 * continues. A slot therefore keeps its description and generation while it
 * has no user: an equal watchpoint gets the same slot and generation again,
 * CPUs have nothing to reprogram, and a hit that another CPU took before the
 * stop still counts. The reservation is kept as well until the machine runs
 * (see kgdb_correct_hw_break()).
 */
struct kgdb_slot {
	struct kgdb_slot_spec spec;
	unsigned int refs;
	unsigned int generation;
	bool reserved;
};

static struct kgdb_watch watches[KGDB_WATCH_MAX];
static struct kgdb_slot slots[KGDB_HW_SLOTS];

static_assert(KGDB_WATCH_SOFTWARE == (int)BP_BREAKPOINT);
static_assert(KGDB_WATCH_EXECUTE == (int)BP_HARDWARE_BREAKPOINT);
static_assert(KGDB_WATCH_WRITE == (int)BP_WRITE_WATCHPOINT);
static_assert(KGDB_WATCH_READ == (int)BP_READ_WATCHPOINT);
static_assert(KGDB_WATCH_ACCESS == (int)BP_ACCESS_WATCHPOINT);

static const char *type_name(enum kgdb_watch_type type)
{
	switch (type) {
	case KGDB_WATCH_EXECUTE:
		return "hardware breakpoint";
	case KGDB_WATCH_WRITE:
		return "watchpoint";
	case KGDB_WATCH_READ:
		return "read watchpoint";
	case KGDB_WATCH_ACCESS:
		return "access watchpoint";
	default:
		return "breakpoint of unknown type";
	}
}

static struct kgdb_watch_spec watch_spec(unsigned long addr, int len,
					 enum kgdb_bptype bptype)
{
	return (struct kgdb_watch_spec){
		.type = (enum kgdb_watch_type)bptype,
		.addr = addr,
		.len = len,
	};
}

static struct kgdb_watch *find_watch(const struct kgdb_watch_spec *spec)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (watches[i].slots &&
		    kgdb_watch_spec_equal(&watches[i].spec, spec))
			return &watches[i];
	}
	return NULL;
}

static struct kgdb_watch *free_watch(void)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!watches[i].slots)
			return &watches[i];
	}
	return NULL;
}

/*
 * The slot to use for @spec: the one that watches just that or did last, else
 * one that is reserved but idle, else one that must be reserved.
 */
static struct kgdb_slot *choose_slot(const struct kgdb_slot_spec *spec)
{
	struct kgdb_slot *idle = NULL;
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (kgdb_slot_spec_equal(&slots[i].spec, spec))
			return &slots[i];
	}
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slots[i].refs)
			continue;
		if (!idle || (slots[i].reserved && !idle->reserved))
			idle = &slots[i];
	}
	return idle;
}

static int insert(const struct kgdb_watch_spec *spec, const char **why)
{
	struct kgdb_slot_spec need;
	struct kgdb_watch *watch;
	struct kgdb_slot *slot;
	int err;

	*why = kgdb_plan_slot(spec, &need);
	if (*why)
		return -EINVAL;
	if (dbg_is_early) {
		*why = "the hardware slots are not set up this early in boot";
		return -EBUSY;
	}

	watch = free_watch();
	if (!watch) {
		*why = "the watchpoint table is full";
		return -ENOSPC;
	}
	slot = choose_slot(&need);
	if (!slot) {
		*why = "all hardware slots are in use by the debugger";
		return -ENOSPC;
	}

	if (!slot->refs) {
		err = kgdb_arch_slot_reserve(slot - slots, &need,
					     slot->reserved, why);
		if (err)
			return err;
		slot->reserved = true;
		if (!kgdb_slot_spec_equal(&slot->spec, &need)) {
			slot->spec = need;
			slot->generation++;
		}
	}
	slot->refs++;
	watch->spec = *spec;
	watch->slots = BIT(slot - slots);
	return 0;
}

/**
 * kgdb_set_hw_break() - kgdb_arch.set_hw_breakpoint: add a watchpoint
 * @addr: first byte, a virtual address
 * @len: number of bytes
 * @bptype: what it is for; not BP_BREAKPOINT
 *
 * Adding what is there already succeeds and changes nothing: the protocol
 * wants Z packets idempotent. The watchpoint is armed on each CPU as that CPU
 * leaves the debugger. A refusal is explained in the kernel log.
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, -EINVAL (cannot be watched), -ENOSPC (no slot is free) or -EBUSY
 * (perf was stopped while it changed its accounting: continue and try again).
 * Nothing has changed on an error.
 */
int kgdb_set_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);
	const char *why;
	int err;

	if (find_watch(&spec))
		return 0;

	err = insert(&spec, &why);
	if (err)
		pr_err("%s at 0x%lx, length %d, refused: %s\n",
		       type_name(spec.type), addr, len, why);
	return err;
}

static void drop_watch(struct kgdb_watch *watch)
{
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (watch->slots & BIT(i))
			slots[i].refs--;
	}
	watch->slots = 0;
}

/**
 * kgdb_remove_hw_break() - kgdb_arch.remove_hw_breakpoint
 * @addr: first byte
 * @len: number of bytes, as it was set with
 * @bptype: as it was set with
 *
 * The watchpoint is disarmed on each CPU as that CPU leaves the debugger, and
 * its slot is given back then if nothing else uses it. A hit that another CPU
 * took meanwhile is dropped.
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, or -ENOENT if there is no such watchpoint (the kernel log says
 * so); nothing has changed then.
 */
int kgdb_remove_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);
	struct kgdb_watch *watch = find_watch(&spec);

	if (!watch) {
		pr_err("%s at 0x%lx, length %d, not removed: there is none\n",
		       type_name(spec.type), addr, len);
		return -ENOENT;
	}
	drop_watch(watch);
	return 0;
}

/*
 * Which of two watchpoints that one access hit is the one to report: a write
 * watchpoint says more of the access than an access watchpoint.
 */
static bool more_specific(const struct kgdb_watch_spec *a,
			  const struct kgdb_watch_spec *b)
{
	return a->type < b->type;
}

/**
 * kgdb_watch_find() - find the watchpoint that a slot serves
 * @slot: the slot that hit
 * @generation: the slot's generation when it was armed on the CPU that hit
 * @found: in: type 0 (KGDB_WATCH_SOFTWARE) or an earlier find; out: the more
 *         specific one of that and what @slot serves
 *
 * Context: master CPU in the debugger.
 * Return: false if the slot has watched something else since, or is idle: the
 * hit is of a watchpoint that was removed.
 */
bool kgdb_watch_find(unsigned int slot, unsigned int generation,
		     struct kgdb_watch_spec *found)
{
	bool any = false;
	int i;

	if (!slots[slot].refs || slots[slot].generation != generation)
		return false;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!(watches[i].slots & BIT(slot)))
			continue;
		if (found->type == KGDB_WATCH_SOFTWARE ||
		    more_specific(&watches[i].spec, found))
			*found = watches[i].spec;
		any = true;
	}
	return any;
}

/**
 * kgdb_slot_wanted() - what a CPU is to have in one slot
 * @slot: which slot
 * @generation: set to what the slot is to hold, if it is wanted
 *
 * Context: any CPU, interrupts off. The table does not change meanwhile: the
 * master waits for all CPUs to leave the debugger.
 * Return: true if the slot is to be armed.
 */
bool kgdb_slot_wanted(unsigned int slot, unsigned int *generation)
{
	*generation = slots[slot].generation;
	return slots[slot].refs;
}
NOKPROBE_SYMBOL(kgdb_slot_wanted);

/**
 * kgdb_release_idle_slots() - give the perf layer back what nobody watches with
 *
 * Perf may have been stopped in the middle of its accounting; the slot is
 * then given back when the debugger is left the next time.
 *
 * Context: all CPUs are in line with the table; the master on its way out of
 * the debugger, or kgdb unregistered.
 */
void kgdb_release_idle_slots(void)
{
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slots[i].reserved && !slots[i].refs)
			slots[i].reserved = !kgdb_arch_slot_release(i);
	}
}

/**
 * kgdb_remove_all_hw_break() - kgdb_arch.remove_all_hw_break
 *
 * For detach, kill, and a gdb that connects anew.
 *
 * Context: master CPU in the debugger, or with kgdb unregistered.
 */
void kgdb_remove_all_hw_break(void)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++)
		drop_watch(&watches[i]);
}

/**
 * kgdb_correct_hw_break() - kgdb_arch.correct_hw_break
 *
 * Brings this CPU's registers in line with the table. The master leaves last;
 * only then has no CPU an idle slot armed, and the slot can be given back.
 *
 * Context: this CPU leaves the debugger, interrupts off.
 */
void kgdb_correct_hw_break(void)
{
	kgdb_arch_slots_sync();
	if (atomic_read(&kgdb_active) == raw_smp_processor_id())
		kgdb_release_idle_slots();
}
NOKPROBE_SYMBOL(kgdb_correct_hw_break);
