/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether something may be watched, and whether there is room (room.c).
 */
#ifndef _KGDB_WATCH_ROOM_H
#define _KGDB_WATCH_ROOM_H

#include "packet.h"

int kgdb_room_claim(const struct kgdb_watch_spec *spec,
		    const struct kgdb_slot_spec *all, unsigned int count_all);
const char *kgdb_room_check(const struct kgdb_watch_spec *watch);
bool kgdb_room_was_init_mem(const struct kgdb_watch_spec *watch);
void kgdb_room_init_mem_freed(void);
int kgdb_room_refuse(int err, const char *why);
const char *kgdb_watch_refusal(void);

#endif /* _KGDB_WATCH_ROOM_H */
