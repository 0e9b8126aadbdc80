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
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/hw_breakpoint.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/smp.h>

#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/hw_breakpoint.h>
#include <asm/processor.h>

#include "../../../kernel/debug/watchpoint/plan.h"

/**
 * struct kgdb_slot_event - one slot on one CPU
 * @event: what occupies the debug register
 * @generation: of the slot when it was programmed
 * @installed: @event holds a debug register
 */
struct kgdb_slot_event {
	struct perf_event event;
	unsigned int generation;
	bool installed;
};

static DEFINE_PER_CPU(struct kgdb_slot_event, slot_events[KGDB_HW_SLOTS]);

/* What each slot is to be programmed to; valid while it is reserved */
static struct {
	struct perf_event_attr attr;
	struct arch_hw_breakpoint hw;
} slot_config[KGDB_HW_SLOTS];

DEFINE_PER_CPU(unsigned int, kgdb_db_depth);
DEFINE_PER_CPU(bool, kgdb_dr7_changed);
DEFINE_PER_CPU(unsigned int, kgdb_stale_slots);
DEFINE_PER_CPU(unsigned int, kgdb_unread_slots);

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
	unsigned int i = slot - this_cpu_ptr(slot_events);
	unsigned int generation = READ_ONCE(slot->generation);

	/* In this order: the slot may change between any two instructions */
	barrier();
	if (!(this_cpu_read(kgdb_stale_slots) & BIT(i)))
		kgdb_hit_record(i, generation);
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

static const char *check_slot(const struct kgdb_slot_spec *spec,
			      struct perf_event_attr *attr,
			      struct arch_hw_breakpoint *hw)
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
	case KGDB_WATCH_ACCESS:
		attr->bp_type = HW_BREAKPOINT_RW;
		break;
	default:
		return "the hardware has no such breakpoint";
	}

	if (spec->addr < TASK_SIZE_MAX)
		return "the address is in user space";
	if (hw_breakpoint_arch_parse(NULL, attr, hw))
		return spec->type == KGDB_WATCH_EXECUTE ?
			"a breakpoint there would stop the debugger itself" :
			"the exception entry code uses this memory";
	return NULL;
}

static void release_on(unsigned int slot, const struct cpumask *cpus)
{
	int cpu;

	for_each_cpu(cpu, cpus)
		dbg_release_bp_slot(&per_cpu_ptr(&slot_events[slot], cpu)->event);
}

/*
 * The perf layer counts slots per CPU. All possible CPUs are accounted for:
 * one that comes online later arms what is set by then.
 */
static int reserve(unsigned int slot, const char **why)
{
	static struct cpumask done;
	struct perf_event *event;
	int cpu, err;

	cpumask_clear(&done);
	for_each_possible_cpu(cpu) {
		event = &per_cpu_ptr(&slot_events[slot], cpu)->event;
		event->cpu = cpu;
		event->attr = slot_config[slot].attr;
		event->overflow_handler = kgdb_hw_overflow_handler;
		err = dbg_reserve_bp_slot(event);
		if (err) {
			release_on(slot, &done);
			if (err == -ENOSPC) {
				*why = "perf or ptrace holds the remaining debug registers";
				return err;
			}
			*why = "perf is changing its breakpoints: continue and try again";
			return -EBUSY;
		}
		cpumask_set_cpu(cpu, &done);
	}
	return 0;
}

int kgdb_arch_slot_reserve(unsigned int slot, const struct kgdb_slot_spec *spec,
			   bool held, const char **why)
{
	struct arch_hw_breakpoint hw = { };
	struct perf_event_attr attr;
	int err;

	*why = check_slot(spec, &attr, &hw);
	if (*why)
		return -EINVAL;

	if (!held) {
		slot_config[slot].attr = attr;
		err = reserve(slot, why);
		if (err)
			return err;
	}
	slot_config[slot].attr = attr;
	slot_config[slot].hw = hw;
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

static bool uninstall(struct kgdb_slot_event *slot)
{
	if (!slot->installed)
		return false;
	arch_uninstall_hw_breakpoint(&slot->event);
	slot->installed = false;
	return true;
}
NOKPROBE_SYMBOL(uninstall);

static bool install(struct kgdb_slot_event *slot, unsigned int i,
		    unsigned int generation)
{
	if (slot->installed)
		return false;
	slot->event.attr = slot_config[i].attr;
	slot->event.hw.info = slot_config[i].hw;
	slot->generation = generation;
	slot->installed = !arch_install_hw_breakpoint(&slot->event);
	return true;
}
NOKPROBE_SYMBOL(install);

/* Has this CPU hit something that no handler has read yet? */
static bool hit_unread(void)
{
	unsigned long dr6;

#ifdef X86_FEATURE_FRED
	/* The hit is on the stack, and what DR6 holds is of no account */
	if (cpu_feature_enabled(X86_FEATURE_FRED))
		return false;
#endif
	get_debugreg(dr6, 6);
	return dr6 & DR_TRAP_BITS;
}
NOKPROBE_SYMBOL(hit_unread);

/* What DR6, or the handler this CPU may be in, knows of these slots is void */
static void forget_hits(unsigned int changed)
{
	if (hit_unread())
		this_cpu_or(kgdb_unread_slots, changed);
	this_cpu_or(kgdb_stale_slots, changed);
}
NOKPROBE_SYMBOL(forget_hits);

void kgdb_arch_slots_sync(void)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(slot_events);
	unsigned int generation[KGDB_HW_SLOTS];
	bool wanted[KGDB_HW_SLOTS];
	unsigned int changed = 0;
	int i;

	/* Take out first: what comes in may need the register */
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		wanted[i] = kgdb_slot_wanted(i, &generation[i]);
		if (!wanted[i] || slot[i].generation != generation[i])
			changed |= uninstall(&slot[i]) ? BIT(i) : 0;
	}
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (wanted[i])
			changed |= install(&slot[i], i, generation[i]) ? BIT(i) : 0;
	}
	if (changed)
		forget_hits(changed);

	/*
	 * Inside #DB or NMI breakpoints stay disabled until the handler
	 * returns: see kgdb_db_restore().
	 */
	if (this_cpu_read(kgdb_db_depth)) {
		set_debugreg(KGDB_DR7_DISABLED, 7);
		this_cpu_write(kgdb_dr7_changed, true);
	} else {
		set_debugreg(this_cpu_read(cpu_dr7) | KGDB_DR7_DISABLED, 7);
	}
}
NOKPROBE_SYMBOL(kgdb_arch_slots_sync);

/**
 * kgdb_disable_hw_debug() - kgdb_arch.disable_hw_break
 * @regs: unused
 *
 * Nothing the debugger does may hit a watchpoint, whoever set it.
 *
 * Context: this CPU enters the debugger. kgdb_correct_hw_break() undoes it.
 */
void kgdb_disable_hw_debug(struct pt_regs *regs)
{
	set_debugreg(KGDB_DR7_DISABLED, 7);
}
NOKPROBE_SYMBOL(kgdb_disable_hw_debug);

static void uninstall_all(void)
{
	struct kgdb_slot_event *slot = this_cpu_ptr(slot_events);
	int i;

	for (i = 0; i < KGDB_HW_SLOTS; i++)
		uninstall(&slot[i]);
}

/*
 * The registers lost their contents while the CPU was down. It may have been
 * rounded up, and have armed them again, after it was told to go.
 */
static int sync_online(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	uninstall_all();
	kgdb_arch_slots_sync();
	local_irq_restore(flags);
	return 0;
}

static int uninstall_offline(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	uninstall_all();
	local_irq_restore(flags);
	return 0;
}

/**
 * kgdb_arch_late() - get ready to arm CPUs that come online later
 *
 * Context: process, once kgdb has an I/O driver and the kernel is past early
 * boot.
 */
void kgdb_arch_late(void)
{
	static bool registered;
	int err;

	if (registered)
		return;

	err = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "kgdb:watchpoint",
					sync_online, uninstall_offline);
	if (err < 0)
		pr_err("KGDB: no watchpoints on CPUs that come online later: error %d\n",
		       err);
	else
		registered = true;
}

static void sync_cpu(void *unused)
{
	kgdb_arch_slots_sync();
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
	kgdb_remove_all_hw_break();
	on_each_cpu(sync_cpu, NULL, 1);
	kgdb_release_idle_slots();
}
