// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of the pure code say: checks that are counted, and the values that
 * a check which failed expected and got.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "common.h"

/* Enough to see a pattern; a broken parser fails hundreds of thousands */
#define MAX_SHOWN 20

static unsigned long checks, failures;

void check(bool passed, const char *row, const char *expected, const char *got)
{
	checks++;
	if (passed)
		return;
	if (++failures <= MAX_SHOWN)
		printf("FAILED row %s\n    expected %s\n    got      %s\n", row, expected, got);
}

bool check_summary(const char *test)
{
	printf("%s: %lu checks, %lu failed\n", test, checks, failures);
	return checks && !failures;
}

const char *show(const char *text)
{
	static char shown[8][512];
	static unsigned int turn;
	char *start = shown[turn++ % ARRAY_SIZE(shown)], *out = start;

	if (!text)
		return "accepted";
	*out++ = '"';
	for (; *text && out < start + sizeof(shown[0]) - 8; text++) {
		if (*text >= ' ' && *text <= '~' && *text != '\\' && *text != '"')
			*out++ = *text;
		else
			out += sprintf(out, "\\x%02x", (unsigned char)*text);
	}
	*out++ = '"';
	*out = '\0';
	return start;
}

const char *show_region(unsigned int type, unsigned long addr, unsigned long len)
{
	static char shown[8][80];
	static unsigned int turn;
	char *out = shown[turn++ % ARRAY_SIZE(shown)];

	snprintf(out, sizeof(shown[0]), "type %u addr 0x%lx len 0x%lx", type, addr, len);
	return out;
}

const char *show_watch(const struct kgdb_watch_spec *watch)
{
	return show_region(watch->type, watch->addr, watch->len);
}

const char *show_packet(const char *why, const struct kgdb_break_packet *packet)
{
	static char shown[4][100];
	static unsigned int turn;
	char *out = shown[turn++ % ARRAY_SIZE(shown)];

	if (why)
		return show(why);
	snprintf(out, sizeof(shown[0]), "%s %s", packet->insert ? "insert" : "remove",
		 show_watch(&packet->spec));
	return out;
}

const char *show_count(const char *why, unsigned long count)
{
	static char shown[4][40];
	static unsigned int turn;
	char *out = shown[turn++ % ARRAY_SIZE(shown)];

	if (why)
		return show(why);
	snprintf(out, sizeof(shown[0]), "%lu slots", count);
	return out;
}
