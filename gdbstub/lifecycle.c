// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to watchpoints at the edge of the debugger and outside of it: the
 * machine goes on, memory is freed, a CPU starts, early boot ends, KGDB loses
 * its I/O driver.
 *
 * Outside, nobody may enter the debugger while the table changes, and the CPU
 * that changes it may hit nothing, since it would wait for itself.
 */
#define pr_fmt(fmt) "KGDB: " fmt

#include <linux/bits.h>
#include <linux/cpuhotplug.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/stop_machine.h>
#include <linux/workqueue.h>

#include <asm/sections.h>

#include "client.h"
#include "room.h"
#include "slots.h"
#include "table.h"

/* This CPU changes the table, and holds the master's lock */
static DEFINE_PER_CPU(bool, table_busy);

static unsigned long change_begin(void)
	__acquires(&dbg_master_lock)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_slot_arch->off(NULL);
	this_cpu_write(table_busy, true);
	raw_spin_lock(&dbg_master_lock);
	return flags;
}

static void change_end(unsigned long flags)
	__releases(&dbg_master_lock)
{
	raw_spin_unlock(&dbg_master_lock);
	this_cpu_write(table_busy, false);
	kgdb_watch_leave();
	local_irq_restore(flags);
}

/**
 * kgdb_watch_table_busy() - is this CPU changing the table?
 *
 * A single step there must not enter the debugger, which would wait for the
 * end of the change.
 *
 * Context: the debug exception.
 * Return: true if so.
 */
bool kgdb_watch_table_busy(void)
{
	return this_cpu_read(table_busy);
}
NOKPROBE_SYMBOL(kgdb_watch_table_busy);

static void sync_cpu(void *unused)
{
	kgdb_slots_sync();
}

/* Whether some slots could not be given back */
static int release_idle(void *unused)
{
	unsigned long flags = change_begin();
	int left;

	kgdb_slots_release_idle();
	left = kgdb_slots_idle() != 0;
	change_end(flags);
	return left;
}

static void release_later(struct work_struct *work);

static DECLARE_DELAYED_WORK(release_work, release_later);

/* All CPUs are brought in line with the table; then perf can have the slots */
static void apply_everywhere(void)
{
	on_each_cpu(sync_cpu, NULL, 1);
	/*
	 * With all CPUs held, nobody takes perf's lock after it is looked at.
	 * A task that was preempted in perf's accounting has it: that goes on.
	 */
	if (stop_machine(release_idle, NULL, NULL))
		schedule_delayed_work(&release_work, HZ / 10);
}

static void release_later(struct work_struct *work)
{
	apply_everywhere();
}

static void queue_release_work(struct irq_work *work)
{
	/* A retry that is queued already runs soon */
	schedule_delayed_work(&release_work, 0);
}

/* Raises an interrupt, for when the debugger has been left */
static struct irq_work release_kick = IRQ_WORK_INIT(queue_release_work);

/**
 * kgdb_watch_resume() - the machine is about to go on: settle what is watched
 *
 * Slots that nobody watches with are given back to perf. All CPUs that are held
 * apply what is settled before they run. One that did not stop may have such a
 * slot armed, and perf may have been stopped in the middle of its accounting:
 * in these two cases a work item gives them back.
 *
 * Context: master CPU about to leave the debugger.
 */
void kgdb_watch_resume(void)
{
	kgdb_client_continues();
	kgdb_table_lock_down();
	kgdb_table_settle();
	if (cpumask_empty(dbg_running_cpus()))
		kgdb_slots_release_idle();
	if (kgdb_slots_idle())
		irq_work_queue(&release_kick);
}

/* Finish a change: drop what is on freed memory, and say so */
static void forget(u32 which, unsigned long flags)
	__releases(&dbg_master_lock)
{
	struct kgdb_watch_spec gone[KGDB_WATCH_MAX];
	int i;

	for (i = 0; i < KGDB_WATCH_MAX; i++)
		gone[i] = kgdb_table_entry(i);
	kgdb_table_drop(which);
	change_end(flags);

	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		if (which & BIT(i))
			pr_info("%s at 0x%lx, length %lu, removed: its memory is freed\n",
				kgdb_type_name(gone[i].type), gone[i].addr,
				gone[i].len);
	}
	if (which)
		apply_everywhere();
}

static bool is_freed(const struct module *mod, unsigned long state,
		     unsigned long addr)
{
	if (state == MODULE_STATE_GOING && within_module_core(addr, mod))
		return true;
	return (state == MODULE_STATE_GOING || state == MODULE_STATE_LIVE) &&
	       within_module_init(addr, mod);
}

/**
 * kgdb_watch_module_freed() - drop the watchpoints on what a module gives back
 * @mod: the module
 * @state: MODULE_STATE_LIVE, when its init memory is about to be freed, or
 *         MODULE_STATE_GOING, when all of it is; others free nothing
 *
 * Whoever gets the memory next does not stop the machine. gdb is not told: it
 * tries to put them back at its next stop.
 *
 * Context: process, interrupts on.
 */
void kgdb_watch_module_freed(const struct module *mod, unsigned long state)
{
	struct kgdb_watch_spec spec;
	unsigned long flags;
	u32 which = 0;
	int i;

	if (!kgdb_slots_generation())
		return;

	flags = change_begin();
	for (i = 0; i < KGDB_WATCH_MAX; i++) {
		spec = kgdb_table_entry(i);
		if (spec.type != KGDB_WATCH_SOFTWARE &&
		    (is_freed(mod, state, spec.addr) ||
		     is_freed(mod, state, spec.addr + spec.len - 1)))
			which |= BIT(i);
	}
	forget(which, flags);
}

/**
 * kgdb_watch_free_init_mem() - drop the watchpoints on the kernel's init section
 *
 * Context: process, interrupts on; the section is about to be freed.
 */
void kgdb_watch_free_init_mem(void)
{
	unsigned long flags;
	u32 which;

	if (!kgdb_slots_generation()) {
		kgdb_room_init_mem_freed();
		return;
	}

	flags = change_begin();
	which = kgdb_table_within((unsigned long)__init_begin,
				  __init_end - __init_begin);
	kgdb_room_init_mem_freed();
	forget(which, flags);
}

/**
 * kgdb_watch_exit() - remove what either debugger has set, and disarm it
 *
 * For when KGDB loses its I/O driver: kdb may have left breakpoints behind;
 * gdb has detached by then.
 *
 * Context: process, interrupts on.
 */
void kgdb_watch_exit(void)
{
	unsigned long flags, idle;

	if (!kgdb_slots_generation())
		return;

	flags = change_begin();
	kgdb_table_drop(kgdb_table_within(0, ULONG_MAX));
	idle = kgdb_slots_idle();
	change_end(flags);
	/* Only if needed: it waits for all CPUs, and one may be stuck */
	if (idle)
		apply_everywhere();
}

/**
 * kgdb_watch_percpu_copied() - a CPU's per-CPU area has been made
 * @cpu: whose; the boot CPU uses it from now on
 *
 * It is a copy of what the boot CPU had when the copying began. Memory that
 * was free may be the exception entry code's by now. A watchpoint that was set
 * there before was legal; it is dropped, with a line in the log.
 *
 * Context: setup_per_cpu_areas(), interrupts off, one CPU.
 */
void __init kgdb_watch_percpu_copied(unsigned int cpu)
{
	unsigned long flags;

	if (!kgdb_slots_generation())
		return;

	flags = change_begin();
	kgdb_slot_arch->forget(cpu);
	kgdb_table_drop(kgdb_table_refused());
	change_end(flags);
}

/**
 * kgdb_watch_cpu_starting() - this CPU's debug registers have been reset
 *
 * It is armed at once. A CPU that starts is not held by anybody.
 *
 * Context: cpu_init(), interrupts off, or resume of this CPU.
 */
void kgdb_watch_cpu_starting(void)
{
	/* Nothing was ever set: the registers are not touched */
	if (!kgdb_slots_generation())
		return;

	kgdb_slot_arch->forget(smp_processor_id());
	kgdb_slots_sync();
}

/* What was settled since the CPU started; it was not held by the debugger yet */
static int sync_online(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	kgdb_slots_sync();
	local_irq_restore(flags);
	return 0;
}

static void account_for_early_slots(void)
{
	unsigned long flags;
	unsigned int refused;
	char text[96];

	if (!kgdb_slots_generation())
		return;

	flags = change_begin();
	refused = kgdb_slots_late();
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

/**
 * kgdb_watch_late() - the kernel is past early boot
 *
 * Slots that were set early are accounted for with perf; the registers stay as
 * they are.
 *
 * Context: process, once KGDB has an I/O driver and the kernel is past early
 * boot; the first time, the boot CPU with no other CPU yet.
 */
void kgdb_watch_late(void)
{
	static bool registered;
	int err;

	account_for_early_slots();
	if (registered)
		return;

	err = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "kgdb:watchpoint",
					sync_online, NULL);
	if (err < 0)
		pr_err("no watchpoints on CPUs that come online later: error %d\n",
		       err);
	else
		registered = true;
}
