// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: the lines that the file `run` takes
 *
 * A line for `run` is made of NAME=VALUE fields in any order, with one space
 * between two fields and at most one newline, at the end. Each field is given
 * at most once. Numbers are decimal, but for value=, which is hex with or
 * without 0x.
 *
 * op=read|write|add|rmw|probed|random|mixed	always needed
 *	read	load, and discard what was loaded
 *	write	store value=
 *	add	add value= in one instruction that is no atomic one (x86 only)
 *	rmw	add value= in an atomic one (x86: lock add; arm64: stadd,
 *		refused where the CPU has no LSE atomics)
 *	probed	store value= by the one instruction that store.c lets kprobes be
 *		set on; size=4 only (x86 only)
 *	random	a sequence of reads and writes, see run.c
 *	mixed	the same with additions, and at any alignment
 * size=1|2|4|8|16	bytes per access; needed, but not for a sequence. 8 needs a
 *			64-bit kernel, and 16 one of x86: that is a read or a write
 *			by a vector instruction, in context=task only.
 * offset=N		of the access in the buffer (default 0). Any alignment, but
 *			multiples of size for rmw. For a sequence: where the span
 *			begins, a multiple of 8.
 * value=HEX		with op=write, op=add, op=rmw and op=probed only, and needed there;
 *			it must fit in size bytes, and in 8: size=16 stores it twice
 * count=N		how many accesses (default 1; a sequence: needed), 1 to 10000000
 * seed=N		of a sequence, needed: 1 to 4294967295
 * span=N		of a sequence, needed: 8 to 4096, the bytes to stay within
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
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": run: " fmt

#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "trigger.h"

#define COUNT_MAX	10000000

static const char * const trigger_op_names[] = {
	[OP_READ] = "read",
	[OP_WRITE] = "write",
	[OP_ADD] = "add",
	[OP_RMW] = "rmw",
	[OP_PROBED] = "probed",
	[OP_RANDOM] = "random",
	[OP_MIXED] = "mixed",
};

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
	[OP_ADD] = BIT(FIELD_OP) | BIT(FIELD_SIZE) | BIT(FIELD_VALUE),
	[OP_RMW] = BIT(FIELD_OP) | BIT(FIELD_SIZE) | BIT(FIELD_VALUE),
	[OP_PROBED] = BIT(FIELD_OP) | BIT(FIELD_SIZE) | BIT(FIELD_VALUE),
	[OP_RANDOM] = BIT(FIELD_OP) | BIT(FIELD_COUNT) | BIT(FIELD_SEED) | BIT(FIELD_SPAN),
	[OP_MIXED] = BIT(FIELD_OP) | BIT(FIELD_COUNT) | BIT(FIELD_SEED) | BIT(FIELD_SPAN),
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
		return trigger_refuse("op=%s: not one of read, write, add, rmw, probed, random, mixed", text);
	if (op == OP_ADD && !TRIGGER_HAS_ADD)
		return trigger_refuse("op=add: this machine has no instruction for it");
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
		max = TRIGGER_WIDE;
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
			return trigger_refuse("size=%s: not one of 1, 2, 4, 8, 16", text);
		if (number == TRIGGER_WIDE && !TRIGGER_HAS_WIDE)
			return trigger_refuse("size=%s: this machine has no instruction for it", text);
		if (number < TRIGGER_WIDE && number > BIT(TRIGGER_SIZES - 1))
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
	bool sequence = trigger_is_sequence(request->op);
	unsigned int length = sequence ? request->span : request->size;

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
	if (sequence && request->offset % 8)
		return trigger_refuse("offset=%u: op=%s takes multiples of 8 only",
				      request->offset, op);
	if (request->op == OP_PROBED && request->size != 4)
		return trigger_refuse("size=%u: op=probed takes 4 only", request->size);
	if (request->op == OP_RMW && request->offset % request->size)
		return trigger_refuse("offset=%u: op=rmw takes multiples of the size only",
				      request->offset);
	if (request->size == TRIGGER_WIDE && request->op != OP_READ && request->op != OP_WRITE)
		return trigger_refuse("size=%u: op=%s has no such instruction", request->size, op);
	if (request->size == TRIGGER_WIDE && request->context != trigger_context_find("task"))
		return trigger_refuse("size=%u: context=task only", request->size);
	if (request->size && request->size <= sizeof(request->value) &&
	    request->value > GENMASK_ULL(8 * request->size - 1, 0))
		return trigger_refuse("value=%llx does not fit in %u bytes", request->value,
				      request->size);
	return 0;
}

int trigger_parse(char *line, struct trigger_request *request)
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
