// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_values: variables of the shapes that people watch, and functions that
 * change them, for tests that use gdb with symbols.
 *
 * /sys/kernel/debug/kgdb_values takes one line: the name of an action of
 * values_actions[] below and a number, one space apart. The action has been
 * carried out when the write returns. A name that is none, or a number that is
 * none, is refused with EINVAL.
 *
 * Each action that stores makes one store of the size of the variable, unless
 * it says otherwise. The variables have 64 bytes each to themselves, so that
 * their neighbours can be stored to without reaching another one.
 */
#include <linux/compiler.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#ifdef CONFIG_X86
#include <asm/segment.h>
#endif

#define LINE_MAX_LENGTH 63

/* More than one slot can hold */
struct values_record {
	u64 first;
	u32 second;
	u32 third;
	u8 rest[16];
};

/* A member at an odd address */
struct values_packed {
	u8 before;
	u32 odd;
	u16 after;
} __packed;

/* A bit-field in two bytes, with neighbours in both of them */
struct values_bits {
	u32 low : 5;
	u32 across : 6;
	u32 high : 21;
};

struct values_node {
	struct values_node *next;
	int value;
};

static struct values_record values_record __aligned(64);
static struct values_packed values_packed __aligned(64);
static struct values_bits values_bits __aligned(64);
static struct values_node values_nodes[3] __aligned(64);
static struct values_node *values_head __aligned(64) = &values_nodes[0];
static int values_counter __aligned(64);
static int values_other __aligned(64);
static const struct values_record values_source = {
	.first = 0x0102030405060708, .second = 0x090a0b0c, .third = 0x0d0e0f10,
};

/* Stores one byte of the record: the number is 256 times its index, plus its value. */
static noinline void values_store_record(long number)
{
	WRITE_ONCE(((u8 *)&values_record)[(number >> 8) % sizeof(values_record)], number);
}

/* WRITE_ONCE() takes no packed members and no bit-fields; this makes their stores happen. */
#define values_used(variable)	asm volatile("" : : "r" (&(variable)) : "memory")

static noinline void values_store_before(long number)
{
	values_packed.before = number;
	values_used(values_packed);
}

static noinline void values_store_odd(long number)
{
	values_packed.odd = number;
	values_used(values_packed);
}

static noinline void values_store_after(long number)
{
	values_packed.after = number;
	values_used(values_packed);
}

/* The compiler loads and stores as many of the bytes as it likes. */
static noinline void values_store_across(long number)
{
	values_bits.across = number;
	values_used(values_bits);
}

/* The last byte, which has none of `across`. */
static noinline void values_store_high(long number)
{
	WRITE_ONCE(((u8 *)&values_bits)[3], number);
}

/* Nodes by number: the number is 256 times it, plus the value. */
static noinline void values_store_node(long number)
{
	WRITE_ONCE(values_nodes[(number >> 8) % ARRAY_SIZE(values_nodes)].value, number & 0xff);
}

static noinline void values_store_head(long number)
{
	/* Or its first value would be left out, as nobody reads it. */
	values_used(values_head);
	WRITE_ONCE(values_head, &values_nodes[number % ARRAY_SIZE(values_nodes)]);
}

static noinline void values_store_counter(long number)
{
	WRITE_ONCE(values_counter, number);
}

static noinline void values_load_counter(long number)
{
	(void)READ_ONCE(values_counter);
}

/* For a local variable in memory: whoever calls this has its address taken. */
static noinline void values_add(int *sum, int number)
{
	WRITE_ONCE(*sum, READ_ONCE(*sum) + number);
}

/*
 * Its local variable takes the values 0, 1, 3, 6, ... It lies far below the top of
 * the frame: QEMU 7.2 ends in a failed assertion when the processor pushes an
 * exception frame onto watched memory, which gdb's breakpoint in the caller would
 * make it do.
 */
static noinline int values_sum(int count)
{
	struct {
		int sum;
		u8 room[256];
	} local;
	int i;

	values_used(local);
	WRITE_ONCE(local.sum, 0);
	for (i = 1; i <= count; i++)
		values_add(&local.sum, i);
	return READ_ONCE(local.sum);
}

/* Calls values_sum() twice: the second time it has the same place on the stack. */
static noinline void values_local(long number)
{
	int twice;

	twice = values_sum(number);
	twice += values_sum(number);
	WRITE_ONCE(values_other, twice);
}

static noinline void values_inner(int number)
{
	WRITE_ONCE(values_other, number);
	WRITE_ONCE(values_counter, number);
	WRITE_ONCE(values_other, number + 1);
}

/* For stepping: a store of its own to the counter, one by values_inner(), and a loop. */
static noinline void values_steps(long number)
{
	int i;

	WRITE_ONCE(values_other, 0);
	WRITE_ONCE(values_counter, number);
	WRITE_ONCE(values_other, 1);
	values_inner(number + 1);
	WRITE_ONCE(values_other, 2);
	for (i = 0; i < 3; i++) {
		values_inner(number + 2 + i);
		/* Not to be unrolled */
		OPTIMIZER_HIDE_VAR(i);
	}
	WRITE_ONCE(values_other, 3);
}

static noinline void values_deepest(void)
{
	barrier();
}

/*
 * One frame within the other, each with variables of its own that it stores to
 * behind its call of the next. They lie so far below the top of the frame that
 * the debugger's way in does not reach them either: from within that gdb would
 * not find the frames that are still there.
 */
static noinline int values_frame(int depth)
{
	struct {
		int own;
		int beside;
		u8 room[1024];
	} local;

	values_used(local);
	WRITE_ONCE(local.own, depth);
	WRITE_ONCE(local.beside, 100 + depth);
	if (depth)
		values_frame(depth - 1);
	else
		values_deepest();
	WRITE_ONCE(local.own, 10 + depth);
	WRITE_ONCE(local.beside, 110 + depth);
	return READ_ONCE(local.own) + READ_ONCE(local.beside);
}

static noinline void values_frames(long number)
{
	WRITE_ONCE(values_other, values_frame(number));
}

/* By the functions of the kernel's, whatever instructions these use here */
static noinline void values_fill(long number)
{
	size_t size = sizeof(values_record);

	OPTIMIZER_HIDE_VAR(size);
	memset(&values_record, number, size);
}

static noinline void values_copy(long number)
{
	size_t size = sizeof(values_record);

	OPTIMIZER_HIDE_VAR(size);
	memcpy(&values_record, &values_source, size);
}

#ifdef CONFIG_X86
static u16 values_selector __aligned(64) = __KERNEL_DS;

/* A debug exception of the first instruction comes behind the second: SDM vol. 3A, 6.8.3. */
static noinline void values_load_selector(long number)
{
	asm volatile("mov %0, %%ss; nop; nop" : : "m" (values_selector));
}
#endif

static const struct {
	const char *name;
	void (*act)(long number);
} values_actions[] = {
	{ "record", values_store_record },
	{ "before", values_store_before },
	{ "odd", values_store_odd },
	{ "after", values_store_after },
	{ "across", values_store_across },
	{ "high", values_store_high },
	{ "node", values_store_node },
	{ "head", values_store_head },
	{ "counter", values_store_counter },
	{ "load", values_load_counter },
	{ "local", values_local },
	{ "steps", values_steps },
	{ "frames", values_frames },
	{ "fill", values_fill },
	{ "copy", values_copy },
#ifdef CONFIG_X86
	{ "selector", values_load_selector },
#endif
};

static ssize_t values_write(struct file *file, const char __user *buffer, size_t length,
			    loff_t *position)
{
	char line[LINE_MAX_LENGTH + 1] = { };
	char *text = line;
	const char *name;
	size_t i;
	long number;

	if (length > LINE_MAX_LENGTH)
		return -EINVAL;
	if (copy_from_user(line, buffer, length))
		return -EFAULT;
	name = strsep(&text, " ");
	if (!text || kstrtol(text, 0, &number))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(values_actions); i++) {
		if (!strcmp(values_actions[i].name, name)) {
			values_actions[i].act(number);
			return length;
		}
	}
	return -EINVAL;
}

static const struct file_operations values_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = values_write,
};

static struct dentry *values_file;

/* Neither __init nor __exit: see kgdb_trigger.c. */
static int values_init(void)
{
	values_file = debugfs_create_file(KBUILD_MODNAME, 0200, NULL, NULL, &values_fops);
	return PTR_ERR_OR_ZERO(values_file);
}

static void values_exit(void)
{
	debugfs_remove(values_file);
}

module_init(values_init);
module_exit(values_exit);

MODULE_DESCRIPTION("Variables of every shape for watchpoint tests");
MODULE_LICENSE("GPL");
