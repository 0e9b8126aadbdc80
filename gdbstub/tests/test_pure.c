// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of packet.c, plan.c and match.c on the host, for a build with sanitizers.
 *
 * Without an argument it lists its tests; with the name of one it runs that
 * one. Each row that fails is printed with what was expected and what came.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "oracle.h"
#include "scene.h"
#include "cases_match.h"
#include "cases_packet.h"
#include "cases_plan.h"

/* Enough to see a pattern; a broken parser fails hundreds of thousands */
#define MAX_SHOWN 20

static unsigned long checks, failures;

/* Text as a terminal and a log can take it; NULL is no reason to refuse. Valid for 8 calls */
static const char *show(const char *text)
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

static const char *show_region(unsigned int type, unsigned long addr, unsigned long len)
{
	static char shown[8][80];
	static unsigned int turn;
	char *out = shown[turn++ % ARRAY_SIZE(shown)];

	snprintf(out, sizeof(shown[0]), "type %u addr 0x%lx len 0x%lx", type, addr, len);
	return out;
}

static const char *show_watch(const struct kgdb_watch_spec *watch)
{
	return show_region(watch->type, watch->addr, watch->len);
}

static const char *show_packet(const char *why, const struct kgdb_break_packet *packet)
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

static const char *show_count(const char *why, unsigned long count)
{
	static char shown[4][40];
	static unsigned int turn;
	char *out = shown[turn++ % ARRAY_SIZE(shown)];

	if (why)
		return show(why);
	snprintf(out, sizeof(shown[0]), "%lu slots", count);
	return out;
}

/* Count one check of @row; says what is wrong if it failed */
static void check(bool passed, const char *row, const char *expected, const char *got)
{
	checks++;
	if (passed)
		return;
	if (++failures <= MAX_SHOWN)
		printf("FAILED row %s\n    expected %s\n    got      %s\n", row, expected, got);
}

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
	for (i = 0; i < ARRAY_SIZE(kgdb_format_cases); i++) {
		const struct kgdb_format_case *row = &kgdb_format_cases[i];
		char got[64];

		oracle_format(got, sizeof(got), &row->watch);
		check(!strcmp(got, row->text), show_watch(&row->watch), show(row->text), show(got));
	}
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

/*
 * Plan into a piece of heap with just the room there is. What fits must be
 * the beginning of what would be planned with all the room in the world.
 */
static void check_plan(const struct kgdb_watch_spec *watch, unsigned int room,
		       const struct kgdb_slot_spec *expected)
{
	struct kgdb_slot_spec *slots = room ? allocate(room * sizeof(*slots)) : NULL;
	struct kgdb_watch_spec before = *watch;
	unsigned long i, expected_count = 0, count = ~0UL;
	const char *why = oracle_plan(watch, &expected_count);
	const char *got;

	if (room)
		memset(slots, 0xa5, room * sizeof(*slots));
	got = kgdb_plan_slots(&kgdb_test_caps, watch, slots, room, &count);
	check(equal(got, why) && (got || count == expected_count), show_watch(watch),
	      show_count(why, expected_count), show_count(got, count));
	if (!kgdb_watch_spec_equal(watch, &before))
		check(false, show_watch(&before), "the watchpoint as it was", show_watch(watch));
	if (!got && count <= room) {
		const char *fault = oracle_plan_fault(watch, slots, count);

		check(!fault, show_watch(watch), "a right plan", show(fault));
	}
	for (i = 0; !got && expected && i < count && i < room; i++)
		check(kgdb_slot_spec_equal(&slots[i], &expected[i]), show_watch(watch),
		      show_region(expected[i].type, expected[i].addr, expected[i].len),
		      show_region(slots[i].type, slots[i].addr, slots[i].len));
	free(slots);
}

static void plan_table(void)
{
	unsigned int room;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_plan_cases); i++) {
		const struct kgdb_plan_case *row = &kgdb_plan_cases[i];
		unsigned long count = 0;
		const char *why = kgdb_plan_slots(&kgdb_test_caps, &row->watch, NULL, 0, &count);

		check(equal(why, row->why) && (why || count == row->count),
		      show_watch(&row->watch), show_count(row->why, row->count),
		      show_count(why, count));
		for (room = 0; room <= KGDB_SLOTS_MAX; room++)
			check_plan(&row->watch, room, row->count <= KGDB_SLOTS_MAX ?
				   row->slots : NULL);
	}
}

/* Every type, length and alignment, at places of all kinds */
static void plan_everything(void)
{
	static const unsigned long places[] = {
		0, 0x1000, ~0UL / 2 - 31, ~0UL / 2 + 1, ~0UL - 0xfff, ~0UL - 47,
		~0UL - 31, ~0UL - 15,
	};
	struct kgdb_slot_spec whole[64];
	struct kgdb_watch_spec watch;
	unsigned long offset, count;
	unsigned int room;
	size_t i;
	int type;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		for (type = -1; type <= 6; type++) {
			for (offset = 0; offset < 16; offset++) {
				for (watch.len = 0; watch.len <= 41; watch.len++) {
					watch.type = type;
					watch.addr = places[i] + offset;
					check_plan(&watch, ARRAY_SIZE(whole), NULL);
					kgdb_plan_slots(&kgdb_test_caps, &watch, whole, ARRAY_SIZE(whole), &count);
					for (room = 0; room <= KGDB_SLOTS_MAX; room += 2)
						check_plan(&watch, room, whole);
				}
			}
		}
	}
}

/* Lengths around every power of two, at addresses around every power of two */
static void plan_far_and_wide(void)
{
	int len_bit, addr_bit, near, off;
	struct kgdb_watch_spec watch;

	for (len_bit = 0; len_bit < BITS_PER_LONG; len_bit++) {
		for (addr_bit = 0; addr_bit < BITS_PER_LONG; addr_bit++) {
			for (near = -1; near <= 1; near++) {
				for (off = -1; off <= 1; off++) {
					watch.type = KGDB_WATCH_WRITE + len_bit % 3;
					watch.len = (1UL << len_bit) + near;
					watch.addr = (1UL << addr_bit) + off;
					check_plan(&watch, KGDB_SLOTS_MAX, NULL);
					watch.addr = -watch.addr;
					check_plan(&watch, KGDB_SLOTS_MAX, NULL);
				}
			}
		}
	}
}

static void match_table(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kgdb_match_cases); i++) {
		const struct kgdb_match_case *row = &kgdb_match_cases[i];
		struct kgdb_watch_spec report;
		bool more;

		memset(&report, 0xa5, sizeof(report));
		more = kgdb_match(&kgdb_test_caps, &row->access, row->slots, row->watches,
				  ARRAY_SIZE(row->watches), &report);
		check(kgdb_watch_spec_equal(&report, &row->report), show(row->what),
		      show_watch(&row->report), show_watch(&report));
		check(more == row->more, show(row->what), row->more ? "another stop" : "no other stop",
		      more ? "one" : "none");
	}
}

static void check_verdict(const struct scene *scene, const char *machine,
			  const struct verdict *verdict)
{
	char text[800], got[200] = "";
	size_t at;
	unsigned int i;

	checks++;
	if (!verdict->fault)
		return;
	checks--;
	at = snprintf(text, sizeof(text), "%s: ", machine);
	scene_describe(text + at, sizeof(text) - at, scene);
	at = snprintf(got, sizeof(got), "%s; reported", verdict->fault);
	for (i = 0; i < verdict->stops && i < ARRAY_SIZE(verdict->reports); i++)
		at += snprintf(got + at, sizeof(got) - at, " Z%d,%lx,%lx", verdict->reports[i].type,
			       verdict->reports[i].addr, verdict->reports[i].len);
	check(false, text, "the watchpoints that were hit, each once", got);
}

/* The same numbers in each run: Marsaglia's xorshift */
static unsigned int random_number(void)
{
	static unsigned int state = 0x2545f491;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void random_scene(struct scene *scene)
{
	unsigned char bytes[SCENE_SIZE];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_number() >> 8;
	scene_read(scene, bytes, sizeof(bytes));
}

#define SCENES 300000

/* Any watchpoints, any access */
static void match_random_scenes(void)
{
	unsigned long stops[KGDB_SLOTS_MAX + 2] = { 0 };
	struct verdict verdict;
	struct scene scene;
	int i;

	for (i = 0; i < SCENES; i++) {
		random_scene(&scene);
		scene_play(&scene, &verdict);
		check_verdict(&scene, "processor", &verdict);
		stops[verdict.stops]++;
		scene_play_removing(&scene, random_number() % SCENE_WATCHES, i % 3, &verdict);
		check_verdict(&scene, "one removed", &verdict);
	}
	for (i = 0; i <= 3; i++)
		check(stops[i] > 10, "random scenes", "a fair number of each kind",
		      show_count(NULL, stops[i]));
}

static void match_emulated_scenes(void)
{
	unsigned long reported = 0;
	struct verdict verdict;
	struct scene scene;
	int i;

	for (i = 0; i < SCENES; i++) {
		random_scene(&scene);
		scene_play_emulated(&scene, &verdict);
		check_verdict(&scene, "emulator", &verdict);
		if (!scene.loads || !scene.stores) {
			scene_play_emulated_blind(&scene, &verdict);
			check_verdict(&scene, "emulator, blind", &verdict);
		}
		reported += verdict.stops;
	}
	check(reported > SCENES / 10, "emulated scenes", "a fair number of hits",
	      show_count(NULL, reported));
}

/* Each way to access one place */
static void play_all_accesses(struct scene *scene)
{
	struct verdict verdict;
	unsigned int kind;

	for (kind = 1; kind <= 3; kind++) {
		scene->loads = kind & 1;
		scene->stores = kind & 2;
		for (scene->len = 1; scene->len <= sizeof(long); scene->len *= 2) {
			for (scene->addr = 0x1000; scene->addr < 0x1010; scene->addr++) {
				scene_play(scene, &verdict);
				check_verdict(scene, "processor", &verdict);
				scene_play_emulated(scene, &verdict);
				check_verdict(scene, "emulator", &verdict);
			}
		}
	}
}

/* Two watchpoints of all types and common lengths, in all orders of slots */
static void match_all_pairs(void)
{
	static const unsigned long lengths[] = { 1, 2, 3, 4, 8 };
	struct kgdb_watch_spec pair[2];
	unsigned int order, i;
	struct scene scene;
	int a, b;

	/* type, length and place of each: 3 * 5 * 6 */
	for (a = 0; a < 90; a++) {
		for (b = 0; b < 90; b++) {
			const int number[] = { a, b };

			for (i = 0; i < 2; i++) {
				pair[i].type = KGDB_WATCH_WRITE + number[i] % 3;
				pair[i].len = lengths[number[i] / 3 % 5];
				pair[i].addr = 0x1000 + number[i] / 15;
			}
			order = (a + b) % KGDB_SLOTS_MAX;
			scene = (struct scene){ };
			if (scene_add(&scene, &pair[0], order) &&
			    scene_add(&scene, &pair[1], order + a))
				play_all_accesses(&scene);
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

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
#define TEST(name) { #name, name }
	TEST(parse_table),
	TEST(oracle_agrees_with_the_tables),
	TEST(table_has_every_reason),
	TEST(parse_every_prefix),
	TEST(parse_every_byte),
	TEST(parse_every_insertion),
	TEST(parse_every_number_of_digits),
	TEST(plan_table),
	TEST(plan_everything),
	TEST(plan_far_and_wide),
	TEST(match_table),
	TEST(match_random_scenes),
	TEST(match_emulated_scenes),
	TEST(match_all_pairs),
	TEST(format_table),
	TEST(format_everything),
	TEST(round_trip),
#undef TEST
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (argc < 2) {
			puts(tests[i].name);
		} else if (!strcmp(argv[1], tests[i].name)) {
			tests[i].run();
			printf("%s: %lu checks, %lu failed\n", tests[i].name, checks, failures);
			return failures || !checks;
		}
	}
	if (argc < 2)
		return 0;
	fprintf(stderr, "there is no test %s\n", argv[1]);
	return 2;
}
