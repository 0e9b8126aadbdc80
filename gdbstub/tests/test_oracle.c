// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test of the oracle, which the tests of packet.c and plan.c rely on.
 */
#include <string.h>

#include "check.h"
#include "common.h"
#include "oracle.h"
#include "test_pure.h"
#include "cases_packet.h"
#include "cases_plan.h"

/* The oracle must say what the table says: neither is right by itself */
static void oracle_agrees_with_the_tables(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_parse_cases); i++) {
		const struct kgdb_parse_case *row = &kgdb_parse_cases[i];
		struct kgdb_break_packet got = { };
		const char *why = oracle_parse(row->text, &got);

		check(equal(why, row->why) &&
		      (why || (got.insert == row->packet.insert &&
			       kgdb_watch_spec_equal(&got.spec, &row->packet.spec))),
		      show(row->text), show_packet(row->why, &row->packet),
		      show_packet(why, &got));
	}
	for (i = 0; i < ARRAY_SIZE(kgdb_plan_cases); i++) {
		const struct kgdb_plan_case *row = &kgdb_plan_cases[i];
		unsigned long count = 0;
		const char *why = oracle_plan(&row->watch, &count), *fault = NULL;

		check(equal(why, row->why) && (why || count == row->count),
		      show_watch(&row->watch), show_count(row->why, row->count),
		      show_count(why, count));
		if (!why && count <= KGDB_SLOTS_MAX)
			fault = oracle_plan_fault(&row->watch, row->slots, count);
		check(!fault, show_watch(&row->watch), "a right plan", show(fault));
	}
	for (i = 0; i < ARRAY_SIZE(kgdb_offer_cases); i++) {
		const struct kgdb_offer_case *row = &kgdb_offer_cases[i];

		check(oracle_offers(row->text) == row->offered, show(row->text),
		      row->offered ? "an offer" : "none", row->offered ? "none" : "one");
	}
	for (i = 0; i < ARRAY_SIZE(kgdb_format_cases); i++) {
		const struct kgdb_format_case *row = &kgdb_format_cases[i];
		char got[64];

		oracle_format(got, sizeof(got), &row->watch);
		check(!strcmp(got, row->text), show_watch(&row->watch), show(row->text), show(got));
	}
}

const struct test oracle_tests[] = {
	TEST(oracle_agrees_with_the_tables),
	{ }
};
