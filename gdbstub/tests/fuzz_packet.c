// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: any text into kgdb_parse_break(), and what comes out of
 * it into kgdb_plan_slot() and kgdb_format_watch(), against the oracle.
 *
 * At the end it prints how often each outcome was seen, so that a run which
 * never got past the first comma does not pass for one that found nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* More than there are reasons of both kinds */
#define MAX_OUTCOMES 32

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

static void count(const char *what)
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

static bool equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void fail(const char *what, const char *expected, const char *got)
{
	fprintf(stderr, "%s: expected %s, got %s\n", what, expected ? expected : "success",
		got ? got : "success");
	abort();
}

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		abort();
	return memory;
}

static void check_plan(const struct kgdb_watch_spec *watch)
{
	struct kgdb_slot_spec slot, expected;
	const char *why = oracle_plan(watch, &expected);
	const char *got = kgdb_plan_slot(watch, &slot);

	if (!equal(got, why))
		fail("plan", why, got);
	count(got ? got : "planned");
	if (got)
		return;

	if (!kgdb_slot_spec_equal(&slot, &expected))
		fail("plan", "the oracle's slot", "another");
	if (slot.type == KGDB_WATCH_EXECUTE) {
		if (slot.addr != watch->addr || slot.len != 1)
			fail("plan", "one byte at the breakpoint", "something else");
		return;
	}
	if (slot.type != watch->type || slot.addr != watch->addr || slot.len != watch->len)
		fail("plan", "exactly what is watched", "something else");
	if (slot.addr % slot.len || slot.len > sizeof(long))
		fail("plan", "a slot the hardware has", "something else");
}

static void check_format(const struct kgdb_watch_spec *watch)
{
	char *buf = memset(allocate(KGDB_WATCH_REASON_SIZE), '?', KGDB_WATCH_REASON_SIZE);
	char *end = kgdb_format_watch(buf, watch);
	char expected[64];

	oracle_format(expected, sizeof(expected), watch);
	if (end < buf || end >= buf + KGDB_WATCH_REASON_SIZE || *end)
		fail("format", "a NUL where the text ends", "none");
	if (strcmp(buf, expected))
		fail("format", expected, buf);
	free(buf);
}

/* Said again in the shortest form, it must mean the same */
static void check_round_trip(const struct kgdb_break_packet *packet)
{
	struct kgdb_break_packet again;
	char text[64];
	const char *why;

	snprintf(text, sizeof(text), "%c%d,%lx,%lx", packet->insert ? 'Z' : 'z',
		 packet->spec.type, packet->spec.addr, packet->spec.len);
	why = kgdb_parse_break(text, &again);
	if (why)
		fail("round trip", NULL, why);
	if (again.insert != packet->insert ||
	    !kgdb_watch_spec_equal(&again.spec, &packet->spec))
		fail("round trip", "the same packet", "another");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return atexit(print_outcomes);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct kgdb_break_packet packet, expected;
	const char *why, *got;
	char *text;

	/* The stub has C strings: a NUL ends one, and nothing may be read behind it */
	size = strnlen((const char *)data, size);
	text = memcpy(allocate(size + 1), data, size);
	text[size] = '\0';

	why = oracle_parse(text, &expected);
	got = kgdb_parse_break(text, &packet);
	if (!equal(got, why))
		fail("parse", why, got);
	count(got ? got : packet.insert ? "insert" : "remove");
	if (!got) {
		if (packet.insert != expected.insert ||
		    !kgdb_watch_spec_equal(&packet.spec, &expected.spec))
			fail("parse", "the oracle's packet", "another");
		check_plan(&packet.spec);
		check_format(&packet.spec);
		check_round_trip(&packet);
	}
	free(text);
	return 0;
}
