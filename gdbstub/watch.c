// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchpoint table: what gdb asked for, and the slots that serve it.
 *
 * The table is the truth. CPUs are brought in line with it when they leave
 * the debugger (kgdb_correct_hw_break()) and when they start; nothing here
 * touches a debug register.
 *
 * gdb takes all watchpoints out at each stop and puts them back, in whatever
 * order, before it continues. Setting and removing therefore only says what
 * is wanted, and claims the slots for it from the perf layer. Which slot
 * serves what is settled once, when the debugger is left: what is wanted as
 * before stays where it is, and a hit that another CPU took before the stop
 * still counts.
 */
#define pr_fmt(fmt) "KGDB: " fmt

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/string.h>

#include <asm/barrier.h>
#include <asm/sections.h>

#include "../debug_core.h"
#include "watch.h"

/*
 * More watchpoints than slots, since equal slots are shared: gdb sets several
 * watchpoints of one expression, and kdb and gdb may want the same bytes.
 */
#define KGDB_WATCH_MAX 32

/**
 * struct kgdb_slot_state - one hardware slot, the same on every CPU
 * @id: names what the slot watches, and is never used for anything else;
 *      what is watched later has a higher one
 * @wanted: CPUs are to arm it; settled by kgdb_watch_settle()
 * @reserved: accounted for with the perf layer
 * @early: reserved when there was no perf layer yet, and not accounted for
 */
struct kgdb_slot_state {
	unsigned int id;
	bool wanted;
	bool reserved;
	bool early;
};

/* Free entries are of type KGDB_WATCH_SOFTWARE */
static struct kgdb_watch_spec watches[KGDB_WATCH_MAX];

/**
 * struct kgdb_watch_state - what else is known of a watchpoint
 * @kdb: kdb has set it; it and gdb may want the same, and not know
 * @id: as that of a slot; 0 until it is settled
 * @last: what the entry held when it was settled last
 */
static struct kgdb_watch_state {
	bool kdb;
	unsigned int id;
	struct kgdb_watch_spec last;
} states[KGDB_WATCH_MAX];

/* What a hit can be of; see kgdb_watch_match() */
static struct kgdb_watch_spec candidates[KGDB_WATCH_MAX];

/* What each slot is programmed to, or was last */
static struct kgdb_slot_spec slot_specs[KGDB_HW_SLOTS];
static struct kgdb_slot_state slots[KGDB_HW_SLOTS];

/*
 * Changes when CPUs have to be brought in line with the table; odd while that
 * is being settled
 */
static unsigned int settled;

/* The kernel's init section is not there any more */
static bool init_mem_freed;

/* Why the last watchpoint was refused */
static char refusal[96];

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

static bool in_use(const struct kgdb_watch_spec *watch)
{
	return watch->type != KGDB_WATCH_SOFTWARE;
}

static struct kgdb_watch_spec *find_watch(const struct kgdb_watch_spec *spec)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]) && states[i].kdb == !!dbg_kdb_mode &&
		    kgdb_watch_spec_equal(&watches[i], spec))
			return &watches[i];
	}
	return NULL;
}

/* The free entry that held @spec when it was settled last, or any free one */
static struct kgdb_watch_spec *free_watch(const struct kgdb_watch_spec *spec)
{
	struct kgdb_watch_spec *found = NULL;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]))
			continue;
		if (states[i].id && states[i].kdb == !!dbg_kdb_mode &&
		    kgdb_watch_spec_equal(&states[i].last, spec))
			return &watches[i];
		/* One that may be wanted back is the last choice */
		if (!found || states[found - watches].id > states[i].id)
			found = &watches[i];
	}
	return found;
}

static struct kgdb_slot_spec *find_spec(struct kgdb_slot_spec *specs,
					unsigned int count,
					const struct kgdb_slot_spec *spec)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (kgdb_slot_spec_equal(&specs[i], spec))
			return &specs[i];
	}
	return NULL;
}

/*
 * Add the slots of @watch that are not among @count of @specs yet. What is in
 * the table has been accepted, so there is room.
 */
static unsigned int add_specs(const struct kgdb_watch_spec *watch,
			      struct kgdb_slot_spec *specs, unsigned int count)
{
	struct kgdb_slot_spec pieces[KGDB_HW_SLOTS];
	unsigned long i, needed;

	kgdb_plan_slots(watch, pieces, KGDB_HW_SLOTS, &needed);
	for (i = 0; i < needed; i++) {
		if (!find_spec(specs, count, &pieces[i]))
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
			count = add_specs(&watches[i], specs, count);
	}
	return count;
}

static unsigned int reserved_slots(void)
{
	unsigned int count = 0;
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++)
		count += slots[i].reserved;
	return count;
}

/* Claim slots until there are @wanted; the error that ended it early, if one did */
static int reserve(unsigned int wanted, unsigned int *claimed)
{
	int i, err;

	*claimed = 0;
	for (i = 0; i < KGDB_HW_SLOTS && reserved_slots() < wanted; i++) {
		if (slots[i].reserved)
			continue;
		/* There is nobody to share them with then */
		err = dbg_is_early ? 0 : kgdb_arch_slot_reserve(i);
		if (err)
			return err;
		slots[i].reserved = true;
		slots[i].early = dbg_is_early;
		*claimed |= BIT(i);
	}
	return 0;
}

static void release(unsigned int claimed)
{
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (!(claimed & BIT(i)))
			continue;
		slots[i].reserved = !slots[i].early && !kgdb_arch_slot_release(i);
		slots[i].early = false;
	}
}

/**
 * kgdb_overlaps_percpu() - does a region have a byte of a per-CPU variable?
 * @addr: first byte of the region
 * @len: its number of bytes
 * @base: the variable
 * @size: its number of bytes
 *
 * Context: any.
 * Return: true if it has one of any possible CPU's.
 */
bool kgdb_overlaps_percpu(unsigned long addr, unsigned long len,
			  const void __percpu *base, unsigned long size)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (kgdb_overlaps(addr, len, per_cpu_ptr(base, cpu), size))
			return true;
	}
	return false;
}

/*
 * What the debugger touches on its way in and out, with breakpoints enabled:
 * it would never get there, or enter itself.
 */
static bool own_data(const struct kgdb_slot_spec *spec)
{
	unsigned long addr = spec->addr, len = spec->len;

	return kgdb_overlaps(addr, len, watches, sizeof(watches)) ||
	       kgdb_overlaps(addr, len, states, sizeof(states)) ||
	       kgdb_overlaps(addr, len, candidates, sizeof(candidates)) ||
	       kgdb_overlaps(addr, len, slot_specs, sizeof(slot_specs)) ||
	       kgdb_overlaps(addr, len, slots, sizeof(slots)) ||
	       kgdb_overlaps(addr, len, &settled, sizeof(settled)) ||
	       kgdb_overlaps(addr, len, &init_mem_freed, sizeof(init_mem_freed)) ||
	       kgdb_overlaps(addr, len, refusal, sizeof(refusal)) ||
	       kgdb_hit_owns(addr, len) || dbg_owns(addr, len) ||
	       gdbstub_owns(addr, len);
}

/*
 * gdb knows nothing of it, and puts back what was dropped. On 64 bit nobody
 * gets the memory at these addresses again; on 32 bit somebody may, and may
 * well be the one to watch.
 */
static bool in_freed_init_mem(unsigned long addr, unsigned long len)
{
	return init_mem_freed && IS_ENABLED(CONFIG_64BIT) &&
	       init_section_intersects((void *)addr, len);
}

static const char *check_slot(const struct kgdb_slot_spec *spec)
{
	const char *why = kgdb_arch_slot_check(spec);

	if (!why && in_freed_init_mem(spec->addr, spec->len))
		why = "the kernel has freed this memory";
	if (!why && spec->type != KGDB_WATCH_EXECUTE && own_data(spec))
		why = "the debugger itself uses this memory";
	return why;
}

static int refuse(int err, const char *why)
{
	strscpy(refusal, why, sizeof(refusal));
	return err;
}

static int refuse_full(unsigned long needed, unsigned int held,
		       unsigned int perf)
{
	int n;

	n = scnprintf(refusal, sizeof(refusal), "needs %lu slot%s, %u free",
		      needed, needed == 1 ? "" : "s",
		      KGDB_HW_SLOTS - held - perf);
	if (held)
		n += scnprintf(refusal + n, sizeof(refusal) - n,
			       ": the debugger holds %u", held);
	if (perf)
		scnprintf(refusal + n, sizeof(refusal) - n, "%s perf holds %u",
			  held ? "," : ":", perf);
	return -ENOSPC;
}

/* Why something cannot be watched, or NULL; otherwise the @count slots it takes */
static const char *check_watch(const struct kgdb_watch_spec *watch,
			       struct kgdb_slot_spec *pieces,
			       unsigned long *count)
{
	const char *why = kgdb_plan_slots(watch, pieces, KGDB_HW_SLOTS, count);
	unsigned long i;

	for (i = 0; !why && i < *count && i < KGDB_HW_SLOTS; i++)
		why = check_slot(&pieces[i]);
	return why;
}

/* Have all the slots reserved that the table needs with @spec added to it */
static int make_room(const struct kgdb_watch_spec *spec)
{
	struct kgdb_slot_spec pieces[KGDB_HW_SLOTS], all[KGDB_HW_SLOTS];
	unsigned int held = all_specs(all), claimed, perf = 0;
	unsigned long i, count, needed;
	const char *why;
	int err;

	why = check_watch(spec, pieces, &count);
	if (why)
		return refuse(-EINVAL, why);

	needed = count;
	for (i = 0; i < count && i < KGDB_HW_SLOTS; i++) {
		if (find_spec(all, held, &pieces[i]))
			needed--;
	}

	/* Try as many as there are, to say in a refusal who holds the others */
	err = reserve(min_t(unsigned long, held + needed, KGDB_HW_SLOTS),
		      &claimed);
	if (err == -ENOSPC)
		perf = KGDB_HW_SLOTS - reserved_slots();
	if (!err && held + needed <= KGDB_HW_SLOTS)
		return 0;

	release(claimed);
	if (err == -EBUSY)
		return refuse(err, "perf is changing its breakpoints: continue and try again");
	return refuse_full(needed, held, perf);
}

static int insert(const struct kgdb_watch_spec *spec)
{
	struct kgdb_watch_spec *watch = free_watch(spec);
	int err;

	if (!watch)
		return refuse(-ENOSPC, "the watchpoint table is full");

	err = make_room(spec);
	if (!err) {
		*watch = *spec;
		states[watch - watches].kdb = dbg_kdb_mode;
	}
	return err;
}

/**
 * kgdb_set_hw_break() - kgdb_arch.set_hw_breakpoint: add a watchpoint
 * @addr: first byte, a virtual address
 * @len: number of bytes
 * @bptype: what it is for; not BP_BREAKPOINT
 *
 * Adding what is there already succeeds and changes nothing: the protocol
 * wants Z packets idempotent. The watchpoint is armed on each CPU as that CPU
 * leaves the debugger. A refusal is explained in the kernel log and by
 * kgdb_watch_refusal().
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, -EINVAL (cannot be watched), -ENOSPC (too few slots are free) or
 * -EBUSY (perf was stopped while it changed its accounting: continue and try
 * again). Nothing has changed on an error.
 */
int kgdb_set_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);
	int err;

	if (find_watch(&spec))
		return 0;

	err = insert(&spec);
	if (err)
		pr_err("%s at 0x%lx, length %d, refused: %s\n",
		       kgdb_type_name(spec.type), addr, len, refusal);
	return err;
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
 * Return: 0, or -ENOENT if there is no such watchpoint (the kernel log and
 * kgdb_watch_refusal() say so); nothing has changed then.
 */
int kgdb_remove_hw_break(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);
	struct kgdb_watch_spec *watch = find_watch(&spec);

	/* That it is gone has been said when the memory was freed */
	if (!watch && in_freed_init_mem(addr, len))
		return 0;
	if (!watch) {
		pr_err("%s at 0x%lx, length %d, not removed: there is none\n",
		       kgdb_type_name(spec.type), addr, len);
		return refuse(-ENOENT, "there is no such watchpoint");
	}
	watch->type = KGDB_WATCH_SOFTWARE;
	return 0;
}

/**
 * kgdb_watch_refusal() - the reason that a watchpoint was refused
 *
 * Context: master CPU in the debugger, after kgdb_set_hw_break() or
 * kgdb_remove_hw_break() has failed.
 * Return: text without any of the protocol's special characters.
 */
const char *kgdb_watch_refusal(void)
{
	return refusal;
}

/* Names what slots and watchpoints are; see kgdb_watch_newest() */
static unsigned int last_id;

/*
 * A watchpoint that was there before keeps its id, whatever gdb did in between.
 * One that is not there any more has none, and is something new if it returns.
 */
static bool settle_watches(void)
{
	bool changed = false;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!in_use(&watches[i])) {
			states[i].id = 0;
			continue;
		}
		if (states[i].id &&
		    kgdb_watch_spec_equal(&states[i].last, &watches[i]))
			continue;
		states[i].id = ++last_id;
		states[i].last = watches[i];
		changed = true;
	}
	return changed;
}

/* Put what no slot watches into one that nobody wants */
static void place(const struct kgdb_slot_spec *spec)
{
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (!slots[i].reserved || slots[i].wanted)
			continue;
		slot_specs[i] = *spec;
		slots[i].wanted = true;
		slots[i].id = ++last_id;
		kgdb_arch_slot_setup(i, spec);
		return;
	}
	WARN_ONCE(1, "KGDB: no slot was reserved for a watchpoint\n");
}

/**
 * kgdb_watch_settle() - decide which slot serves what from now on
 *
 * A CPU that starts is not held by anybody: it looks at the table while
 * kgdb_watch_settled() is even, and again if that has changed meanwhile.
 *
 * Context: master CPU about to leave the debugger, all others held; or with
 * all CPUs kept out of it.
 */
void kgdb_watch_settle(void)
{
	struct kgdb_slot_spec all[KGDB_HW_SLOTS];
	unsigned int i, count = all_specs(all), kept = 0, before = settled;
	struct kgdb_slot_spec *spec;
	bool changed = settle_watches();

	WRITE_ONCE(settled, before + 1);
	smp_wmb(); /* Pairs with kgdb_watch_settled() */
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (!slots[i].wanted)
			continue;
		spec = find_spec(all, count, &slot_specs[i]);
		if (spec) {
			kept |= BIT(spec - all);
		} else {
			slots[i].wanted = false;
			changed = true;
		}
	}
	for (i = 0; i < count; i++) {
		if (kept & BIT(i))
			continue;
		place(&all[i]);
		changed = true;
	}
	smp_wmb(); /* Pairs with kgdb_watch_settled() */
	WRITE_ONCE(settled, changed ? before + 2 : before);
}

/**
 * kgdb_watch_newest() - the highest id of what is settled
 *
 * Context: any CPU that is being brought in line with the table.
 * Return: what is set later has a higher id.
 */
unsigned int kgdb_watch_newest(void)
{
	return READ_ONCE(last_id);
}
NOKPROBE_SYMBOL(kgdb_watch_newest);

/**
 * kgdb_watch_settled() - which state of the table CPUs are to be in line with
 *
 * Context: any CPU.
 * Return: a number that changes whenever kgdb_slot_wanted() answers otherwise;
 * odd while the answer may be anything. It is 0 until something is set.
 */
unsigned int kgdb_watch_settled(void)
{
	unsigned int number;

	smp_rmb(); /* Pairs with kgdb_watch_settle() */
	number = READ_ONCE(settled);
	smp_rmb(); /* Pairs with kgdb_watch_settle() */
	return number;
}
NOKPROBE_SYMBOL(kgdb_watch_settled);

/**
 * kgdb_watch_match() - find the watchpoint that an access hit
 * @access: what is known of the access; @armed is set here
 * @id: of each slot that hit, what it watched then
 * @newest: kgdb_watch_newest() of the table that the CPU was in line with
 * @report: set to the watchpoint to report, with the address that was hit;
 *          type KGDB_WATCH_SOFTWARE if the watchpoints it hit are all gone
 *
 * Context: master CPU in the debugger, before anything is set or removed.
 * Return: true if the access needs another stop to be reported.
 */
bool kgdb_watch_match(struct kgdb_access *access, const unsigned int *id,
		      unsigned int newest, struct kgdb_watch_spec *report)
{
	int i;

	access->armed = 0;
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slots[i].wanted && slots[i].id <= newest)
			access->armed |= BIT(i);
		if (slots[i].id != id[i])
			access->slots &= ~BIT(i);
	}
	access->slots &= access->armed;

	/* A watchpoint that was set since may share a slot that has hit */
	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		candidates[i] = watches[i];
		if (!states[i].id || states[i].id > newest)
			candidates[i].type = KGDB_WATCH_SOFTWARE;
	}
	return kgdb_match(access, slot_specs, candidates, KGDB_WATCH_MAX, report);
}

/**
 * kgdb_slot_wanted() - what a CPU is to have in one slot
 * @slot: which slot
 * @id: set to what the slot watches, if it is wanted
 *
 * Context: any CPU, interrupts off. The table does not change meanwhile: the
 * master waits for all CPUs to leave the debugger. For a CPU that starts see
 * kgdb_watch_settle().
 * Return: what the slot is to be programmed to, or NULL for nothing.
 */
const struct kgdb_slot_spec *kgdb_slot_wanted(unsigned int slot,
					      unsigned int *id)
{
	*id = slots[slot].id;
	return slots[slot].wanted ? &slot_specs[slot] : NULL;
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
	unsigned int i, idle = 0;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slots[i].reserved && !slots[i].wanted)
			idle |= BIT(i);
	}
	release(idle);
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

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (states[i].kdb == !!dbg_kdb_mode)
			watches[i].type = KGDB_WATCH_SOFTWARE;
	}
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

/*
 * Outside of the debugger: nobody may enter it while the table changes, and
 * this CPU may hit nothing, since it would wait for itself.
 */

static unsigned long change_begin(void)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_arch_slots_suspend();
	dbg_keep_out();
	return flags;
}

static void change_end(unsigned long flags)
{
	dbg_let_in();
	kgdb_arch_slots_resume();
	local_irq_restore(flags);
}

static void sync_cpu(void *unused)
{
	kgdb_arch_slots_sync();
}

static int release_idle(void *unused)
{
	unsigned long flags = change_begin();

	kgdb_release_idle_slots();
	change_end(flags);
	return 0;
}

/* Which watchpoints have a byte of a region */
static u32 watches_in(unsigned long addr, unsigned long len)
{
	u32 found = 0;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]) &&
		    kgdb_overlaps(addr, len, (void *)watches[i].addr,
				  watches[i].len))
			found |= BIT(i);
	}
	return found;
}

/* Remove some of the watchpoints */
static void drop(u32 which)
{
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (which & BIT(i))
			watches[i].type = KGDB_WATCH_SOFTWARE;
	}
	if (which)
		kgdb_watch_settle();
}

static void say_dropped(const struct kgdb_watch_spec *watch, const char *why)
{
	pr_info("%s at 0x%lx, length %lu, removed: %s\n",
		kgdb_type_name(watch->type), watch->addr, watch->len, why);
}

/* All CPUs are brought in line with the table; then perf can have the slots */
static void apply(void)
{
	on_each_cpu(sync_cpu, NULL, 1);
	/* With all CPUs held, nobody takes perf's lock after it is looked at */
	stop_machine(release_idle, NULL, NULL);
}

static void forget(unsigned long addr, unsigned long len, bool *gone)
{
	struct kgdb_watch_spec before[KGDB_WATCH_MAX];
	unsigned long flags = change_begin();
	u32 which = watches_in(addr, len);
	int i;

	memcpy(before, watches, sizeof(before));
	drop(which);
	if (gone)
		*gone = true;
	change_end(flags);

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (which & BIT(i))
			say_dropped(&before[i], "its memory is freed");
	}
	if (which)
		apply();
}

/**
 * kgdb_watch_freed() - drop the watchpoints on memory that is about to be freed
 * @base: the memory
 * @size: its number of bytes; may be 0
 *
 * Whoever gets the memory next does not stop the machine. gdb is not told: it
 * may put them back at its next stop, and then wants them there.
 *
 * Context: process, interrupts on.
 */
void kgdb_watch_freed(const void *base, unsigned long size)
{
	if (size && kgdb_watch_settled())
		forget((unsigned long)base, size, NULL);
}

/**
 * kgdb_watch_free_init_mem() - drop the watchpoints on the kernel's init section
 *
 * Context: process, interrupts on; the section is about to be freed.
 */
void kgdb_watch_free_init_mem(void)
{
	if (kgdb_watch_settled())
		forget((unsigned long)__init_begin, __init_end - __init_begin,
		       &init_mem_freed);
	else
		init_mem_freed = true;
}

/**
 * kgdb_remove_every_hw_break() - remove what either debugger has set
 *
 * Context: process, interrupts on; kgdb unregistered, or the system goes down.
 */
void kgdb_remove_every_hw_break(void)
{
	unsigned long flags;

	if (!kgdb_watch_settled())
		return;

	flags = change_begin();
	drop(watches_in(0, ULONG_MAX));
	change_end(flags);
	apply();
}

/**
 * kgdb_watch_recheck() - drop the watchpoints that would be refused by now
 *
 * Early in boot, memory that nobody had may become the exception entry code's
 * or the debugger's own.
 *
 * Context: the boot CPU, early in boot; interrupts and all breakpoints off.
 * What is left is armed afterwards.
 */
void __init kgdb_watch_recheck(void)
{
	struct kgdb_slot_spec pieces[KGDB_HW_SLOTS];
	unsigned long flags = change_begin(), needed;
	const char *why;
	u32 which = 0;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!in_use(&watches[i]))
			continue;
		why = check_watch(&watches[i], pieces, &needed);
		if (!why)
			continue;
		which |= BIT(i);
		say_dropped(&watches[i], why);
	}
	drop(which);
	change_end(flags);
}

/**
 * kgdb_watch_late() - make ordinary slots of those that were set early in boot
 *
 * Each is accounted for with the perf layer, and handed over to it as it is,
 * with the register armed. One that perf does not account for stays armed all
 * the same.
 *
 * Context: the boot CPU, when the kernel is past early boot and there is no
 * other CPU yet.
 */
void kgdb_watch_late(void)
{
	unsigned int i, refused = 0;
	unsigned long flags;
	char text[96];

	if (!reserved_slots())
		return;

	flags = change_begin();
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slots[i].early && !kgdb_arch_slot_reserve(i))
			slots[i].early = false;
		refused += slots[i].early;
	}
	kgdb_arch_slots_hand_over();
	change_end(flags);
	if (!refused)
		return;

	scnprintf(text, sizeof(text),
		  "perf does not account for %u early slot%s, which stay%s armed\n",
		  refused, refused == 1 ? "" : "s", refused == 1 ? "s" : "");
	pr_err("%s", text);
	dbg_tell_gdb("KGDB: ");
	dbg_tell_gdb(text);
}

/*
 * kdb's watchpoints, by its commands. They may come through gdb, with which
 * dbg_kdb_mode says who has the line, and not whose the watchpoint is.
 */

/**
 * kgdb_kdb_set_watch() - add a watchpoint of kdb's
 * @addr: first byte, a virtual address
 * @len: number of bytes
 * @bptype: what it is for; not BP_BREAKPOINT
 *
 * Context: master CPU in the debugger, all others held; kdb or gdb has the
 * line.
 * Return: NULL, or the reason for a refusal. Nothing has changed then.
 */
const char *kgdb_kdb_set_watch(unsigned long addr, int len,
			       enum kgdb_bptype bptype)
{
	int err, mode = dbg_kdb_mode;

	dbg_kdb_mode = 1;
	err = kgdb_set_hw_break(addr, len, bptype);
	dbg_kdb_mode = mode;
	return err ? kgdb_watch_refusal() : NULL;
}

/**
 * kgdb_kdb_remove_watch() - remove a watchpoint of kdb's
 * @addr: first byte
 * @len: number of bytes, as it was set with
 * @bptype: as it was set with
 *
 * Context: as kgdb_kdb_set_watch().
 * Return: 0, or -ENOENT if there is no such watchpoint.
 */
int kgdb_kdb_remove_watch(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	int err, mode = dbg_kdb_mode;

	dbg_kdb_mode = 1;
	err = kgdb_remove_hw_break(addr, len, bptype);
	dbg_kdb_mode = mode;
	return err;
}

/**
 * kgdb_kdb_has_watch() - is a watchpoint of kdb's still there?
 * @addr: first byte
 * @len: number of bytes, as it was set with
 * @bptype: as it was set with
 *
 * It may have been dropped, as its memory was freed, or together with all
 * others.
 *
 * Context: as kgdb_kdb_set_watch().
 * Return: true if it is in the table, and so armed while the machine runs.
 */
bool kgdb_kdb_has_watch(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (in_use(&watches[i]) && states[i].kdb &&
		    kgdb_watch_spec_equal(&watches[i], &spec))
			return true;
	}
	return false;
}

/* Is a hit that is reported like this one of this watchpoint as well? */
static bool hit_concerns(const struct kgdb_watch_spec *hit,
			 const struct kgdb_watch_spec *watch)
{
	if (!in_use(watch) || hit->addr - watch->addr >= watch->len)
		return false;
	return watch->type == hit->type ||
	       (watch->type == KGDB_WATCH_ACCESS &&
		hit->type != KGDB_WATCH_EXECUTE);
}

/**
 * kgdb_watch_kdb_alone() - is a hit kdb's, and not gdb's?
 * @hit: as kgdb_watch_match() reported it
 *
 * Context: master CPU in the debugger.
 * Return: true if kdb has set a watchpoint that it is of, and gdb none.
 */
bool kgdb_watch_kdb_alone(const struct kgdb_watch_spec *hit)
{
	bool kdb = false, gdb = false;
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (!hit_concerns(hit, &watches[i]))
			continue;
		if (states[i].kdb)
			kdb = true;
		else
			gdb = true;
	}
	return kdb && !gdb;
}
