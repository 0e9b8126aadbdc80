// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of packet.c: every text is parsed as the oracle does, every watchpoint is
 * formatted as the oracle does, every offer is seen that the oracle sees, and what
 * comes out can go in again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "common.h"
#include "oracle.h"
#include "test_pure.h"
#include "cases_packet.h"
#include "cases_plan.h"

/* Parse text on a piece of heap that ends with it, so that reading on is caught */
static void check_parse(const char *text, const char *why,
			const struct kgdb_break_packet *expected)
{
	size_t size = strlen(text) + 1;
	char *exact = memcpy(allocate(size), text, size);
	struct kgdb_break_packet packet;
	const char *got;
	bool passed;

	memset(&packet, 0xa5, sizeof(packet.spec));
	packet.insert = !expected->insert;
	got = kgdb_parse_break(exact, &packet);
	passed = equal(got, why) &&
		 (got || (packet.insert == expected->insert &&
			  kgdb_watch_spec_equal(&packet.spec, &expected->spec)));
	check(passed, show(text), show_packet(why, expected), show_packet(got, &packet));
	if (strcmp(exact, text))
		check(false, show(text), "the text as it was", show(exact));
	free(exact);
}

static void check_parse_against_oracle(const char *text)
{
	struct kgdb_break_packet expected = { };
	const char *why = oracle_parse(text, &expected);

	check_parse(text, why, &expected);
}

static void parse_table(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_parse_cases); i++)
		check_parse(kgdb_parse_cases[i].text, kgdb_parse_cases[i].why,
			    &kgdb_parse_cases[i].packet);
}

static void table_has_every_reason(void)
{
	const char * const *reason;
	size_t i;

	for (reason = oracle_parse_reasons; *reason; reason++) {
		bool found = false;

		for (i = 0; i < ARRAY_SIZE(kgdb_parse_cases); i++)
			found |= equal(kgdb_parse_cases[i].why, *reason);
		check(found, show(*reason), "a packet refused for this reason", "none");
	}
}

/* Every accepted packet of the table, cut off at every length */
static void parse_every_prefix(void)
{
	char text[128];
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(kgdb_parse_cases); i++) {
		if (kgdb_parse_cases[i].why)
			continue;
		for (len = 0; len <= strlen(kgdb_parse_cases[i].text); len++) {
			snprintf(text, sizeof(text), "%.*s", (int)len, kgdb_parse_cases[i].text);
			check_parse_against_oracle(text);
		}
	}
}

/* Every row of the table with each of its bytes replaced by every value */
static void parse_every_byte(void)
{
	char text[128];
	size_t i, at;
	int value;

	for (i = 0; i < ARRAY_SIZE(kgdb_parse_cases); i++) {
		for (at = 0; at < strlen(kgdb_parse_cases[i].text); at++) {
			for (value = 0; value < 256; value++) {
				snprintf(text, sizeof(text), "%s", kgdb_parse_cases[i].text);
				text[at] = value;
				check_parse_against_oracle(text);
			}
		}
	}
}

/* Every row of the table with every value put in between, before and behind */
static void parse_every_insertion(void)
{
	char text[128];
	size_t i, at;
	int value;

	for (i = 0; i < ARRAY_SIZE(kgdb_parse_cases); i++) {
		const char *row = kgdb_parse_cases[i].text;

		for (at = 0; at <= strlen(row); at++) {
			for (value = 1; value < 256; value++) {
				snprintf(text, sizeof(text), "%.*s%c%s", (int)at, row, value,
					 row + at);
				check_parse_against_oracle(text);
			}
		}
	}
}

/* Each number of digits up to well over what a long has, in both fields */
static void parse_every_number_of_digits(void)
{
	char digits[41], text[128];
	size_t n, pattern;

	for (pattern = 0; pattern < 16; pattern++) {
		for (n = 0; n < sizeof(digits); n++) {
			memset(digits, "0123456789abcdef"[pattern], n);
			digits[n] = '\0';
			snprintf(text, sizeof(text), "Z2,%s,4", digits);
			check_parse_against_oracle(text);
			snprintf(text, sizeof(text), "z4,1000,%s", digits);
			check_parse_against_oracle(text);
			snprintf(text, sizeof(text), "Z2,%s,%s;X1,27", digits, digits);
			check_parse_against_oracle(text);
		}
	}
}

/* The buffer is a piece of heap of just the size that is promised to do */
static void check_format(const struct kgdb_watch_spec *watch, const char *expected)
{
	char *buf = memset(allocate(KGDB_WATCH_REASON_SIZE), '?', KGDB_WATCH_REASON_SIZE);
	char *end = kgdb_format_watch(buf, watch);
	size_t len = strnlen(buf, KGDB_WATCH_REASON_SIZE);
	size_t i;

	check(len < KGDB_WATCH_REASON_SIZE && !strcmp(buf, expected), show_watch(watch),
	      show(expected), len < KGDB_WATCH_REASON_SIZE ? show(buf) : "no NUL");
	check(end == buf + len, show_watch(watch), "the address of the NUL", "another");
	for (i = len + 1; i < KGDB_WATCH_REASON_SIZE; i++)
		check(buf[i] == '?', show_watch(watch), "nothing behind the NUL", "a write there");
	free(buf);
}

static void format_table(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_format_cases); i++)
		check_format(&kgdb_format_cases[i].watch, kgdb_format_cases[i].text);
}

/* Each digit in each place, for each type; the longest fills the buffer */
static void format_everything(void)
{
	struct kgdb_watch_spec watch = { .len = 1 };
	bool filled = false;
	unsigned long digit;
	char expected[64];
	int type, shift;

	for (type = 0; type <= 6; type++) {
		for (shift = 0; shift < BITS_PER_LONG; shift += 4) {
			for (digit = 0; digit < 16; digit++) {
				watch.type = type;
				watch.addr = digit << shift;
				oracle_format(expected, sizeof(expected), &watch);
				check_format(&watch, expected);
				filled |= strlen(expected) + 1 == KGDB_WATCH_REASON_SIZE;
			}
		}
	}
	check(filled, "KGDB_WATCH_REASON_SIZE", "just what the longest text needs", "more");
}

/* An offer on a piece of heap that ends with it, so that reading on is caught */
static void check_offer(const char *text, bool offered)
{
	size_t size = strlen(text) + 1;
	char *exact = memcpy(allocate(size), text, size);
	bool got = kgdb_offers(exact, "multi-wp-addr+");

	check(got == offered, show(text), offered ? "an offer" : "none", got ? "one" : "none");
	free(exact);
}

static void offer_table(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_offer_cases); i++)
		check_offer(kgdb_offer_cases[i].text, kgdb_offer_cases[i].offered);
}

/* Every row of the table, cut off at every length and with each byte replaced */
static void offer_everything(void)
{
	char text[128];
	size_t i, at;
	int value;

	for (i = 0; i < ARRAY_SIZE(kgdb_offer_cases); i++) {
		for (at = 0; at < strlen(kgdb_offer_cases[i].text); at++) {
			snprintf(text, sizeof(text), "%.*s", (int)at, kgdb_offer_cases[i].text);
			check_offer(text, oracle_offers(text));
			for (value = 1; value < 256; value++) {
				snprintf(text, sizeof(text), "%s", kgdb_offer_cases[i].text);
				text[at] = value;
				check_offer(text, oracle_offers(text));
			}
		}
	}
}

/* What is planned or formatted can be said in a packet again */
static void round_trip(void)
{
	struct kgdb_break_packet packet = { };
	char field[KGDB_WATCH_REASON_SIZE];
	char text[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_plan_cases); i++) {
		packet.insert = i & 1;
		packet.spec = kgdb_plan_cases[i].watch;
		snprintf(text, sizeof(text), "%c%d,%lx,%lx", packet.insert ? 'Z' : 'z',
			 packet.spec.type, packet.spec.addr, packet.spec.len);
		check_parse(text, NULL, &packet);
	}
	for (i = 0; i < ARRAY_SIZE(kgdb_format_cases); i++) {
		packet.insert = true;
		packet.spec = kgdb_format_cases[i].watch;
		kgdb_format_watch(field, &packet.spec);
		if (!*field)
			continue;
		snprintf(text, sizeof(text), "Z%d,%.*s,%lx", packet.spec.type,
			 (int)(2 * sizeof(long)), strchr(field, ':') + 1, packet.spec.len);
		check_parse(text, NULL, &packet);
	}
}

const struct test packet_tests[] = {
	TEST(parse_table),
	TEST(table_has_every_reason),
	TEST(parse_every_prefix),
	TEST(parse_every_byte),
	TEST(parse_every_insertion),
	TEST(parse_every_number_of_digits),
	TEST(format_table),
	TEST(format_everything),
	TEST(offer_table),
	TEST(offer_everything),
	TEST(round_trip),
	{ }
};
