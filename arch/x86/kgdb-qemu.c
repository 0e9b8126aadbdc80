// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the debug registers that QEMU emulates (seen in 7.2 and 10.0, with TCG)
 * are not a processor's. For those who test KGDB in QEMU; on a processor, and
 * in an emulator that is not QEMU, all of this is found to be off when the
 * kernel runs.
 *
 * - DR6 names the first register that matches, not all of them: the shortest
 *   slot comes first, then the one for writes, and what else was hit follows.
 * - A read-modify-write hits at its load: the instruction is decoded
 *   (kgdb-qemu-insn.c).
 * - An unaligned store matches each watched word below it in its page, an
 *   unaligned load all that lies in the two aligned words that it touches. If
 *   the instruction is understood, what it accessed is what was hit. What perf
 *   has in its registers is hit by whatever QEMU says, and may hide a hit.
 * - A single step over an access that hits raises #DB twice, the second time
 *   at the first instruction of the handler. On x86_64 that overwrites the
 *   frame of the first, and the machine is lost; on i386 the step seems to end
 *   in the handler. So nothing is armed during a step, and what it has accessed
 *   is looked up afterwards.
 *
 * A data breakpoint is a trap: the instruction has been executed, and the
 * registers point behind it (Intel SDM vol. 3B, 18.3.1.2).
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/hw_breakpoint.h>
#include <linux/kgdb.h>
#include <linux/kgdb_slots.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/hw_breakpoint.h>
#include <asm/kgdb_watch.h>

#include "kgdb-qemu-insn.h"
#include "kgdb-qemu.h"

/* This CPU is kept off while it makes a step */
static DEFINE_PER_CPU(bool, stepping);

/* The emulator says what it is in CPUID, unless it was told not to */
static bool is_qemu(void)
{
	static enum { UNKNOWN, NO, YES } found;
	u32 leaf = 0x40000000, signature[3];

	if (found == UNKNOWN) {
		found = NO;
		if (boot_cpu_has(X86_FEATURE_HYPERVISOR)) {
			asm volatile("cpuid" : "+a" (leaf), "=b" (signature[0]),
				     "=c" (signature[1]), "=d" (signature[2])
				     : "2" (0));
			if (!memcmp(signature, "TCGTCGTCGTCG", sizeof(signature)))
				found = YES;
		}
	}
	return found == YES;
}
NOKPROBE_SYMBOL(is_qemu);

static int order(const struct kgdb_slot_spec *spec)
{
	return 2 * spec->len + (spec->type == KGDB_WATCH_ACCESS);
}
NOKPROBE_SYMBOL(order);

/**
 * kgdb_quirk_next() - which slot gets the next debug register
 * @set: what is wanted
 * @done: bitmap of those that have one
 *
 * Context: as @apply of struct kgdb_slot_arch.
 * Return: the number of a slot, or -1 when all have one.
 */
int kgdb_quirk_next(const struct kgdb_slot_set *set, unsigned int done)
{
	int i, next = -1;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (!set->slot[i].wanted || done & BIT(i))
			continue;
		if (next < 0 || (is_qemu() && order(&set->slot[i].spec) <
					      order(&set->slot[next].spec)))
			next = i;
	}
	return next;
}
NOKPROBE_SYMBOL(kgdb_quirk_next);

/**
 * kgdb_quirk_step_begins() - is this CPU to stay off, for it makes a step?
 *
 * Context: this CPU is about to leave the debugger, interrupts off.
 * Return: true if so: the debugger's next entry on this CPU finds it off.
 */
bool kgdb_quirk_step_begins(void)
{
	if (!is_qemu() || atomic_read(&kgdb_cpu_doing_single_step) !=
			  raw_smp_processor_id())
		return false;
	this_cpu_write(stepping, true);
	return true;
}
NOKPROBE_SYMBOL(kgdb_quirk_step_begins);

/* What DR7 is to hold, by the records of the registers */
static unsigned long recorded_dr7(void)
{
	const struct perf_event *event;
	unsigned long dr7 = 0;
	int reg;

	for (reg = 0; reg < HBP_NUM; reg++) {
		event = this_cpu_read(bp_per_reg[reg]);
		if (event)
			dr7 |= encode_dr7(reg, event->hw.info.len, event->hw.info.type);
	}
	return dr7;
}
NOKPROBE_SYMBOL(recorded_dr7);

/**
 * kgdb_quirk_step_ends() - was this CPU kept off for a step?
 *
 * perf may have changed its registers meanwhile.
 *
 * Context: this CPU enters the debugger, interrupts off.
 * Return: true if so: it is off, and counts as entered once.
 */
bool kgdb_quirk_step_ends(void)
{
	if (!this_cpu_read(stepping))
		return false;
	this_cpu_write(stepping, false);
	this_cpu_write(kgdb_db.dr7, recorded_dr7());
	this_cpu_write(cpu_dr7, 0);
	return true;
}
NOKPROBE_SYMBOL(kgdb_quirk_step_ends);

static unsigned long length(const struct arch_hw_breakpoint *hw)
{
	switch (hw->len) {
	case X86_BREAKPOINT_LEN_1:
		return 1;
	case X86_BREAKPOINT_LEN_2:
		return 2;
	case X86_BREAKPOINT_LEN_4:
		return 4;
	default:
		return 8;
	}
}
NOKPROBE_SYMBOL(length);

static bool would_hit(const struct kgdb_hit_info *info,
		      const struct arch_hw_breakpoint *hw)
{
	if (!info->len || hw->type == X86_BREAKPOINT_EXECUTE ||
	    (hw->type == X86_BREAKPOINT_WRITE && !info->wrote))
		return false;
	return kgdb_overlaps(info->addr, info->len, (void *)hw->address, length(hw));
}
NOKPROBE_SYMBOL(would_hit);

/* All that KGDB has armed on this CPU and that this is an access to */
static void record_all(const struct kgdb_hit_info *info, struct pt_regs *regs)
{
	struct perf_event *event;
	int reg;

	for (reg = 0; reg < HBP_NUM; reg++) {
		if (!(this_cpu_read(kgdb_db.regs) & BIT(reg)))
			continue;
		event = this_cpu_read(bp_per_reg[reg]);
		if (would_hit(info, &event->hw.info))
			event->overflow_handler(event, NULL, regs);
	}
}
NOKPROBE_SYMBOL(record_all);

/*
 * Can QEMU have matched this register with an access that did not touch it? It
 * has to be unaligned, and the register within its two aligned words, or below
 * a store in its page. Anything else was hit by another instruction than the
 * one before: a jump may have led here.
 */
static bool matches_too_much(const struct kgdb_hit_info *info,
			     const struct arch_hw_breakpoint *hw)
{
	unsigned long first = info->addr & ~(info->len - 1);

	if (!info->len || info->addr == first)
		return false;
	if (kgdb_overlaps(first, 2 * info->len, (void *)hw->address, length(hw)))
		return true;
	return info->wrote && hw->address < info->addr &&
	       hw->address >> PAGE_SHIFT == info->addr >> PAGE_SHIFT;
}
NOKPROBE_SYMBOL(matches_too_much);

/**
 * kgdb_quirk_access() - find out what the hardware does not say of a hit
 * @regs: of #DB
 * @event: what hit, by DR6
 * @info: the access is added, if it can be told
 *
 * If the access is known and did not touch what @event watches, what it did
 * touch is recorded.
 *
 * Context: #DB, interrupts off.
 * Return: false if @event was not hit.
 */
bool kgdb_quirk_access(struct pt_regs *regs, const struct perf_event *event,
		       struct kgdb_hit_info *info)
{
	if (!is_qemu())
		return true;
	kgdb_insn_access(regs, info);
	if (event->hw.info.type == X86_BREAKPOINT_EXECUTE ||
	    would_hit(info, &event->hw.info) ||
	    !matches_too_much(info, &event->hw.info))
		return true;
	record_all(info, regs);
	return false;
}
NOKPROBE_SYMBOL(kgdb_quirk_access);

/**
 * kgdb_quirk_step_done() - report what a single step would have hit
 * @regs: behind the step
 *
 * Does nothing if breakpoints were enabled during the step. Otherwise knows
 * the accesses that kgdb_insn_access() understands.
 *
 * Context: #DB, interrupts off.
 */
void kgdb_quirk_step_done(struct pt_regs *regs)
{
	struct kgdb_hit_info info = { };

	if (!this_cpu_read(stepping))
		return;
	kgdb_insn_access(regs, &info);
	record_all(&info, regs);
}
NOKPROBE_SYMBOL(kgdb_quirk_step_done);
