// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: keep a CPU in an NMI handler, where no debugger can round it up
 *
 * hold		write "CPU ITERATIONS", both decimal: the CPU is in the handler
 *		when the write returns, and stays until it is let go or has been
 *		round its loop that often. The writer must run on another CPU, and
 *		whatever else should go on as well: nothing runs on a CPU that is
 *		held, and whoever waits for it waits long. Reads as the list of
 *		the CPUs that are held.
 * letgo	write anything: no CPU is held when the write returns.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": hold: " fmt

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/time64.h>

#include "trigger.h"

#ifdef CONFIG_X86_LOCAL_APIC

#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/nmi.h>

#define ITERATIONS_MAX	1000000000U

/* How often this CPU's next NMI goes round; zero is not at all. */
static DEFINE_PER_CPU(unsigned int, hold_iterations);
static struct cpumask hold_cpus;
static bool hold_over;
static DEFINE_MUTEX(hold_mutex);

static int hold_nmi(unsigned int type, struct pt_regs *regs)
{
	unsigned int left = this_cpu_xchg(hold_iterations, 0);

	if (!left)
		return NMI_DONE;
	cpumask_set_cpu(smp_processor_id(), &hold_cpus);
	while (left-- && !READ_ONCE(hold_over))
		cpu_relax();
	cpumask_clear_cpu(smp_processor_id(), &hold_cpus);
	return NMI_HANDLED;
}

/* Send the NMI. The caller holds hold_mutex and the CPU hotplug lock. */
static int hold_begin(unsigned int cpu, unsigned int iterations)
{
	unsigned int patience = USEC_PER_SEC;

	if (!cpu_online(cpu))
		return trigger_refuse("CPU %u is not online", cpu);
	if (cpumask_test_cpu(cpu, &hold_cpus))
		return trigger_refuse("CPU %u is held already", cpu);
	if (cpu == smp_processor_id())
		return trigger_refuse("CPU %u is the one that the writer runs on", cpu);

	WRITE_ONCE(hold_over, false);
	per_cpu(hold_iterations, cpu) = iterations;
	/* The NMI must find it. */
	smp_mb();
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	while (!cpumask_test_cpu(cpu, &hold_cpus) && patience--)
		udelay(1);
	if (cpumask_test_cpu(cpu, &hold_cpus))
		return 0;
	per_cpu(hold_iterations, cpu) = 0;
	pr_err("no NMI arrived on CPU %u within a second\n", cpu);
	return -ETIMEDOUT;
}

static ssize_t hold_write(struct file *file, const char __user *buffer, size_t length,
			  loff_t *position)
{
	unsigned int cpu, iterations;
	char line[LINE_MAX_LENGTH + 1];
	int end = 0, result;

	result = trigger_get_line(line, buffer, length);
	if (result)
		return result;
	if (sscanf(line, "%u %u%n", &cpu, &iterations, &end) != 2 || line[end])
		return trigger_refuse("\"%s\": not CPU and ITERATIONS", line);
	if (cpu >= nr_cpu_ids)
		return trigger_refuse("there is no CPU %u", cpu);
	if (!iterations || iterations > ITERATIONS_MAX)
		return trigger_refuse("%u iterations: not within 1 to %u", iterations,
				      ITERATIONS_MAX);

	mutex_lock(&hold_mutex);
	cpus_read_lock();
	preempt_disable();
	result = hold_begin(cpu, iterations);
	preempt_enable();
	cpus_read_unlock();
	mutex_unlock(&hold_mutex);
	return result ? result : length;
}

static int hold_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "%*pbl\n", cpumask_pr_args(&hold_cpus));
	return 0;
}
DEFINE_SHOW_STORE_ATTRIBUTE(hold);

static void hold_end(void)
{
	WRITE_ONCE(hold_over, true);
	while (!cpumask_empty(&hold_cpus)) {
		cpu_relax();
		cond_resched();
	}
}

static ssize_t letgo_write(struct file *file, const char __user *buffer, size_t length,
			   loff_t *position)
{
	mutex_lock(&hold_mutex);
	hold_end();
	mutex_unlock(&hold_mutex);
	return length;
}

static const struct file_operations letgo_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = letgo_write,
};

int trigger_hold_init(void)
{
	int result = register_nmi_handler(NMI_LOCAL, hold_nmi, 0, KBUILD_MODNAME "_hold");

	if (result)
		pr_err("no NMI handler: error %d\n", result);
	return result;
}

void trigger_hold_files(struct dentry *directory)
{
	debugfs_create_file("hold", 0600, directory, NULL, &hold_fops);
	debugfs_create_file("letgo", 0200, directory, NULL, &letgo_fops);
}

/* The files are gone. */
void trigger_hold_exit(void)
{
	hold_end();
	unregister_nmi_handler(NMI_LOCAL, KBUILD_MODNAME "_hold");
}

#endif
