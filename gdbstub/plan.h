/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the region gdb asked for to the debug registers that cover it.
 * Pure code.
 */
#ifndef _KGDB_WATCH_PLAN_H
#define _KGDB_WATCH_PLAN_H

#include "packet.h"

/**
 * struct kgdb_slot_spec - what one hardware slot is programmed to
 * @type: KGDB_WATCH_EXECUTE, KGDB_WATCH_WRITE or KGDB_WATCH_ACCESS
 * @addr: first byte, aligned to @len
 * @len: number of bytes, a power of two
 *
 * A slot is a hardware register pair; a watchpoint is what gdb asked for.
 * The same description makes an equal slot, which watchpoints can share.
 */
struct kgdb_slot_spec {
	enum kgdb_watch_type type;
	unsigned long addr;
	unsigned long len;
};

/* The longest region one x86 slot covers: SDM vol. 3B, 18.2.4, LEN fields */
#define KGDB_SLOT_MAX_LEN sizeof(long)

const char *kgdb_plan_slots(const struct kgdb_watch_spec *watch,
			    struct kgdb_slot_spec *slots, unsigned int room,
			    unsigned long *count);

static inline bool kgdb_slot_spec_equal(const struct kgdb_slot_spec *a,
					const struct kgdb_slot_spec *b)
{
	return a->type == b->type && a->addr == b->addr && a->len == b->len;
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
