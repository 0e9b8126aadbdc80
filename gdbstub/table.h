/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of watchpoints (table.c) as its neighbours see it.
 */
#ifndef _KGDB_WATCH_TABLE_H
#define _KGDB_WATCH_TABLE_H

#include <linux/types.h>

#include "packet.h"

const char *kgdb_type_name(enum kgdb_watch_type type);
int kgdb_table_set(const struct kgdb_watch_spec *spec, bool kdb);
int kgdb_table_remove(const struct kgdb_watch_spec *spec, bool kdb);
bool kgdb_table_has(const struct kgdb_watch_spec *spec, bool kdb);
bool kgdb_table_kdb_alone(const struct kgdb_watch_spec *hit);
void kgdb_table_lock_down(void);
void kgdb_table_settle(void);
void kgdb_table_as_of(unsigned int generation, struct kgdb_watch_spec *found);

/* For what happens outside of the debugger: see lifecycle.c */
u32 kgdb_table_within(unsigned long addr, unsigned long len);
u32 kgdb_table_refused(void);
struct kgdb_watch_spec kgdb_table_entry(unsigned int i);
void kgdb_table_drop(u32 which);

#endif /* _KGDB_WATCH_TABLE_H */
