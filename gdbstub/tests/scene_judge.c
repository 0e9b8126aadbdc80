// SPDX-License-Identifier: GPL-2.0-only
/*
 * The judge of what is reported in the simulated machine.
 *
 * What it holds against a report is stated by bytes: which watchpoints an access
 * hit follows from the bytes it read and wrote, not from slots.
 */
#include "scene_judge.h"

bool really_hit(const struct scene *scene, const struct kgdb_watch_spec *watch)
{
	if (watch->type == KGDB_WATCH_EXECUTE)
		return watch->addr == scene->pc;
	if (!is_data(watch->type) ||
	    !share_a_byte(scene->addr, scene->len, watch->addr, watch->len))
		return false;
	if (watch->type == KGDB_WATCH_WRITE)
		return scene->stores;
	if (watch->type == KGDB_WATCH_READ)
		return !scene->stores;
	return true;
}

bool gdb_sees(const struct scene *scene, const struct kgdb_watch_spec *watch,
	      const struct kgdb_watch_spec *report)
{
	if (watch->type == KGDB_WATCH_EXECUTE)
		return watch->addr == scene->pc;
	return is_data(report->type) && has_byte(watch, report->addr);
}

const char *judge_report(const struct scene *scene, unsigned int hit, const bool *seen,
			 const struct kgdb_watch_spec *report)
{
	bool slot_is_there = false, named = false;
	unsigned int i;

	for (i = 0; i < KGDB_SLOTS_MAX; i++)
		slot_is_there |= hit & 1U << i && scene->slots[i].addr == report->addr;
	if (!slot_is_there)
		return "an address where no slot was hit";
	for (i = 0; i < SCENE_WATCHES; i++)
		named |= !seen[i] && scene->watches[i].type == report->type &&
			 scene->watches[i].len == report->len &&
			 really_hit(scene, &scene->watches[i]) &&
			 (report->type == KGDB_WATCH_EXECUTE ?
			  scene->watches[i].addr == report->addr :
			  has_byte(&scene->watches[i], report->addr));
	return named ? NULL : "a watchpoint that was not hit there, or has been reported";
}

/* A write says more than a read, and a read more than an access */
const char *judge_reason(const struct scene *scene, const bool *seen,
			 const struct kgdb_watch_spec *report)
{
	unsigned int i;

	for (i = 0; i < SCENE_WATCHES; i++) {
		if (!really_hit(scene, &scene->watches[i]) || !is_data(scene->watches[i].type))
			continue;
		if (seen[i])
			continue;
		if (report->type == KGDB_WATCH_EXECUTE)
			return "a breakpoint, though memory was accessed";
		if (scene->watches[i].type < report->type &&
		    has_byte(&scene->watches[i], report->addr))
			return "a reason that says less than another";
	}
	return NULL;
}

unsigned int fewest_stops(const struct scene *scene, unsigned int hit)
{
	unsigned int set, i, j, count, fewest = KGDB_SLOTS_MAX + 1;
	bool all, any = false;

	for (i = 0; i < SCENE_WATCHES; i++)
		any |= really_hit(scene, &scene->watches[i]);
	if (!any)
		return 0;
	for (set = 1; set < 1U << KGDB_SLOTS_MAX; set++) {
		all = !(set & ~hit);
		for (i = 0; all && i < SCENE_WATCHES; i++) {
			bool seen = !really_hit(scene, &scene->watches[i]) ||
				    !is_data(scene->watches[i].type);

			for (j = 0; j < KGDB_SLOTS_MAX; j++)
				seen |= set & 1U << j &&
					has_byte(&scene->watches[i], scene->slots[j].addr);
			all = seen;
		}
		for (count = 0, i = 0; i < KGDB_SLOTS_MAX; i++)
			count += set >> i & 1;
		if (all && count < fewest)
			fewest = count;
	}
	return fewest;
}

/*
 * The other reports for the same address: each says less than the one before, and
 * together they name each kind of watchpoint that is new there.
 */
const char *judge_same_address(const struct scene *scene, unsigned int hit,
			       const bool *seen, const struct kgdb_watch_spec *reports,
			       unsigned int count)
{
	unsigned int i, j, named;
	const char *fault;

	for (i = 1; i < count; i++) {
		if (reports[i].type <= reports[i - 1].type)
			return "reports that do not say less and less";
		fault = judge_report(scene, hit, seen, &reports[i]);
		if (fault)
			return fault;
	}
	for (i = 0; i < SCENE_WATCHES; i++) {
		const struct kgdb_watch_spec *watch = &scene->watches[i];

		if (seen[i] || !is_data(watch->type) || !really_hit(scene, watch) ||
		    !has_byte(watch, reports->addr))
			continue;
		for (named = 0, j = 0; j < count; j++)
			named += reports[j].type == watch->type;
		if (named != 1)
			return "a kind of watchpoint that is not named at its address";
	}
	return NULL;
}
