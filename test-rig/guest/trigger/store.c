// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: a store that kprobes can be set on, in each way that they work
 *
 * A kprobe executes a copy of the instruction that it stands on, elsewhere:
 *
 *	trapping	an int3, then the copy in a slot that ends in another one
 *	boosted		an int3, then the copy in a slot that ends in a jump back
 *	optimised	a jump in place of the five bytes from the store on, to a
 *			detour that has copies of them and a jump back
 *
 * One with a post_handler always traps, and that is what the file `probe` sets.
 * Kprobe events give the other two: see /proc/sys/debug/kprobes-optimization.
 *
 * store	the address of the store and that of the instruction behind it, both
 *		0x and hex digits, one space apart
 * probe	write 1 or 0: set or remove the trapping kprobe. Reads as the number
 *		of times that its pre-handler and its post-handler ran since it was
 *		set, decimal, one space apart.
 *
 * op=probed of `run` executes the store.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": probe: " fmt

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include <asm/asm.h>

#include "trigger.h"

#if TRIGGER_HAS_PROBED

/*
 * Of the store, and of what follows it. There are no labels in the text: gdb
 * would take them for functions.
 */
extern const unsigned long trigger_store_at[2];

/*
 * The nops are what else an optimised kprobe copies. None of them is the target
 * of a jump.
 */
noinline void trigger_write_probed(void *address, u64 value)
{
	asm volatile("1:	movl %1, %0\n"
		     "2:	.skip 8, 0x90\n\t"
		     ".pushsection .rodata\n\t"
		     ".balign 8\n"
		     "trigger_store_at:\n\t"
		     _ASM_PTR " 1b, 2b\n\t"
		     ".popsection"
		     : "=m" (*(u32 *)address) : "r" ((u32)value));
}

static DEFINE_MUTEX(store_mutex);
static bool store_probed;
static atomic_long_t store_before = ATOMIC_LONG_INIT(0);
static atomic_long_t store_after = ATOMIC_LONG_INIT(0);

static int store_pre_handler(struct kprobe *kprobe, struct pt_regs *regs)
{
	atomic_long_inc(&store_before);
	return 0;
}

static void store_post_handler(struct kprobe *kprobe, struct pt_regs *regs, unsigned long flags)
{
	atomic_long_inc(&store_after);
}

static struct kprobe store_probe;

/* The caller holds store_mutex. */
static int store_probe_set(bool on)
{
	int result = 0;

	if (on == store_probed)
		return 0;
	if (on) {
		store_probe = (struct kprobe) {
			.addr = (kprobe_opcode_t *)trigger_store_at[0],
			.pre_handler = store_pre_handler,
			.post_handler = store_post_handler,
		};
		atomic_long_set(&store_before, 0);
		atomic_long_set(&store_after, 0);
		result = register_kprobe(&store_probe);
	} else {
		unregister_kprobe(&store_probe);
	}
	if (result)
		pr_err("no kprobe: error %d\n", result);
	else
		store_probed = on;
	return result;
}

static ssize_t probe_write(struct file *file, const char __user *buffer, size_t length,
			   loff_t *position)
{
	bool on;
	int result;

	result = kstrtobool_from_user(buffer, length, &on);
	if (result)
		return result;
	mutex_lock(&store_mutex);
	result = store_probe_set(on);
	mutex_unlock(&store_mutex);
	return result ? result : length;
}

static int probe_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "%ld %ld\n", atomic_long_read(&store_before),
		   atomic_long_read(&store_after));
	return 0;
}
DEFINE_SHOW_STORE_ATTRIBUTE(probe);

static int store_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "0x%lx 0x%lx\n", trigger_store_at[0], trigger_store_at[1]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(store);

void trigger_store_files(struct dentry *directory)
{
	debugfs_create_file("store", 0400, directory, NULL, &store_fops);
	debugfs_create_file("probe", 0600, directory, NULL, &probe_fops);
}

/* The files are gone. */
void trigger_store_exit(void)
{
	store_probe_set(false);
}

#endif
