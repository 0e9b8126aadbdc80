// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of match.c: what is reported is that of the table, and in simulated machines
 * each watchpoint that an access hit is reported once.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "common.h"
#include "scene.h"
#include "test_pure.h"
#include "cases_match.h"

static void match_table(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_match_cases); i++) {
		const struct kgdb_match_case *row = &kgdb_match_cases[i];
		struct kgdb_watch_spec reports[KGDB_REPORTS_MAX], got, expected;
		unsigned int j, count;

		memset(reports, 0xa5, sizeof(reports));
		count = kgdb_match(&kgdb_test_caps, &row->access, row->slots, row->watches,
				   ARRAY_SIZE(row->watches), reports);
		for (j = 0; j <= ARRAY_SIZE(row->then); j++) {
			got = j < count ? reports[j] : (struct kgdb_watch_spec){ 0 };
			expected = j ? row->then[j - 1] : row->report;
			check(kgdb_watch_spec_equal(&got, &expected), show(row->what),
			      show_watch(&expected), show_watch(&got));
		}
		check(count <= j, show(row->what), "so many reports", "more");
	}
}

static void check_verdict(const struct scene *scene, const char *machine,
			  const struct verdict *verdict)
{
	char text[800], got[200] = "";
	size_t at;
	unsigned int i;

	if (!verdict->fault) {
		check(true, NULL, NULL, NULL);
		return;
	}
	at = snprintf(text, sizeof(text), "%s: ", machine);
	scene_describe(text + at, sizeof(text) - at, scene);
	at = snprintf(got, sizeof(got), "%s; reported", verdict->fault);
	for (i = 0; i < verdict->stops && i < ARRAY_SIZE(verdict->reports); i++)
		at += snprintf(got + at, sizeof(got) - at, " Z%d,%lx,%lx", verdict->reports[i].type,
			       verdict->reports[i].addr, verdict->reports[i].len);
	check(false, text, "the watchpoints that were hit, each once", got);
}

/* The same numbers in each run: Marsaglia's xorshift */
static unsigned int random_number(void)
{
	static unsigned int state = 0x2545f491;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void random_scene(struct scene *scene)
{
	unsigned char bytes[SCENE_SIZE];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_number() >> 8;
	scene_read(scene, bytes, sizeof(bytes));
}

#define SCENES 300000

/* Any watchpoints, any access */
static void match_random_scenes(void)
{
	unsigned long stops[KGDB_SLOTS_MAX + 2] = { 0 };
	struct verdict verdict;
	struct scene scene;
	int i;

	for (i = 0; i < SCENES; i++) {
		random_scene(&scene);
		scene_play(&scene, &verdict);
		check_verdict(&scene, "processor", &verdict);
		stops[verdict.stops]++;
		scene_play_several(&scene, &verdict);
		check_verdict(&scene, "several in one stop", &verdict);
		scene_play_removing(&scene, random_number() % SCENE_WATCHES, i % 3, &verdict);
		check_verdict(&scene, "one removed", &verdict);
	}
	for (i = 0; i <= 3; i++)
		check(stops[i] > 10, "random scenes", "a fair number of each kind",
		      show_count(NULL, stops[i]));
}

static void match_emulated_scenes(void)
{
	unsigned long reported = 0;
	struct verdict verdict;
	struct scene scene;
	int i;

	for (i = 0; i < SCENES; i++) {
		random_scene(&scene);
		scene_play_emulated(&scene, &verdict);
		check_verdict(&scene, "emulator", &verdict);
		if (!scene.loads || !scene.stores) {
			scene_play_emulated_blind(&scene, &verdict);
			check_verdict(&scene, "emulator, blind", &verdict);
		}
		reported += verdict.stops;
	}
	check(reported > SCENES / 10, "emulated scenes", "a fair number of hits",
	      show_count(NULL, reported));
}

/* Each way to access one place */
static void play_all_accesses(struct scene *scene)
{
	struct verdict verdict;
	unsigned int kind;

	for (kind = 1; kind <= 3; kind++) {
		scene->loads = kind & 1;
		scene->stores = kind & 2;
		for (scene->len = 1; scene->len <= sizeof(long); scene->len *= 2) {
			for (scene->addr = 0x1000; scene->addr < 0x1010; scene->addr++) {
				scene_play(scene, &verdict);
				check_verdict(scene, "processor", &verdict);
				scene_play_several(scene, &verdict);
				check_verdict(scene, "several in one stop", &verdict);
				scene_play_emulated(scene, &verdict);
				check_verdict(scene, "emulator", &verdict);
			}
		}
	}
}

/* Two watchpoints of all types and common lengths, in all orders of slots */
static void match_all_pairs(void)
{
	static const unsigned long lengths[] = { 1, 2, 3, 4, 8 };
	struct kgdb_watch_spec pair[2];
	unsigned int order, i;
	struct scene scene;
	int a, b;

	/* type, length and place of each: 3 * 5 * 6 */
	for (a = 0; a < 90; a++) {
		for (b = 0; b < 90; b++) {
			const int number[] = { a, b };

			for (i = 0; i < 2; i++) {
				pair[i].type = KGDB_WATCH_WRITE + number[i] % 3;
				pair[i].len = lengths[number[i] / 3 % 5];
				pair[i].addr = 0x1000 + number[i] / 15;
			}
			order = (a + b) % KGDB_SLOTS_MAX;
			scene = (struct scene){ };
			if (scene_add(&scene, &pair[0], order) &&
			    scene_add(&scene, &pair[1], order + a))
				play_all_accesses(&scene);
		}
	}
}

const struct test match_tests[] = {
	TEST(match_table),
	TEST(match_random_scenes),
	TEST(match_emulated_scenes),
	TEST(match_all_pairs),
	{ }
};
