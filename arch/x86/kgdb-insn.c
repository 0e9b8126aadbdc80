// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KGDB has to know of the instruction that hit a watchpoint on x86.
 *
 * A data breakpoint is a trap: the instruction has been executed, and the
 * registers point behind it (Intel SDM vol. 3B, 18.3.1.2).
 */
#include <linux/kallsyms.h>
#include <linux/log2.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/smp.h>

#include <asm/insn.h>
#include <asm/kgdb_watch.h>

#include "kgdb-x86.h"

/* Where the instructions begin that lead to @ip, or 0 */
static unsigned long code_before(unsigned long ip)
{
	unsigned long size, offset, copy = kgdb_probe_slot(ip);

	if (copy)
		return copy;
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
