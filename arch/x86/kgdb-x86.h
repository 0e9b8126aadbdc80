/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the x86 files of KGDB's watchpoints share.
 */
#ifndef _ARCH_X86_KERNEL_KGDB_X86_H
#define _ARCH_X86_KERNEL_KGDB_X86_H

#include <linux/bits.h>
#include <linux/kgdb_slots.h>

/* Always set: SDM vol. 3B, 18.2.4. Kernels have several names for it. */
#define DR7_FIXED 0x400UL

/* kgdb-check.c: what may not be watched */
const char *kgdb_check_slot(const struct kgdb_slot_spec *spec);

/* kgdb-probed.c: instructions that kprobes execute out of line */
unsigned long kgdb_probe_slot(unsigned long ip);

/* kgdb-insn.c: the memory that the last instruction accessed; @len 0 if unknown */
void kgdb_insn_access(struct pt_regs *regs, struct kgdb_hit_info *info);

/* kgdb-slots.c */
unsigned long kgdb_recorded_dr7(void);
bool kgdb_registers_lent(unsigned long dr7);
bool kgdb_hit_in_flight(unsigned long bits);
void kgdb_step_missed(const struct kgdb_hit_info *info);

/* kgdb-qemu.c: where QEMU's debug registers are not a processor's */
#ifdef CONFIG_KGDB_WATCHPOINT_QEMU
int kgdb_quirk_next(const struct kgdb_slot_set *set, unsigned int done);
void kgdb_quirk_access(struct pt_regs *regs, struct kgdb_hit_info *info);
bool kgdb_quirk_step_begins(void);
bool kgdb_quirk_step_ends(void);
#else
static __always_inline int kgdb_quirk_next(const struct kgdb_slot_set *set,
					   unsigned int done)
{
	int i;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (set->slot[i].wanted && !(done & BIT(i)))
			return i;
	}
	return -1;
}

static inline void kgdb_quirk_access(struct pt_regs *regs,
				     struct kgdb_hit_info *info) { }
static inline bool kgdb_quirk_step_begins(void) { return false; }
static inline bool kgdb_quirk_step_ends(void) { return false; }
#endif

#endif /* _ARCH_X86_KERNEL_KGDB_X86_H */
