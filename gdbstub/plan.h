/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the region gdb asked for to the debug registers that cover it.
 * Pure code.
 */
#ifndef _KGDB_WATCH_PLAN_H
#define _KGDB_WATCH_PLAN_H

#include "packet.h"

const char *kgdb_plan_slots(const struct kgdb_slot_caps *caps,
			    const struct kgdb_watch_spec *watch,
			    struct kgdb_slot_spec *slots, unsigned int room,
			    unsigned long *count);

static inline bool kgdb_slot_spec_equal(const struct kgdb_slot_spec *a,
					const struct kgdb_slot_spec *b)
{
	return a->type == b->type && a->addr == b->addr && a->len == b->len;
}

static inline bool kgdb_slot_specs_have(const struct kgdb_slot_spec *specs,
					unsigned int count,
					const struct kgdb_slot_spec *spec)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (kgdb_slot_spec_equal(&specs[i], spec))
			return true;
	}
	return false;
}

/* Whether every byte of @inner is one of @outer's */
static inline bool kgdb_slot_spec_contains(const struct kgdb_slot_spec *outer,
					   const struct kgdb_slot_spec *inner)
{
	return inner->addr - outer->addr < outer->len &&
	       inner->len <= outer->len - (inner->addr - outer->addr);
}

static inline bool kgdb_slot_spec_overlaps(const struct kgdb_slot_spec *a,
					   const struct kgdb_slot_spec *b)
{
	return a->addr - b->addr < b->len || b->addr - a->addr < a->len;
}

#endif /* _KGDB_WATCH_PLAN_H */
