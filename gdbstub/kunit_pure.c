// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the pure parts of KGDB's hardware watchpoints, by the tables
 * in cases_packet.h, cases_plan.h and cases_match.h.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include <kunit/test.h>

#include "test_caps.h"
#include "cases_match.h"
#include "cases_packet.h"
#include "cases_plan.h"

static void expect_watch(struct kunit *test, const struct kgdb_watch_spec *watch,
			 const struct kgdb_watch_spec *expected)
{
	KUNIT_EXPECT_EQ(test, (int)watch->type, (int)expected->type);
	KUNIT_EXPECT_EQ(test, watch->addr, expected->addr);
	KUNIT_EXPECT_EQ(test, watch->len, expected->len);
}

static void parse_desc(const struct kgdb_parse_case *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "'%.*s'",
		 (int)strcspn(row->text, "\n"), row->text);
}

KUNIT_ARRAY_PARAM(parse, kgdb_parse_cases, parse_desc);

static void parse_break(struct kunit *test)
{
	const struct kgdb_parse_case *row = test->param_value;
	struct kgdb_break_packet packet;
	const char *why = kgdb_parse_break(row->text, &packet);

	KUNIT_ASSERT_STREQ(test, why ?: "", row->why ?: "");
	if (why)
		return;
	KUNIT_EXPECT_EQ(test, packet.insert, row->packet.insert);
	expect_watch(test, &packet.spec, &row->packet.spec);
}

static void expect_slot(struct kunit *test, const struct kgdb_slot_spec *slot,
			const struct kgdb_slot_spec *expected)
{
	KUNIT_EXPECT_EQ(test, (int)slot->type, (int)expected->type);
	KUNIT_EXPECT_EQ(test, slot->addr, expected->addr);
	KUNIT_EXPECT_EQ(test, slot->len, expected->len);
}

static void plan_desc(const struct kgdb_plan_case *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "type %d address %lx length %lx",
		 row->watch.type, row->watch.addr, row->watch.len);
}

KUNIT_ARRAY_PARAM(plan, kgdb_plan_cases, plan_desc);

static void plan_slots(struct kunit *test)
{
	const struct kgdb_plan_case *row = test->param_value;
	struct kgdb_slot_spec slots[KGDB_SLOTS_MAX];
	unsigned long i, count;
	const char *why;

	why = kgdb_plan_slots(&kgdb_test_caps, &row->watch, slots, KGDB_SLOTS_MAX, &count);
	KUNIT_ASSERT_STREQ(test, why ?: "", row->why ?: "");
	if (why)
		return;
	KUNIT_ASSERT_EQ(test, count, row->count);
	for (i = 0; count <= KGDB_SLOTS_MAX && i < count; i++)
		expect_slot(test, &slots[i], &row->slots[i]);
}

static void match_desc(const struct kgdb_match_case *row, char *desc)
{
	strscpy(desc, row->what, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(match, kgdb_match_cases, match_desc);

static void match_access(struct kunit *test)
{
	const struct kgdb_match_case *row = test->param_value;
	struct kgdb_watch_spec reports[KGDB_REPORTS_MAX] = { };
	unsigned int i, count;

	count = kgdb_match(&kgdb_test_caps, &row->access, row->slots, row->watches,
			   ARRAY_SIZE(row->watches), reports);
	KUNIT_ASSERT_LE(test, count, 1U + ARRAY_SIZE(row->then));
	expect_watch(test, &reports[0], &row->report);
	for (i = 0; i < ARRAY_SIZE(row->then); i++)
		expect_watch(test, &reports[i + 1], &row->then[i]);
}

static void format_desc(const struct kgdb_format_case *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "type %d '%s'", row->watch.type,
		 row->text);
}

KUNIT_ARRAY_PARAM(format, kgdb_format_cases, format_desc);

static void format_watch(struct kunit *test)
{
	const struct kgdb_format_case *row = test->param_value;
	char buf[KGDB_WATCH_REASON_SIZE + 1];
	char *end;

	memset(buf, '?', sizeof(buf));
	end = kgdb_format_watch(buf, &row->watch);
	KUNIT_EXPECT_PTR_EQ(test, end, buf + strlen(row->text));
	KUNIT_EXPECT_EQ(test, buf[KGDB_WATCH_REASON_SIZE], '?');
	KUNIT_ASSERT_LT(test, strnlen(buf, sizeof(buf)), sizeof(buf));
	KUNIT_EXPECT_STREQ(test, buf, row->text);
}

static void offer_desc(const struct kgdb_offer_case *row, char *desc)
{
	strscpy(desc, row->text, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(offer, kgdb_offer_cases, offer_desc);

static void offers(struct kunit *test)
{
	const struct kgdb_offer_case *row = test->param_value;

	KUNIT_EXPECT_EQ(test, kgdb_offers(row->text, "multi-wp-addr+"), row->offered);
}

static struct kunit_case pure_cases[] = {
	KUNIT_CASE_PARAM(parse_break, parse_gen_params),
	KUNIT_CASE_PARAM(plan_slots, plan_gen_params),
	KUNIT_CASE_PARAM(match_access, match_gen_params),
	KUNIT_CASE_PARAM(format_watch, format_gen_params),
	KUNIT_CASE_PARAM(offers, offer_gen_params),
	{ }
};

static struct kunit_suite pure_suite = {
	.name = "kgdb_watchpoint_pure",
	.test_cases = pure_cases,
};

kunit_test_suite(pure_suite);
