// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of watchpoints: what is wanted, and by whom.
 *
 * gdb takes all watchpoints out at each stop and puts them back, in whatever
 * order, before it continues. Setting and removing therefore only says what
 * is wanted, and claims the slots for it. Which slot serves what is settled
 * once, when the debugger is left: see kgdb_table_settle().
 */
#define pr_fmt(fmt) "KGDB: " fmt

#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/security.h>

#include "client.h"
#include "freed.h"
#include "plan.h"
#include "room.h"
#include "slots.h"
#include "table.h"

/**
 * struct kgdb_watch - one watchpoint
 * @spec: what is wanted; of type KGDB_WATCH_SOFTWARE if the entry is free
 * @kdb: kdb has set it; it and gdb may want the same, and not know
 * @since: the generation in which it was new; 0 until it is settled, and once
 *         it was gone while the machine ran
 * @last: what the entry held when it was settled last
 */
struct kgdb_watch {
	struct kgdb_watch_spec spec;
	bool kdb;
	unsigned int since;
	struct kgdb_watch_spec last;
};

static struct kgdb_watch watches[KGDB_WATCH_MAX];

static_assert(KGDB_WATCH_MAX <= 32);
static_assert(KGDB_WATCH_SOFTWARE == (int)BP_BREAKPOINT);
static_assert(KGDB_WATCH_EXECUTE == (int)BP_HARDWARE_BREAKPOINT);
static_assert(KGDB_WATCH_WRITE == (int)BP_WRITE_WATCHPOINT);
static_assert(KGDB_WATCH_READ == (int)BP_READ_WATCHPOINT);
static_assert(KGDB_WATCH_ACCESS == (int)BP_ACCESS_WATCHPOINT);

/**
 * kgdb_type_name() - what a person calls a kind of breakpoint
 * @type: which kind
 *
 * Context: any.
 * Return: a constant text.
 */
const char *kgdb_type_name(enum kgdb_watch_type type)
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

static bool in_use(const struct kgdb_watch *watch)
{
	return watch->spec.type != KGDB_WATCH_SOFTWARE;
}

static struct kgdb_watch *find_watch(const struct kgdb_watch_spec *spec, bool kdb)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]) && watches[i].kdb == kdb &&
		    kgdb_watch_spec_equal(&watches[i].spec, spec))
			return &watches[i];
	}
	return NULL;
}

/*
 * The free entry that held @spec when it was settled last, or any free one.
 * Prefer entries that the debugger is unlikely to put back.
 */
static struct kgdb_watch *free_watch(const struct kgdb_watch_spec *spec, bool kdb)
{
	struct kgdb_watch *found = NULL;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]))
			continue;
		if (watches[i].since && watches[i].kdb == kdb &&
		    kgdb_watch_spec_equal(&watches[i].last, spec))
			return &watches[i];
		if (!found || found->since > watches[i].since)
			found = &watches[i];
	}
	return found;
}

/*
 * Add the slots of @watch that are not among @count of @specs yet. What is in
 * the table has been accepted, so there is room.
 */
static unsigned int add_specs(const struct kgdb_watch_spec *watch,
			      struct kgdb_slot_spec *specs, unsigned int count)
{
	struct kgdb_slot_spec pieces[KGDB_SLOTS_MAX];
	unsigned long i, needed;

	kgdb_plan_slots(kgdb_slot_arch->caps, watch, pieces, KGDB_SLOTS_MAX,
			&needed);
	for (i = 0; i < needed; i++) {
		if (!kgdb_slot_specs_have(specs, count, &pieces[i]))
			specs[count++] = pieces[i];
	}
	return count;
}

/* All that the watchpoints in the table need; how many slots that are */
static unsigned int all_specs(struct kgdb_slot_spec *specs)
{
	unsigned int count = 0;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]))
			count = add_specs(&watches[i].spec, specs, count);
	}
	return count;
}

/**
 * kgdb_table_set() - add a watchpoint
 * @spec: what is to be watched
 * @kdb: for kdb, not for gdb
 *
 * Adding what is there already succeeds and changes nothing: the protocol
 * wants Z packets idempotent. A refusal is explained in the kernel log and by
 * kgdb_watch_refusal().
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, -EINVAL (cannot be watched), -ENOSPC (too few slots are free) or
 * -EBUSY (perf was stopped while it changed its accounting: continue and try
 * again). Nothing has changed on an error.
 */
int kgdb_table_set(const struct kgdb_watch_spec *spec, bool kdb)
{
	struct kgdb_slot_spec all[KGDB_SLOTS_MAX];
	struct kgdb_watch *watch;
	int err;

	if (find_watch(spec, kdb))
		return 0;

	watch = free_watch(spec, kdb);
	err = watch ? kgdb_room_claim(spec, all, all_specs(all)) :
		      kgdb_room_refuse(-ENOSPC, "the watchpoint table is full");
	if (err) {
		pr_err("%s at 0x%lx, length %ld, refused: %s\n",
		       kgdb_type_name(spec->type), spec->addr, spec->len, kgdb_watch_refusal());
		return err;
	}
	watch->spec = *spec;
	watch->kdb = kdb;
	return 0;
}

/**
 * kgdb_table_remove() - remove a watchpoint
 * @spec: as it was set
 * @kdb: as it was set
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, or -ENOENT if there is no such watchpoint (the kernel log and
 * kgdb_watch_refusal() say so); nothing has changed then.
 */
int kgdb_table_remove(const struct kgdb_watch_spec *spec, bool kdb)
{
	struct kgdb_watch *watch = find_watch(spec, kdb);

	/* That it is gone has been said when the memory was freed */
	if (!watch && kgdb_room_was_init_mem(spec))
		return 0;
	if (!watch) {
		pr_err("%s at 0x%lx, length %ld, not removed: there is none\n",
		       kgdb_type_name(spec->type), spec->addr, spec->len);
		return kgdb_room_refuse(-ENOENT, "there is no such watchpoint");
	}
	watch->spec.type = KGDB_WATCH_SOFTWARE;
	return 0;
}

/**
 * kgdb_table_has() - is a watchpoint in the table?
 * @spec: as it was set
 * @kdb: as it was set
 *
 * It may have been dropped, as its memory was freed, or together with all
 * others.
 *
 * Context: master CPU in the debugger.
 * Return: true if it is, and so is armed while the machine runs.
 */
bool kgdb_table_has(const struct kgdb_watch_spec *spec, bool kdb)
{
	return find_watch(spec, kdb);
}

/**
 * kgdb_set_hw_break() - kgdb_arch.set_hw_breakpoint: add a watchpoint
 * @addr: first byte, a virtual address
 * @len: number of bytes
 * @bptype: what it is for; not BP_BREAKPOINT
 *
 * For the debugger that has the line. The watchpoint is armed on each CPU as
 * that CPU leaves the debugger.
 *
 * Context: master CPU in the debugger, all others held.
 * Return: as kgdb_table_set().
 */
int kgdb_set_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);

	return kgdb_table_set(&spec, dbg_kdb_mode);
}

/**
 * kgdb_remove_hw_break() - kgdb_arch.remove_hw_breakpoint
 * @addr: first byte
 * @len: number of bytes, as it was set with
 * @bptype: as it was set with
 *
 * The watchpoint is disarmed on each CPU as that CPU leaves the debugger, and
 * the slots that nothing else uses are given back then. A hit that another
 * CPU took meanwhile is dropped.
 *
 * Context: master CPU in the debugger, all others held.
 * Return: as kgdb_table_remove().
 */
int kgdb_remove_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);

	return kgdb_table_remove(&spec, dbg_kdb_mode);
}

/**
 * kgdb_remove_all_hw_break() - kgdb_arch.remove_all_hw_break
 *
 * For detach, kill, and a gdb that connects anew. The other debugger keeps
 * what it has set.
 *
 * Context: master CPU in the debugger.
 */
void kgdb_remove_all_hw_break(void)
{
	int i;

	if (!dbg_kdb_mode)
		kgdb_client_begins();
	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (watches[i].kdb == !!dbg_kdb_mode)
			watches[i].spec.type = KGDB_WATCH_SOFTWARE;
	}
}

static bool gdb_has_any(void)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]) && !watches[i].kdb)
			return true;
	}
	return false;
}

/**
 * kgdb_table_lock_down() - drop gdb's watchpoints if the kernel is locked down
 *
 * Says so in the kernel log, if it had any; gdb is not served any more then,
 * and may not even be there. What kdb has set is kdb's to keep or to remove.
 *
 * Context: master CPU in the debugger.
 */
void kgdb_table_lock_down(void)
{
	int i;

	if (!gdb_has_any() || !security_locked_down(LOCKDOWN_DBG_WRITE_KERNEL))
		return;
	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!watches[i].kdb)
			watches[i].spec.type = KGDB_WATCH_SOFTWARE;
	}
	pr_notice("the kernel is locked down: gdb's watchpoints are removed\n");
}

/*
 * A watchpoint that was there before stays what it was, whatever gdb did in
 * between. A watchpoint that was removed counts as new when it is set again.
 */
static bool settle_watches(unsigned int generation)
{
	bool changed = false;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		struct kgdb_watch *watch = &watches[i];

		if (!in_use(watch)) {
			watch->since = 0;
			kgdb_freed_forget(i);
			continue;
		}
		if (watch->since && kgdb_watch_spec_equal(&watch->last, &watch->spec))
			continue;
		watch->since = generation;
		watch->last = watch->spec;
		kgdb_freed_watch(i, &watch->spec, generation);
		changed = true;
	}
	kgdb_freed_settled();
	return changed;
}

/**
 * kgdb_table_settle() - decide what is watched from now on, and publish it
 *
 * Context: master CPU about to leave the debugger, all others held; or with
 * all CPUs kept out of it.
 */
void kgdb_table_settle(void)
{
	struct kgdb_slot_spec all[KGDB_SLOTS_MAX];
	unsigned int count;

	count = all_specs(all);
	kgdb_slots_settle(all, count, settle_watches(kgdb_slots_generation() + 1));
}

/**
 * kgdb_table_as_of() - what a hit can be of
 * @generation: that of what the CPU had armed
 * @found: KGDB_WATCH_MAX entries; set to the watchpoints that were there
 *         then and still are, the others to type KGDB_WATCH_SOFTWARE
 *
 * A watchpoint that was set since may share a slot that has hit.
 *
 * Context: master CPU in the debugger.
 */
void kgdb_table_as_of(unsigned int generation, struct kgdb_watch_spec *found)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		found[i] = watches[i].spec;
		if (!watches[i].since || watches[i].since > generation)
			found[i].type = KGDB_WATCH_SOFTWARE;
	}
}

/**
 * kgdb_table_within() - which watchpoints have a byte of a region
 * @addr: first byte
 * @len: number of bytes
 *
 * Context: all CPUs kept out of the debugger.
 * Return: a bitmap of entries.
 */
u32 kgdb_table_within(unsigned long addr, unsigned long len)
{
	u32 found = 0;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]) &&
		    kgdb_overlaps(addr, len, (void *)watches[i].spec.addr,
				  watches[i].spec.len))
			found |= BIT(i);
	}
	return found;
}

/**
 * kgdb_table_refused() - which watchpoints would be refused by now
 *
 * Says so in the kernel log, with the reason.
 *
 * Context: all CPUs kept out of the debugger.
 * Return: a bitmap of entries.
 */
u32 kgdb_table_refused(void)
{
	const char *why;
	u32 found = 0;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!in_use(&watches[i]))
			continue;
		why = kgdb_room_check(&watches[i].spec);
		if (!why)
			continue;
		found |= BIT(i);
		pr_info("%s at 0x%lx, length %lu, removed: %s\n",
			kgdb_type_name(watches[i].spec.type),
			watches[i].spec.addr, watches[i].spec.len, why);
	}
	return found;
}

/**
 * kgdb_table_entry() - one entry of the table
 * @i: which one, as in a bitmap of entries
 *
 * Context: all CPUs kept out of the debugger.
 * Return: a copy of what is wanted.
 */
struct kgdb_watch_spec kgdb_table_entry(unsigned int i)
{
	return watches[i].spec;
}

/**
 * kgdb_table_drop() - remove some of the watchpoints, and settle
 * @which: a bitmap of entries
 *
 * Context: all CPUs kept out of the debugger.
 */
void kgdb_table_drop(u32 which)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (which & BIT(i))
			watches[i].spec.type = KGDB_WATCH_SOFTWARE;
	}
	if (which)
		kgdb_table_settle();
}

/* Is a hit that is reported like this one of this watchpoint as well? */
static bool concerns(const struct kgdb_watch_spec *hit, const struct kgdb_watch *watch)
{
	if (!in_use(watch) || hit->addr - watch->spec.addr >= watch->spec.len)
		return false;
	return watch->spec.type == hit->type ||
	       (watch->spec.type == KGDB_WATCH_ACCESS &&
		hit->type != KGDB_WATCH_EXECUTE);
}

/**
 * kgdb_table_kdb_alone() - is a hit kdb's, and not gdb's?
 * @hit: as it is reported
 *
 * Context: master CPU in the debugger.
 * Return: true if kdb has set a watchpoint that it is of, and gdb none.
 */
bool kgdb_table_kdb_alone(const struct kgdb_watch_spec *hit)
{
	bool kdb = false;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!concerns(hit, &watches[i]))
			continue;
		if (!watches[i].kdb)
			return false;
		kdb = true;
	}
	return kdb;
}
