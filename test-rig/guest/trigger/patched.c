// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: text that the kernel patches while it runs, and what else traps
 *
 * patched	reads as lines "NAME ADDRESS" (0x and hex digits), then as lines
 *		"NAME COUNT" (decimal). The addresses are those of
 *
 *		key	the instruction that the static key switches
 *		call	the instruction that the static call redirects
 *		int3	an int3 that is compiled in
 *
 *		and the counts are how often these were executed:
 *
 *		off, on		what follows the key's instruction
 *		first, second	the targets of the static call
 *		behind		what follows the int3
 *		passed		what follows the icebp
 *
 *		Write one line:
 *
 *		key=0, key=1	switch the static key
 *		call=0, call=1	have the static call call the first or the second
 *		run		execute what is patched
 *		int3		execute the int3
 *		icebp		execute an icebp, which raises #DB and says nothing in DR6.
 *				QEMU 7.2 stands still there
 *		mmio		read a device's register through a new mapping of
 *				it, 4 times; what mmiotrace steps over
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": patched: " fmt

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/static_call.h>
#include <linux/string.h>

#include <asm/asm.h>

#include "trigger.h"

#ifdef CONFIG_X86

/* The HPET, of QEMU's "pc" machine as of any other */
#define DEVICE_ADDRESS	0xfed00000
#define DEVICE_READS	4

static DEFINE_MUTEX(patched_mutex);
static unsigned long off, on, first, second, behind, passed;

static noinline void call_first(void)
{
	first++;
}

static noinline void call_second(void)
{
	second++;
}

static DEFINE_STATIC_KEY_FALSE(patched_key);
DEFINE_STATIC_CALL(patched_call, call_first);

static noinline void patched_run(void)
{
	if (static_branch_unlikely(&patched_key))
		on++;
	else
		off++;
	static_call(patched_call)();
	barrier();	/* no tail call */
}

/* An array, for its address; there are no labels in the text: gdb would take them for functions. */
extern const unsigned long patched_int3_at[1];

static noinline void patched_int3(void)
{
	asm volatile("1:	int3\n\t"
		     ".pushsection .rodata\n\t"
		     ".balign 8\n"
		     "patched_int3_at:\n\t"
		     _ASM_PTR " 1b\n\t"
		     ".popsection");
	behind++;
}

/* SDM vol. 2A, "INT n/INTO/INT3/INT1": few assemblers know a name for it. */
static noinline void patched_icebp(void)
{
	asm volatile(".byte 0xf1" : : : "memory");
	passed++;
}

static unsigned long key_address(void)
{
#ifdef CONFIG_JUMP_LABEL
	struct jump_entry *entry = THIS_MODULE->jump_entries;
	unsigned int i;

	for (i = 0; i < THIS_MODULE->num_jump_entries; i++, entry++) {
		if (jump_entry_key(entry) == &patched_key.key)
			return jump_entry_code(entry);
	}
#endif
	return 0;
}

/* The module has no other static call. */
static unsigned long call_address(void)
{
#ifdef CONFIG_HAVE_STATIC_CALL_INLINE
	struct static_call_site *site = THIS_MODULE->static_call_sites;
	unsigned int i;

	for (i = 0; i < THIS_MODULE->num_static_call_sites; i++, site++) {
		unsigned long address = (long)site->addr + (long)&site->addr;

		if (address - (unsigned long)patched_run < 256)
			return address;
	}
#endif
	return 0;
}

static int read_device(void)
{
	void __iomem *device = ioremap(DEVICE_ADDRESS, PAGE_SIZE);
	int i;

	if (!device)
		return -ENOMEM;
	for (i = 0; i < DEVICE_READS; i++)
		readl(device);
	iounmap(device);
	return 0;
}

static int patched_do(const char *line)
{
	if (!strcmp(line, "key=0"))
		static_branch_disable(&patched_key);
	else if (!strcmp(line, "key=1"))
		static_branch_enable(&patched_key);
	else if (!strcmp(line, "call=0"))
		static_call_update(patched_call, call_first);
	else if (!strcmp(line, "call=1"))
		static_call_update(patched_call, call_second);
	else if (!strcmp(line, "run"))
		patched_run();
	else if (!strcmp(line, "int3"))
		patched_int3();
	else if (!strcmp(line, "icebp"))
		patched_icebp();
	else if (!strcmp(line, "mmio"))
		return read_device();
	else
		return trigger_refuse("\"%s\" is none of key=, call=, run, int3, icebp, mmio", line);
	return 0;
}

static ssize_t patched_write(struct file *file, const char __user *buffer, size_t length,
			     loff_t *position)
{
	char line[LINE_MAX_LENGTH + 1];
	int result;

	result = trigger_get_line(line, buffer, length);
	if (result)
		return result;
	mutex_lock(&patched_mutex);
	result = patched_do(line);
	mutex_unlock(&patched_mutex);
	return result ? result : length;
}

static int patched_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "key 0x%lx\ncall 0x%lx\nint3 0x%lx\n", key_address(), call_address(),
		   patched_int3_at[0]);
	seq_printf(file, "off %lu\non %lu\nfirst %lu\nsecond %lu\nbehind %lu\npassed %lu\n", off, on,
		   first, second, behind, passed);
	return 0;
}
DEFINE_SHOW_STORE_ATTRIBUTE(patched);

void trigger_patched_files(struct dentry *directory)
{
	debugfs_create_file("patched", 0600, directory, NULL, &patched_fops);
}

#endif
