/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The judge of what is reported in the simulated machine (scene_judge.c).
 */
#ifndef _KGDB_WATCH_SCENE_JUDGE_H
#define _KGDB_WATCH_SCENE_JUDGE_H

#include "scene.h"

static inline bool is_data(enum kgdb_watch_type type)
{
	return type == KGDB_WATCH_WRITE || type == KGDB_WATCH_READ || type == KGDB_WATCH_ACCESS;
}

static inline bool share_a_byte(unsigned long a, unsigned long a_len, unsigned long b,
				unsigned long b_len)
{
	unsigned long at;

	for (at = a; at < a + a_len; at++) {
		if (at >= b && at < b + b_len)
			return true;
	}
	return false;
}

static inline bool has_byte(const struct kgdb_watch_spec *watch, unsigned long addr)
{
	return addr >= watch->addr && addr < watch->addr + watch->len;
}

bool really_hit(const struct scene *scene, const struct kgdb_watch_spec *watch);

/* gdb looks at the watchpoints that the address lies in, and at the PC */
bool gdb_sees(const struct scene *scene, const struct kgdb_watch_spec *watch,
	      const struct kgdb_watch_spec *report);

/*
 * What is wrong with a report, or NULL: at all, as the first for its address, and
 * with the others for the same address
 */
const char *judge_report(const struct scene *scene, unsigned int hit, const bool *seen,
			 const struct kgdb_watch_spec *report);
const char *judge_reason(const struct scene *scene, const bool *seen,
			 const struct kgdb_watch_spec *report);
const char *judge_same_address(const struct scene *scene, unsigned int hit, const bool *seen,
			       const struct kgdb_watch_spec *reports, unsigned int count);

/* The fewest addresses of hit slots that lie in all data watchpoints which were hit */
unsigned int fewest_stops(const struct scene *scene, unsigned int hit);

#endif /* _KGDB_WATCH_SCENE_JUDGE_H */
