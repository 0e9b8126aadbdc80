// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: the contexts that an access can be made in
 *
 * context_probe.c has those that are handlers of kprobes and of ftrace.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>

#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/nmi.h>
#endif

#include "trigger.h"

static int trigger_in_task(struct trigger_request *request)
{
	trigger_perform(request);
	return 0;
}

static void trigger_tasklet(struct tasklet_struct *tasklet)
{
	trigger_perform(container_of(tasklet, struct trigger_request, tasklet));
}

static void trigger_raise_tasklet(struct irq_work *irq_work)
{
	struct trigger_request *request =
		container_of(irq_work, struct trigger_request, irq_work);

	tasklet_hi_schedule(&request->tasklet);
}

/*
 * A tasklet scheduled by a thread would run in ksoftirqd; scheduled by an
 * interrupt it runs when that returns, on top of whatever was interrupted.
 */
static int trigger_in_softirq(struct trigger_request *request)
{
	tasklet_setup(&request->tasklet, trigger_tasklet);
	request->irq_work = IRQ_WORK_INIT_HARD(trigger_raise_tasklet);
	irq_work_queue(&request->irq_work);
	irq_work_sync(&request->irq_work);
	/* Waits until it has run. */
	tasklet_kill(&request->tasklet);
	return 0;
}

static void trigger_irq_work(struct irq_work *irq_work)
{
	trigger_perform(container_of(irq_work, struct trigger_request, irq_work));
}

static int trigger_in_hardirq(struct trigger_request *request)
{
	request->irq_work = IRQ_WORK_INIT_HARD(trigger_irq_work);
	irq_work_queue(&request->irq_work);
	irq_work_sync(&request->irq_work);
	return 0;
}

static int trigger_in_irqsoff(struct trigger_request *request)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&request->lock, flags);
	trigger_perform(request);
	raw_spin_unlock_irqrestore(&request->lock, flags);
	return 0;
}

#ifdef CONFIG_X86_LOCAL_APIC

/* The request that this CPU's next NMI is to perform. Set with preemption off. */
static DEFINE_PER_CPU(struct trigger_request *, trigger_nmi_request);

static int trigger_nmi(unsigned int type, struct pt_regs *regs)
{
	struct trigger_request *request = this_cpu_read(trigger_nmi_request);

	if (!request)
		return NMI_DONE;
	trigger_perform(request);
	this_cpu_write(trigger_nmi_request, NULL);
	return NMI_HANDLED;
}

static int trigger_in_nmi(struct trigger_request *request)
{
	unsigned int patience = USEC_PER_SEC;
	int cpu = get_cpu();
	int result = 0;

	this_cpu_write(trigger_nmi_request, request);
	/* The NMI must find the request. */
	barrier();
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);

	/* The time that a debugger takes in the NMI is not counted: it is on this CPU. */
	while (this_cpu_read(trigger_nmi_request) && patience--)
		udelay(1);
	if (this_cpu_xchg(trigger_nmi_request, NULL)) {
		pr_err("run: no NMI arrived on CPU %d within a second\n", cpu);
		result = -ETIMEDOUT;
	}
	put_cpu();
	return result;
}

static int trigger_nmi_register(void)
{
	return register_nmi_handler(NMI_LOCAL, trigger_nmi, 0, KBUILD_MODNAME);
}

static void trigger_nmi_unregister(void)
{
	unregister_nmi_handler(NMI_LOCAL, KBUILD_MODNAME);
}

#else

static int trigger_nmi_register(void)
{
	return 0;
}

static void trigger_nmi_unregister(void)
{
}

#endif

static const struct trigger_context trigger_contexts[] = {
	{ "task", trigger_in_task },
	{ "softirq", trigger_in_softirq },
	{ "hardirq", trigger_in_hardirq },
	{ "irqsoff", trigger_in_irqsoff },
#ifdef CONFIG_X86_LOCAL_APIC
	{ "nmi", trigger_in_nmi },
#endif
#ifdef CONFIG_KPROBES
	{ "kprobe", trigger_in_kprobe },
	{ "kretprobe", trigger_in_kretprobe },
#endif
#ifdef CONFIG_FUNCTION_TRACER
	{ "ftrace", trigger_in_ftrace },
#endif
};

const struct trigger_context *trigger_context_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(trigger_contexts); i++) {
		if (!strcmp(name, trigger_contexts[i].name))
			return &trigger_contexts[i];
	}
	return NULL;
}

int trigger_context_init(void)
{
	int result = trigger_nmi_register();

	if (result) {
		pr_err("no NMI handler: error %d\n", result);
		return result;
	}
	result = trigger_context_probe_init();
	if (result)
		trigger_nmi_unregister();
	return result;
}

void trigger_context_exit(void)
{
	trigger_context_probe_exit();
	trigger_nmi_unregister();
}
