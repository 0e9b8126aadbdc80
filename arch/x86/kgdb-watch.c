// SPDX-License-Identifier: GPL-2.0-only
/*
 * KGDB's hardware slots on x86: the debug registers.
 *
 * Intel SDM vol. 3B, chapter 18.2 "Debug Registers".
 *
 * A slot of the watchpoint table is one struct perf_event on each CPU, which
 * arch_install_hw_breakpoint() puts into a free debug register. The events
 * are ours alone: the perf core never sees, schedules, throttles or drops
 * them. It knows of them only what the accounting says, and that
 * perf_bp_event() hands their hits to kgdb_watch_perf_event().
 *
 * Early in boot, up to dbg_late_init(), there is one CPU and no perf, and what
 * arch_install_hw_breakpoint() records would not survive the move of the
 * per-CPU areas. The registers are written directly until then, and the hits
 * found in DR6 by kgdb_dr6_done().
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/hw_breakpoint.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/pgtable.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/cpu_entry_area.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/hw_breakpoint.h>
#include <asm/processor.h>
#include <asm/sections.h>

#include "../../../kernel/debug/watchpoint/match.h"

/**
 * struct kgdb_slot_event - one slot on one CPU
 * @event: what occupies the debug register
 * @id: names what it watches
 * @reg: which debug register, while @installed
 * @installed: @event holds a debug register
 * @early: which hw_breakpoint.c knows nothing of
 */
struct kgdb_slot_event {
	struct perf_event event;
	unsigned int id;
	unsigned int reg;
	bool installed;
	bool early;
};

static DEFINE_PER_CPU(struct kgdb_slot_event, slot_events[KGDB_HW_SLOTS]);

/* The state of the table that this CPU is in line with, if any; its newest id */
static DEFINE_PER_CPU(unsigned int, synced);
static DEFINE_PER_CPU(unsigned int, newest);

/* What each slot is to be programmed to; valid while it is reserved */
static struct {
	struct perf_event_attr attr;
	struct arch_hw_breakpoint hw;
} slot_config[KGDB_HW_SLOTS];

DEFINE_PER_CPU(struct kgdb_db, kgdb_db);

/* The processor is QEMU's */
static bool emulated;

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
	unsigned int id = READ_ONCE(slot->id), last = this_cpu_read(newest);
	unsigned int bit = BIT(READ_ONCE(slot->reg));

	/* In this order: the debugger may take the hit between any two steps */
	barrier();
	if (!(this_cpu_read(kgdb_db.taken) & bit))
		kgdb_hit_record(slot - this_cpu_ptr(slot_events), id, last);
	this_cpu_and(kgdb_db.read, ~bit);
}
NOKPROBE_SYMBOL(kgdb_hw_overflow_handler);

/**
 * kgdb_watch_perf_event() - take a hit away from perf if it is KGDB's
 * @event: whose debug register hit
 * @regs: where
 *
 * Perf delivers hits of active events only, and may throttle them; KGDB's are
 * never active, because perf must not schedule them, and none may be lost.
 *
 * Context: the debug exception, interrupts off.
 * Return: true if it was KGDB's and perf has nothing to do.
 */
bool kgdb_watch_perf_event(struct perf_event *event, struct pt_regs *regs)
{
	if (event->overflow_handler != kgdb_hw_overflow_handler)
		return false;

	event->overflow_handler(event, NULL, regs);
	return true;
}
NOKPROBE_SYMBOL(kgdb_watch_perf_event);

static void encode(const struct kgdb_slot_spec *spec,
		   struct perf_event_attr *attr)
{
	hw_breakpoint_init(attr);
	attr->bp_addr = spec->addr;
	attr->bp_len = spec->len;

	switch (spec->type) {
	case KGDB_WATCH_EXECUTE:
		attr->bp_type = HW_BREAKPOINT_X;
		attr->bp_len = sizeof(long);
		break;
	case KGDB_WATCH_WRITE:
		attr->bp_type = HW_BREAKPOINT_W;
		break;
	default:
		attr->bp_type = HW_BREAKPOINT_RW;
		break;
	}
}

/*
 * The processor reads it through the cpu_entry_area, the kernel writes it
 * elsewhere. Early in boot there is one address only.
 */
static bool in_idt(const struct kgdb_slot_spec *spec)
{
	unsigned int level;
	pte_t *pte = lookup_address(CPU_ENTRY_AREA_RO_IDT, &level);
	struct desc_ptr idt;
	phys_addr_t phys;

	store_idt(&idt);
	if (kgdb_overlaps(spec->addr, spec->len, (void *)idt.address,
			  idt.size + 1))
		return true;
	if (!pte)
		return false;
	phys = (phys_addr_t)pte_pfn(*pte) << PAGE_SHIFT;
#ifdef CONFIG_X86_64
	if (kgdb_overlaps(spec->addr, spec->len,
			  (void *)(__START_KERNEL_map + phys - phys_base),
			  PAGE_SIZE))
		return true;
#endif
	return kgdb_overlaps(spec->addr, spec->len, __va(phys), PAGE_SIZE);
}

static const char *check_data(const struct kgdb_slot_spec *spec)
{
	unsigned long addr = spec->addr, len = spec->len;

	if (in_idt(spec))
		return "the interrupt descriptor table is there";
	if (kgdb_overlaps_percpu(addr, len, &kgdb_db, sizeof(kgdb_db)) ||
	    nmi_owns(addr, len) || hw_breakpoint_owns(addr, len))
		return "the exception entry code uses this memory";
	if (kgdb_overlaps_percpu(addr, len, slot_events, sizeof(slot_events)) ||
	    kgdb_overlaps_percpu(addr, len, &synced, sizeof(synced)) ||
	    kgdb_overlaps_percpu(addr, len, &newest, sizeof(newest)) ||
	    kgdb_overlaps(addr, len, slot_config, sizeof(slot_config)))
		return "the debugger itself uses this memory";
	return NULL;
}

#ifdef CONFIG_KPROBES
/*
 * Kprobes makes a list of where it must not probe when the initcalls begin.
 * Until then see what that will be made from.
 */
static bool in_debugger_text(unsigned long addr)
{
	unsigned long size, offset, *entry;

	if (system_state >= SYSTEM_FREEING_INITMEM)
		return false;
	if (addr >= (unsigned long)__noinstr_text_start &&
	    addr < (unsigned long)__noinstr_text_end)
		return true;
	if (!kallsyms_lookup_size_offset(addr, &size, &offset))
		return false;
	for (entry = __start_kprobe_blacklist; entry < __stop_kprobe_blacklist;
	     entry++) {
		if (*entry == addr - offset)
			return true;
	}
	return false;
}
#else
/* Breakpoints in the kernel's text are all refused then */
static bool in_debugger_text(unsigned long addr)
{
	return true;
}
#endif

const char *kgdb_arch_slot_check(const struct kgdb_slot_spec *spec)
{
	struct arch_hw_breakpoint hw = { };
	struct perf_event_attr attr;

	if (spec->addr < TASK_SIZE_MAX)
		return "the address is in user space";
#ifdef CONFIG_X86_64
	if (!__is_canonical_address(spec->addr, boot_cpu_data.x86_virt_bits))
		return "the address is not canonical";
#endif
	encode(spec, &attr);
	if (hw_breakpoint_arch_parse(NULL, &attr, &hw) ||
	    (spec->type == KGDB_WATCH_EXECUTE && in_debugger_text(spec->addr)))
		return spec->type == KGDB_WATCH_EXECUTE ?
			"a breakpoint there would stop the debugger itself" :
			"the exception entry code uses this memory";
	return spec->type == KGDB_WATCH_EXECUTE ? NULL : check_data(spec);
}

static void release_on(unsigned int slot, const struct cpumask *cpus)
{
	int cpu;

	for_each_cpu(cpu, cpus)
		dbg_release_bp_slot(&per_cpu_ptr(&slot_events[slot], cpu)->event);
}

/*
 * The perf layer counts slots per CPU. All possible CPUs are accounted for:
 * one that comes online later arms what is set by then. It makes no difference
 * what a slot will watch: x86 has one kind of debug register.
 */
int kgdb_arch_slot_reserve(unsigned int slot)
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
		event->overflow_handler = kgdb_hw_overflow_handler;
		err = dbg_reserve_bp_slot(event);
		if (err) {
			release_on(slot, &done);
			return err == -ENOSPC ? -ENOSPC : -EBUSY;
		}
		cpumask_set_cpu(cpu, &done);
	}
	return 0;
}

bool kgdb_arch_slot_release(unsigned int slot)
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

void kgdb_arch_slot_setup(unsigned int slot, const struct kgdb_slot_spec *spec)
{
	struct arch_hw_breakpoint hw = { };

	encode(spec, &slot_config[slot].attr);
	WARN_ON_ONCE(hw_breakpoint_arch_parse(NULL, &slot_config[slot].attr, &hw));
	slot_config[slot].hw = hw;
}

/*
 * Early slots have the registers in the order in which they are installed, as
 * arch_install_hw_breakpoint() would give them. Breakpoints are disabled; who
 * enables them takes cpu_dr7.
 */
static void install_early(struct kgdb_slot_event *slot)
{
	hw_breakpoint_write(ffz(this_cpu_read(kgdb_db.regs)),
			    &slot->event.hw.info);
}
NOKPROBE_SYMBOL(install_early);

static void uninstall_early(struct kgdb_slot_event *slot)
{
	const struct arch_hw_breakpoint *hw = &slot->event.hw.info;

	this_cpu_and(cpu_dr7, ~encode_dr7(slot->reg, hw->len, hw->type));
}
NOKPROBE_SYMBOL(uninstall_early);

static void uninstall(unsigned int i)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(&slot_events[i]);

	if (!slot->installed)
		return;
	if (slot->early)
		uninstall_early(slot);
	else
		arch_uninstall_hw_breakpoint(&slot->event);
	slot->installed = false;
}
NOKPROBE_SYMBOL(uninstall);

static void install(unsigned int i, unsigned int id)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(&slot_events[i]);
	unsigned long before = this_cpu_read(cpu_dr7), bits;

	slot->event.attr = slot_config[i].attr;
	slot->event.hw.info = slot_config[i].hw;
	slot->id = id;
	slot->early = dbg_is_early;
	if (slot->early)
		install_early(slot);
	else if (arch_install_hw_breakpoint(&slot->event))
		return;
	slot->installed = true;
	bits = this_cpu_read(cpu_dr7) & ~before;
	slot->reg = __ffs(bits) / DR_ENABLE_SIZE;
	this_cpu_or(kgdb_db.dr7, bits);
	this_cpu_or(kgdb_db.regs, BIT(slot->reg));
}
NOKPROBE_SYMBOL(install);

static void uninstall_all(void)
{
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++)
		uninstall(i);
	this_cpu_write(kgdb_db.dr7, 0);
	this_cpu_write(kgdb_db.regs, 0);
}
NOKPROBE_SYMBOL(uninstall_all);

/*
 * The processor reports every slot that an access matches. QEMU reports the
 * first one, and what else was hit has to follow from that (see implies() in
 * match.c): the shortest slot comes first, then the one for writes.
 */
static int order(const struct kgdb_slot_spec *spec)
{
	return 2 * spec->len + (spec->type == KGDB_WATCH_ACCESS);
}
NOKPROBE_SYMBOL(order);

static void install_wanted(void)
{
	const struct kgdb_slot_spec *spec, *first;
	unsigned int done = 0, i, next, id, next_id;

	do {
		first = NULL;
		for (i = 0; i < KGDB_HW_SLOTS; i++) {
			spec = kgdb_slot_wanted(i, &id);
			if (!spec || done & BIT(i) ||
			    (first && order(spec) >= order(first)))
				continue;
			first = spec;
			next = i;
			next_id = id;
		}
		if (first) {
			install(next, next_id);
			done |= BIT(next);
		}
	} while (first);
}
NOKPROBE_SYMBOL(install_wanted);

/*
 * QEMU's emulation (seen in 7.2) raises #DB twice for a single step over an
 * access that hits, the second time at the first instruction of the handler.
 * On x86_64 that overwrites the frame of the first, and the machine is lost;
 * on i386 the step seems to end in the handler.
 * Nothing may hit during a step there; kgdb_step_done() makes up for it.
 */
static bool emulated_step(void)
{
	return emulated &&
	       atomic_read(&kgdb_cpu_doing_single_step) == raw_smp_processor_id();
}
NOKPROBE_SYMBOL(emulated_step);

/**
 * kgdb_step_done() - note what a single step would have hit
 * @regs: behind the step
 *
 * Does nothing if breakpoints were enabled during the step. Otherwise knows
 * the accesses that kgdb_arch_access() understands.
 *
 * Context: #DB, interrupts off.
 */
void kgdb_step_done(struct pt_regs *regs)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(slot_events);
	const struct kgdb_slot_spec *spec;
	struct kgdb_access access = { };
	unsigned int i, id;

	if (!this_cpu_read(kgdb_db.stepping))
		return;

	this_cpu_write(kgdb_db.stepping, false);
	kgdb_arch_access(regs, &access);
	for (i = 0; access.len && i < KGDB_HW_SLOTS; i++) {
		spec = kgdb_slot_wanted(i, &id);
		if (!spec || !slot[i].installed || slot[i].id != id ||
		    spec->type == KGDB_WATCH_EXECUTE ||
		    (spec->type == KGDB_WATCH_WRITE && !access.wrote) ||
		    !kgdb_overlaps(access.addr, access.len,
				   (void *)spec->addr, spec->len))
			continue;
		kgdb_hit_record(i, id, this_cpu_read(newest));
	}
}
NOKPROBE_SYMBOL(kgdb_step_done);

/**
 * kgdb_dr6_done() - take the hits that nobody has handed on
 * @regs: of #DB
 * @dr6: what has been found there, as far as it was not dealt with
 *
 * Those of early slots: hw_breakpoint_handler() is not there yet, or knows
 * nothing of them.
 *
 * Context: #DB, after hw_breakpoint_handler(), interrupts off.
 */
void kgdb_dr6_done(struct pt_regs *regs, unsigned long dr6)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(slot_events);
	unsigned int hits = this_cpu_read(kgdb_db.read) &
			    ~this_cpu_read(kgdb_db.taken);
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (!slot[i].installed || !slot[i].early ||
		    !(hits & BIT(slot[i].reg)))
			continue;
		if (slot[i].event.hw.info.type == X86_BREAKPOINT_EXECUTE) {
			/* The step is first, and the breakpoint then hits */
			if (dr6 & DR_STEP)
				continue;
			regs->flags |= X86_EFLAGS_RF;
		}
		kgdb_hit_record(i, slot[i].id, this_cpu_read(newest));
	}
	this_cpu_write(kgdb_db.read, 0);
}
NOKPROBE_SYMBOL(kgdb_dr6_done);

/*
 * The table stays as it is for who leaves the debugger, and changes now and
 * then for a CPU that starts, and while memory is freed on another CPU.
 */
static void update_registers(void)
{
	unsigned int number;

	do {
		this_cpu_write(kgdb_db.deferred, false);
		kgdb_regs_begin();
		while ((number = kgdb_watch_settled()) & 1)
			cpu_relax();
		this_cpu_write(synced, number);
		this_cpu_write(newest, kgdb_watch_newest());
		uninstall_all();
		install_wanted();
		barrier();
		this_cpu_dec(kgdb_db.busy);
	} while (this_cpu_read(kgdb_db.deferred) ||
		 kgdb_watch_settled() != number);
}
NOKPROBE_SYMBOL(update_registers);

void kgdb_arch_slots_sync(void)
{
	unsigned int depth;

	if (this_cpu_read(kgdb_db.off)) {
		this_cpu_write(cpu_dr7, this_cpu_read(kgdb_db.off_dr7));
		this_cpu_write(kgdb_db.off, false);
	}
	if (this_cpu_read(synced) != kgdb_watch_settled()) {
		/* One that was interrupted while it did the same comes back here */
		if (this_cpu_read(kgdb_db.busy))
			this_cpu_write(kgdb_db.deferred, true);
		else
			update_registers();
	}

	/*
	 * Inside #DB or NMI breakpoints stay disabled until the handler
	 * returns: see kgdb_db_restore().
	 */
	set_debugreg(KGDB_DR7_DISABLED, 7);
	this_cpu_write(kgdb_db.stepping, emulated_step());
	depth = this_cpu_read(kgdb_db.depth);
	if (depth)
		this_cpu_write(kgdb_db.changed, true);
	if (this_cpu_read(kgdb_db.stepping))
		return;
	if (!depth)
		set_debugreg(this_cpu_read(cpu_dr7) | KGDB_DR7_DISABLED, 7);
	else if (depth == 1 && this_cpu_read(kgdb_db.nmi_armed))
		set_debugreg(this_cpu_read(kgdb_db.dr7) | KGDB_DR7_DISABLED, 7);
}
NOKPROBE_SYMBOL(kgdb_arch_slots_sync);

/**
 * kgdb_regs_end() - the debug registers are consistent again
 *
 * The other end of kgdb_regs_begin().
 *
 * Context: perf, interrupts off; or kgdb_arch_slots_sync().
 */
void kgdb_regs_end(void)
{
	barrier();
	if (!this_cpu_dec_return(kgdb_db.busy) &&
	    this_cpu_read(kgdb_db.deferred)) {
		this_cpu_write(kgdb_db.deferred, false);
		kgdb_arch_slots_sync();
	}
}
NOKPROBE_SYMBOL(kgdb_regs_end);

/**
 * kgdb_late_nmi() - an NMI came, and the debugger is not there
 *
 * It may be that of a round-up which this CPU was late for: in an NMI handler
 * of its own. What was set or removed meanwhile is armed now.
 *
 * Context: NMI, not in the debugger.
 * Return: true if it was such an NMI.
 */
bool kgdb_late_nmi(void)
{
	if (this_cpu_read(kgdb_db.table) ||
	    this_cpu_read(synced) == kgdb_watch_settled())
		return false;
	kgdb_arch_slots_sync();
	return true;
}
NOKPROBE_SYMBOL(kgdb_late_nmi);

/*
 * What this CPU has hit and no overflow handler has recorded yet: after this
 * its registers may change.
 */
static void take_hits(void)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(slot_events);
	unsigned long unread = 0;
	unsigned int hits;
	int i;

#ifdef X86_FEATURE_FRED
	/* FRED has the hit on the stack, and what DR6 holds is of no account */
	if (!cpu_feature_enabled(X86_FEATURE_FRED))
#endif
		get_debugreg(unread, 6);
	unread &= this_cpu_read(kgdb_db.regs) & ~this_cpu_read(kgdb_db.unread);
	hits = unread | (this_cpu_read(kgdb_db.read) & ~this_cpu_read(kgdb_db.taken));

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slot[i].installed && hits & BIT(slot[i].reg))
			kgdb_hit_record(i, slot[i].id, this_cpu_read(newest));
	}
	this_cpu_or(kgdb_db.unread, unread);
	this_cpu_or(kgdb_db.taken, hits);
}
NOKPROBE_SYMBOL(take_hits);

/**
 * kgdb_disable_hw_debug() - kgdb_arch.disable_hw_break
 * @regs: unused
 *
 * Nothing the debugger does may hit a watchpoint, whoever set it. Off means the
 * register and cpu_dr7: poking a breakpoint into text goes through a temporary
 * mm, whose end writes cpu_dr7 to DR7 where hw_breakpoint_active() says so.
 *
 * Context: this CPU enters the debugger. kgdb_correct_hw_break() undoes it.
 */
void kgdb_disable_hw_debug(struct pt_regs *regs)
{
	set_debugreg(KGDB_DR7_DISABLED, 7);
	take_hits();
	if (this_cpu_read(kgdb_db.off))
		return;
	this_cpu_write(kgdb_db.off_dr7, this_cpu_read(cpu_dr7));
	this_cpu_write(kgdb_db.off, true);
	this_cpu_write(cpu_dr7, 0);
}
NOKPROBE_SYMBOL(kgdb_disable_hw_debug);

/*
 * #DB has one stack on x86_64, from its top: a second one would overwrite the
 * frame of the first. An NMI may have come while #DB was on its way in or out
 * there, with breakpoints enabled.
 */
static __always_inline bool on_db_stack(struct pt_regs *regs)
{
#ifdef CONFIG_X86_64
	struct cea_exception_stacks *stacks = this_cpu_read(cea_exception_stacks);

	return regs->sp > CEA_ESTACK_BOT(stacks, DB) &&
	       regs->sp <= CEA_ESTACK_TOP(stacks, DB);
#else
	return false;
#endif
}

/**
 * kgdb_nmi_begin() - let the NMI handlers hit KGDB's breakpoints
 * @regs: where the NMI came
 *
 * exc_nmi() has disabled all breakpoints, for the sake of the memory its entry
 * and exit use. Not in an NMI that came while #DB or #MC were handled.
 *
 * Context: exc_nmi(), after local_db_save().
 */
noinstr void kgdb_nmi_begin(struct pt_regs *regs)
{
	if (this_cpu_read(kgdb_db.depth) != 1 || on_db_stack(regs))
		return;

	this_cpu_write(kgdb_db.nmi_armed, true);
	if (this_cpu_read(kgdb_db.dr7))
		set_debugreg(this_cpu_read(kgdb_db.dr7) | KGDB_DR7_DISABLED, 7);
}

/**
 * kgdb_nmi_end() - the other end of kgdb_nmi_begin()
 *
 * Context: exc_nmi(), before local_db_restore().
 */
noinstr void kgdb_nmi_end(void)
{
	if (!this_cpu_read(kgdb_db.nmi_armed))
		return;

	set_debugreg(KGDB_DR7_DISABLED, 7);
	barrier();
	this_cpu_write(kgdb_db.nmi_armed, false);
}

/**
 * kgdb_cpu_starting() - this CPU's debug registers have been reset
 *
 * What it had when it went offline it has no more.
 *
 * Context: cpu_init(), interrupts off.
 */
void kgdb_cpu_starting(void)
{
	/* Nothing was ever set: the registers are not touched */
	if (!kgdb_watch_settled())
		return;

	this_cpu_write(synced, 0);
	kgdb_arch_slots_sync();
}

/**
 * kgdb_percpu_copied() - a CPU's per-CPU area has been made
 * @cpu: whose; the boot CPU uses it from now on
 *
 * It is a copy of what the boot CPU had when the copying began. Whoever has
 * watched this memory was free to do so until now.
 *
 * Context: setup_per_cpu_areas(), interrupts off.
 */
void __init kgdb_percpu_copied(unsigned int cpu)
{
	if (!kgdb_watch_settled())
		return;

	set_debugreg(KGDB_DR7_DISABLED, 7);
	if (cpu != smp_processor_id()) {
		per_cpu(cpu_dr7, cpu) = 0;
		per_cpu(synced, cpu) = 0;
		memset(per_cpu_ptr(&kgdb_db, cpu), 0, sizeof(kgdb_db));
		memset(per_cpu_ptr(slot_events, cpu), 0, sizeof(slot_events));
	}
	kgdb_watch_recheck();
}

void kgdb_arch_slots_suspend(void)
{
	/* An NMI handler is not armed then: see kgdb_nmi_begin() */
	kgdb_db_save();
	this_cpu_write(kgdb_db.table, true);
	barrier();
	set_debugreg(KGDB_DR7_DISABLED, 7);
}
NOKPROBE_SYMBOL(kgdb_arch_slots_suspend);

void kgdb_arch_slots_resume(void)
{
	this_cpu_dec(kgdb_db.depth);
	this_cpu_write(kgdb_db.changed, false);
	this_cpu_write(kgdb_db.table, false);
	kgdb_arch_slots_sync();
}
NOKPROBE_SYMBOL(kgdb_arch_slots_resume);

void kgdb_arch_slots_hand_over(void)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(slot_events);
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (slot[i].installed && slot[i].early)
			slot[i].early = hw_breakpoint_adopt(&slot[i].event,
							    slot[i].reg);
	}
}

/* What was settled since the CPU started; it was not held by the debugger yet */
static int sync_online(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_arch_slots_sync();
	local_irq_restore(flags);
	return 0;
}

static bool is_qemu_tcg(void)
{
	u32 leaf = 0x40000000, signature[3];

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	asm volatile("cpuid" : "+a" (leaf), "=b" (signature[0]),
		     "=c" (signature[1]), "=d" (signature[2]) : "2" (0));
	return !memcmp(signature, "TCGTCGTCGTCG", sizeof(signature));
}

/**
 * kgdb_arch_watch_init() - learn what processor this is
 *
 * Context: kgdb gets its first I/O driver, which may be early in boot.
 */
void kgdb_arch_watch_init(void)
{
	emulated = is_qemu_tcg();
}

/**
 * kgdb_arch_late() - make ordinary slots of early ones
 *
 * Context: process, once kgdb has an I/O driver and the kernel is past early
 * boot.
 */
void kgdb_arch_late(void)
{
	static bool registered;
	int err;

	kgdb_watch_late();
	if (registered)
		return;

	err = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "kgdb:watchpoint",
					sync_online, NULL);
	if (err < 0)
		pr_err("KGDB: no watchpoints on CPUs that come online later: error %d\n",
		       err);
	else
		registered = true;
}

/**
 * kgdb_arch_watch_exit() - disarm everything when kgdb loses its I/O driver
 *
 * kdb may have left breakpoints behind; gdb has detached by then.
 *
 * Context: process, interrupts on.
 */
void kgdb_arch_watch_exit(void)
{
	kgdb_remove_every_hw_break();
}
