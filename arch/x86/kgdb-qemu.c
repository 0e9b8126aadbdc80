// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the debug registers that QEMU emulates (seen in 7.2 and 10.0, with TCG)
 * are not a processor's. For those who test KGDB in QEMU; on a processor, and
 * in an emulator that is not QEMU, all of this is found to be off when the
 * kernel runs.
 *
 * - DR6 names the first register that matches, not all of them: the shortest
 *   slot comes first, then the one for writes, and what else was hit follows.
 * - A read-modify-write hits at its load: the instruction is decoded.
 * - A single step over an access that hits raises #DB twice, the second time
 *   at the first instruction of the handler. On x86_64 that overwrites the
 *   frame of the first, and the machine is lost; on i386 the step seems to end
 *   in the handler. So nothing is armed during a step, and what it has accessed
 *   is looked up afterwards.
 */
#include <linux/atomic.h>
#include <linux/kgdb.h>
#include <linux/kgdb_slots.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/kgdb_watch.h>

#include "kgdb-x86.h"

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
 * kgdb_quirk_access() - find out what the hardware does not say of a hit
 * @regs: of #DB
 * @info: the access is added, if it can be told
 *
 * Context: #DB, interrupts off.
 */
void kgdb_quirk_access(struct pt_regs *regs, struct kgdb_hit_info *info)
{
	if (is_qemu())
		kgdb_insn_access(regs, info);
}
NOKPROBE_SYMBOL(kgdb_quirk_access);

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
	this_cpu_write(kgdb_db.dr7, kgdb_recorded_dr7());
	this_cpu_write(cpu_dr7, 0);
	return true;
}
NOKPROBE_SYMBOL(kgdb_quirk_step_ends);

/**
 * kgdb_step_done() - note what a single step would have hit
 * @regs: behind the step
 *
 * Does nothing if breakpoints were enabled during the step. Otherwise knows
 * the accesses that kgdb_insn_access() understands.
 *
 * Context: #DB, interrupts off.
 */
void kgdb_step_done(struct pt_regs *regs)
{
	struct kgdb_hit_info info = { };

	if (!this_cpu_read(stepping))
		return;
	kgdb_insn_access(regs, &info);
	kgdb_step_missed(&info);
}
NOKPROBE_SYMBOL(kgdb_step_done);
