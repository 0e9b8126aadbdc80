/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KGDB_SLOTS_H
#define _ASM_X86_KGDB_SLOTS_H

/* DR0 to DR3: SDM vol. 3B, 18.2 */
#define KGDB_SLOTS_MAX 4

#endif /* _ASM_X86_KGDB_SLOTS_H */
