// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the fuzz targets have in common.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any target has */
#define MAX_OUTCOMES 32

int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct {
	const char *what;
	unsigned long count;
} outcomes[MAX_OUTCOMES];

static void print_outcomes(void)
{
	size_t i;

	for (i = 0; i < MAX_OUTCOMES && outcomes[i].what; i++)
		fprintf(stderr, "outcome: %lu %s\n", outcomes[i].count, outcomes[i].what);
}

void count(const char *what)
{
	size_t i;

	for (i = 0; i < MAX_OUTCOMES; i++) {
		if (!outcomes[i].what)
			outcomes[i].what = what;
		if (!strcmp(outcomes[i].what, what)) {
			outcomes[i].count++;
			return;
		}
	}
	abort();
}

void fail(const char *what, const char *expected, const char *got)
{
	fprintf(stderr, "%s: expected %s, got %s\n", what, expected ? expected : "success",
		got ? got : "success");
	abort();
}

void check_plan_in(const struct kgdb_watch_spec *watch, unsigned int room)
{
	/* So that writing into what there is no room for is caught */
	struct kgdb_slot_spec *slots = room ? allocate(room * sizeof(*slots)) : NULL;
	unsigned long expected = 0, needed = ~0UL;
	const char *why = oracle_plan(watch, &expected);
	const char *got = kgdb_plan_slots(&kgdb_test_caps, watch, slots, room, &needed);

	if (!equal(got, why))
		fail("plan", why, got);
	if (!got && needed != expected)
		fail("plan", "as few slots as the oracle", "another number");
	if (!got && needed <= room && oracle_plan_fault(watch, slots, needed))
		fail("plan", NULL, oracle_plan_fault(watch, slots, needed));
	count(got ? got : needed > room ? "needs more slots" : "planned");
	free(slots);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return atexit(print_outcomes);
}
