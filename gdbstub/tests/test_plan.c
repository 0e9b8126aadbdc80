// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of plan.c: a plan is that of the table, and is right and as short as the
 * oracle's for every kind of watchpoint, with any room. Where slots select bytes,
 * it is as short as can be.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "common.h"
#include "oracle.h"
#include "test_pure.h"
#include "cases_plan.h"

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
					kgdb_plan_slots(&kgdb_test_caps, &watch, whole,
							ARRAY_SIZE(whole), &count);
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

/* Slots that select bytes, and hold whole words up to a page: arm64's */
static const struct kgdb_slot_caps byte_caps = {
	.watch_slots = 4,
	.max_len = 4096,
	.byte_select = true,
};

static bool byte_slot_holds(unsigned long addr, unsigned long len)
{
	if (addr / 8 == (addr + len - 1) / 8)
		return true;
	return !(len & (len - 1)) && !(addr % len) && len <= byte_caps.max_len;
}

/* The fewest such slots for a region, by trying all ways to part it */
static unsigned long fewest_byte_slots(unsigned long addr, unsigned int len)
{
	unsigned long fewest[64] = { 0 };
	unsigned int end, begin;

	for (end = 1; end <= len; end++) {
		fewest[end] = ~0UL;
		for (begin = 0; begin < end; begin++) {
			if (byte_slot_holds(addr + begin, end - begin) &&
			    fewest[begin] + 1 < fewest[end])
				fewest[end] = fewest[begin] + 1;
		}
	}
	return fewest[len];
}

/* Each slot can be, they follow each other without a gap, and no fewer would do */
static void plan_bytes(void)
{
	struct kgdb_slot_spec slots[64];
	struct kgdb_watch_spec watch;
	unsigned long offset, count, at, i, fewest;

	watch.type = KGDB_WATCH_WRITE;
	for (offset = 0; offset < 64; offset++) {
		for (watch.len = 1; watch.len < 64; watch.len++) {
			watch.addr = 0x1000 + offset;
			kgdb_plan_slots(&byte_caps, &watch, slots, ARRAY_SIZE(slots), &count);
			fewest = fewest_byte_slots(watch.addr, watch.len);
			check(count == fewest, show_watch(&watch), show_count(NULL, fewest),
			      show_count(NULL, count));
			for (i = 0, at = watch.addr; i < count; at += slots[i++].len)
				check(slots[i].addr == at && byte_slot_holds(at, slots[i].len),
				      show_watch(&watch), "a slot that can be, behind the last",
				      show_region(slots[i].type, slots[i].addr, slots[i].len));
			check(at == watch.addr + watch.len, show_watch(&watch), "all of it",
			      show_region(watch.type, watch.addr, at - watch.addr));
		}
	}
}

const struct test plan_tests[] = {
	TEST(plan_table),
	TEST(plan_everything),
	TEST(plan_far_and_wide),
	TEST(plan_bytes),
	{ }
};
