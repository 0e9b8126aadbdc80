/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the slots that hit to the watchpoints to report. Pure code.
 */
#ifndef _KGDB_WATCH_MATCH_H
#define _KGDB_WATCH_MATCH_H

#include "plan.h"

/**
 * struct kgdb_access - what is known of the access that hit
 * @armed: bitmap of the slots that were armed
 * @slots: bitmap of those that the hardware says have hit
 * @addr: first byte that the instruction accessed
 * @len: how many bytes; 0 if that is not known
 * @wrote: it changed them
 * @told: addresses that gdb has been told of in earlier stops for this access
 * @nr_told: how many there are
 */
struct kgdb_access {
	unsigned int armed;
	unsigned int slots;
	unsigned long addr;
	unsigned long len;
	bool wrote;
	unsigned long told[KGDB_SLOTS_MAX];
	unsigned int nr_told;
};

/*
 * A report is of a watchpoint that no other is of, and of a kind of watchpoint
 * at a slot's address, of which there are three
 */
#define KGDB_REPORTS_MAX (3 * KGDB_SLOTS_MAX < KGDB_WATCH_MAX ?		\
			  3 * KGDB_SLOTS_MAX : KGDB_WATCH_MAX)

unsigned int kgdb_match(const struct kgdb_slot_caps *caps,
			const struct kgdb_access *access,
			const struct kgdb_slot_spec *slots,
			const struct kgdb_watch_spec *watches,
			unsigned int nr_watches,
			struct kgdb_watch_spec *reports);

#endif /* _KGDB_WATCH_MATCH_H */
