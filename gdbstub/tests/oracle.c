// SPDX-License-Identifier: GPL-2.0-only
/*
 * An independent statement of what packet.c and plan.c do.
 *
 * Packets: a list of regular expressions, of which each one demands a bit
 * more of the text; the first that does not match says what is wrong. Plans:
 * the best of all ways to split a region, and a look at each of its bytes.
 */
#include "oracle.h"
#include "common.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX "[0-9a-fA-F]"
#define NOT_HEX "([^0-9a-fA-F]|$)"
#if __SIZEOF_LONG__ == 8
#define WORD HEX "{1,16}"
#else
#define WORD HEX "{1,8}"
#endif

static const char * const demands[] = {
	"^[Zz]",
	"^.[0-4]",
	"^..,",
	"^..," HEX,
	"^..," WORD NOT_HEX,
	"^..," HEX "+,",
	"^..," HEX "+," HEX,
	"^..," HEX "+," WORD NOT_HEX,
	"^..," HEX "+," HEX "+(;|$)",
};

const char * const oracle_parse_reasons[] = {
	"not a Z or z packet",
	"the type is not one of 0 to 4",
	"no comma after the type",
	"the address is not a hex number",
	"the address has too many digits",
	"no comma after the address",
	"the length is not a hex number",
	"the length has too many digits",
	"garbage after the length",
	NULL
};

static void compile(regex_t *regex, const char *pattern)
{
	if (regcomp(regex, pattern, REG_EXTENDED)) {
		fprintf(stderr, "bad pattern: %s\n", pattern);
		abort();
	}
}

const char *oracle_parse(const char *text, struct kgdb_break_packet *packet)
{
	static regex_t regex[ARRAY_SIZE(demands)], fields;
	static bool compiled;
	regmatch_t match[5];
	size_t i;

	if (!compiled) {
		for (i = 0; i < ARRAY_SIZE(demands); i++)
			compile(&regex[i], demands[i]);
		compile(&fields, "^(.)(.),(" HEX "+),(" HEX "+)");
		compiled = true;
	}

	for (i = 0; i < ARRAY_SIZE(demands); i++) {
		if (regexec(&regex[i], text, 0, NULL, 0))
			return oracle_parse_reasons[i];
	}
	if (regexec(&fields, text, ARRAY_SIZE(match), match, 0))
		abort();
	packet->insert = !strncmp(text, "Z", 1);
	packet->spec.type = strtoul(text + match[2].rm_so, NULL, 10);
	packet->spec.addr = strtoul(text + match[3].rm_so, NULL, 16);
	packet->spec.len = strtoul(text + match[4].rm_so, NULL, 16);
	return NULL;
}

/*
 * The fewest slots that cover exactly [@addr, @addr + @len): the best of all
 * ways to begin. Only for regions of a few words.
 */
static unsigned long fewest(unsigned long addr, unsigned long len)
{
	unsigned long best[64] = { 0 }, left, slot;

	if (len >= ARRAY_SIZE(best))
		abort();
	for (left = 1; left <= len; left++) {
		best[left] = left;
		for (slot = 1; slot <= left && slot <= sizeof(long); slot *= 2) {
			if ((addr + (len - left)) % slot == 0 &&
			    best[left - slot] + 1 < best[left])
				best[left] = best[left - slot] + 1;
		}
	}
	return best[len];
}

/* Whole words in the middle of a long region cost one slot each, wherever it begins */
static unsigned long fewest_of_any(unsigned long addr, unsigned long len)
{
	unsigned long word = sizeof(long), words;

	if (len < 4 * word)
		return fewest(addr, len);
	words = len / word - 3;
	return words + fewest(addr, len - words * word);
}

const char *oracle_plan(const struct kgdb_watch_spec *watch, unsigned long *count)
{
	unsigned long last;

	if (watch->type < KGDB_WATCH_EXECUTE || watch->type > KGDB_WATCH_ACCESS)
		return "not a hardware breakpoint or watchpoint";
	*count = 1;
	if (watch->type == KGDB_WATCH_EXECUTE)
		return NULL;

	if (watch->len == 0)
		return "the length is zero";
	if (__builtin_uaddl_overflow(watch->addr, watch->len - 1, &last))
		return "the region wraps around the end of memory";
	*count = fewest_of_any(watch->addr, watch->len);
	if (watch->type == KGDB_WATCH_READ)
		*count *= 2;
	return NULL;
}

/* How many of the slots of one type have this byte */
static unsigned long covering(const struct kgdb_slot_spec *slots, unsigned long count,
			      enum kgdb_watch_type type, unsigned long addr)
{
	unsigned long i, n = 0;

	for (i = 0; i < count; i++)
		n += slots[i].type == type && addr >= slots[i].addr &&
		     addr <= slots[i].addr + (slots[i].len - 1);
	return n;
}

const char *oracle_plan_fault(const struct kgdb_watch_spec *watch,
			      const struct kgdb_slot_spec *slots, unsigned long count)
{
	bool read = watch->type == KGDB_WATCH_READ;
	unsigned long i, at, wanted;

	if (watch->type == KGDB_WATCH_EXECUTE)
		return slots[0].type == KGDB_WATCH_EXECUTE && slots[0].addr == watch->addr &&
		       slots[0].len == 1 ? NULL : "not one byte at the breakpoint";

	for (i = 0; i < count; i++) {
		if (slots[i].len != 1 && slots[i].len != 2 && slots[i].len != 4 &&
		    slots[i].len != sizeof(long))
			return "a slot of a length that the hardware does not have";
		if (slots[i].addr % slots[i].len)
			return "a slot that is not aligned";
		if (slots[i].type != (read ? i % 2 ? KGDB_WATCH_ACCESS : KGDB_WATCH_WRITE :
				      watch->type))
			return "a slot of the wrong type";
	}
	/* The bytes of the region, and as many before and behind it */
	for (i = 0; i < 3 * watch->len; i++) {
		at = watch->addr - watch->len + i;
		wanted = i >= watch->len && i < 2 * watch->len;
		if (covering(slots, count, read ? KGDB_WATCH_ACCESS : watch->type, at) != wanted)
			return wanted ? "a byte that is not watched once" :
					"a byte that nobody asked for";
		if (read && covering(slots, count, KGDB_WATCH_WRITE, at) != wanted)
			return "a byte whose writes are not told from its reads";
	}
	return NULL;
}

bool oracle_offers(const char *text)
{
	char list[128], *next, *feature;
	bool found = false;

	snprintf(list, sizeof(list), "%s", text);
	next = strchr(list, ':');
	if (next)
		next++;
	while ((feature = strsep(&next, ";")))
		found |= !strcmp(feature, "multi-wp-addr+");
	return found;
}

void oracle_format(char *buf, size_t size, const struct kgdb_watch_spec *watch)
{
	static const char * const names[] = {
		[KGDB_WATCH_WRITE] = "watch",
		[KGDB_WATCH_READ] = "rwatch",
		[KGDB_WATCH_ACCESS] = "awatch",
	};

	buf[0] = '\0';
	if (watch->type < ARRAY_SIZE(names) && names[watch->type])
		snprintf(buf, size, "%s:%0*lx;", names[watch->type],
			 (int)(2 * sizeof(long)), watch->addr);
}
