// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the last instruction accessed, for what QEMU does not say (kgdb-qemu.c).
 *
 * A decoder of the instructions that the kernel accesses its variables with:
 * where they end up in memory, how much of it, and whether they write there.
 */
#include <linux/bits.h>
#include <linux/kallsyms.h>
#include <linux/kgdb.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/smp.h>

#include <asm/insn.h>
#include <asm/kgdb_watch.h>

#include "kgdb-qemu-insn.h"

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

/* A return, or a jump that is always made: the compiler may put int3 behind it */
static bool never_goes_on(const struct insn *insn)
{
	u8 opcode = insn->opcode.bytes[0];

	if (insn->opcode.nbytes != 1)
		return false;
	return opcode == 0xc2 || opcode == 0xc3 || opcode == 0xe9 || opcode == 0xeb ||
	       (opcode == 0xff && X86_MODRM_REG(insn->modrm.value) == 4);
}

/* Is this int3 in the place of an instruction? */
static bool is_planted(unsigned long at)
{
	return kgdb_has_hit_break(at) || get_kprobe((void *)at);
}

/*
 * Decode the instruction that ends at @ip. Instructions cannot be read
 * backwards, so this begins where the function does. False if that leads
 * nowhere, as it does behind an int3 that hides an instruction. A repeated
 * string instruction is where it was while it repeats, and the one before it
 * has nothing to do with that.
 */
static bool decode_previous(struct insn *insn, unsigned long ip)
{
	unsigned long at = code_before(ip);
	bool pads = false;

	if (!at || insn_decode_kernel(insn, (void *)ip) < 0 || is_string(insn))
		return false;

	for (; at < ip; at += insn->length) {
		if (*(u8 *)at == arch_kgdb_ops.gdb_bpt_instr[0]) {
			if (!pads || is_planted(at))
				return false;
		} else {
			pads = false;
		}
		if (insn_decode_kernel(insn, (void *)at) < 0)
			return false;
		pads |= never_goes_on(insn);
	}
	return at == ip;
}

/*
 * What an instruction does with the memory operand in its ModRM byte, and to
 * registers: SDM vol. 2, appendix A. What the kernel has no use for is left out.
 */
#define READS		BIT(0)
#define WRITES		BIT(1)
#define SETS_REG	BIT(2)		/* the one in its ModRM byte */
#define SETS_AX		BIT(3)		/* perhaps */
#define SETS_DX		BIT(4)

static unsigned int one_byte_use(u8 opcode, u8 reg)
{
	/* add, or, adc, sbb, and, sub, xor; cmp writes nothing */
	if (opcode < 0x38)
		return (opcode & 7) < 2 ? WRITES :
		       (opcode & 7) < 4 ? READS | SETS_REG : 0;

	switch (opcode) {
	case 0x38 ... 0x3b:		/* cmp */
	case 0x84 ... 0x85:		/* test */
		return READS;
	case 0x63:			/* movslq */
	case 0x69:			/* imul */
	case 0x6b:
	case 0x8a ... 0x8b:		/* mov */
		return READS | SETS_REG;
	case 0x80 ... 0x83:		/* add to xor with an immediate; cmp */
		return reg == 7 ? READS : WRITES;
	case 0x86 ... 0x87:		/* xchg */
		return WRITES | SETS_REG;
	case 0x88 ... 0x89:		/* mov */
	case 0xc0 ... 0xc1:		/* shifts and rotates */
	case 0xd0 ... 0xd3:
		return WRITES;
	case 0xc6 ... 0xc7:		/* mov */
		return reg ? 0 : WRITES;
	case 0xf6 ... 0xf7:		/* test, not, neg, mul to idiv */
		return reg < 2 ? READS : reg < 4 ? WRITES : READS | SETS_AX | SETS_DX;
	case 0xfe ... 0xff:		/* inc, dec; call, jmp and push do more */
		return reg < 2 ? WRITES : 0;
	}
	return 0;
}

/* The same of those that begin with 0x0f */
static unsigned int two_byte_use(u8 opcode, u8 reg)
{
	switch (opcode) {
	case 0xa3:			/* bt */
		return READS;
	case 0x40 ... 0x4f:		/* cmov */
	case 0xaf:			/* imul */
	case 0xb6 ... 0xb7:		/* movzx */
	case 0xbc ... 0xbd:		/* bsf, bsr */
	case 0xbe ... 0xbf:		/* movsx */
		return READS | SETS_REG;
	case 0x90 ... 0x9f:		/* setcc */
	case 0xa4 ... 0xa5:		/* shld */
	case 0xac ... 0xad:		/* shrd */
	case 0xab:			/* bts */
	case 0xb3:			/* btr */
	case 0xbb:			/* btc */
	case 0xc3:			/* movnti */
		return WRITES;
	case 0xc0 ... 0xc1:		/* xadd */
		return WRITES | SETS_REG;
	case 0xb0 ... 0xb1:		/* cmpxchg */
		return WRITES | SETS_AX;
	case 0xba:			/* bt, bts, btr, btc with an immediate */
		return reg > 4 ? WRITES : READS;
	case 0xc7:			/* cmpxchg8b, cmpxchg16b */
		return reg == 1 ? WRITES | SETS_AX | SETS_DX : 0;
	}
	return 0;
}

static bool has_prefix(const struct insn *insn, u8 prefix)
{
	int i;

	for (i = 0; i < insn->prefixes.nbytes; i++) {
		if (insn->prefixes.bytes[i] == prefix)
			return true;
	}
	return false;
}

/*
 * How many bytes a vector instruction loads or stores: a whole register of SSE,
 * or 0 where this is none. Those that only move are known.
 */
static unsigned int vector_size(const struct insn *insn)
{
	bool packed = !has_prefix(insn, 0xf2) && !has_prefix(insn, 0xf3);

	if (insn->opcode.nbytes != 2)
		return 0;
	switch (insn->opcode.bytes[1]) {
	case 0x10 ... 0x11:		/* movups, movupd */
	case 0x28 ... 0x29:		/* movaps, movapd */
	case 0x2b:			/* movntps, movntpd */
		return packed ? 16 : 0;
	case 0x6f:			/* movdqa, movdqu */
	case 0x7f:
		return has_prefix(insn, 0x66) || has_prefix(insn, 0xf3) ? 16 : 0;
	case 0xe7:			/* movntdq */
		return has_prefix(insn, 0x66) ? 16 : 0;
	}
	return 0;
}

static unsigned int vector_use(const struct insn *insn)
{
	switch (insn->opcode.bytes[1]) {
	case 0x10:
	case 0x28:
	case 0x6f:
		return READS;
	}
	return WRITES;
}

/* 0 where it has no such operand, or is not known */
static unsigned int use_of(const struct insn *insn)
{
	u8 reg = X86_MODRM_REG(insn->modrm.value);

	if (!insn->modrm.nbytes || X86_MODRM_MOD(insn->modrm.value) == 3 ||
	    insn->vex_prefix.nbytes)
		return 0;
	if (vector_size(insn))
		return vector_use(insn);
	if (insn->opcode.nbytes == 1)
		return one_byte_use(insn->opcode.bytes[0], reg);
	if (insn->opcode.nbytes == 2)
		return two_byte_use(insn->opcode.bytes[1], reg);
	return 0;
}

/* How many bytes of memory an instruction that use_of() knows accesses */
static unsigned int size_of(const struct insn *insn)
{
	u8 opcode = insn->opcode.bytes[insn->opcode.nbytes - 1];

	if (vector_size(insn))
		return vector_size(insn);
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

	if (has_prefix(insn, percpu))
		*addr += percpu_base();
	return !has_prefix(insn, other);
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

/* Is the register in its ModRM byte one of a byte, of which 4 to 7 are ah to bh? */
static bool has_low_byte(const struct insn *insn)
{
	u8 opcode = insn->opcode.bytes[insn->opcode.nbytes - 1];

	if (insn->rex_prefix.nbytes)
		return false;
	return insn->opcode.nbytes == 1 ? !(opcode & 1) : opcode == 0xc0;
}

/* The registers that an instruction may have changed, as bits */
static unsigned int changed_by(const struct insn *insn, unsigned int use,
			       unsigned int reg)
{
	unsigned int changed = 0;

	if (use & SETS_REG)
		changed |= BIT(has_low_byte(insn) ? reg & 3 : reg);
	if (use & SETS_AX)
		changed |= BIT(0);
	if (use & SETS_DX)
		changed |= BIT(2);
	return changed;
}

/*
 * The address of the memory operand: SDM vol. 2, 2.1.5. From the registers
 * after the instruction: false if it may have changed one that its address was
 * made of.
 */
static bool address_of(const struct insn *insn, const struct pt_regs *regs,
		       unsigned int use, unsigned long *addr)
{
	u8 modrm = insn->modrm.value, sib = insn->sib.value, rex = 0;
	unsigned int base = X86_MODRM_RM(modrm), index = 4, reg, changed;

	if (insn->addr_bytes != sizeof(long))
		return false;
	if (insn->rex_prefix.nbytes)
		rex = insn->rex_prefix.bytes[0];
	reg = X86_MODRM_REG(modrm) | !!X86_REX_R(rex) << 3;
	changed = changed_by(insn, use, reg);

	*addr = insn->displacement.value;
	if (insn->sib.nbytes) {
		base = X86_SIB_BASE(sib);
		index = X86_SIB_INDEX(sib) | !!X86_REX_X(rex) << 3;
	}
	if (base == 5 && !X86_MODRM_MOD(modrm)) {
		if (!insn->sib.nbytes && IS_ENABLED(CONFIG_X86_64))
			*addr += regs->ip;
	} else {
		base |= !!X86_REX_B(rex) << 3;
		*addr += reg_value(regs, base);
		if (changed & BIT(base))
			return false;
	}
	if (index != 4) {
		*addr += reg_value(regs, index) << X86_SIB_SCALE(sib);
		if (changed & BIT(index))
			return false;
	}

	*addr += bit_string_offset(insn, regs, reg);
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
	unsigned int use;

	info->len = 0;
	if (user_mode(regs) || !decode_previous(&insn, regs->ip))
		return;

	use = use_of(&insn);
	if (!use || !address_of(&insn, regs, use, &addr))
		return;
	info->addr = addr;
	info->len = size_of(&insn);
	info->wrote = use & WRITES;
}
