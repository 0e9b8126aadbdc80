// SPDX-License-Identifier: GPL-2.0-only
/*
 * kgdb_trigger: the instructions
 *
 * Each access is one instruction that loads, stores, or does both, in a function
 * of its own (trigger_read_1 to trigger_write_16, and store.c's). No lock is held
 * there but the one that context=irqsoff asks for: a debugger may stop the
 * machine at any of them.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/log2.h>
#include <linux/types.h>

#include "trigger.h"

/*
 * The instructions, and how they name a register and memory. "q" is a register
 * whose low byte has a name, which on i386 not all have.
 */
#if defined(CONFIG_X86)

#include <asm/fpu/api.h>

#define INTO(variable)	"=&q" (variable)	/* not that of the address */
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

bool trigger_has_rmw(void)
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

bool trigger_has_rmw(void)
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

#if TRIGGER_HAS_ADD

static noinline void trigger_add_1(void *address, u64 value)
{
	asm volatile("addb %1, %0" : CHANGED(*(u8 *)address) : FROM((u8)value) : "cc");
}

static noinline void trigger_add_2(void *address, u64 value)
{
	asm volatile("addw %1, %0" : CHANGED(*(u16 *)address) : FROM((u16)value) : "cc");
}

static noinline void trigger_add_4(void *address, u64 value)
{
	asm volatile("addl %1, %0" : CHANGED(*(u32 *)address) : FROM((u32)value) : "cc");
}

#ifdef CONFIG_64BIT

static noinline void trigger_add_8(void *address, u64 value)
{
	asm volatile("addq %1, %0" : CHANGED(*(u64 *)address) : FROM((u64)value) : "cc");
}

#endif
#endif

#if TRIGGER_HAS_WIDE

static noinline void trigger_read_16(void *address, u64 value)
{
	kernel_fpu_begin();
	asm volatile("movups %0, %%xmm0" : : LOADED(*(unsigned __int128 *)address));
	kernel_fpu_end();
}

/* The value, twice */
static noinline void trigger_write_16(void *address, u64 value)
{
	kernel_fpu_begin();
	asm volatile("movq %0, %%xmm0; punpcklqdq %%xmm0, %%xmm0" : : "r" (value));
	asm volatile("movups %%xmm0, %0" : STORED(*(unsigned __int128 *)address));
	kernel_fpu_end();
}

#endif

typedef void (*trigger_fn)(void *address, u64 value);

/* By operation and binary logarithm of the size. */
static const trigger_fn trigger_fns[OP_RANDOM][5] = {
	[OP_READ] = { trigger_read_1, trigger_read_2, trigger_read_4,
#ifdef CONFIG_64BIT
		      trigger_read_8,
#endif
#if TRIGGER_HAS_WIDE
		      trigger_read_16,
#endif
	},
	[OP_WRITE] = { trigger_write_1, trigger_write_2, trigger_write_4,
#ifdef CONFIG_64BIT
		       trigger_write_8,
#endif
#if TRIGGER_HAS_WIDE
		       trigger_write_16,
#endif
	},
#if TRIGGER_HAS_ADD
	[OP_ADD] = { trigger_add_1, trigger_add_2, trigger_add_4,
#ifdef CONFIG_64BIT
		     trigger_add_8,
#endif
	},
#endif
	[OP_RMW] = { trigger_rmw_1, trigger_rmw_2, trigger_rmw_4,
#ifdef CONFIG_64BIT
		     trigger_rmw_8,
#endif
	},
#if TRIGGER_HAS_PROBED
	[OP_PROBED] = { NULL, NULL, trigger_write_probed },
#endif
};

u8 kgdb_trigger_buffer[BUFFER_SIZE] __aligned(BUFFER_SIZE);

static atomic_long_t trigger_count = ATOMIC_LONG_INIT(0);

/* Make one access to the buffer. A function of its own, for backtraces. */
static noinline void trigger_access(const struct trigger_access *access)
{
	trigger_fn fn = trigger_fns[access->op][ilog2(access->size)];

	fn(&kgdb_trigger_buffer[access->offset], access->value);
	/* No tail call: a backtrace is to show who called. */
	barrier();
}

void trigger_perform(struct trigger_request *request)
{
	trigger_access(&request->access);
	atomic_long_inc(&trigger_count);
}

long trigger_performed(void)
{
	return atomic_long_read(&trigger_count);
}
