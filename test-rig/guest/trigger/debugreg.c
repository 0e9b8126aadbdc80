// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: a debug register, programmed past every check
 *
 * To see what the machine does with a watchpoint where none should be.
 *
 * debugreg	write "CPU REGISTER ADDRESS TYPE LENGTH": REGISTER is 0 to 3,
 *		ADDRESS hex with or without 0x, TYPE one of x, w and rw, LENGTH
 *		one of 1, 2, 4 and 8 bytes.
 *
 * cpu_dr7 is brought in line, as the kernel does when it installs a breakpoint:
 * it looks there to see whether exception handlers have to switch breakpoints
 * off. Whose the register was, if anybody's, the kernel still believes it is:
 * they get the hits.
 *
 * SDM vol. 3B, 18.2 "Debug Registers".
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": debugreg: " fmt

#include <linux/bits.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "trigger.h"

#ifdef CONFIG_X86

#include <asm/debugreg.h>

struct debugreg_request {
	unsigned int number;
	unsigned long address;
	unsigned long control;	/* the R/W and LEN bits of DR7, at the lowest place */
};

/* On the CPU itself, interrupts off. The last line may be the last thing that it does. */
static void debugreg_program(void *data)
{
	const struct debugreg_request *request = data;
	unsigned int shift = DR_CONTROL_SHIFT + request->number * DR_CONTROL_SIZE;
	unsigned int enable = request->number * DR_ENABLE_SIZE;
	unsigned long dr7 = this_cpu_read(cpu_dr7);

	dr7 &= ~((unsigned long)(DR_RW_READ | DR_LEN_8) << shift);
	dr7 |= request->control << shift | (unsigned long)DR_GLOBAL_ENABLE << enable;
	set_debugreg(request->address, request->number);
	this_cpu_write(cpu_dr7, dr7);
	set_debugreg(dr7, 7);
}

static int debugreg_parse(const char *line, unsigned int *cpu, struct debugreg_request *request)
{
	static const char * const types[] = { "x", "w", "rw" };
	static const unsigned long type_bits[] = { DR_RW_EXECUTE, DR_RW_WRITE, DR_RW_READ };
	static const unsigned long length_bits[] = {
		[1] = DR_LEN_1, [2] = DR_LEN_2, [4] = DR_LEN_4, [8] = DR_LEN_8,
	};
	unsigned int length;
	char type[3];
	int end = 0, which;

	if (sscanf(line, "%u %u %lx %2s %u%n", cpu, &request->number, &request->address, type,
		   &length, &end) != 5 || line[end])
		return trigger_refuse("\"%s\": not CPU REGISTER ADDRESS TYPE LENGTH", line);
	if (request->number > 3)
		return trigger_refuse("there is no register %u", request->number);
	which = match_string(types, ARRAY_SIZE(types), type);
	if (which < 0)
		return trigger_refuse("%s: not one of x, w, rw", type);
	if (length != 1 && length != 2 && length != 4 && length != 8)
		return trigger_refuse("%u: not one of 1, 2, 4, 8", length);
	request->control = type_bits[which] | length_bits[length];
	return 0;
}

static ssize_t debugreg_write(struct file *file, const char __user *buffer, size_t length,
			      loff_t *position)
{
	struct debugreg_request request;
	char line[LINE_MAX_LENGTH + 1];
	unsigned int cpu;
	int result;

	result = trigger_get_line(line, buffer, length);
	if (!result)
		result = debugreg_parse(line, &cpu, &request);
	if (!result)
		result = smp_call_function_single(cpu, debugreg_program, &request, 1);
	return result ? result : length;
}

static const struct file_operations debugreg_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = debugreg_write,
};

void trigger_debugreg_files(struct dentry *directory)
{
	debugfs_create_file("debugreg", 0200, directory, NULL, &debugreg_fops);
}

#endif
