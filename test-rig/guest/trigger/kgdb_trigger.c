// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: perform exactly the memory accesses that a test asks for
 *
 * The module owns one page, kgdb_trigger_buffer. Nothing but the accesses asked
 * for below ever touches it: not even the module, which keeps what the page
 * should hold in separate memory. Each access is one instruction that makes one
 * access to memory, in a function of its own (trigger_read_1 to trigger_rmw_8).
 * A debugger may stop the machine at any of them: no lock is held there but the
 * one that context=irqsoff asks for, and that one is the run's own.
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
 *		write returns. Any number of runs may be under way at once.
 *
 * A line for `run` is made of NAME=VALUE fields in any order, with one space
 * between two fields and at most one newline, at the end. Each field is given
 * at most once. Numbers are decimal, but for value=, which is hex with or
 * without 0x.
 *
 * op=read|write|rmw|random	always needed
 *	read	load, and discard what was loaded
 *	write	store value=
 *	rmw	add value= in one instruction (x86: lock add; arm64: stadd,
 *		refused where the CPU has no LSE atomics)
 *	random	a sequence of reads and writes, see below
 * size=1|2|4|8		bytes per access; needed, but not with op=random. 8 needs a
 *			64-bit kernel.
 * offset=N		of the access in the buffer (default 0). Any alignment for
 *			read and write, multiples of size for rmw. With op=random:
 *			where the span begins, a multiple of 8.
 * value=HEX		with op=write and op=rmw only, and needed there; it must fit
 *			in size bytes
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
 *
 * Anything else is refused with EINVAL and a line in the kernel log that says
 * why, before the first access. EINTR: a signal came, and the run ended early.
 * ENODEV: the CPU went offline during the run. ETIMEDOUT: no NMI arrived.
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
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/uaccess.h>

#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/nmi.h>
#endif

#define BUFFER_SIZE	4096
#define COUNT_MAX	10000000
#define LINE_MAX_LENGTH	255
#define EXPECTED_LINE	32

/* Exactly one page, so it has no neighbours. */
static u8 kgdb_trigger_buffer[BUFFER_SIZE] __aligned(BUFFER_SIZE);

/*
 * What kgdb_trigger_buffer holds, known without reading it. Changed by the
 * thread that runs a request, after the access; concurrent runs own different
 * bytes, or do not care.
 */
static u8 trigger_expected[BUFFER_SIZE];

static atomic_long_t trigger_count = ATOMIC_LONG_INIT(0);
static struct dentry *trigger_directory;

/*
 * The instructions, and how they name a register and memory. "q" is a register
 * whose low byte has a name, which on i386 not all have.
 */
#if defined(CONFIG_X86)

#define INTO(variable)	"=q" (variable)
#define FROM(variable)	"q" (variable)
#define LOADED(memory)	"m" (memory)
#define STORED(memory)	"=m" (memory)
#define CHANGED(memory)	"+m" (memory)

#define READ_1	"movb %1, %0"
#define READ_2	"movw %1, %0"
#define READ_4	"movl %1, %0"
#define READ_8	"movq %1, %0"

#define WRITE_1	"movb %1, %0"
#define WRITE_2	"movw %1, %0"
#define WRITE_4	"movl %1, %0"
#define WRITE_8	"movq %1, %0"

#define RMW_1	"lock addb %1, %0"
#define RMW_2	"lock addw %1, %0"
#define RMW_4	"lock addl %1, %0"
#define RMW_8	"lock addq %1, %0"

static bool trigger_has_rmw(void)
{
	return true;
}

#elif defined(CONFIG_ARM64)

#include <asm/cpufeature.h>

#define INTO(variable)	"=r" (variable)
#define FROM(variable)	"r" (variable)
#define LOADED(memory)	"Q" (memory)
#define STORED(memory)	"=Q" (memory)
#define CHANGED(memory)	"+Q" (memory)

#define READ_1	"ldrb %w0, %1"
#define READ_2	"ldrh %w0, %1"
#define READ_4	"ldr %w0, %1"
#define READ_8	"ldr %x0, %1"

#define WRITE_1	"strb %w1, %0"
#define WRITE_2	"strh %w1, %0"
#define WRITE_4	"str %w1, %0"
#define WRITE_8	"str %x1, %0"

#define RMW_1	".arch_extension lse\n\tstaddb %w1, %0"
#define RMW_2	".arch_extension lse\n\tstaddh %w1, %0"
#define RMW_4	".arch_extension lse\n\tstadd %w1, %0"
#define RMW_8	".arch_extension lse\n\tstadd %x1, %0"

static bool trigger_has_rmw(void)
{
	return cpu_have_named_feature(ATOMICS);
}

#else
#error "kgdb_trigger: no accesses for this architecture yet"
#endif

/*
 * The accesses: one function for each, written out so that a debugger shows the
 * line. They are called through a table only, which leaves the compiler no
 * reason to clone them, and so their names can be relied upon.
 */

static noinline void trigger_read_1(void *address, u64 value)
{
	u8 loaded;

	asm volatile(READ_1 : INTO(loaded) : LOADED(*(u8 *)address));
}

static noinline void trigger_write_1(void *address, u64 value)
{
	asm volatile(WRITE_1 : STORED(*(u8 *)address) : FROM((u8)value));
}

static noinline void trigger_rmw_1(void *address, u64 value)
{
	asm volatile(RMW_1 : CHANGED(*(u8 *)address) : FROM((u8)value) : "cc");
}

static noinline void trigger_read_2(void *address, u64 value)
{
	u16 loaded;

	asm volatile(READ_2 : INTO(loaded) : LOADED(*(u16 *)address));
}

static noinline void trigger_write_2(void *address, u64 value)
{
	asm volatile(WRITE_2 : STORED(*(u16 *)address) : FROM((u16)value));
}

static noinline void trigger_rmw_2(void *address, u64 value)
{
	asm volatile(RMW_2 : CHANGED(*(u16 *)address) : FROM((u16)value) : "cc");
}

static noinline void trigger_read_4(void *address, u64 value)
{
	u32 loaded;

	asm volatile(READ_4 : INTO(loaded) : LOADED(*(u32 *)address));
}

static noinline void trigger_write_4(void *address, u64 value)
{
	asm volatile(WRITE_4 : STORED(*(u32 *)address) : FROM((u32)value));
}

static noinline void trigger_rmw_4(void *address, u64 value)
{
	asm volatile(RMW_4 : CHANGED(*(u32 *)address) : FROM((u32)value) : "cc");
}

#ifdef CONFIG_64BIT

static noinline void trigger_read_8(void *address, u64 value)
{
	u64 loaded;

	asm volatile(READ_8 : INTO(loaded) : LOADED(*(u64 *)address));
}

static noinline void trigger_write_8(void *address, u64 value)
{
	asm volatile(WRITE_8 : STORED(*(u64 *)address) : FROM((u64)value));
}

static noinline void trigger_rmw_8(void *address, u64 value)
{
	asm volatile(RMW_8 : CHANGED(*(u64 *)address) : FROM((u64)value) : "cc");
}

#endif

#define TRIGGER_SIZES	(IS_ENABLED(CONFIG_64BIT) ? 4 : 3)

enum trigger_op { OP_READ, OP_WRITE, OP_RMW, OP_RANDOM };

static const char * const trigger_op_names[] = {
	[OP_READ] = "read",
	[OP_WRITE] = "write",
	[OP_RMW] = "rmw",
	[OP_RANDOM] = "random",
};

typedef void (*trigger_fn)(void *address, u64 value);

/* By operation and binary logarithm of the size. */
static const trigger_fn trigger_fns[OP_RANDOM][4] = {
	[OP_READ] = { trigger_read_1, trigger_read_2, trigger_read_4,
#ifdef CONFIG_64BIT
		      trigger_read_8,
#endif
	},
	[OP_WRITE] = { trigger_write_1, trigger_write_2, trigger_write_4,
#ifdef CONFIG_64BIT
		       trigger_write_8,
#endif
	},
	[OP_RMW] = { trigger_rmw_1, trigger_rmw_2, trigger_rmw_4,
#ifdef CONFIG_64BIT
		     trigger_rmw_8,
#endif
	},
};

/* One access. @op is not OP_RANDOM. */
struct trigger_access {
	enum trigger_op op;
	unsigned int size;
	unsigned int offset;
	u64 value;
};

struct trigger_context;

/* One line written to `run`. It lives on the stack of the writer, who waits. */
struct trigger_request {
	/* What was asked for; constant once it is parsed. */
	enum trigger_op op;
	unsigned int size;
	unsigned int offset;
	u64 value;
	u32 count;
	u32 seed;
	unsigned int span;
	int cpu;		/* -1: wherever the writer runs */
	const struct trigger_context *context;

	/* Where the run is; the running thread's. */
	struct trigger_access access;
	u32 random;

	/* For the contexts that need one of these. */
	struct irq_work irq_work;
	struct tasklet_struct tasklet;
	raw_spinlock_t lock;

	/* Between the writer and the thread of cpu=. */
	struct completion done;
	bool stop;
	int result;
};

/* Perform the access of @request, here and now. Called in any context. */
static void trigger_perform(struct trigger_request *request)
{
	const struct trigger_access *access = &request->access;
	trigger_fn fn = trigger_fns[access->op][ilog2(access->size)];

	fn(&kgdb_trigger_buffer[access->offset], access->value);
	atomic_long_inc(&trigger_count);
}

/*
 * The contexts. Each function is called in the running thread, has performed
 * the access when it returns 0, and then has nothing of it left behind.
 */

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

struct trigger_context {
	const char *name;
	int (*perform)(struct trigger_request *request);
};

static const struct trigger_context trigger_contexts[] = {
	{ "task", trigger_in_task },
	{ "softirq", trigger_in_softirq },
	{ "hardirq", trigger_in_hardirq },
	{ "irqsoff", trigger_in_irqsoff },
#ifdef CONFIG_X86_LOCAL_APIC
	{ "nmi", trigger_in_nmi },
#endif
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
			pr_err("run: CPU %d went offline after %u accesses\n",
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
		pr_err("run: no thread for CPU %d\n", request->cpu);
		return PTR_ERR(thread);
	}

	cpus_read_lock();
	if (!cpu_online(request->cpu)) {
		cpus_read_unlock();
		/* Never woken, so it ends without running trigger_thread(). */
		kthread_stop(thread);
		pr_err("run: cpu=%d is not online\n", request->cpu);
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

/* Parsing. Every refusal says why in the kernel log and is -EINVAL. */
#define trigger_refuse(fmt, ...)			\
({							\
	pr_err("run: " fmt "\n", ##__VA_ARGS__);	\
	-EINVAL;					\
})

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
		return trigger_refuse("op=%s: not one of read, write, rmw, random", text);
	if (op == OP_RMW && !trigger_has_rmw())
		return trigger_refuse("op=rmw: this CPU has no instruction for it");
	request->op = op;
	return 0;
}

static int trigger_parse_context(const char *text, struct trigger_request *request)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(trigger_contexts); i++) {
		if (!strcmp(text, trigger_contexts[i].name)) {
			request->context = &trigger_contexts[i];
			return 0;
		}
	}
	return trigger_refuse("context=%s: no such context on this machine", text);
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
	request->context = &trigger_contexts[0];

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
	size_t i, end = length;
	int result;

	if (length > LINE_MAX_LENGTH)
		return trigger_refuse("the line is longer than %d bytes", LINE_MAX_LENGTH);
	if (copy_from_user(line, buffer, length))
		return -EFAULT;
	if (end && line[end - 1] == '\n')
		end--;
	line[end] = '\0';
	for (i = 0; i < end; i++) {
		if (!isascii(line[i]) || !isprint(line[i]))
			return trigger_refuse("byte %zu of the line is not a printable character",
					      i);
	}

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
	seq_printf(file, "%ld\n", atomic_long_read(&trigger_count));
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

/*
 * Neither __init nor __exit: lx-symbols does not tell gdb where those sections
 * are, and gdb then takes the addresses of the accesses above for theirs.
 */
static int trigger_init(void)
{
	int result = trigger_nmi_register();

	if (result) {
		pr_err("no NMI handler: error %d\n", result);
		return result;
	}

	trigger_directory = debugfs_create_dir(KBUILD_MODNAME, NULL);
	if (IS_ERR(trigger_directory)) {
		pr_err("no debugfs directory: error %ld\n", PTR_ERR(trigger_directory));
		trigger_nmi_unregister();
		return PTR_ERR(trigger_directory);
	}
	debugfs_create_file("address", 0400, trigger_directory, NULL, &address_fops);
	debugfs_create_file("count", 0400, trigger_directory, NULL, &count_fops);
	debugfs_create_file("expected", 0400, trigger_directory, NULL, &expected_fops);
	debugfs_create_file("run", 0200, trigger_directory, NULL, &run_fops);
	return 0;
}

static void trigger_exit(void)
{
	debugfs_remove(trigger_directory);
	trigger_nmi_unregister();
}

module_init(trigger_init);
module_exit(trigger_exit);

MODULE_DESCRIPTION("Performs exactly the memory accesses that a watchpoint test asks for");
MODULE_LICENSE("GPL");
