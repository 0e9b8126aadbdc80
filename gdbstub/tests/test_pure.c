// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of packet.c, plan.c and match.c on the host, for a build with sanitizers.
 *
 * Without an argument this lists its tests; with the name of one it runs that
 * one. Each row that fails is printed with what was expected and what came.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "common.h"
#include "test_pure.h"

static const struct test * const lists[] = {
	packet_tests,
	plan_tests,
	match_tests,
	oracle_tests,
};

int main(int argc, char **argv)
{
	const struct test *test;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		for (test = lists[i]; test->name; test++) {
			if (argc < 2) {
				puts(test->name);
			} else if (!strcmp(argv[1], test->name)) {
				test->run();
				return !check_summary(test->name);
			}
		}
	}
	if (argc < 2)
		return 0;
	fprintf(stderr, "there is no test %s\n", argv[1]);
	return 2;
}
