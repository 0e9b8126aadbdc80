// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what KGDB finds out about instructions on x86.
 *
 * Each instruction is a part of the test and, where that can be, executed, so
 * that its bytes are what the assembler makes of it and the processor takes.
 */
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/insn.h>
#include <asm/kgdb_watch.h>
#include <asm/segment.h>

#include <kunit/test.h>

#include "kgdb-qemu-insn.h"

/* What the instructions access, and a second place for those that copy */
static u64 memory[2];

/**
 * struct place - where an instruction is
 * @begin: its first byte
 * @end: the next instruction
 */
struct place {
	unsigned long begin;
	unsigned long end;
};

#ifdef CONFIG_X86_64
#define SUFFIX "q"
#define ADDRESS_OF(label, reg) "leaq " label "(%%rip), " reg "\n\t"
#else
#define SUFFIX "l"
#define ADDRESS_OF(label, reg) "movl $" label ", " reg "\n\t"
#endif

/* Execute @_insn, then @_after; where the former is. %[m] is memory, %[r] is ecx */
#define EXECUTE(_insn, _after)						\
({									\
	unsigned long source = (unsigned long)&memory[0];		\
	unsigned long copy = (unsigned long)&memory[1];			\
	unsigned long a = 0, r = 0;					\
									\
	asm volatile("1: " _insn "\n"					\
		     "2: " _after "\n\t"				\
		     ADDRESS_OF("1b", "%[a]")				\
		     ADDRESS_OF("2b", "%[r]")				\
		     : [m] "+m" (memory), [a] "+a" (a), [r] "+c" (r),	\
		       "+S" (source), "+D" (copy)			\
		     : : "dx", "cc", "memory");				\
	(struct place){ .begin = a, .end = r };				\
})

/* As the debugger asks, on the way into it */
static struct kgdb_hit_info access_by(struct pt_regs *regs)
{
	struct kgdb_hit_info access = { };
	unsigned long flags;

	local_irq_save(flags);
	kgdb_insn_access(regs, &access);
	local_irq_restore(flags);
	return access;
}

static bool understood(unsigned long ip, unsigned long cs)
{
	struct pt_regs regs = { .ip = ip, .cs = cs };

	return access_by(&regs).len;
}

static void expect_access(struct kunit *test, struct place place,
			  unsigned long len, bool wrote, const char *insn)
{
	struct pt_regs regs = { .ip = place.end, .cs = __KERNEL_CS };
	struct kgdb_hit_info access = access_by(&regs);

	KUNIT_EXPECT_GT_MSG(test, place.end, place.begin, "%s", insn);
	KUNIT_EXPECT_LE_MSG(test, place.end, place.begin + MAX_INSN_SIZE, "%s", insn);
	KUNIT_EXPECT_EQ_MSG(test, access.len, len, "%s", insn);
	if (!len)
		return;
	KUNIT_EXPECT_EQ_MSG(test, access.addr, (unsigned long)&memory[0], "%s", insn);
	KUNIT_EXPECT_EQ_MSG(test, access.wrote, wrote, "%s", insn);
}

#define STORES(_len, _insn) \
	expect_access(test, EXECUTE(_insn, ""), _len, true, _insn)
#define LOADS(_len, _insn) \
	expect_access(test, EXECUTE(_insn, ""), _len, false, _insn)
#define UNKNOWN(_insn, _after) \
	expect_access(test, EXECUTE(_insn, _after), 0, false, _insn)

/* What writes its memory operand, also if it reads it before */
static void stores(struct kunit *test)
{
	STORES(4, "addl %%ecx, %[m]");
	STORES(1, "addb %%cl, %[m]");
	STORES(4, "addl $1, %[m]");
	STORES(4, "addl $0x12345678, %[m]");
	STORES(1, "orb $1, %[m]");
	STORES(4, "adcl %%ecx, %[m]");
	STORES(4, "sbbl %%ecx, %[m]");
	STORES(2, "andw %%cx, %[m]");
	STORES(2, "subw $1, %[m]");
	STORES(4, "xorl %%ecx, %[m]");
	STORES(4, "lock addl $1, %[m]");
	STORES(4, "lock orl %%ecx, %[m]");
	STORES(4, "incl %[m]");
	STORES(4, "lock incl %[m]");
	STORES(1, "decb %[m]");
	STORES(4, "notl %[m]");
	STORES(1, "negb %[m]");
	STORES(4, "xchgl %%ecx, %[m]");
	STORES(1, "xchgb %%cl, %[m]");
	STORES(4, "lock cmpxchgl %%ecx, %[m]");
	STORES(1, "cmpxchgb %%cl, %[m]");
	STORES(8, "lock cmpxchg8b %[m]");
	STORES(4, "lock xaddl %%ecx, %[m]");
	STORES(1, "xaddb %%cl, %[m]");
	STORES(4, "lock btsl $3, %[m]");
	STORES(4, "btrl $3, %[m]");
	STORES(4, "btcl $3, %[m]");
	STORES(4, "lock btsl %%eax, %[m]");
	STORES(4, "btrl %%eax, %[m]");
	STORES(4, "btcl %%eax, %[m]");
	STORES(4, "shll $1, %[m]");
	STORES(4, "shrl $3, %[m]");
	STORES(1, "rolb %%cl, %[m]");
	STORES(4, "shldl $3, %%ecx, %[m]");
	STORES(4, "shrdl %%cl, %%eax, %[m]");
	STORES(4, "movl %%ecx, %[m]");
	STORES(1, "movb %%cl, %[m]");
	STORES(4, "movl $1, %[m]");
	STORES(1, "sete %[m]");
}

/* What only reads it */
static void loads(struct kunit *test)
{
	LOADS(4, "movl %[m], %%ecx");
	LOADS(1, "movzbl %[m], %%ecx");
	LOADS(4, "addl %[m], %%ecx");
	LOADS(1, "xorb %[m], %%cl");
	LOADS(4, "cmpl %%ecx, %[m]");
	LOADS(4, "cmpl %[m], %%ecx");
	LOADS(4, "cmpl $1, %[m]");
	LOADS(1, "cmpb $1, %[m]");
	LOADS(4, "testl %%ecx, %[m]");
	LOADS(4, "testl $1, %[m]");
	LOADS(4, "btl $3, %[m]");
	LOADS(4, "btl %%eax, %[m]");
	LOADS(4, "mull %[m]");
	LOADS(4, "imull %[m], %%ecx");
	LOADS(4, "bsfl %[m], %%ecx");
	LOADS(4, "cmovel %[m], %%ecx");
}

/* What accesses none, or more than one place, or any number */
static void not_understood(struct kunit *test)
{
	UNKNOWN("push %[r]", "pop %[r]");
	UNKNOWN("push" SUFFIX " %[m]", "pop %[r]");
	UNKNOWN("movsl", "");
	UNKNOWN("stosl", "");
	UNKNOWN("lodsl", "");
	UNKNOWN("addl %%ecx, %%eax", "");
	UNKNOWN("xchgl %%ecx, %%eax", "");
	UNKNOWN("nopl %[m]", "");
}

#ifdef CONFIG_X86_64
/* An instruction that is there and is not executed */
#define SHOW(_insn)							\
({									\
	struct place place;						\
									\
	asm volatile("clc\n\tjnc 2f\n"					\
		     "1: " _insn "\n"					\
		     "2: " ADDRESS_OF("1b", "%[begin]")			\
		     ADDRESS_OF("2b", "%[end]")				\
		     : [begin] "=r" (place.begin), [end] "=r" (place.end) \
		     : : "cc");						\
	place;								\
})

/* The registers that the addresses are made of */
#define BASE	0x100000UL
#define INDEX	0x30UL

static void expect_address(struct kunit *test, struct place place,
			   unsigned long addr, const char *insn)
{
	struct pt_regs regs = {
		.ip = place.end, .cs = __KERNEL_CS,
		.di = BASE, .r9 = BASE, .sp = BASE, .bp = BASE, .r12 = BASE,
		.r13 = BASE, .bx = INDEX, .r14 = INDEX, .si = -1,
	};
	struct kgdb_hit_info access = access_by(&regs);

	KUNIT_EXPECT_EQ_MSG(test, access.len, 4UL, "%s", insn);
	KUNIT_EXPECT_TRUE_MSG(test, access.wrote, "%s", insn);
	KUNIT_EXPECT_EQ_MSG(test, access.addr, addr, "%s", insn);
}

#define ADDRESS(_insn, _addr) \
	expect_address(test, SHOW(_insn), _addr, _insn)

static void addresses(struct kunit *test)
{
	ADDRESS("movl %%ecx, (%%rdi)", BASE);
	ADDRESS("movl %%ecx, -8(%%rdi)", BASE - 8);
	ADDRESS("movl %%ecx, 0x1234(%%rdi)", BASE + 0x1234);
	ADDRESS("movl %%ecx, (%%r9)", BASE);
	ADDRESS("movl %%ecx, (%%rsp)", BASE);
	ADDRESS("movl %%ecx, 16(%%rsp)", BASE + 16);
	ADDRESS("movl %%ecx, (%%rbp)", BASE);
	ADDRESS("movl %%ecx, (%%r12)", BASE);
	ADDRESS("movl %%ecx, (%%r13)", BASE);
	ADDRESS("movl %%ecx, (%%rdi,%%rbx)", BASE + INDEX);
	ADDRESS("movl %%ecx, 4(%%rdi,%%rbx,8)", BASE + 8 * INDEX + 4);
	ADDRESS("movl %%ecx, (%%rdi,%%r14,2)", BASE + 2 * INDEX);
	ADDRESS("movl %%ecx, 0x1000(,%%rbx,4)", 4 * INDEX + 0x1000);
	ADDRESS("movl %%ecx, 0x1000", 0x1000);
	ADDRESS("btsl %%ebx, (%%rdi)", BASE + 4);
	ADDRESS("btsl %%esi, (%%rdi)", BASE - 4);

	KUNIT_EXPECT_FALSE(test, understood(SHOW("movl %%ecx, (%%edi)").end, __KERNEL_CS));
	KUNIT_EXPECT_FALSE(test, understood(SHOW("movl %%ecx, %%fs:(%%rdi)").end, __KERNEL_CS));
}

#define EXPECT_UNDERSTOOD(_insn, _expected)				\
	KUNIT_EXPECT_EQ_MSG(test, understood(SHOW(_insn).end, __KERNEL_CS), \
			    _expected, "%s", _insn)

/* What the address was made of is not there any more */
static void registers_that_change(struct kunit *test)
{
	EXPECT_UNDERSTOOD("movl (%%rdi), %%edi", false);
	EXPECT_UNDERSTOOD("movl (%%rdi,%%rbx), %%ebx", false);
	EXPECT_UNDERSTOOD("movl (%%r9), %%r9d", false);
	EXPECT_UNDERSTOOD("addl (%%rdi), %%edi", false);
	EXPECT_UNDERSTOOD("movb (%%rbx), %%bh", false);
	EXPECT_UNDERSTOOD("movzbl (%%rdi), %%edi", false);
	EXPECT_UNDERSTOOD("cmovel (%%rdi), %%edi", false);
	EXPECT_UNDERSTOOD("xchgl %%edi, (%%rdi)", false);
	EXPECT_UNDERSTOOD("xaddl %%edi, (%%rdi)", false);
	EXPECT_UNDERSTOOD("cmpxchgl %%ecx, (%%rax)", false);
	EXPECT_UNDERSTOOD("cmpxchg8b (%%rdx)", false);
	EXPECT_UNDERSTOOD("mull (%%rdx)", false);

	EXPECT_UNDERSTOOD("movl (%%rdi), %%r15d", true);
	EXPECT_UNDERSTOOD("movzbl (%%rbx), %%edi", true);
	EXPECT_UNDERSTOOD("movb (%%rbx), %%dil", true);
	EXPECT_UNDERSTOOD("cmpxchgl %%ecx, (%%rdx)", true);
	EXPECT_UNDERSTOOD("movl %%edi, (%%rdi)", true);
	EXPECT_UNDERSTOOD("addl %%edi, (%%rdi)", true);
	EXPECT_UNDERSTOOD("cmpl (%%rdi), %%edi", true);
	EXPECT_UNDERSTOOD("cmpl $1, (%%rdi)", true);
	EXPECT_UNDERSTOOD("testl $1, (%%rax)", true);
	EXPECT_UNDERSTOOD("btl $3, (%%rsp)", true);
	EXPECT_UNDERSTOOD("cmpxchgl %%edi, (%%rdi)", true);
}

/* The compiler's int3 are behind what never goes on; others hide an instruction */
static void padded_with_int3(struct kunit *test)
{
	EXPECT_UNDERSTOOD("jmp 3f\n\tint3\n3:\tmovl %%ecx, (%%rdi)", true);
	EXPECT_UNDERSTOOD("jmp 3f\n\tint3\n\tint3\n3:\tmovl %%ecx, (%%rdi)", true);
	EXPECT_UNDERSTOOD("jmp 3f\n\tnop\n\tint3\n3:\tmovl %%ecx, (%%rdi)", false);
	EXPECT_UNDERSTOOD("jnc 3f\n\tint3\n3:\tmovl %%ecx, (%%rdi)", false);
	EXPECT_UNDERSTOOD("jmp 3f\n3:\tmovl %%ecx, (%%rdi)\n\tint3", false);
}

static void address_of_this_cpu(struct kunit *test)
{
	struct place place = SHOW("movl %%ecx, %%gs:0x40(%%rdi)");
	struct pt_regs regs = { .ip = place.end, .cs = __KERNEL_CS, .di = BASE };
	struct kgdb_hit_info access;
	unsigned long offset = 0;

	preempt_disable();
#ifdef CONFIG_SMP
	offset = per_cpu_offset(raw_smp_processor_id());
#endif
	access = access_by(&regs);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, access.len, 4UL);
	KUNIT_EXPECT_EQ(test, access.addr, BASE + 0x40 + offset);
}

/* Behind the mov, which may not be what led here */
static void repeated_instruction(struct kunit *test)
{
	struct place mov = SHOW("movl %%ecx, (%%rdi)");
	struct place both = SHOW("movl %%ecx, (%%rdi)\n\trep stosl");

	KUNIT_EXPECT_TRUE(test, understood(mov.end, __KERNEL_CS));
	KUNIT_EXPECT_FALSE(test, understood(both.begin + (mov.end - mov.begin),
					    __KERNEL_CS));
}
#endif

static noinline struct place add_long_immediate(void)
{
	return EXECUTE("addl $0x12345678, %[m]", "");
}

/* Addresses that are behind no instruction of the kernel */
static void nothing_accessed(struct kunit *test)
{
	struct place place = add_long_immediate();

	KUNIT_EXPECT_TRUE(test, understood(place.end, __KERNEL_CS));
	KUNIT_EXPECT_FALSE(test, understood(place.end, __USER_CS));
	KUNIT_EXPECT_FALSE(test, understood(place.end - 1, __KERNEL_CS));
	KUNIT_EXPECT_FALSE(test, understood(place.begin + 1, __KERNEL_CS));
	KUNIT_EXPECT_FALSE(test, understood(0, __KERNEL_CS));
	KUNIT_EXPECT_FALSE(test, understood(0x1000, __KERNEL_CS));
	KUNIT_EXPECT_FALSE(test, understood(-1UL, __KERNEL_CS));
}

#ifdef CONFIG_KPROBES
static noinline struct place store_immediate(void)
{
	return EXECUTE("movl $0x12345678, %[m]", "");
}

static int handle_nothing(struct kprobe *p, struct pt_regs *regs)
{
	return 0;
}

static unsigned long probed(unsigned long ip)
{
	unsigned long flags, result;

	local_irq_save(flags);
	result = kgdb_probed_ip(ip);
	local_irq_restore(flags);
	return result;
}

/* What is executed out of line has the address of where it was copied from */
static void probed_instruction(struct kunit *test)
{
	struct place place = store_immediate();
	struct kprobe probe = {
		.addr = (kprobe_opcode_t *)place.begin,
		.pre_handler = handle_nothing,
	};
	unsigned long copy, length = place.end - place.begin;

	KUNIT_ASSERT_EQ(test, register_kprobe(&probe), 0);
	copy = (unsigned long)probe.ainsn.insn;
	KUNIT_EXPECT_NE(test, copy, 0UL);
	KUNIT_EXPECT_EQ(test, probed(copy), place.begin);
	KUNIT_EXPECT_EQ(test, probed(copy + length), place.end);
	KUNIT_EXPECT_EQ(test, probed(copy - 1), copy - 1);
	KUNIT_EXPECT_EQ(test, probed(place.begin), place.begin);
	KUNIT_EXPECT_EQ(test, probed(place.end), place.end);
	unregister_kprobe(&probe);
	KUNIT_EXPECT_EQ(test, probed(copy), copy);
}
#endif

static struct kunit_case x86_cases[] = {
	KUNIT_CASE(stores),
	KUNIT_CASE(loads),
	KUNIT_CASE(not_understood),
#ifdef CONFIG_X86_64
	KUNIT_CASE(addresses),
	KUNIT_CASE(address_of_this_cpu),
	KUNIT_CASE(repeated_instruction),
	KUNIT_CASE(registers_that_change),
	KUNIT_CASE(padded_with_int3),
#endif
	KUNIT_CASE(nothing_accessed),
#ifdef CONFIG_KPROBES
	KUNIT_CASE(probed_instruction),
#endif
	{ }
};

static struct kunit_suite x86_suite = {
	.name = "kgdb_watchpoint_x86",
	.test_cases = x86_cases,
};

kunit_test_suite(x86_suite);
