/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the last instruction accessed: kgdb-qemu-insn.c.
 */
#ifndef _ARCH_X86_KERNEL_KGDB_QEMU_INSN_H
#define _ARCH_X86_KERNEL_KGDB_QEMU_INSN_H

#include <linux/kgdb_slots.h>

void kgdb_insn_access(struct pt_regs *regs, struct kgdb_hit_info *info);

#endif /* _ARCH_X86_KERNEL_KGDB_QEMU_INSN_H */
