// SPDX-License-Identifier: GPL-2.0-only
/*
 * KGDB's slots on x86: the debug registers.
 *
 * Intel SDM vol. 3B, chapter 18.2 "Debug Registers".
 *
 * A slot is one struct perf_event on each CPU, recorded in bp_per_reg[] like
 * those of perf. The events are ours alone: the perf core never sees,
 * schedules, throttles or drops them. It knows of them only what the
 * accounting says, and that perf_bp_event() hands their hits to
 * kgdb_take_perf_event().
 *
 * Off means the register, cpu_dr7 and so hw_breakpoint_active() together:
 * text that is poked, and a KVM guest that is left, restore DR7 from cpu_dr7
 * where that says that breakpoints are in use.
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/kernel.h>
#include <linux/kgdb_slots.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>

#include <asm/debugreg.h>
#include <asm/hw_breakpoint.h>
#include <asm/kgdb_watch.h>

#include "kgdb-x86.h"

/**
 * struct kgdb_slot_event - one slot on one CPU
 * @event: what occupies the debug register
 * @since: as in the snapshot it was armed from
 * @reg: which debug register, while @installed
 * @installed: @event holds a debug register
 */
struct kgdb_slot_event {
	struct perf_event event;
	unsigned int since;
	unsigned int reg;
	bool installed;
};

static DEFINE_PER_CPU(struct kgdb_slot_event, slot_events[KGDB_SLOTS_MAX]);

/*
 * Runs in the debug exception before kgdb_notify(), which then takes the CPU
 * into the debugger.
 */
static void kgdb_hw_overflow_handler(struct perf_event *event,
				     struct perf_sample_data *data,
				     struct pt_regs *regs)
{
	struct kgdb_slot_event *slot =
		container_of(event, struct kgdb_slot_event, event);
	struct kgdb_hit_info info = {
		.slot = slot - this_cpu_ptr(slot_events),
		.since = slot->since,
		.generation = this_cpu_read(kgdb_db.generation),
	};

	kgdb_hit_record(&info);
}
NOKPROBE_SYMBOL(kgdb_hw_overflow_handler);

/**
 * kgdb_take_perf_event() - take a hit away from perf if it is KGDB's
 * @event: whose debug register hit
 * @regs: where
 *
 * Perf delivers hits of active events only, and may throttle them; KGDB's are
 * never active, because perf must not schedule them, and none may be lost.
 *
 * Context: the debug exception, interrupts off.
 * Return: true if it was KGDB's and perf has nothing to do.
 */
bool kgdb_take_perf_event(struct perf_event *event, struct pt_regs *regs)
{
	if (event->overflow_handler != kgdb_hw_overflow_handler)
		return false;

	event->overflow_handler(event, NULL, regs);
	return true;
}
NOKPROBE_SYMBOL(kgdb_take_perf_event);

static void release_on(unsigned int slot, const struct cpumask *cpus)
{
	int cpu;

	for_each_cpu(cpu, cpus)
		dbg_release_bp_slot(&per_cpu_ptr(&slot_events[slot], cpu)->event);
}

/*
 * The perf layer counts slots per CPU. It makes no difference what a slot will
 * watch: x86 has one kind of debug register.
 */
static int reserve(unsigned int slot)
{
	static struct cpumask done;
	struct perf_event *event;
	int cpu, err;

	cpumask_clear(&done);
	for_each_possible_cpu(cpu) {
		event = &per_cpu_ptr(&slot_events[slot], cpu)->event;
		event->cpu = cpu;
		event->attr.type = PERF_TYPE_BREAKPOINT;
		event->attr.bp_type = HW_BREAKPOINT_W;
		err = dbg_reserve_bp_slot(event);
		if (err) {
			release_on(slot, &done);
			return err == -ENOSPC ? -ENOSPC : -EBUSY;
		}
		cpumask_set_cpu(cpu, &done);
	}
	return 0;
}

static bool release(unsigned int slot)
{
	int cpu;

	/*
	 * Perf's lock cannot be taken here, only looked at; nobody can take
	 * it in between, so it is the first CPU that fails or none.
	 */
	for_each_possible_cpu(cpu) {
		if (dbg_release_bp_slot(&per_cpu_ptr(&slot_events[slot], cpu)->event))
			return false;
	}
	return true;
}

static struct arch_hw_breakpoint encode(const struct kgdb_slot_spec *spec)
{
	/* DR7's LEN fields as perf keeps them: SDM vol. 3B, 18.2.4 */
	static const u8 lengths[] = {
		[1] = X86_BREAKPOINT_LEN_1, [2] = X86_BREAKPOINT_LEN_2,
		[4] = X86_BREAKPOINT_LEN_4,
#ifdef CONFIG_X86_64
		[8] = X86_BREAKPOINT_LEN_8,
#endif
	};
	struct arch_hw_breakpoint hw = { .address = spec->addr };

	switch (spec->type) {
	case KGDB_WATCH_EXECUTE:
		hw.type = X86_BREAKPOINT_EXECUTE;
		hw.len = X86_BREAKPOINT_LEN_X;
		break;
	case KGDB_WATCH_WRITE:
		hw.type = X86_BREAKPOINT_WRITE;
		hw.len = lengths[spec->len];
		break;
	default:
		hw.type = X86_BREAKPOINT_RW;
		hw.len = lengths[spec->len];
		break;
	}
	return hw;
}
NOKPROBE_SYMBOL(encode);

/* What DR7 needs for a register, and what of that is this register's alone */
static unsigned long dr7_bits(unsigned int reg, const struct perf_event *event)
{
	return encode_dr7(reg, event->hw.info.len, event->hw.info.type);
}
NOKPROBE_SYMBOL(dr7_bits);

static unsigned long own_bits(const struct kgdb_slot_event *slot)
{
	return dr7_bits(slot->reg, &slot->event) & ~DR_GLOBAL_SLOWDOWN;
}
NOKPROBE_SYMBOL(own_bits);

/* GE alone enables nothing: local_db_save() looks for the same value in DR7 */
static unsigned long enabled_or_0(unsigned long dr7)
{
	return dr7 & DR_GLOBAL_ENABLE_MASK ? dr7 : 0;
}
NOKPROBE_SYMBOL(enabled_or_0);

static unsigned long uninstall_all(unsigned long dr7)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(slot_events);
	int i;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (!slot[i].installed)
			continue;
		dr7 &= ~own_bits(&slot[i]);
		this_cpu_write(bp_per_reg[slot[i].reg], NULL);
		slot[i].installed = false;
	}
	this_cpu_write(kgdb_db.regs, 0);
	this_cpu_write(kgdb_db.own, 0);
	return dr7;
}
NOKPROBE_SYMBOL(uninstall_all);

static unsigned long install(unsigned int i, const struct kgdb_slot *wanted,
			     unsigned long dr7, bool lent)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(&slot_events[i]);
	unsigned int reg = 0;

	while (reg < HBP_NUM && this_cpu_read(bp_per_reg[reg]))
		reg++;
	if (WARN_ONCE(reg == HBP_NUM, "KGDB: no debug register is free\n"))
		return dr7;

	slot->event.overflow_handler = kgdb_hw_overflow_handler;
	slot->event.hw.info = encode(&wanted->spec);
	slot->since = wanted->since;
	slot->reg = reg;
	slot->installed = true;
	this_cpu_write(bp_per_reg[reg], &slot->event);
	this_cpu_write(cpu_debugreg[reg], wanted->spec.addr);
	this_cpu_or(kgdb_db.regs, BIT(reg));
	this_cpu_or(kgdb_db.own, dr7_bits(reg, &slot->event));
	if (!lent)
		set_debugreg(wanted->spec.addr, reg);
	return dr7 | dr7_bits(reg, &slot->event);
}
NOKPROBE_SYMBOL(install);

/*
 * What a register that was free says in DR6 is not about what it holds now. A
 * KVM guest may have left it there, and only a #DB resets it.
 */
static void forget_old_hits(void)
{
	unsigned long dr6;

	get_debugreg(dr6, 6);
	if (dr6 & this_cpu_read(kgdb_db.regs))
		set_debugreg(dr6 & ~(unsigned long)this_cpu_read(kgdb_db.regs), 6);
}
NOKPROBE_SYMBOL(forget_old_hits);

static bool apply(const struct kgdb_slot_set *set)
{
	bool off = this_cpu_read(kgdb_db.entered), lent;
	unsigned long dr7;
	int i;

	if (this_cpu_read(kgdb_db.busy))
		return false;

	/* First: a round-up in between would change what is looked at */
	this_cpu_inc(kgdb_db.busy);
	barrier();
	dr7 = off ? this_cpu_read(kgdb_db.dr7) : this_cpu_read(cpu_dr7);
	lent = kgdb_registers_lent(dr7);
	if (kgdb_hit_in_flight(db_depth() && !lent ?
			       this_cpu_read(kgdb_db.regs) : 0, kgdb_fred())) {
		barrier();
		this_cpu_dec(kgdb_db.busy);
		return false;
	}

	set_debugreg(DR7_FIXED, 7);
	dr7 = uninstall_all(dr7);
	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (set->slot[i].wanted)
			dr7 = install(i, &set->slot[i], dr7, lent);
	}
	if (!lent)
		forget_old_hits();
	dr7 = enabled_or_0(dr7);
	if (off)
		this_cpu_write(kgdb_db.dr7, dr7);
	else
		this_cpu_write(cpu_dr7, dr7);
	this_cpu_write(kgdb_db.generation, set->generation);
	barrier();
	this_cpu_dec(kgdb_db.busy);
	return true;
}
NOKPROBE_SYMBOL(apply);

static unsigned int applied(void)
{
	return this_cpu_read(kgdb_db.generation);
}
NOKPROBE_SYMBOL(applied);

static void arm(void)
{
	unsigned long dr7 = this_cpu_read(kgdb_db.nmi_dr7);

	if (this_cpu_read(kgdb_db.entered))
		return;
	/* What exc_nmi() does without FRED */
	if (dr7) {
		this_cpu_write(kgdb_db.nmi_dr7, 0);
		local_db_restore(dr7);
		return;
	}
	/* The handler that has DR7 cleared restores it from cpu_dr7 */
	if (db_depth()) {
		if (this_cpu_read(kgdb_db.nmi_armed) &&
		    db_depth() == 1)
			set_debugreg(this_cpu_read(kgdb_db.own) | DR7_FIXED, 7);
		return;
	}
	/* A round-up may come in between with another value */
	do {
		dr7 = this_cpu_read(cpu_dr7);
		set_debugreg(dr7 | DR7_FIXED, 7);
	} while (dr7 != this_cpu_read(cpu_dr7));
}
NOKPROBE_SYMBOL(arm);

static void off(struct pt_regs *regs)
{
	if (kgdb_nmi_uncounted(regs, kgdb_fred()) &&
	    !this_cpu_read(kgdb_db.entered))
		this_cpu_write(kgdb_db.nmi_dr7, local_db_save());

	/* First: early in boot kgdb_db may be watched, and is looked at below */
	set_debugreg(DR7_FIXED, 7);

	this_cpu_inc(kgdb_db.busy);
	if (this_cpu_inc_return(kgdb_db.entered) == 1) {
		this_cpu_write(kgdb_db.dr7, this_cpu_read(cpu_dr7));
		this_cpu_write(cpu_dr7, 0);
	}
	barrier();
	this_cpu_dec(kgdb_db.busy);
}
NOKPROBE_SYMBOL(off);

static void on(void)
{
	bool outermost = this_cpu_read(kgdb_db.entered) == 1;

	this_cpu_inc(kgdb_db.busy);
	barrier();
	if (outermost)
		this_cpu_write(cpu_dr7, this_cpu_read(kgdb_db.dr7));
	this_cpu_dec(kgdb_db.entered);
	barrier();
	this_cpu_dec(kgdb_db.busy);
}
NOKPROBE_SYMBOL(on);

/* The records go, and the registers hold nothing that is ours */
static void forget(unsigned int cpu)
{
	struct kgdb_slot_event *slot = per_cpu_ptr(slot_events, cpu);
	struct kgdb_db *db = per_cpu_ptr(&kgdb_db, cpu);
	unsigned long bits;
	int i;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (!slot[i].installed)
			continue;
		bits = own_bits(&slot[i]);
		per_cpu(bp_per_reg[slot[i].reg], cpu) = NULL;
		per_cpu(cpu_dr7, cpu) &= ~bits;
		db->dr7 &= ~bits;
		slot[i].installed = false;
	}
	per_cpu(cpu_dr7, cpu) = enabled_or_0(per_cpu(cpu_dr7, cpu));
	db->dr7 = enabled_or_0(db->dr7);
	db->generation = 0;
	db->regs = 0;
	db->unread = 0;
	db->own = 0;
}

static const struct kgdb_slot_caps caps = {
	.watch_slots = HBP_NUM,
	.max_len = sizeof(long),
};

const struct kgdb_slot_arch kgdb_arch_slots = {
	.caps = &caps,
	.check = kgdb_check_slot,
	.reserve = reserve,
	.release = release,
	.off = off,
	.on = on,
	.apply = apply,
	.applied = applied,
	.arm = arm,
	.forget = forget,
};
