// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: an NMI handler that calls the debugger in, as SGI UV's does
 *
 * callin	write "CPU CALLIN CALLBACK", the CPU decimal, the addresses of
 *		kgdb_nmicallin() and kgdb_nmicallback() (modules may not have
 *		them) 0x and hex digits: every CPU gets an NMI. That CPU calls
 *		the debugger in, the others wait until it is ready for them, and
 *		join. All have left when the write returns. ENODEV if KGDB refuses,
 *		ETIMEDOUT if a CPU gets no NMI.
 *
 * arch/x86/platform/uv/uv_nmi.c is what does that in the kernel.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": callin: " fmt

#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/processor.h>
#include <linux/smp.h>
#include <linux/time64.h>

#include "trigger.h"

#ifdef CONFIG_X86_LOCAL_APIC

#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/nmi.h>
#include <asm/trapnr.h>

/* What callin_ready is besides 0, which is "wait": KGDB sets it to 1 when it is ready for the others. */
#define CALLIN_JOIN	1
#define CALLIN_LEAVE	2

static struct cpumask callin_due, callin_others;
static unsigned int callin_cpu;
static int (*callin_function)(int cpu, int trapnr, void *regs, int err_code, atomic_t *ready);
static int (*callin_callback)(int cpu, void *regs);
static atomic_t callin_ready;
static DEFINE_MUTEX(callin_mutex);

static int callin_nmi(unsigned int type, struct pt_regs *regs)
{
	unsigned int cpu = smp_processor_id();
	int ready;

	if (!cpumask_test_cpu(cpu, &callin_due))
		return NMI_DONE;
	if (cpu == callin_cpu) {
		if (callin_function(cpu, X86_TRAP_NMI, regs, 0, &callin_ready))
			atomic_set(&callin_ready, CALLIN_LEAVE);
	} else {
		while (!(ready = atomic_read(&callin_ready)))
			cpu_relax();
		if (ready == CALLIN_JOIN)
			callin_callback(cpu, regs);
	}
	cpumask_clear_cpu(cpu, &callin_due);
	return NMI_HANDLED;
}

/* The caller holds callin_mutex and the CPU hotplug lock. */
static int callin_all(void)
{
	unsigned int patience = USEC_PER_SEC;

	atomic_set(&callin_ready, 0);
	cpumask_copy(&callin_due, cpu_online_mask);
	cpumask_andnot(&callin_others, cpu_online_mask, cpumask_of(get_cpu()));
	/* The NMIs must find that. */
	smp_mb();
	/* This CPU last: it does not go on until all have come. */
	apic->send_IPI_mask(&callin_others, NMI_VECTOR);
	apic->send_IPI_mask(cpumask_of(smp_processor_id()), NMI_VECTOR);
	put_cpu();
	while (!cpumask_empty(&callin_due) && patience--)
		udelay(1);
	if (!cpumask_empty(&callin_due)) {
		pr_err("CPUs %*pbl have not come back within a second\n",
		       cpumask_pr_args(&callin_due));
		atomic_set(&callin_ready, CALLIN_LEAVE);
		cpumask_clear(&callin_due);
		return -ETIMEDOUT;
	}
	if (atomic_read(&callin_ready) == CALLIN_LEAVE) {
		pr_err("KGDB does not come: no I/O driver of its is ready\n");
		return -ENODEV;
	}
	return 0;
}

static ssize_t callin_write(struct file *file, const char __user *buffer, size_t length,
			    loff_t *position)
{
	unsigned long function, callback;
	char line[LINE_MAX_LENGTH + 1];
	unsigned int cpu;
	int end = 0, result;

	result = trigger_get_line(line, buffer, length);
	if (result)
		return result;
	if (sscanf(line, "%u 0x%lx 0x%lx%n", &cpu, &function, &callback, &end) != 3 || line[end])
		return trigger_refuse("\"%s\": not CPU, CALLIN and CALLBACK", line);

	mutex_lock(&callin_mutex);
	cpus_read_lock();
	if (cpu < nr_cpu_ids && cpu_online(cpu)) {
		callin_cpu = cpu;
		callin_function = (void *)function;
		callin_callback = (void *)callback;
		result = callin_all();
	} else {
		result = trigger_refuse("CPU %u is not online", cpu);
	}
	cpus_read_unlock();
	mutex_unlock(&callin_mutex);
	return result ? result : length;
}

static const struct file_operations callin_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = callin_write,
};

int trigger_callin_init(void)
{
	int result = register_nmi_handler(NMI_LOCAL, callin_nmi, 0, KBUILD_MODNAME "_callin");

	if (result)
		pr_err("no NMI handler: error %d\n", result);
	return result;
}

void trigger_callin_files(struct dentry *directory)
{
	debugfs_create_file("callin", 0200, directory, NULL, &callin_fops);
}

/* The file is gone. */
void trigger_callin_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, KBUILD_MODNAME "_callin");
}

#endif
