/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What plan.c has to do, as a table: a watchpoint, and the slots that cover it
 * on the hardware of test_caps.h. Tests in the kernel (kunit_pure.c) and on the
 * host go through the same rows.
 */
#ifndef _KGDB_WATCH_CASES_PLAN_H
#define _KGDB_WATCH_CASES_PLAN_H

#include "plan.h"
#include "cases_words.h"

/**
 * struct kgdb_plan_case - one watchpoint for kgdb_plan_slots()
 * @watch: what gdb asked for
 * @why: the reason it is refused, or NULL
 * @count: how many slots it needs, if it is not refused
 * @slots: which, if there are as many
 */
struct kgdb_plan_case {
	struct kgdb_watch_spec watch;
	const char *why;
	unsigned long count;
	struct kgdb_slot_spec slots[KGDB_SLOTS_MAX];
};

#define ONE(_watch, _slot)						\
	{ .watch = _watch, .count = 1, .slots = { _slot } }
#define TWO(_watch, ...)						\
	{ .watch = _watch, .count = 2, .slots = { __VA_ARGS__ } }
#define THREE(_watch, ...)						\
	{ .watch = _watch, .count = 3, .slots = { __VA_ARGS__ } }
#define FOUR(_watch, ...)						\
	{ .watch = _watch, .count = 4, .slots = { __VA_ARGS__ } }
#define TOO_MANY(_watch, _count)					\
	{ .watch = _watch, .count = (_count) }
#define NONE(_watch, _why)						\
	{ .watch = _watch, .why = (_why) }

/* Where slots of all lengths can begin */
#define AT		KERNEL(0x81000000)
#define WORD		sizeof(long)
/* Slots for the bytes of a word that has lost one at its end */
#define BYTES_OF_WORD	(WORD == 8 ? 3 : 2)

static const struct kgdb_plan_case kgdb_plan_cases[] = {
	/* the lengths there are, where they are aligned */
	ONE(W(AT, 1), W(AT, 1)),
	ONE(W(AT + 1, 1), W(AT + 1, 1)),
	ONE(W(AT + 7, 1), W(AT + 7, 1)),
	ONE(W(AT + 2, 2), W(AT + 2, 2)),
	ONE(W(AT + 6, 2), W(AT + 6, 2)),
	ONE(W(AT + 4, 4), W(AT + 4, 4)),
	ONE(W(AT + 8, WORD), W(AT + 8, WORD)),
	ONE(A(AT + 3, 1), A(AT + 3, 1)),
	ONE(A(AT + 2, 2), A(AT + 2, 2)),
	ONE(A(AT + 12, 4), A(AT + 12, 4)),
	ONE(A(AT + 16, WORD), A(AT + 16, WORD)),

	/* the same where they are not */
	TWO(W(AT + 1, 2), W(AT + 1, 1), W(AT + 2, 1)),
	TWO(A(AT + 7, 2), A(AT + 7, 1), A(AT + 8, 1)),
	TWO(W(AT + 2, 4), W(AT + 2, 2), W(AT + 4, 2)),
	THREE(W(AT + 1, 4), W(AT + 1, 1), W(AT + 2, 2), W(AT + 4, 1)),
	THREE(A(AT + 3, 4), A(AT + 3, 1), A(AT + 4, 2), A(AT + 6, 1)),
	TWO(W(AT + WORD / 2, WORD), W(AT + WORD / 2, WORD / 2), W(AT + WORD, WORD / 2)),

	/* lengths in between */
	TWO(W(AT, 3), W(AT, 2), W(AT + 2, 1)),
	TWO(W(AT + 1, 3), W(AT + 1, 1), W(AT + 2, 2)),
	TWO(A(AT + 2, 3), A(AT + 2, 2), A(AT + 4, 1)),
	TWO(A(AT + 3, 3), A(AT + 3, 1), A(AT + 4, 2)),
	TWO(W(AT, 5), W(AT, 4), W(AT + 4, 1)),
	TWO(W(AT + 3, 5), W(AT + 3, 1), W(AT + 4, 4)),
	TWO(W(AT, 6), W(AT, 4), W(AT + 4, 2)),
	TWO(W(AT + 2, 6), W(AT + 2, 2), W(AT + 4, 4)),
	THREE(W(AT + 3, 6), W(AT + 3, 1), W(AT + 4, 4), W(AT + 8, 1)),
	THREE(W(AT, 7), W(AT, 4), W(AT + 4, 2), W(AT + 6, 1)),
	THREE(W(AT + 1, 7), W(AT + 1, 1), W(AT + 2, 2), W(AT + 4, 4)),

	/* longer than a word */
	TWO(W(AT, 2 * WORD), W(AT, WORD), W(AT + WORD, WORD)),
	TWO(A(AT, WORD + 1), A(AT, WORD), A(AT + WORD, 1)),
	TWO(A(AT + WORD - 1, WORD + 1), A(AT + WORD - 1, 1), A(AT + WORD, WORD)),
	FOUR(W(AT + 8, 4 * WORD), W(AT + 8, WORD), W(AT + 8 + WORD, WORD),
	     W(AT + 8 + 2 * WORD, WORD), W(AT + 8 + 3 * WORD, WORD)),
	FOUR(A(AT + WORD - 2, 2 * WORD + 4), A(AT + WORD - 2, 2), A(AT + WORD, WORD),
	     A(AT + 2 * WORD, WORD), A(AT + 3 * WORD, 2)),

	/* a slot for writes and one for everything on each piece */
	TWO(R(AT, 1), W(AT, 1), A(AT, 1)),
	TWO(R(AT + 4, 4), W(AT + 4, 4), A(AT + 4, 4)),
	TWO(R(AT, WORD), W(AT, WORD), A(AT, WORD)),
	FOUR(R(AT, 3), W(AT, 2), A(AT, 2), W(AT + 2, 1), A(AT + 2, 1)),
	FOUR(R(AT, 2 * WORD), W(AT, WORD), A(AT, WORD), W(AT + WORD, WORD), A(AT + WORD, WORD)),

	/* more than there are */
	TOO_MANY(W(AT, 5 * WORD), 5),
	TOO_MANY(W(AT + 1, 4 * WORD), 4 + BYTES_OF_WORD),
	TOO_MANY(A(AT + WORD - 1, 3 * WORD + 2), 5),
	TOO_MANY(R(AT + 1, 4), 6),
	TOO_MANY(R(AT, 3 * WORD), 6),
	TOO_MANY(R(AT, 7), 6),
	TOO_MANY(W(AT, 0x100000), 0x100000 / WORD),
	TOO_MANY(R(AT + 2, 0x100000 - 2), 2 * (0x100000 / WORD - 1 + BYTES_OF_WORD - 1)),
	TOO_MANY(W(0, 0x7fffffff), 0x7fffffff / WORD + BYTES_OF_WORD),
	TOO_MANY(W(0, LAST_BYTE), LAST_BYTE / WORD + BYTES_OF_WORD),
	TOO_MANY(W(1, LAST_BYTE), LAST_BYTE / WORD + BYTES_OF_WORD),
	TOO_MANY(R(0, LAST_BYTE), 2 * (LAST_BYTE / WORD + BYTES_OF_WORD)),
	TOO_MANY(A(WORD, LAST_BYTE - WORD + 1), LAST_BYTE / WORD),
	TOO_MANY(W(0, ~(LAST_BYTE >> 1)), ~(LAST_BYTE >> 1) / WORD),

	/* the ends of memory */
	ONE(W(0, 1), W(0, 1)),
	ONE(W(0, WORD), W(0, WORD)),
	ONE(W(LAST_BYTE, 1), W(LAST_BYTE, 1)),
	ONE(W(LAST_BYTE - 1, 2), W(LAST_BYTE - 1, 2)),
	TWO(W(LAST_BYTE - 2, 3), W(LAST_BYTE - 2, 1), W(LAST_BYTE - 1, 2)),
	ONE(A(LAST_BYTE - 3, 4), A(LAST_BYTE - 3, 4)),
	ONE(A(LAST_BYTE - (WORD - 1), WORD), A(LAST_BYTE - (WORD - 1), WORD)),

	/* whatever kind gdb gives, a breakpoint is at one address */
	ONE(X(AT), X(AT)),
	ONE(X(AT + 3), X(AT + 3)),
	ONE(SPEC(EXECUTE, AT + 3, 0), X(AT + 3)),
	ONE(SPEC(EXECUTE, AT + 3, 4), X(AT + 3)),
	ONE(SPEC(EXECUTE, AT + 3, 17), X(AT + 3)),
	ONE(SPEC(EXECUTE, 0, LAST_BYTE), X(0)),
	ONE(SPEC(EXECUTE, LAST_BYTE, LAST_BYTE), X(LAST_BYTE)),

	/* no watchpoint */
	NONE(SPEC(SOFTWARE, AT, 1), "not a hardware breakpoint or watchpoint"),
	NONE(W(AT, 0), "the length is zero"),
	NONE(R(AT, 0), "the length is zero"),
	NONE(A(AT + 1, 0), "the length is zero"),
	NONE(W(0, 0), "the length is zero"),

	/* around the end of memory */
	NONE(W(LAST_BYTE, 2), "the region wraps around the end of memory"),
	NONE(A(LAST_BYTE - 2, 4), "the region wraps around the end of memory"),
	NONE(R(LAST_BYTE, 3), "the region wraps around the end of memory"),
	NONE(W(2, LAST_BYTE), "the region wraps around the end of memory"),
	NONE(W(LAST_BYTE, LAST_BYTE), "the region wraps around the end of memory"),
};

#undef ONE
#undef TWO
#undef THREE
#undef FOUR
#undef TOO_MANY
#undef NONE
#undef AT
#undef WORD
#undef BYTES_OF_WORD

#endif /* _KGDB_WATCH_CASES_PLAN_H */
