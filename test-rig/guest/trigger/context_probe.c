// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: accesses made in the handlers of a kprobe, a kretprobe and ftrace
 *
 * Each of the three has a function of its own that does nothing. The running
 * thread leaves its request where the handler finds it, and calls the function.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/printk.h>

#include "trigger.h"

/* The request that the next handler on this CPU is to perform. Set with preemption off. */
static DEFINE_PER_CPU(struct trigger_request *, trigger_probe_request);

static void trigger_in_handler(void)
{
	struct trigger_request *request = this_cpu_xchg(trigger_probe_request, NULL);

	if (request)
		trigger_perform(request);
	/* No tail call: a backtrace is to show the handler. */
	barrier();
}

static int trigger_call(struct trigger_request *request, void (*target)(void))
{
	int result;

	preempt_disable();
	this_cpu_write(trigger_probe_request, request);
	/* The handler must find the request, and not after the call. */
	barrier();
	target();
	barrier();
	result = this_cpu_xchg(trigger_probe_request, NULL) ? -ENXIO : 0;
	preempt_enable();
	return result;
}

#ifdef CONFIG_KPROBES

/* Where the kprobe sits: not at the entry, where ftrace would stand in for the trap. */
extern const unsigned long trigger_kprobe_at;

static noinline void trigger_kprobe_target(void)
{
	asm volatile("1:	nop\n\t"
		     ".pushsection .rodata\n\t"
		     ".balign 8\n"
		     "trigger_kprobe_at:\n\t"
#ifdef CONFIG_64BIT
		     ".quad 1b\n\t"
#else
		     ".long 1b\n\t"
#endif
		     ".popsection");
}

static noinline void trigger_kretprobe_target(void)
{
	asm volatile("");
}

static int trigger_kprobe_handler(struct kprobe *kprobe, struct pt_regs *regs)
{
	trigger_in_handler();
	return 0;
}

/* There so that the probe is neither optimised nor boosted: it always traps. */
static void trigger_kprobe_post_handler(struct kprobe *kprobe, struct pt_regs *regs,
					unsigned long flags)
{
}

static int trigger_kretprobe_handler(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	trigger_in_handler();
	return 0;
}

static struct kprobe trigger_kprobe = {
	.pre_handler = trigger_kprobe_handler,
	.post_handler = trigger_kprobe_post_handler,
};

static struct kretprobe trigger_kretprobe = {
	.kp.addr = (kprobe_opcode_t *)trigger_kretprobe_target,
	.handler = trigger_kretprobe_handler,
};

int trigger_in_kprobe(struct trigger_request *request)
{
	return trigger_call(request, trigger_kprobe_target);
}

int trigger_in_kretprobe(struct trigger_request *request)
{
	return trigger_call(request, trigger_kretprobe_target);
}

static int trigger_kprobes_register(void)
{
	int result;

	trigger_kprobe.addr = (kprobe_opcode_t *)trigger_kprobe_at;
	result = register_kprobe(&trigger_kprobe);
	if (result) {
		pr_err("no kprobe: error %d\n", result);
		return result;
	}
	result = register_kretprobe(&trigger_kretprobe);
	if (result) {
		pr_err("no kretprobe: error %d\n", result);
		unregister_kprobe(&trigger_kprobe);
	}
	return result;
}

static void trigger_kprobes_unregister(void)
{
	unregister_kretprobe(&trigger_kretprobe);
	unregister_kprobe(&trigger_kprobe);
}

#else

static int trigger_kprobes_register(void)
{
	return 0;
}

static void trigger_kprobes_unregister(void)
{
}

#endif

#ifdef CONFIG_FUNCTION_TRACER

static noinline void trigger_ftrace_target(void)
{
	asm volatile("");
}

static void trigger_ftrace_callback(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	trigger_in_handler();
}

static struct ftrace_ops trigger_ftrace_ops = {
	.func = trigger_ftrace_callback,
};

int trigger_in_ftrace(struct trigger_request *request)
{
	return trigger_call(request, trigger_ftrace_target);
}

static int trigger_ftrace_register(void)
{
	int result;

	result = ftrace_set_filter_ip(&trigger_ftrace_ops, (unsigned long)trigger_ftrace_target,
				      0, 0);
	if (!result)
		result = register_ftrace_function(&trigger_ftrace_ops);
	if (result) {
		pr_err("no ftrace callback: error %d\n", result);
		ftrace_free_filter(&trigger_ftrace_ops);
	}
	return result;
}

static void trigger_ftrace_unregister(void)
{
	unregister_ftrace_function(&trigger_ftrace_ops);
	ftrace_free_filter(&trigger_ftrace_ops);
}

#else

static int trigger_ftrace_register(void)
{
	return 0;
}

static void trigger_ftrace_unregister(void)
{
}

#endif

int trigger_context_probe_init(void)
{
	int result = trigger_kprobes_register();

	if (result)
		return result;
	result = trigger_ftrace_register();
	if (result)
		trigger_kprobes_unregister();
	return result;
}

void trigger_context_probe_exit(void)
{
	trigger_ftrace_unregister();
	trigger_kprobes_unregister();
}
