/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the x86 files of KGDB's watchpoints share.
 */
#ifndef _ARCH_X86_KERNEL_KGDB_X86_H
#define _ARCH_X86_KERNEL_KGDB_X86_H

#include <linux/kgdb_slots.h>
#include <linux/ptrace.h>

#ifdef CONFIG_X86_FRED
#include <linux/cpufeature.h>

/* Does FRED deliver the events? What follows takes that as an argument, for tests */
#define kgdb_fred() cpu_feature_enabled(X86_FEATURE_FRED)
#else
#define kgdb_fred() false
#endif

/* Always set: SDM vol. 3B, 18.2.4. Kernels have several names for it. */
#define DR7_FIXED 0x400UL

/* kgdb-check.c: what may not be watched */
const char *kgdb_check_slot(const struct kgdb_slot_spec *spec);

/* kgdb-state.c: what is under way on this CPU */
bool kgdb_registers_lent(unsigned long dr7);
bool kgdb_hit_in_flight(unsigned long bits, bool fred);
bool kgdb_nmi_uncounted(const struct pt_regs *regs, bool fred);
#ifdef CONFIG_X86_FRED
unsigned long kgdb_fred_unread(const struct pt_regs *nmi,
			       const struct pt_regs *db,
			       const struct pt_regs *user);
#endif

/* kgdb-nmi.c: hits in NMI handlers */
bool kgdb_nmi_may_arm(const struct pt_regs *regs, bool fred);

#endif /* _ARCH_X86_KERNEL_KGDB_X86_H */
