/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the x86 files of KGDB's watchpoints share.
 */
#ifndef _ARCH_X86_KERNEL_KGDB_X86_H
#define _ARCH_X86_KERNEL_KGDB_X86_H

#include <linux/kgdb_slots.h>

/* Always set: SDM vol. 3B, 18.2.4. Kernels have several names for it. */
#define DR7_FIXED 0x400UL

/* kgdb-check.c: what may not be watched */
const char *kgdb_check_slot(const struct kgdb_slot_spec *spec);

/* kgdb-state.c: what is under way on this CPU */
bool kgdb_registers_lent(unsigned long dr7);
bool kgdb_hit_in_flight(unsigned long bits);

#endif /* _ARCH_X86_KERNEL_KGDB_X86_H */
