// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: any text into kgdb_parse_break(), and what comes out of
 * it into kgdb_plan_slots() and kgdb_format_watch(), against the oracle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "oracle.h"

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
		check_plan_in(&packet.spec, KGDB_SLOTS_MAX);
		check_format(&packet.spec);
		check_round_trip(&packet);
	}
	free(text);
	return 0;
}
