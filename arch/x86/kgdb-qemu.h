/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where QEMU's debug registers are not a processor's: kgdb-qemu.c.
 */
#ifndef _ARCH_X86_KERNEL_KGDB_QEMU_H
#define _ARCH_X86_KERNEL_KGDB_QEMU_H

#include <linux/bits.h>
#include <linux/kgdb_slots.h>

#ifdef CONFIG_KGDB_WATCHPOINT_QEMU
int kgdb_quirk_next(const struct kgdb_slot_set *set, unsigned int done);
bool kgdb_quirk_access(struct pt_regs *regs, const struct perf_event *event,
		       struct kgdb_hit_info *info);
bool kgdb_quirk_step_begins(void);
bool kgdb_quirk_step_ends(void);
void kgdb_quirk_step_done(struct pt_regs *regs);
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

static inline bool kgdb_quirk_access(struct pt_regs *regs,
				     const struct perf_event *event,
				     struct kgdb_hit_info *info)
{
	return true;
}

static inline bool kgdb_quirk_step_begins(void) { return false; }
static inline bool kgdb_quirk_step_ends(void) { return false; }
static inline void kgdb_quirk_step_done(struct pt_regs *regs) { }
#endif

#endif /* _ARCH_X86_KERNEL_KGDB_QEMU_H */
