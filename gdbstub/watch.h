/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The watchpoint table (watch.c) as its neighbours see it.
 */
#ifndef _KGDB_WATCH_WATCH_H
#define _KGDB_WATCH_WATCH_H

#include <linux/kgdb_watch.h>

#include "match.h"

const char *kgdb_type_name(enum kgdb_watch_type type);
const char *kgdb_watch_refusal(void);
bool kgdb_watch_match(struct kgdb_access *access, const unsigned int *id,
		      unsigned int newest, struct kgdb_watch_spec *report);
bool kgdb_watch_kdb_alone(const struct kgdb_watch_spec *hit);

#endif /* _KGDB_WATCH_WATCH_H */
