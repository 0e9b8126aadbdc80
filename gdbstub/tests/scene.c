// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated machine behind the tests of match.c.
 */
#include "scene.h"
#include "scene_judge.h"
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where it all happens; a page of the emulator's, a few words of it */
#define BASE 0x1000UL

/*
 * The machine
 */

static int slot_of(const struct scene *scene, const struct kgdb_slot_spec *spec)
{
	unsigned int i;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (scene->wanted & 1U << i && kgdb_slot_spec_equal(&scene->slots[i], spec))
			return i;
	}
	return -1;
}

bool scene_add(struct scene *scene, const struct kgdb_watch_spec *watch, unsigned int order)
{
	struct kgdb_slot_spec pieces[KGDB_SLOTS_MAX];
	unsigned int slot;
	struct scene before = *scene;
	unsigned long i, count;

	if (kgdb_plan_slots(&kgdb_test_caps, watch, pieces, KGDB_SLOTS_MAX, &count) || count > KGDB_SLOTS_MAX)
		return false;
	for (i = 0; i < count; i++) {
		if (slot_of(scene, &pieces[i]) >= 0)
			continue;
		if (scene->wanted == (1U << KGDB_SLOTS_MAX) - 1) {
			*scene = before;
			return false;
		}
		for (slot = order % KGDB_SLOTS_MAX; scene->wanted & 1U << slot;)
			slot = (slot + 1) % KGDB_SLOTS_MAX;
		scene->slots[slot] = pieces[i];
		scene->wanted |= 1U << slot;
	}
	for (i = 0; i < SCENE_WATCHES; i++) {
		if (scene->watches[i].type == KGDB_WATCH_SOFTWARE) {
			scene->watches[i] = *watch;
			return true;
		}
	}
	*scene = before;
	return false;
}

void scene_remove(struct scene *scene, unsigned int watch)
{
	struct kgdb_slot_spec pieces[KGDB_SLOTS_MAX];
	unsigned long i, j, count;
	unsigned int wanted = 0;

	scene->watches[watch].type = KGDB_WATCH_SOFTWARE;
	for (i = 0; i < SCENE_WATCHES; i++) {
		if (scene->watches[i].type == KGDB_WATCH_SOFTWARE)
			continue;
		if (kgdb_plan_slots(&kgdb_test_caps, &scene->watches[i], pieces, KGDB_SLOTS_MAX, &count))
			abort();
		for (j = 0; j < count; j++)
			wanted |= 1U << slot_of(scene, &pieces[j]);
	}
	scene->wanted = wanted;
}

void scene_read(struct scene *scene, const unsigned char *data, size_t size)
{
	static const unsigned char lengths[] = { 1, 2, 4, 8, 16, 3, 12, 32 };
	unsigned char bytes[SCENE_SIZE] = { 0 }, *next = bytes;
	struct kgdb_watch_spec watch;
	unsigned int i;

	memcpy(bytes, data, size < SCENE_SIZE ? size : SCENE_SIZE);
	*scene = (struct scene){
		.loads = *next % 3 != 1,
		.stores = *next % 3 != 0,
	};
	next++;
	scene->addr = BASE + *next++ % 32;
	scene->len = lengths[*next++ % ARRAY_SIZE(lengths)];
	scene->pc = BASE + *next++ % 32;

	/* What is free may hold anything */
	for (i = 0; i < KGDB_SLOTS_MAX; i++, next++)
		scene->slots[i] = (struct kgdb_slot_spec){
			.type = 1 + *next % 4,
			.addr = BASE + (*next / 4) % 4 * 8,
			.len = 8 >> *next / 16 % 4,
		};
	for (i = 0; i < SCENE_WATCHES; i++, next += 4) {
		watch.type = next[0] % 5;
		watch.addr = BASE + next[1] % 32;
		watch.len = 1 + next[2] % 16;
		if (!watch.type || !scene_add(scene, &watch, next[3]))
			scene->watches[i] = (struct kgdb_watch_spec){ 0, watch.addr, watch.len };
	}
}

static bool slot_loads(const struct scene *scene, unsigned int slot)
{
	const struct kgdb_slot_spec *spec = &scene->slots[slot];

	return scene->wanted & 1U << slot && scene->loads && spec->type == KGDB_WATCH_ACCESS &&
	       share_a_byte(scene->addr, scene->len, spec->addr, spec->len);
}

static bool slot_stores(const struct scene *scene, unsigned int slot)
{
	const struct kgdb_slot_spec *spec = &scene->slots[slot];

	return scene->wanted & 1U << slot && scene->stores &&
	       (spec->type == KGDB_WATCH_ACCESS || spec->type == KGDB_WATCH_WRITE) &&
	       share_a_byte(scene->addr, scene->len, spec->addr, spec->len);
}

static unsigned int breakpoints(const struct scene *scene)
{
	unsigned int i, hit = 0;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (scene->wanted & 1U << i && scene->slots[i].type == KGDB_WATCH_EXECUTE &&
		    scene->slots[i].addr == scene->pc)
			hit |= 1U << i;
	}
	return hit;
}

static unsigned int processor(const struct scene *scene)
{
	unsigned int i, hit = breakpoints(scene);

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (slot_loads(scene, i) || slot_stores(scene, i))
			hit |= 1U << i;
	}
	return hit;
}

/* arch/x86 arms slots in this order, and QEMU compares in it, before it loads */
static int emulator_slot(const struct scene *scene)
{
	int i, phase, best;
	bool matches;

	for (phase = 0; phase < 2; phase++) {
		best = -1;
		for (i = 0; i < KGDB_SLOTS_MAX; i++) {
			const struct kgdb_slot_spec *spec = &scene->slots[i];

			matches = phase ? slot_stores(scene, i) : slot_loads(scene, i);
			if (matches && (best < 0 || spec->len < scene->slots[best].len ||
					(spec->len == scene->slots[best].len &&
					 spec->type < scene->slots[best].type)))
				best = i;
		}
		if (best >= 0)
			return best;
	}
	return -1;
}

static unsigned int ask(const struct scene *scene, struct kgdb_access *access,
			struct kgdb_watch_spec *reports)
{
	access->slots &= scene->wanted;
	return kgdb_match(&kgdb_test_caps, access, scene->slots, scene->watches, SCENE_WATCHES,
			  reports);
}

/* How many of these reports, from the first on, have its address */
static unsigned int same_address(const struct kgdb_watch_spec *reports, unsigned int count)
{
	unsigned int same = 0;

	while (same < count && reports[same].addr == reports->addr)
		same++;
	return same;
}

/*
 * @said: the slots that the hardware reports
 * @several: a stop names all that is reported, and not the first address alone
 */
static void play(const struct scene *start, unsigned int watch, unsigned int removed_at,
		 unsigned int said, bool understood, bool several, struct verdict *verdict)
{
	struct kgdb_access access = {
		.armed = start->wanted,
		.slots = said,
		.addr = start->addr,
		.len = understood ? start->len : 0,
		.wrote = understood && start->stores,
	};
	struct kgdb_watch_spec reports[KGDB_REPORTS_MAX], *report;
	bool seen[SCENE_WATCHES] = { false }, news;
	unsigned int i, at, same, count, rest = 1;
	unsigned int hit = processor(start);
	struct scene scene = *start;

	*verdict = (struct verdict){ };
	while (rest) {
		if (verdict->stops == removed_at)
			scene_remove(&scene, watch);
		count = ask(&scene, &access, reports);
		if (!count) {
			if (verdict->stops && removed_at > verdict->stops)
				verdict->fault = "a stop that nothing is reported for";
			break;
		}
		rest = count;
		for (at = 0; rest && (!at || several); at += same, rest -= same) {
			report = &reports[at];
			same = same_address(report, rest);
			verdict->reports[verdict->stops] = *report;
			if (++verdict->stops > KGDB_SLOTS_MAX) {
				verdict->fault = "no end of addresses";
				return;
			}
			verdict->fault = judge_report(&scene, hit & scene.wanted, seen, report) ?:
					 judge_reason(&scene, seen, report);
			if (!verdict->fault && is_data(report->type))
				verdict->fault = judge_same_address(&scene, hit & scene.wanted, seen,
								    report, same);
			if (verdict->fault)
				return;

			for (news = false, i = 0; i < SCENE_WATCHES; i++) {
				if (!really_hit(&scene, &scene.watches[i]) ||
				    !gdb_sees(&scene, &scene.watches[i], report))
					continue;
				news |= !seen[i];
				seen[i] = true;
			}
			if (!news) {
				verdict->fault = "an address that says nothing new";
				return;
			}
			if (access.nr_told < KGDB_SLOTS_MAX)
				access.told[access.nr_told++] = report->addr;
		}
	}
	if (several && !verdict->fault && access.nr_told && ask(&scene, &access, reports))
		verdict->fault = "a second stop";
	for (i = 0; i < SCENE_WATCHES; i++) {
		if (really_hit(&scene, &scene.watches[i]) && !seen[i])
			verdict->fault = "a watchpoint that was hit and not reported";
	}
	if (!verdict->fault && removed_at > KGDB_SLOTS_MAX &&
	    verdict->stops != fewest_stops(start, hit))
		verdict->fault = "more addresses than are needed";
}

void scene_play_removing(const struct scene *scene, unsigned int watch, unsigned int stop,
			 struct verdict *verdict)
{
	/* The instruction may be understood or not */
	play(scene, watch, stop, processor(scene), true, false, verdict);
	if (!verdict->fault)
		play(scene, watch, stop, processor(scene), false, false, verdict);
}

void scene_play(const struct scene *scene, struct verdict *verdict)
{
	scene_play_removing(scene, 0, ~0U, verdict);
}

void scene_play_several(const struct scene *scene, struct verdict *verdict)
{
	play(scene, 0, ~0U, processor(scene), true, true, verdict);
	if (!verdict->fault)
		play(scene, 0, ~0U, processor(scene), false, true, verdict);
}

static unsigned int emulator(const struct scene *scene)
{
	int first = emulator_slot(scene);

	return breakpoints(scene) | (first < 0 ? 0 : 1U << first);
}

void scene_play_emulated(const struct scene *scene, struct verdict *verdict)
{
	play(scene, 0, ~0U, emulator(scene), true, false, verdict);
}

/*
 * What the emulator does not say cannot be reported, but no watchpoint may be
 * missed that has all of the slot which it names, and nothing be made up but
 * a load that was part of a read-modify-write.
 */
void scene_play_emulated_blind(const struct scene *scene, struct verdict *verdict)
{
	int first = emulator_slot(scene);
	const struct kgdb_slot_spec *slot = &scene->slots[first < 0 ? 0 : first];
	struct kgdb_access access = {
		.armed = scene->wanted,
		.slots = emulator(scene),
	};
	struct kgdb_watch_spec reports[KGDB_REPORTS_MAX] = { 0 };
	const bool seen[SCENE_WATCHES] = { false };
	const struct kgdb_watch_spec *report = reports;
	unsigned int i, count;

	*verdict = (struct verdict){ };
	count = ask(scene, &access, reports);
	if (count) {
		verdict->stops = 1;
		verdict->reports[0] = *report;
		verdict->fault = judge_report(scene, processor(scene), seen, report);
		if (!verdict->fault && same_address(report, count) < count)
			verdict->fault = "another address, of one slot";
	}
	for (i = 0; i < SCENE_WATCHES && !verdict->fault; i++) {
		const struct kgdb_watch_spec *watch = &scene->watches[i];

		if (!is_data(watch->type) || !really_hit(scene, watch) || first < 0)
			continue;
		if (has_byte(watch, slot->addr) && has_byte(watch, slot->addr + (slot->len - 1)) &&
		    !(report->type != KGDB_WATCH_SOFTWARE && gdb_sees(scene, watch, report)))
			verdict->fault = "a watchpoint that was hit and not reported";
	}
}

void scene_describe(char *buf, size_t size, const struct scene *scene)
{
	size_t at = snprintf(buf, size, "%s%s 0x%lx+%lu, then pc 0x%lx;",
			     scene->loads ? "load" : "", scene->stores ? "store" : "",
			     scene->addr, scene->len, scene->pc);
	unsigned int i;

	for (i = 0; i < SCENE_WATCHES; i++) {
		if (scene->watches[i].type != KGDB_WATCH_SOFTWARE && at < size)
			at += snprintf(buf + at, size - at, " watchpoint %u: Z%d,%lx,%lx;", i,
				       scene->watches[i].type, scene->watches[i].addr,
				       scene->watches[i].len);
	}
	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (at < size)
			at += snprintf(buf + at, size - at, " slot %u%s: %d,%lx,%lx", i,
				       scene->wanted & 1U << i ? "" : " (idle)",
				       scene->slots[i].type, scene->slots[i].addr,
				       scene->slots[i].len);
	}
}
