// SPDX-License-Identifier: GPL-2.0-only
/*
 * The slots: which of them are the debugger's, what each watches, and how the
 * CPUs learn of it.
 *
 * On the path of a watchpoint between the table, which says what is wanted,
 * and the architecture, which programs registers. What is settled is published
 * as one snapshot with a generation. Each CPU applies the newest one as it
 * leaves the debugger; one that nobody held reads it as it starts, or as it
 * finds out that it is late.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include <asm/barrier.h>

#include "plan.h"
#include "slots.h"

/* Whose registers these are; only a test puts another one here */
const struct kgdb_slot_arch *kgdb_slot_arch = &kgdb_arch_slots;

/* Bitmaps: reserved, and those of them that perf does not account for yet */
static unsigned long reserved, early;

/*
 * The snapshots: the one that is published and the one before. Two, so that a
 * CPU which is interrupted while it reads finds out, and nobody ever waits.
 */
static struct kgdb_slot_set sets[2];
static unsigned int generation;

static unsigned int nr_slots(void)
{
	return kgdb_slot_arch->caps->watch_slots + kgdb_slot_arch->caps->break_slots;
}

/* The slots that can serve this kind, as a bitmap */
static unsigned long slots_for(enum kgdb_watch_type type)
{
	unsigned int watch = kgdb_slot_arch->caps->watch_slots;

	if (type == KGDB_WATCH_EXECUTE && kgdb_slot_arch->caps->break_slots)
		return GENMASK(nr_slots() - 1, watch);
	return GENMASK(watch - 1, 0);
}

/* Give slots back; one that perf cannot take now stays reserved */
static void release(unsigned long which)
{
	int i;

	for (i = 0; i < nr_slots(); i++) {
		if (!(which & BIT(i)))
			continue;
		if (early & BIT(i) || kgdb_slot_arch->release(i))
			reserved &= ~BIT(i);
		early &= ~BIT(i);
	}
}

/**
 * kgdb_slots_claim() - have slots of one kind reserved
 * @type: a kind of watchpoint: slots that can serve it are meant
 * @wanted: how many there are to be
 * @claimed: set to the slots that were reserved for this, as a bitmap
 *
 * Reserves as many as there are, so that a refusal can say who has the others.
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, -ENOSPC (there are not so many, or perf has them) or -EBUSY (perf
 * was stopped while it changed its accounting).
 */
int kgdb_slots_claim(enum kgdb_watch_type type, unsigned int wanted,
		     unsigned long *claimed)
{
	unsigned long all = slots_for(type);
	int i, err;

	*claimed = 0;
	for (i = 0; i < nr_slots(); i++) {
		if (hweight_long(reserved & all) >= wanted)
			return 0;
		if (!(all & BIT(i)) || reserved & BIT(i))
			continue;
		/* Early in boot there is nobody to share them with */
		err = dbg_is_early ? 0 : kgdb_slot_arch->reserve(i);
		if (err)
			return err;
		reserved |= BIT(i);
		if (dbg_is_early)
			early |= BIT(i);
		*claimed |= BIT(i);
	}
	return hweight_long(reserved & all) >= wanted ? 0 : -ENOSPC;
}

/**
 * kgdb_slots_unclaim() - the other end of kgdb_slots_claim(), if it is refused
 * @claimed: what was claimed
 *
 * Context: as kgdb_slots_claim().
 */
void kgdb_slots_unclaim(unsigned long claimed)
{
	release(claimed);
}

/**
 * kgdb_slots_room() - how many slots of one kind there are
 * @type: a kind of watchpoint
 * @held: set to how many of them the debugger has reserved
 *
 * Context: master CPU in the debugger.
 * Return: how many there are, whoever has them.
 */
unsigned int kgdb_slots_room(enum kgdb_watch_type type, unsigned int *held)
{
	unsigned long all = slots_for(type);

	*held = hweight_long(reserved & all);
	return hweight_long(all);
}

/**
 * kgdb_slots_current() - what is settled
 *
 * Context: master CPU in the debugger, or with all CPUs kept out of it.
 * Return: the snapshot that is published.
 */
const struct kgdb_slot_set *kgdb_slots_current(void)
{
	return &sets[generation & 1];
}

/**
 * kgdb_slots_generation() - the generation of what is settled
 *
 * Context: any.
 * Return: the generation; 0 until something is set.
 */
unsigned int kgdb_slots_generation(void)
{
	return READ_ONCE(generation);
}
NOKPROBE_SYMBOL(kgdb_slots_generation);

static bool find_slot(const struct kgdb_slot_set *set,
		      const struct kgdb_slot_spec *spec)
{
	int i;

	for (i = 0; i < nr_slots(); i++) {
		if (set->slot[i].wanted &&
		    kgdb_slot_spec_equal(&set->slot[i].spec, spec))
			return true;
	}
	return false;
}

/* Have a reserved slot that nobody wants watch this */
static void place(struct kgdb_slot_set *set, const struct kgdb_slot_spec *spec)
{
	unsigned long fit = slots_for(spec->type) & reserved;
	int i;

	for (i = 0; i < nr_slots(); i++) {
		if (!(fit & BIT(i)) || set->slot[i].wanted)
			continue;
		set->slot[i] = (struct kgdb_slot){
			.spec = *spec,
			.since = set->generation,
			.wanted = true,
		};
		return;
	}
	WARN_ONCE(1, "KGDB: no slot was reserved for a watchpoint\n");
}

/**
 * kgdb_slots_settle() - decide which slot serves what from now on, and publish
 * @specs: what is to be watched, each once; slots are reserved for all of it
 * @count: how many there are
 * @changed: publish a new generation even if the slots stay as they are
 *
 * What is watched already stays in its slot, and a hit of it that waits still
 * counts. Generations are not expected to wrap around.
 *
 * Context: master CPU about to leave the debugger, all others held; or with
 * all CPUs kept out of it.
 */
void kgdb_slots_settle(const struct kgdb_slot_spec *specs, unsigned int count,
		       bool changed)
{
	struct kgdb_slot_set *next = &sets[(generation + 1) & 1];
	unsigned int i;

	*next = *kgdb_slots_current();
	next->generation = generation + 1;
	for (i = 0; i < nr_slots(); i++) {
		if (!next->slot[i].wanted ||
		    kgdb_slot_specs_have(specs, count, &next->slot[i].spec))
			continue;
		next->slot[i].wanted = false;
		changed = true;
	}
	for (i = 0; i < count; i++) {
		if (find_slot(next, &specs[i]))
			continue;
		place(next, &specs[i]);
		changed = true;
	}
	if (!changed)
		return;
	/* Pairs with read_newest() */
	smp_store_release(&generation, next->generation);
}

/* Copy one whole snapshot, even if another one is published meanwhile */
static void read_newest(struct kgdb_slot_set *set)
{
	unsigned int number;

	do {
		/* Pairs with kgdb_slots_settle() */
		number = smp_load_acquire(&generation);
		*set = sets[number & 1];
		smp_rmb(); /* The copy was made before the next look */
	} while (READ_ONCE(generation) != number);
}
NOKPROBE_SYMBOL(read_newest);

/**
 * kgdb_slots_sync() - bring this CPU's registers in line with what is settled
 *
 * Does nothing if they are. The architecture may refuse while a hit or a
 * change of the registers is in flight, and has this called at its end.
 *
 * Context: this CPU, interrupts off.
 */
void kgdb_slots_sync(void)
{
	struct kgdb_slot_set set;
	bool changed = false;

	while (kgdb_slot_arch->applied() != READ_ONCE(generation)) {
		read_newest(&set);
		if (!kgdb_slot_arch->apply(&set))
			break;
		changed = true;
	}
	if (changed)
		kgdb_slot_arch->arm();
}
NOKPROBE_SYMBOL(kgdb_slots_sync);

/**
 * kgdb_watch_enter() - nothing on this CPU hits from here on
 * @regs: of the exception that takes this CPU into the debugger
 *
 * Calls nest: each has its kgdb_watch_leave().
 *
 * Context: the first act of the debugger on this CPU, interrupts off.
 */
void kgdb_watch_enter(struct pt_regs *regs)
{
	kgdb_slot_arch->off(regs);
}
NOKPROBE_SYMBOL(kgdb_watch_enter);

/**
 * kgdb_watch_leave() - arm this CPU, unless the debugger still has it
 *
 * A round-up may come on the way out, with a newer generation than the one
 * that was applied: the last look is after the debugger has let this CPU go,
 * and before it is armed. What looks may be watched as well.
 *
 * Context: the last act of the debugger on this CPU, interrupts off; the
 * master's lock has been dropped.
 */
void kgdb_watch_leave(void)
{
	kgdb_slots_sync();
	kgdb_slot_arch->on();
	kgdb_slots_sync();
	kgdb_slot_arch->arm();
}
NOKPROBE_SYMBOL(kgdb_watch_leave);

/**
 * kgdb_watch_catch_up() - bring a CPU in line that the debugger went on without
 * @regs: of the NMI that was to take this CPU into the debugger
 *
 * Context: NMI, this CPU.
 */
void kgdb_watch_catch_up(struct pt_regs *regs)
{
	kgdb_watch_enter(regs);
	kgdb_watch_leave();
}
NOKPROBE_SYMBOL(kgdb_watch_catch_up);

/**
 * kgdb_correct_hw_break() - kgdb_arch.correct_hw_break
 *
 * Brings this CPU's registers in line with what is settled; they stay disarmed
 * until kgdb_watch_leave().
 *
 * Context: this CPU leaves the debugger, interrupts off.
 */
void kgdb_correct_hw_break(void)
{
	kgdb_slots_sync();
}
NOKPROBE_SYMBOL(kgdb_correct_hw_break);

/**
 * kgdb_slots_idle() - which slots are reserved and nobody watches with
 *
 * Context: master CPU in the debugger, or with all CPUs kept out of it.
 * Return: a bitmap of slots.
 */
unsigned long kgdb_slots_idle(void)
{
	const struct kgdb_slot_set *set = kgdb_slots_current();
	unsigned long idle = reserved;
	int i;

	for (i = 0; i < nr_slots(); i++) {
		if (set->slot[i].wanted)
			idle &= ~BIT(i);
	}
	return idle;
}

/**
 * kgdb_slots_release_idle() - give perf back what nobody watches with
 *
 * Perf may have been stopped in the middle of its accounting; the slot stays
 * reserved then.
 *
 * Context: all other CPUs are held, so that nobody is in perf's accounting, and
 * each applies what is settled before it runs.
 */
void kgdb_slots_release_idle(void)
{
	release(kgdb_slots_idle());
}

/**
 * kgdb_slots_late() - have perf account for the slots that were claimed early
 *
 * One that perf does not account for stays armed all the same: perf sees that
 * the register is taken.
 *
 * Context: the boot CPU, the only one, with all CPUs kept out of the debugger.
 * Return: how many perf does not account for.
 */
unsigned int kgdb_slots_late(void)
{
	unsigned int i;

	for (i = 0; i < nr_slots(); i++) {
		if (early & BIT(i) && !kgdb_slot_arch->reserve(i))
			early &= ~BIT(i);
	}
	return hweight_long(early);
}
