/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The slots (slots.c) as the table, the lifecycle and the hits see them.
 */
#ifndef _KGDB_WATCH_SLOTS_H
#define _KGDB_WATCH_SLOTS_H

#include <linux/kgdb_slots.h>

extern const struct kgdb_slot_arch *kgdb_slot_arch;

int kgdb_slots_claim(enum kgdb_watch_type type, unsigned int wanted,
		     unsigned long *claimed);
void kgdb_slots_unclaim(unsigned long claimed);
unsigned int kgdb_slots_room(enum kgdb_watch_type type, unsigned int *held);
const struct kgdb_slot_set *kgdb_slots_current(void);
unsigned int kgdb_slots_generation(void);
void kgdb_slots_settle(const struct kgdb_slot_spec *specs, unsigned int count,
		       bool changed);
unsigned long kgdb_slots_idle(void);
void kgdb_slots_release_idle(void);
unsigned int kgdb_slots_late(void);

#endif /* _KGDB_WATCH_SLOTS_H */
