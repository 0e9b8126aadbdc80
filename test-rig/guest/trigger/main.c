// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: perform exactly the memory accesses that a test asks for
 *
 * The module owns one page, kgdb_trigger_buffer. Nothing but the accesses asked
 * for ever touches it: not even the module, which keeps what the page should
 * hold in separate memory.
 *
 * Files, in /sys/kernel/debug/kgdb_trigger/:
 *
 * address	the address of the buffer: 0x and hex digits
 * count	the accesses completed since the module was loaded, decimal. An
 *		access at which a debugger stands is not in it yet.
 * expected	what the buffer holds as far as the module knows (it does not
 *		read it to find out): lines "OFFSET BYTES", both hex, of 32
 *		bytes each; lines that are all zero are left out. What a debugger
 *		writes to the buffer is not seen here.
 * run		write one line here and the accesses have been made when the
 *		write returns; run_line.c has the lines. Any number of runs may be
 *		under way at once.
 * memory	memory that is given back, and used afterwards: memory.c
 *
 * On x86 there are besides:
 *
 * store, probe	the store that kprobes can be set on: store.c
 * hold, letgo	keep a CPU in an NMI handler, and let it go: hold.c
 * callin	have an NMI handler call the debugger in: callin.c
 * debugreg	program a debug register, unchecked: debugreg.c
 * raise		raise #DB with any DR6: raise.c
 * patched	text that the kernel patches, and what else traps: patched.c
 *
 * A refused line is EINVAL, and the kernel log has the reason.
 *
 * This file sets the others up; none of them uses another one in a circle.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/module.h>

#include "trigger.h"

static struct dentry *trigger_directory;

/*
 * Neither __init nor __exit: lx-symbols does not tell gdb where those sections
 * are, and gdb then takes the addresses of the accesses for theirs.
 */
static int trigger_init(void)
{
	int result;

	result = trigger_context_init();
	if (result)
		return result;
	result = trigger_hold_init();
	if (result)
		goto no_hold;
	result = trigger_callin_init();
	if (result)
		goto no_callin;
	result = trigger_raise_init();
	if (result)
		goto no_raise;
	result = trigger_memory_init();
	if (result)
		goto no_memory;

	trigger_directory = debugfs_create_dir(KBUILD_MODNAME, NULL);
	if (IS_ERR(trigger_directory)) {
		result = PTR_ERR(trigger_directory);
		pr_err("no debugfs directory: error %d\n", result);
		goto no_directory;
	}
	trigger_run_files(trigger_directory);
	trigger_store_files(trigger_directory);
	trigger_hold_files(trigger_directory);
	trigger_callin_files(trigger_directory);
	trigger_debugreg_files(trigger_directory);
	trigger_raise_files(trigger_directory);
	trigger_patched_files(trigger_directory);
	trigger_memory_files(trigger_directory);
	return 0;

no_directory:
	trigger_memory_exit();
no_memory:
	trigger_raise_exit();
no_raise:
	trigger_callin_exit();
no_callin:
	trigger_hold_exit();
no_hold:
	trigger_context_exit();
	return result;
}

static void trigger_exit(void)
{
	debugfs_remove(trigger_directory);
	trigger_memory_exit();
	trigger_store_exit();
	trigger_raise_exit();
	trigger_callin_exit();
	trigger_hold_exit();
	trigger_context_exit();
}

module_init(trigger_init);
module_exit(trigger_exit);

MODULE_DESCRIPTION("Performs exactly the memory accesses that a watchpoint test asks for");
MODULE_LICENSE("GPL");
