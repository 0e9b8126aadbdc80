// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: any watchpoints and any access into kgdb_match(), by the
 * simulated machine and its judge.
 */
#include "fuzz.h"
#include "scene.h"

static void expect_right(const struct scene *scene, const char *machine,
			 const struct verdict *verdict)
{
	char text[800];

	if (!verdict->fault)
		return;
	scene_describe(text, sizeof(text), scene);
	fail(machine, text, verdict->fault);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char * const outcomes[] = {
		"no stop", "one stop", "two stops", "three stops", "four stops",
	};
	unsigned char removed = size > SCENE_SIZE ? data[SCENE_SIZE] : 0;
	struct verdict verdict;
	struct scene scene;

	scene_read(&scene, data, size);
	scene_play(&scene, &verdict);
	expect_right(&scene, "processor", &verdict);
	count(outcomes[verdict.stops]);

	scene_play_several(&scene, &verdict);
	expect_right(&scene, "several in one stop", &verdict);

	scene_play_removing(&scene, removed % SCENE_WATCHES, removed / SCENE_WATCHES % 4, &verdict);
	expect_right(&scene, "one removed", &verdict);

	scene_play_emulated(&scene, &verdict);
	expect_right(&scene, "emulator", &verdict);
	count(verdict.stops ? "emulator: a stop" : "emulator: no stop");
	if (!scene.loads || !scene.stores) {
		scene_play_emulated_blind(&scene, &verdict);
		expect_right(&scene, "emulator, blind", &verdict);
	}
	return 0;
}
