// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the debug registers that QEMU emulates (seen in 7.2 and 10.0, with TCG)
 * are not a processor's. For those who test KGDB in QEMU; on a processor, and
 * in an emulator that is not QEMU, all of this is found to be off when the
 * kernel runs.
 *
 * - DR6 names the first register that matches, not all of them: the shortest
 *   slot comes first, then the one for writes, and what else was hit follows.
 * - A read-modify-write hits at its load: the instruction is decoded.
 * - A single step over an access that hits raises #DB twice, the second time
 *   at the first instruction of the handler. On x86_64 that overwrites the
 *   frame of the first, and the machine is lost; on i386 the step seems to end
 *   in the handler. So nothing is armed during a step, and what it has accessed
 *   is looked up afterwards.
 *
 * First the decoder of instructions, then these three. A data breakpoint is a
 * trap: the instruction has been executed, and the registers point behind it
 * (Intel SDM vol. 3B, 18.3.1.2).
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/hw_breakpoint.h>
#include <linux/kallsyms.h>
#include <linux/kgdb.h>
#include <linux/kgdb_slots.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/hw_breakpoint.h>
#include <asm/insn.h>
#include <asm/kgdb_watch.h>

#include "kgdb-qemu.h"

/* Where the instructions begin that lead to @ip, or 0 */
static unsigned long code_before(unsigned long ip)
{
	/* Asked once: another CPU may remove the probe meanwhile */
	unsigned long moved = kgdb_probed_ip(ip) - ip, size, offset;

	if (moved) {
		while (kgdb_probed_ip(ip - 1) == ip - 1 + moved)
			ip--;
		return ip;
	}
	if (kallsyms_lookup_size_offset(ip - 1, &size, &offset))
		return ip - 1 - offset;
	return 0;
}

static bool is_string(const struct insn *insn)
{
	u8 opcode = insn->opcode.bytes[0];

	return insn->opcode.nbytes == 1 &&
	       ((opcode >= 0xa4 && opcode <= 0xa7) ||
		(opcode >= 0xaa && opcode <= 0xaf));
}

/*
 * Decode the instruction that ends at @ip. Instructions cannot be read
 * backwards, so this begins where the function does. False if that leads
 * nowhere, as it does behind an int3. A repeated string instruction is where
 * it was while it repeats, and the one before it has nothing to do with that.
 */
static bool decode_previous(struct insn *insn, unsigned long ip)
{
	unsigned long at = code_before(ip);

	if (!at || insn_decode_kernel(insn, (void *)ip) < 0 || is_string(insn))
		return false;

	for (; at < ip; at += insn->length) {
		if (*(u8 *)at == arch_kgdb_ops.gdb_bpt_instr[0] ||
		    insn_decode_kernel(insn, (void *)at) < 0)
			return false;
	}
	return at == ip;
}

/*
 * What an instruction does with the memory operand in its ModRM byte: SDM
 * vol. 2, appendix A. What the kernel has no use for is left out.
 */
enum use { UNKNOWN, LOADS, STORES };

static enum use one_byte_use(u8 opcode, u8 reg)
{
	/* add, or, adc, sbb, and, sub, xor; cmp writes nothing */
	if (opcode < 0x40)
		return (opcode & 7) < 2 && opcode < 0x38 ? STORES :
		       (opcode & 7) < 4 ? LOADS : UNKNOWN;

	switch (opcode) {
	case 0x63:			/* movslq */
	case 0x69:			/* imul */
	case 0x6b:
	case 0x84 ... 0x85:		/* test */
	case 0x8a ... 0x8b:		/* mov */
		return LOADS;
	case 0x80 ... 0x83:		/* add to xor with an immediate; cmp */
		return reg == 7 ? LOADS : STORES;
	case 0x86 ... 0x87:		/* xchg */
	case 0x88 ... 0x89:		/* mov */
	case 0xc0 ... 0xc1:		/* shifts and rotates */
	case 0xd0 ... 0xd3:
		return STORES;
	case 0xc6 ... 0xc7:		/* mov */
		return reg ? UNKNOWN : STORES;
	case 0xf6 ... 0xf7:		/* test, not, neg, mul to idiv */
		return reg == 2 || reg == 3 ? STORES : LOADS;
	case 0xfe ... 0xff:		/* inc, dec; call, jmp and push do more */
		return reg < 2 ? STORES : UNKNOWN;
	}
	return UNKNOWN;
}

/* The same of those that begin with 0x0f */
static enum use two_byte_use(u8 opcode, u8 reg)
{
	switch (opcode) {
	case 0x40 ... 0x4f:		/* cmov */
	case 0xa3:			/* bt */
	case 0xaf:			/* imul */
	case 0xb6 ... 0xb7:		/* movzx */
	case 0xbc ... 0xbd:		/* bsf, bsr */
	case 0xbe ... 0xbf:		/* movsx */
		return LOADS;
	case 0x90 ... 0x9f:		/* setcc */
	case 0xa4 ... 0xa5:		/* shld */
	case 0xac ... 0xad:		/* shrd */
	case 0xab:			/* bts */
	case 0xb3:			/* btr */
	case 0xbb:			/* btc */
	case 0xb0 ... 0xb1:		/* cmpxchg */
	case 0xc0 ... 0xc1:		/* xadd */
	case 0xc3:			/* movnti */
		return STORES;
	case 0xba:			/* bt, bts, btr, btc with an immediate */
		return reg > 4 ? STORES : LOADS;
	case 0xc7:			/* cmpxchg8b, cmpxchg16b */
		return reg == 1 ? STORES : UNKNOWN;
	}
	return UNKNOWN;
}

static enum use use_of(const struct insn *insn)
{
	u8 reg = X86_MODRM_REG(insn->modrm.value);

	if (!insn->modrm.nbytes || X86_MODRM_MOD(insn->modrm.value) == 3 ||
	    insn->vex_prefix.nbytes)
		return UNKNOWN;
	if (insn->opcode.nbytes == 1)
		return one_byte_use(insn->opcode.bytes[0], reg);
	if (insn->opcode.nbytes == 2)
		return two_byte_use(insn->opcode.bytes[1], reg);
	return UNKNOWN;
}

/* How many bytes of memory an instruction that use_of() knows accesses */
static unsigned int size_of(const struct insn *insn)
{
	u8 opcode = insn->opcode.bytes[insn->opcode.nbytes - 1];

	if (insn->opcode.nbytes == 1) {
		if (opcode == 0x63)
			return 4;
		if (opcode == 0x69 || opcode == 0x6b || opcode == 0x83)
			return insn->opnd_bytes;
		return opcode & 1 ? insn->opnd_bytes : 1;
	}

	switch (opcode) {
	case 0x90 ... 0x9f:
	case 0xb0:
	case 0xb6:
	case 0xbe:
	case 0xc0:
		return 1;
	case 0xb7:
	case 0xbf:
		return 2;
	case 0xc7:
		return 2 * insn->opnd_bytes;
	}
	return insn->opnd_bytes;
}

static unsigned long reg_value(const struct pt_regs *regs, unsigned int number)
{
	static const int offsets[] = {
		offsetof(struct pt_regs, ax), offsetof(struct pt_regs, cx),
		offsetof(struct pt_regs, dx), offsetof(struct pt_regs, bx),
		offsetof(struct pt_regs, sp), offsetof(struct pt_regs, bp),
		offsetof(struct pt_regs, si), offsetof(struct pt_regs, di),
#ifdef CONFIG_X86_64
		offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9),
		offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
		offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
		offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
#endif
	};

	return *(const unsigned long *)((const char *)regs + offsets[number]);
}

static unsigned long percpu_base(void)
{
#ifdef CONFIG_SMP
	return per_cpu_offset(raw_smp_processor_id());
#else
	return 0;
#endif
}

/* The segment of per-CPU variables is the only one that is not from 0 on */
static bool add_segment(const struct insn *insn, unsigned long *addr)
{
	u8 percpu = IS_ENABLED(CONFIG_X86_64) ? 0x65 : 0x64;
	u8 other = IS_ENABLED(CONFIG_X86_64) ? 0x64 : 0x65;
	int i;

	for (i = 0; i < insn->prefixes.nbytes; i++) {
		if (insn->prefixes.bytes[i] == other)
			return false;
		if (insn->prefixes.bytes[i] == percpu)
			*addr += percpu_base();
	}
	return true;
}

/*
 * The bit string instructions take a bit number from a register that reaches
 * beyond the operand.
 */
static long bit_string_offset(const struct insn *insn,
			      const struct pt_regs *regs, unsigned int reg)
{
	u8 opcode = insn->opcode.bytes[1];
	long bit;

	if (insn->opcode.nbytes != 2 || (opcode != 0xa3 && opcode != 0xab &&
					 opcode != 0xb3 && opcode != 0xbb))
		return 0;
	bit = reg_value(regs, reg);
	if (insn->opnd_bytes == 4)
		bit = (s32)bit;
	else if (insn->opnd_bytes == 2)
		bit = (s16)bit;
	return (bit >> (ilog2(insn->opnd_bytes) + 3)) * insn->opnd_bytes;
}

/*
 * The address of the memory operand: SDM vol. 2, 2.1.5. From the registers
 * after the instruction: if it loads one that its address has been made of,
 * the address is wrong.
 */
static bool address_of(const struct insn *insn, const struct pt_regs *regs,
		       unsigned long *addr)
{
	u8 modrm = insn->modrm.value, sib = insn->sib.value, rex = 0;
	unsigned int base = X86_MODRM_RM(modrm), index = 4;

	if (insn->addr_bytes != sizeof(long))
		return false;
	if (insn->rex_prefix.nbytes)
		rex = insn->rex_prefix.bytes[0];

	*addr = insn->displacement.value;
	if (insn->sib.nbytes) {
		base = X86_SIB_BASE(sib);
		index = X86_SIB_INDEX(sib) | !!X86_REX_X(rex) << 3;
	}
	if (base == 5 && !X86_MODRM_MOD(modrm)) {
		if (!insn->sib.nbytes && IS_ENABLED(CONFIG_X86_64))
			*addr += regs->ip;
	} else {
		*addr += reg_value(regs, base | !!X86_REX_B(rex) << 3);
	}
	if (index != 4)
		*addr += reg_value(regs, index) << X86_SIB_SCALE(sib);

	*addr += bit_string_offset(insn, regs, X86_MODRM_REG(modrm) |
				   !!X86_REX_R(rex) << 3);
	return add_segment(insn, addr);
}

/**
 * kgdb_insn_access() - which memory did the last instruction access?
 * @regs: behind the instruction
 * @info: @addr, @len and @wrote are set if that can be told, otherwise @len to 0
 *
 * Context: #DB, interrupts off.
 */
void kgdb_insn_access(struct pt_regs *regs, struct kgdb_hit_info *info)
{
	unsigned long addr;
	struct insn insn;
	enum use use;

	info->len = 0;
	if (user_mode(regs) || !decode_previous(&insn, regs->ip))
		return;

	use = use_of(&insn);
	if (use == UNKNOWN || !address_of(&insn, regs, &addr))
		return;
	info->addr = addr;
	info->len = size_of(&insn);
	info->wrote = use == STORES;
}

/* This CPU is kept off while it makes a step */
static DEFINE_PER_CPU(bool, stepping);

/* The emulator says what it is in CPUID, unless it was told not to */
static bool is_qemu(void)
{
	static enum { UNKNOWN, NO, YES } found;
	u32 leaf = 0x40000000, signature[3];

	if (found == UNKNOWN) {
		found = NO;
		if (boot_cpu_has(X86_FEATURE_HYPERVISOR)) {
			asm volatile("cpuid" : "+a" (leaf), "=b" (signature[0]),
				     "=c" (signature[1]), "=d" (signature[2])
				     : "2" (0));
			if (!memcmp(signature, "TCGTCGTCGTCG", sizeof(signature)))
				found = YES;
		}
	}
	return found == YES;
}
NOKPROBE_SYMBOL(is_qemu);

static int order(const struct kgdb_slot_spec *spec)
{
	return 2 * spec->len + (spec->type == KGDB_WATCH_ACCESS);
}
NOKPROBE_SYMBOL(order);

/**
 * kgdb_quirk_next() - which slot gets the next debug register
 * @set: what is wanted
 * @done: bitmap of those that have one
 *
 * Context: as @apply of struct kgdb_slot_arch.
 * Return: the number of a slot, or -1 when all have one.
 */
int kgdb_quirk_next(const struct kgdb_slot_set *set, unsigned int done)
{
	int i, next = -1;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (!set->slot[i].wanted || done & BIT(i))
			continue;
		if (next < 0 || (is_qemu() && order(&set->slot[i].spec) <
					      order(&set->slot[next].spec)))
			next = i;
	}
	return next;
}
NOKPROBE_SYMBOL(kgdb_quirk_next);

/**
 * kgdb_quirk_access() - find out what the hardware does not say of a hit
 * @regs: of #DB
 * @info: the access is added, if it can be told
 *
 * Context: #DB, interrupts off.
 */
void kgdb_quirk_access(struct pt_regs *regs, struct kgdb_hit_info *info)
{
	if (is_qemu())
		kgdb_insn_access(regs, info);
}
NOKPROBE_SYMBOL(kgdb_quirk_access);

/**
 * kgdb_quirk_step_begins() - is this CPU to stay off, for it makes a step?
 *
 * Context: this CPU is about to leave the debugger, interrupts off.
 * Return: true if so: the debugger's next entry on this CPU finds it off.
 */
bool kgdb_quirk_step_begins(void)
{
	if (!is_qemu() || atomic_read(&kgdb_cpu_doing_single_step) !=
			  raw_smp_processor_id())
		return false;
	this_cpu_write(stepping, true);
	return true;
}
NOKPROBE_SYMBOL(kgdb_quirk_step_begins);

/* What DR7 is to hold, by the records of the registers */
static unsigned long recorded_dr7(void)
{
	const struct perf_event *event;
	unsigned long dr7 = 0;
	int reg;

	for (reg = 0; reg < HBP_NUM; reg++) {
		event = this_cpu_read(bp_per_reg[reg]);
		if (event)
			dr7 |= encode_dr7(reg, event->hw.info.len, event->hw.info.type);
	}
	return dr7;
}
NOKPROBE_SYMBOL(recorded_dr7);

/**
 * kgdb_quirk_step_ends() - was this CPU kept off for a step?
 *
 * perf may have changed its registers meanwhile.
 *
 * Context: this CPU enters the debugger, interrupts off.
 * Return: true if so: it is off, and counts as entered once.
 */
bool kgdb_quirk_step_ends(void)
{
	if (!this_cpu_read(stepping))
		return false;
	this_cpu_write(stepping, false);
	this_cpu_write(kgdb_db.dr7, recorded_dr7());
	this_cpu_write(cpu_dr7, 0);
	return true;
}
NOKPROBE_SYMBOL(kgdb_quirk_step_ends);

static unsigned long length(const struct arch_hw_breakpoint *hw)
{
	switch (hw->len) {
	case X86_BREAKPOINT_LEN_1:
		return 1;
	case X86_BREAKPOINT_LEN_2:
		return 2;
	case X86_BREAKPOINT_LEN_4:
		return 4;
	default:
		return 8;
	}
}
NOKPROBE_SYMBOL(length);

static bool would_hit(const struct kgdb_hit_info *info,
		      const struct arch_hw_breakpoint *hw)
{
	if (!info->len || hw->type == X86_BREAKPOINT_EXECUTE ||
	    (hw->type == X86_BREAKPOINT_WRITE && !info->wrote))
		return false;
	return kgdb_overlaps(info->addr, info->len, (void *)hw->address, length(hw));
}
NOKPROBE_SYMBOL(would_hit);

/**
 * kgdb_quirk_step_done() - report what a single step would have hit
 * @regs: behind the step
 *
 * Does nothing if breakpoints were enabled during the step. Otherwise knows
 * the accesses that kgdb_insn_access() understands.
 *
 * Context: #DB, interrupts off.
 */
void kgdb_quirk_step_done(struct pt_regs *regs)
{
	struct kgdb_hit_info info = { };
	struct perf_event *event;
	int reg;

	if (!this_cpu_read(stepping))
		return;
	kgdb_insn_access(regs, &info);
	for (reg = 0; reg < HBP_NUM; reg++) {
		if (!(this_cpu_read(kgdb_db.regs) & BIT(reg)))
			continue;
		event = this_cpu_read(bp_per_reg[reg]);
		if (would_hit(&info, &event->hw.info))
			event->overflow_handler(event, NULL, regs);
	}
}
NOKPROBE_SYMBOL(kgdb_quirk_step_done);
