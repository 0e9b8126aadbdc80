// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: #DB with what the processor would say in DR6
 *
 * An emulator may name fewer registers than a processor does, or none where a
 * single step ends. What the kernel makes of such a DR6 needs no access: DR6 is
 * written, and "int $1" raises #DB without a change to it.
 *
 * raise	write BITS, hex with or without 0x: of B0 to B3 (1 to 8) and BS
 *		(4000). Reads as the addresses of an int3, and of the instruction
 *		behind the "int $1", both 0x and hex digits, one space apart.
 *
 * The "int $1" is executed by the handler of that int3, in the writer's task. So
 * a debugger that steps over the int3 is told of the exception: the processor
 * switches single steps off as it enters the handler.
 *
 * SDM vol. 3B, 18.2.3 "Debug Status Register (DR6)".
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": raise: " fmt

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kdebug.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/seq_file.h>

#include "trigger.h"

#ifdef CONFIG_X86

#include <asm/asm.h>
#include <asm/debugreg.h>

/* Of the int3, of what follows it, and of what follows the "int $1"; no labels, as in store.c */
extern const unsigned long trigger_int3_at[2], trigger_raised_at[1];

/* One writer at a time; what it asks for */
static DEFINE_MUTEX(raise_mutex);
static unsigned long raise_dr6;

static noinline void raise_int3(void)
{
	asm volatile("1:	int3\n"
		     "2:\n\t"
		     ".pushsection .rodata\n\t"
		     ".balign 8\n"
		     "trigger_int3_at:\n\t"
		     _ASM_PTR " 1b, 2b\n\t"
		     ".popsection" : : : "memory");
}

static noinline void raise_db(unsigned long dr6)
{
	asm volatile("mov %0, %%db6\n\t"
		     "int $1\n"
		     "1:\n\t"
		     ".pushsection .rodata\n\t"
		     ".balign 8\n"
		     "trigger_raised_at:\n\t"
		     _ASM_PTR " 1b\n\t"
		     ".popsection" : : "r" (dr6) : "memory");
}

static int raise_notify(struct notifier_block *self, unsigned long reason, void *data)
{
	const struct die_args *args = data;

	if (reason != DIE_INT3 || args->regs->ip != trigger_int3_at[1])
		return NOTIFY_DONE;
	raise_db(raise_dr6);
	return NOTIFY_STOP;
}

static struct notifier_block raise_notifier = { .notifier_call = raise_notify };

static ssize_t raise_write(struct file *file, const char __user *buffer, size_t length,
			   loff_t *position)
{
	unsigned long bits;
	int result;

	result = kstrtoul_from_user(buffer, length, 16, &bits);
	if (result)
		return result;
	if (bits & ~(unsigned long)(DR_TRAP_BITS | DR_STEP))
		return trigger_refuse("%lx: not of the bits 400f", bits);
	mutex_lock(&raise_mutex);
	/* The bits that are always 1, as long as nothing that they stand for has happened */
	raise_dr6 = DR6_RESERVED | bits;
	raise_int3();
	mutex_unlock(&raise_mutex);
	return length;
}

static int raise_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "0x%lx 0x%lx\n", trigger_int3_at[0], trigger_raised_at[0]);
	return 0;
}
DEFINE_SHOW_STORE_ATTRIBUTE(raise);

int trigger_raise_init(void)
{
	return register_die_notifier(&raise_notifier);
}

void trigger_raise_files(struct dentry *directory)
{
	debugfs_create_file("raise", 0600, directory, NULL, &raise_fops);
}

/* The file is gone. */
void trigger_raise_exit(void)
{
	unregister_die_notifier(&raise_notifier);
}

#endif
