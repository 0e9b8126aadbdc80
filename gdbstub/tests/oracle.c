// SPDX-License-Identifier: GPL-2.0-only
/*
 * An independent statement of what packet.c and plan.c do.
 *
 * Packets: a list of regular expressions, of which each one demands a bit
 * more of the text; the first that does not match says what is wrong. Plans:
 * division and the C library's overflow check, where the code masks bits.
 */
#include "oracle.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

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

static bool fits_one_slot(unsigned long len)
{
	return len == 1 || len == 2 || len == 4 || len == sizeof(long);
}

const char *oracle_plan(const struct kgdb_watch_spec *watch,
			struct kgdb_slot_spec *slot)
{
	unsigned long last;

	if (watch->type == KGDB_WATCH_READ)
		return "the hardware cannot watch for reads alone";
	if (watch->type != KGDB_WATCH_EXECUTE &&
	    watch->type != KGDB_WATCH_WRITE && watch->type != KGDB_WATCH_ACCESS)
		return "not a hardware breakpoint or watchpoint";

	slot->type = watch->type;
	slot->addr = watch->addr;
	slot->len = watch->type == KGDB_WATCH_EXECUTE ? 1 : watch->len;
	if (watch->type == KGDB_WATCH_EXECUTE)
		return NULL;

	if (watch->len == 0)
		return "the length is zero";
	if (__builtin_uaddl_overflow(watch->addr, watch->len - 1, &last))
		return "the region wraps around the end of memory";
	if (!fits_one_slot(watch->len))
		return fits_one_slot(8) ? "the length is not 1, 2, 4 or 8" :
					  "the length is not 1, 2 or 4";
	if (watch->addr % watch->len)
		return "the address is not aligned to the length";
	return NULL;
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
