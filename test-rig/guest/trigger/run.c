// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: the file `run`, and what is known of the buffer
 *
 * A line for `run` is made of NAME=VALUE fields in any order, with one space
 * between two fields and at most one newline, at the end. Each field is given
 * at most once. Numbers are decimal, but for value=, which is hex with or
 * without 0x.
 *
 * op=read|write|rmw|probed|random	always needed
 *	read	load, and discard what was loaded
 *	write	store value=
 *	rmw	add value= in one instruction (x86: lock add; arm64: stadd,
 *		refused where the CPU has no LSE atomics)
 *	probed	store value= by the one instruction that store.c lets kprobes be
 *		set on; size=4 only (x86 only)
 *	random	a sequence of reads and writes, see below
 * size=1|2|4|8		bytes per access; needed, but not with op=random. 8 needs a
 *			64-bit kernel.
 * offset=N		of the access in the buffer (default 0). Any alignment for
 *			read, write and probed, multiples of size for rmw. With op=random:
 *			where the span begins, a multiple of 8.
 * value=HEX		with op=write, op=rmw and op=probed only, and needed there; it
 *			must fit in size bytes
 * count=N		how many accesses (default 1; op=random: needed), 1 to 10000000
 * seed=N		op=random only, needed: 1 to 4294967295
 * span=N		op=random only, needed: 8 to 4096, the bytes to stay within
 * cpu=N		the CPU to do it on, which must be online. It is done by a
 *			thread bound to it, "kgdb_trigger/N". Without it, by the
 *			writing process, wherever that runs.
 * context=		where each single access is made (default task):
 *	task	in the thread, preemptible
 *	softirq	in a tasklet, raised by an interrupt
 *	hardirq	in an interrupt (irq_work)
 *	irqsoff	in the thread, holding a raw spinlock, interrupts off
 *	nmi	in an NMI (x86 with a local APIC only)
 *	kprobe	in the pre-handler of a kprobe (on x86 one that traps)
 *	kretprobe	in the handler of a kretprobe
 *	ftrace	in a callback of the function tracer
 *
 * Anything else is refused with EINVAL and a line in the kernel log that says
 * why, before the first access. EINTR: a signal came, and the run ended early.
 * ENODEV: the CPU went offline during the run. ETIMEDOUT: no NMI arrived.
 * ENXIO: no probe fired.
 *
 * op=random draws from xorshift32, whose state begins as the seed; a draw is
 *
 *	x ^= x << 13; x ^= x >> 17; x ^= x << 5; (32 bits) and yields x.
 *
 * Each access takes four draws a, b, c, d, whatever it turns out to be:
 *
 *	size = 1 << (a % 4) on a 64-bit kernel, 1 << (a % 3) on a 32-bit one
 *	store if bit 16 of a is set, else load
 *	offset = offset= + size * (b % (span / size))
 *	value = the low size bytes of (d << 32 | c); if that is what the target
 *		holds already (see "expected"), value ^ 1
 *
 * So every store changes its target, provided that nobody else writes to it:
 * concurrent runs must keep to bytes of their own for that. Memory is taken to
 * be little-endian, as it is on every machine that this supports.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": run: " fmt

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "trigger.h"

#define COUNT_MAX	10000000
#define EXPECTED_LINE	32

/*
 * What kgdb_trigger_buffer holds, known without reading it. Changed by the
 * thread that runs a request, after the access; concurrent runs own different
 * bytes, or do not care.
 */
static u8 trigger_expected[BUFFER_SIZE];

static const char * const trigger_op_names[] = {
	[OP_READ] = "read",
	[OP_WRITE] = "write",
	[OP_RMW] = "rmw",
	[OP_PROBED] = "probed",
	[OP_RANDOM] = "random",
};

/* What the module expects at @offset, as a number of @size bytes. */
static u64 trigger_expected_get(unsigned int offset, unsigned int size)
{
	u64 value = 0;

	memcpy(&value, &trigger_expected[offset], size);
	return value;
}

static void trigger_expect(const struct trigger_access *access)
{
	u64 value = access->value;

	if (access->op == OP_READ)
		return;
	if (access->op == OP_RMW)
		value += trigger_expected_get(access->offset, access->size);
	memcpy(&trigger_expected[access->offset], &value, access->size);
}

static u32 trigger_draw(struct trigger_request *request)
{
	u32 x = request->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	request->random = x;
	return x;
}

/* The next access of a random run, as the top of this file has it. */
static void trigger_next_random(struct trigger_request *request)
{
	struct trigger_access *access = &request->access;
	u32 a = trigger_draw(request);
	u32 b = trigger_draw(request);
	u32 c = trigger_draw(request);
	u32 d = trigger_draw(request);

	access->op = a & BIT(16) ? OP_WRITE : OP_READ;
	access->size = 1 << (a % TRIGGER_SIZES);
	access->offset = request->offset +
			 access->size * (b % (request->span / access->size));
	access->value = ((u64)d << 32 | c) & GENMASK_ULL(8 * access->size - 1, 0);
	if (access->value == trigger_expected_get(access->offset, access->size))
		access->value ^= 1;
}

/* Perform a whole request in the current thread. */
static int trigger_run(struct trigger_request *request)
{
	u32 done;
	int result;

	raw_spin_lock_init(&request->lock);
	request->random = request->seed;
	request->access = (struct trigger_access) {
		.op = request->op,
		.size = request->size,
		.offset = request->offset,
		.value = request->value,
	};

	for (done = 0; done < request->count; done++) {
		if (READ_ONCE(request->stop) || signal_pending(current))
			return -EINTR;
		if (request->cpu >= 0 && request->cpu != raw_smp_processor_id()) {
			pr_err("CPU %d went offline after %u accesses\n",
			       request->cpu, done);
			return -ENODEV;
		}
		if (request->op == OP_RANDOM)
			trigger_next_random(request);
		result = request->context->perform(request);
		if (result)
			return result;
		trigger_expect(&request->access);
		cond_resched();
		/* Where QEMU's CPUs take turns, a busy one may keep its own for seconds; at PAUSE it gives it up. */
		if (request->op == OP_RANDOM)
			cpu_relax();
	}
	return 0;
}

static int trigger_thread(void *data)
{
	struct trigger_request *request = data;

	request->result = trigger_run(request);
	complete(&request->done);
	return 0;
}

/* Have a thread on the CPU of @request perform it, and wait for that. */
static int trigger_run_on_cpu(struct trigger_request *request)
{
	struct task_struct *thread;

	init_completion(&request->done);
	thread = kthread_create(trigger_thread, request, "kgdb_trigger/%d", request->cpu);
	if (IS_ERR(thread)) {
		pr_err("no thread for CPU %d\n", request->cpu);
		return PTR_ERR(thread);
	}

	cpus_read_lock();
	if (!cpu_online(request->cpu)) {
		cpus_read_unlock();
		/* Never woken, so it ends without running trigger_thread(). */
		kthread_stop(thread);
		pr_err("cpu=%d is not online\n", request->cpu);
		return -EINVAL;
	}
	kthread_bind(thread, request->cpu);
	wake_up_process(thread);
	cpus_read_unlock();

	if (wait_for_completion_interruptible(&request->done)) {
		WRITE_ONCE(request->stop, true);
		wait_for_completion(&request->done);
	}
	return request->result;
}

enum trigger_field {
	FIELD_OP, FIELD_SIZE, FIELD_OFFSET, FIELD_VALUE, FIELD_COUNT,
	FIELD_SEED, FIELD_SPAN, FIELD_CPU, FIELD_CONTEXT, FIELDS,
};

static const char * const trigger_field_names[] = {
	[FIELD_OP] = "op",
	[FIELD_SIZE] = "size",
	[FIELD_OFFSET] = "offset",
	[FIELD_VALUE] = "value",
	[FIELD_COUNT] = "count",
	[FIELD_SEED] = "seed",
	[FIELD_SPAN] = "span",
	[FIELD_CPU] = "cpu",
	[FIELD_CONTEXT] = "context",
};

/* The fields, as bits, that an operation must have, and those that it may have besides. */
#define FIELDS_ANY_OP	(BIT(FIELD_OFFSET) | BIT(FIELD_COUNT) | BIT(FIELD_CPU) | \
			 BIT(FIELD_CONTEXT))

static const unsigned long trigger_fields_needed[] = {
	[OP_READ] = BIT(FIELD_OP) | BIT(FIELD_SIZE),
	[OP_WRITE] = BIT(FIELD_OP) | BIT(FIELD_SIZE) | BIT(FIELD_VALUE),
	[OP_RMW] = BIT(FIELD_OP) | BIT(FIELD_SIZE) | BIT(FIELD_VALUE),
	[OP_PROBED] = BIT(FIELD_OP) | BIT(FIELD_SIZE) | BIT(FIELD_VALUE),
	[OP_RANDOM] = BIT(FIELD_OP) | BIT(FIELD_COUNT) | BIT(FIELD_SEED) | BIT(FIELD_SPAN),
};

/* The number @text of the field @name. Digits only: no sign, no blanks. */
static int trigger_parse_number(const char *name, const char *text, unsigned int base,
				u64 min, u64 max, u64 *number)
{
	if (!isxdigit(text[0]) || kstrtou64(text, base, number))
		return trigger_refuse("%s=%s: not a %s number of up to 64 bits", name, text,
				      base == 16 ? "hex" : "decimal");
	if (*number < min || *number > max)
		return trigger_refuse("%s=%s: not within %llu to %llu", name, text, min, max);
	return 0;
}

static int trigger_parse_op(const char *text, struct trigger_request *request)
{
	int op = match_string(trigger_op_names, ARRAY_SIZE(trigger_op_names), text);

	if (op < 0)
		return trigger_refuse("op=%s: not one of read, write, rmw, probed, random", text);
	if (op == OP_RMW && !trigger_has_rmw())
		return trigger_refuse("op=rmw: this CPU has no instruction for it");
	if (op == OP_PROBED && !TRIGGER_HAS_PROBED)
		return trigger_refuse("op=probed: this machine has no such store");
	request->op = op;
	return 0;
}

static int trigger_parse_context(const char *text, struct trigger_request *request)
{
	request->context = trigger_context_find(text);
	if (!request->context)
		return trigger_refuse("context=%s: no such context on this machine", text);
	return 0;
}

static int trigger_parse_field(enum trigger_field field, const char *text,
			       struct trigger_request *request)
{
	const char *name = trigger_field_names[field];
	unsigned int base = 10;
	u64 min = 0, max, number;
	int result;

	switch (field) {
	case FIELD_OP:
		return trigger_parse_op(text, request);
	case FIELD_CONTEXT:
		return trigger_parse_context(text, request);
	case FIELD_SIZE:
		min = 1;
		max = 8;
		break;
	case FIELD_OFFSET:
		max = BUFFER_SIZE - 1;
		break;
	case FIELD_VALUE:
		base = 16;
		max = U64_MAX;
		break;
	case FIELD_COUNT:
		min = 1;
		max = COUNT_MAX;
		break;
	case FIELD_SEED:
		/* Zero is the one state that xorshift never leaves. */
		min = 1;
		max = U32_MAX;
		break;
	case FIELD_SPAN:
		min = 8;
		max = BUFFER_SIZE;
		break;
	case FIELD_CPU:
		max = nr_cpu_ids - 1;
		break;
	default:
		return -EINVAL;
	}

	result = trigger_parse_number(name, text, base, min, max, &number);
	if (result)
		return result;

	switch (field) {
	case FIELD_SIZE:
		if (!is_power_of_2(number))
			return trigger_refuse("size=%s: not one of 1, 2, 4, 8", text);
		if (number > BIT(TRIGGER_SIZES - 1))
			return trigger_refuse("size=%s: needs a 64-bit kernel", text);
		request->size = number;
		break;
	case FIELD_OFFSET:
		request->offset = number;
		break;
	case FIELD_VALUE:
		request->value = number;
		break;
	case FIELD_COUNT:
		request->count = number;
		break;
	case FIELD_SEED:
		request->seed = number;
		break;
	case FIELD_SPAN:
		request->span = number;
		break;
	case FIELD_CPU:
		request->cpu = number;
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

/* What can only be judged when all fields, @given, are known. */
static int trigger_check(const struct trigger_request *request, unsigned long given)
{
	const char *op = trigger_op_names[request->op];
	unsigned long needed = trigger_fields_needed[request->op];
	unsigned long missing = needed & ~given;
	unsigned long strange = given & ~(needed | FIELDS_ANY_OP);
	unsigned int length = request->op == OP_RANDOM ? request->span : request->size;

	if (!(given & BIT(FIELD_OP)))
		return trigger_refuse("op= is missing");
	if (missing)
		return trigger_refuse("op=%s needs %s=", op, trigger_field_names[__ffs(missing)]);
	if (strange)
		return trigger_refuse("op=%s does not take %s=", op,
				      trigger_field_names[__ffs(strange)]);
	if (request->offset + length > BUFFER_SIZE)
		return trigger_refuse("%u bytes at offset=%u are not within the buffer's %u",
				      length, request->offset, BUFFER_SIZE);
	if (request->op == OP_RANDOM && request->offset % 8)
		return trigger_refuse("offset=%u: op=random takes multiples of 8 only",
				      request->offset);
	if (request->op == OP_PROBED && request->size != 4)
		return trigger_refuse("size=%u: op=probed takes 4 only", request->size);
	if (request->op == OP_RMW && request->offset % request->size)
		return trigger_refuse("offset=%u: op=rmw takes multiples of the size only",
				      request->offset);
	if (request->size && request->value > GENMASK_ULL(8 * request->size - 1, 0))
		return trigger_refuse("value=%llx does not fit in %u bytes", request->value,
				      request->size);
	return 0;
}

/* Fill @request from @line, which is one line without its newline and is cut up here. */
static int trigger_parse(char *line, struct trigger_request *request)
{
	unsigned long given = 0;
	char *text;
	int result;

	request->count = 1;
	request->cpu = -1;
	request->context = trigger_context_find("task");

	while ((text = strsep(&line, " "))) {
		char *name = strsep(&text, "=");
		int field;

		if (!text)
			return trigger_refuse("\"%s\": not NAME=VALUE, one space apart", name);
		field = match_string(trigger_field_names, FIELDS, name);
		if (field < 0)
			return trigger_refuse("\"%s\": no such field", name);
		if (given & BIT(field))
			return trigger_refuse("%s= is given twice", name);
		given |= BIT(field);
		result = trigger_parse_field(field, text, request);
		if (result)
			return result;
	}
	return trigger_check(request, given);
}

static ssize_t run_write(struct file *file, const char __user *buffer, size_t length,
			 loff_t *position)
{
	struct trigger_request request = { };
	char line[LINE_MAX_LENGTH + 1];
	int result;

	result = trigger_get_line(line, buffer, length);
	if (!result)
		result = trigger_parse(line, &request);
	if (result)
		return result;
	result = request.cpu < 0 ? trigger_run(&request) : trigger_run_on_cpu(&request);
	return result ? result : length;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
};

static int address_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "0x%lx\n", (unsigned long)kgdb_trigger_buffer);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(address);

static int count_show(struct seq_file *file, void *unused)
{
	seq_printf(file, "%ld\n", trigger_performed());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(count);

static int expected_show(struct seq_file *file, void *unused)
{
	unsigned int offset;

	for (offset = 0; offset < BUFFER_SIZE; offset += EXPECTED_LINE) {
		const u8 *bytes = &trigger_expected[offset];

		if (memchr_inv(bytes, 0, EXPECTED_LINE))
			seq_printf(file, "%03x %*phN\n", offset, EXPECTED_LINE, bytes);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(expected);

void trigger_run_files(struct dentry *directory)
{
	debugfs_create_file("address", 0400, directory, NULL, &address_fops);
	debugfs_create_file("count", 0400, directory, NULL, &count_fops);
	debugfs_create_file("expected", 0400, directory, NULL, &expected_fops);
	debugfs_create_file("run", 0200, directory, NULL, &run_fops);
}
