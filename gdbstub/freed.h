/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Watched memory that was given back (freed.c), as the table and the hits see
 * it.
 */
#ifndef _KGDB_WATCH_FREED_H
#define _KGDB_WATCH_FREED_H

#include "packet.h"

void kgdb_freed_watch(unsigned int i, const struct kgdb_watch_spec *spec,
		      unsigned int since);
void kgdb_freed_forget(unsigned int i);
void kgdb_freed_settled(void);
void kgdb_freed_hit(const struct kgdb_watch_spec *hit);
const char *kgdb_freed_text(void);

#endif /* _KGDB_WATCH_FREED_H */
