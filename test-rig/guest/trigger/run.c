// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: the file `run`, and what is known of the buffer
 *
 * run_line.c has the lines.
 *
 * A sequence draws from xorshift32, whose state begins as the seed; a draw is
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
 * With op=mixed, where an instruction can add, a store with bit 17 of a set is
 * an addition of that value instead, or of 1 if it is 0; and if bit 18 of a is
 * set, whatever the access,
 *
 *	offset = offset= + b % (span - size + 1)
 *
 * So every store changes its target, provided that nobody else writes to it:
 * concurrent runs must keep to bytes of their own for that. Memory is taken to
 * be little-endian, as it is on every machine that this supports.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": run: " fmt

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "trigger.h"

#define EXPECTED_LINE	32

/*
 * What kgdb_trigger_buffer holds, known without reading it. Changed by the
 * thread that runs a request, after the access; concurrent runs own different
 * bytes, or do not care.
 */
static u8 trigger_expected[BUFFER_SIZE];

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
	if (access->op == OP_ADD || access->op == OP_RMW)
		value += trigger_expected_get(access->offset, access->size);
	memcpy(&trigger_expected[access->offset], &value, min_t(size_t, access->size, sizeof(value)));
	if (access->size == TRIGGER_WIDE)
		memcpy(&trigger_expected[access->offset + sizeof(value)], &value, sizeof(value));
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

/* The next access of a sequence, as the top of this file has it. */
static void trigger_next(struct trigger_request *request)
{
	struct trigger_access *access = &request->access;
	bool mixed = request->op == OP_MIXED;
	u32 a = trigger_draw(request);
	u32 b = trigger_draw(request);
	u32 c = trigger_draw(request);
	u32 d = trigger_draw(request);

	access->op = a & BIT(16) ? OP_WRITE : OP_READ;
	if (mixed && access->op == OP_WRITE && a & BIT(17) && TRIGGER_HAS_ADD)
		access->op = OP_ADD;
	access->size = 1 << (a % TRIGGER_SIZES);
	access->offset = request->offset;
	if (mixed && a & BIT(18))
		access->offset += b % (request->span - access->size + 1);
	else
		access->offset += access->size * (b % (request->span / access->size));
	access->value = ((u64)d << 32 | c) & GENMASK_ULL(8 * access->size - 1, 0);
	if (access->op == OP_ADD)
		access->value = access->value ?: 1;
	else if (access->value == trigger_expected_get(access->offset, access->size))
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
		if (trigger_is_sequence(request->op))
			trigger_next(request);
		result = request->context->perform(request);
		if (result)
			return result;
		trigger_expect(&request->access);
		cond_resched();
		/* Where QEMU's CPUs take turns, a busy one may keep its own for seconds; at PAUSE it gives it up. */
		if (trigger_is_sequence(request->op))
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
