/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watchpoint table (watch.c) as its neighbours see it.
 */
#ifndef _KGDB_WATCH_WATCH_H
#define _KGDB_WATCH_WATCH_H

#include <linux/kgdb_watch.h>

#include "plan.h"

bool kgdb_watch_find(unsigned int slot, unsigned int generation,
		     struct kgdb_watch_spec *found);

#endif /* _KGDB_WATCH_WATCH_H */
