/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pure parts have to do, as tables: tests in the kernel (kunit.c)
 * and on the host go through the same rows. No row has a '#' in its text,
 * which would end a test's name in KTAP.
 */
#ifndef _KGDB_WATCH_CASES_H
#define _KGDB_WATCH_CASES_H

#include "match.h"
#include "packet.h"
#include "plan.h"
#include "test_caps.h"

/*
 * The upper half of an address as text and as a value: what differs between 32
 * and 64 bits.
 */
#if __SIZEOF_LONG__ == 8
#define HIGH		"ffffffff"
#define LOW		"00000000"
#define KERNEL(low)	(0xffffffff00000000UL | (low))
#else
#define HIGH		""
#define LOW		""
#define KERNEL(low)	(low)
#endif
#define LAST_BYTE	(~0UL)

/**
 * struct kgdb_parse_case - one text for kgdb_parse_break()
 * @text: a packet's payload
 * @why: the reason it is refused, or NULL
 * @packet: what it says, if it is not refused
 */
struct kgdb_parse_case {
	const char *text;
	const char *why;
	struct kgdb_break_packet packet;
};

#define ACCEPTED(_text, _insert, _type, _addr, _len)			\
	{								\
		.text = (_text),					\
		.packet = {						\
			.insert = (_insert),				\
			.spec = {					\
				.type = KGDB_WATCH_##_type,		\
				.addr = (_addr),			\
				.len = (_len),				\
			},						\
		},							\
	}
#define REFUSED(_text, _why)	{ .text = (_text), .why = (_why) }

static const struct kgdb_parse_case kgdb_parse_cases[] = {
	/* each type, inserted and removed */
	ACCEPTED("Z0,1000,1", true, SOFTWARE, 0x1000, 1),
	ACCEPTED("Z1,1000,1", true, EXECUTE, 0x1000, 1),
	ACCEPTED("Z2,1000,4", true, WRITE, 0x1000, 4),
	ACCEPTED("Z3,1000,4", true, READ, 0x1000, 4),
	ACCEPTED("Z4,1000,4", true, ACCESS, 0x1000, 4),
	ACCEPTED("z0,1000,1", false, SOFTWARE, 0x1000, 1),
	ACCEPTED("z1,1000,1", false, EXECUTE, 0x1000, 1),
	ACCEPTED("z2,1000,4", false, WRITE, 0x1000, 4),
	ACCEPTED("z3,1000,4", false, READ, 0x1000, 4),
	ACCEPTED("z4,1000,4", false, ACCESS, 0x1000, 4),

	/* every digit, both cases */
	ACCEPTED("Z2," HIGH "81a2c3d4,8", true, WRITE, KERNEL(0x81a2c3d4), 8),
	ACCEPTED("Z2," HIGH "81A2C3D4,8", true, WRITE, KERNEL(0x81a2c3d4), 8),
	ACCEPTED("Z2,1234567,890abcd", true, WRITE, 0x1234567, 0x890abcd),
	ACCEPTED("Z2,eFeF,FeFe", true, WRITE, 0xefef, 0xfefe),

	/* from no bit to all of them, with and without leading zeros */
	ACCEPTED("Z2,0,0", true, WRITE, 0, 0),
	ACCEPTED("Z2," HIGH "ffffffff," HIGH "ffffffff", true, WRITE,
		 LAST_BYTE, LAST_BYTE),
	ACCEPTED("Z2," LOW "00000000," LOW "00000000", true, WRITE, 0, 0),
	ACCEPTED("Z2," LOW "00000004," LOW "00000001", true, WRITE, 4, 1),
	ACCEPTED("Z2,0004,0001", true, WRITE, 4, 1),
	ACCEPTED("Z2,1" LOW "0000000,1", true, WRITE,
		 ~(LAST_BYTE >> 1) >> 3, 1),

	/* optional fields are ignored, whatever they hold */
	ACCEPTED("Z2,1000,4;", true, WRITE, 0x1000, 4),
	ACCEPTED("Z2,1000,4;X3,220127", true, WRITE, 0x1000, 4),
	ACCEPTED("Z0,1000,1;X1,27;cmds:1,X2,2201", true, SOFTWARE, 0x1000, 1),
	ACCEPTED("Z2,1000,4;;,:-Z9", true, WRITE, 0x1000, 4),

	/* not this packet */
	REFUSED("", "not a Z or z packet"),
	REFUSED("m1000,4", "not a Z or z packet"),
	REFUSED(" Z2,1000,4", "not a Z or z packet"),
	REFUSED("2,1000,4", "not a Z or z packet"),

	/* the type */
	REFUSED("Z", "the type is not one of 0 to 4"),
	REFUSED("z", "the type is not one of 0 to 4"),
	REFUSED("Z5,1000,4", "the type is not one of 0 to 4"),
	REFUSED("Z9,1000,4", "the type is not one of 0 to 4"),
	REFUSED("Z/,1000,4", "the type is not one of 0 to 4"),
	REFUSED("Z-1,1000,4", "the type is not one of 0 to 4"),
	REFUSED("Za,1000,4", "the type is not one of 0 to 4"),
	REFUSED("Z,1000,4", "the type is not one of 0 to 4"),
	REFUSED("ZZ2,1000,4", "the type is not one of 0 to 4"),

	/* the first comma */
	REFUSED("Z2", "no comma after the type"),
	REFUSED("Z22,1000,4", "no comma after the type"),
	REFUSED("Z02,1000,4", "no comma after the type"),
	REFUSED("Z2;1000,4", "no comma after the type"),
	REFUSED("Z2 ,1000,4", "no comma after the type"),
	REFUSED("Z21000,4", "no comma after the type"),

	/* the address */
	REFUSED("Z2,", "the address is not a hex number"),
	REFUSED("Z2,,4", "the address is not a hex number"),
	REFUSED("Z2,xyz,4", "the address is not a hex number"),
	REFUSED("Z2,g,4", "the address is not a hex number"),
	REFUSED("Z2,G,4", "the address is not a hex number"),
	REFUSED("Z2,+1000,4", "the address is not a hex number"),
	REFUSED("Z2,-1000,4", "the address is not a hex number"),
	REFUSED("Z2, 1000,4", "the address is not a hex number"),
	REFUSED("Z2,;", "the address is not a hex number"),
	REFUSED("Z2," LOW "000000000,4", "the address has too many digits"),
	REFUSED("Z2," HIGH "fffffffff,4", "the address has too many digits"),
	REFUSED("Z2," HIGH "fffffffff", "the address has too many digits"),
	REFUSED("Z2,00000000000000000000000000000000000000001000,4",
		"the address has too many digits"),

	/* the second comma */
	REFUSED("Z2,1", "no comma after the address"),
	REFUSED("Z2,1000", "no comma after the address"),
	REFUSED("Z2,0x1000,4", "no comma after the address"),
	REFUSED("Z2,1000;4", "no comma after the address"),
	REFUSED("Z2,1000 ,4", "no comma after the address"),
	REFUSED("Z2,1000g,4", "no comma after the address"),
	REFUSED("Z2,1000;X3,220127", "no comma after the address"),
	REFUSED("Z2," HIGH "ffffffff", "no comma after the address"),

	/* the length */
	REFUSED("Z2,1000,", "the length is not a hex number"),
	REFUSED("Z2,1000,,4", "the length is not a hex number"),
	REFUSED("Z2,1000,;", "the length is not a hex number"),
	REFUSED("Z2,1000,g", "the length is not a hex number"),
	REFUSED("Z2,1000,+4", "the length is not a hex number"),
	REFUSED("Z2,1000,-4", "the length is not a hex number"),
	REFUSED("Z2,1000, 4", "the length is not a hex number"),
	REFUSED("Z2,1000," LOW "000000004", "the length has too many digits"),
	REFUSED("Z2,1000," HIGH "fffffffff;", "the length has too many digits"),
	REFUSED("Z2,1000,00000000000000000000000000000000000000004",
		"the length has too many digits"),

	/* what follows */
	REFUSED("Z2,1000,4,", "garbage after the length"),
	REFUSED("Z2,1000,4,1", "garbage after the length"),
	REFUSED("Z2,1000,4 ", "garbage after the length"),
	REFUSED("Z2,1000,4g", "garbage after the length"),
	REFUSED("Z2,1000,0x4", "garbage after the length"),
	REFUSED("Z2,1000,4:", "garbage after the length"),
	REFUSED("Z2,1000,4\n", "garbage after the length"),
};

#define SPEC(_type, _addr, _len)					\
	{								\
		.type = KGDB_WATCH_##_type,				\
		.addr = (_addr),					\
		.len = (_len),						\
	}

/* A watchpoint and a slot are written alike */
#define X(_addr)	SPEC(EXECUTE, _addr, 1)
#define W(_addr, _len)	SPEC(WRITE, _addr, _len)
#define R(_addr, _len)	SPEC(READ, _addr, _len)
#define A(_addr, _len)	SPEC(ACCESS, _addr, _len)

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

/**
 * struct kgdb_match_case - one access for kgdb_match()
 * @what: what happened
 * @watches: the watchpoints; what is not given is free
 * @slots: what each slot watches
 * @access: which slots hit, and what gdb has been told
 * @report: what is to be reported; KGDB_WATCH_SOFTWARE for nothing
 * @more: another stop is needed
 */
struct kgdb_match_case {
	const char *what;
	struct kgdb_watch_spec watches[4];
	struct kgdb_slot_spec slots[KGDB_SLOTS_MAX];
	struct kgdb_access access;
	struct kgdb_watch_spec report;
	bool more;
};

/* The slots that hit, as a bitmap */
#define HIT(_slots)		{ .armed = ~0U, .slots = (_slots) }
#define HIT_WROTE(_slots, _addr, _len)					\
	{								\
		.armed = ~0U,						\
		.slots = (_slots),					\
		.addr = (_addr),					\
		.len = (_len),						\
		.wrote = true,						\
	}
#define HIT_TOLD(_slots, _addr)						\
	{								\
		.armed = ~0U,						\
		.slots = (_slots),					\
		.told = { _addr },					\
		.nr_told = 1,						\
	}

static const struct kgdb_match_case kgdb_match_cases[] = {
	/* one watchpoint */
	{
		.what = "a write",
		.watches = { W(0x1000, 4) },
		.slots = { W(0x1000, 4) },
		.access = HIT(1),
		.report = W(0x1000, 4),
	}, {
		.what = "an access, in another slot than the first",
		.watches = { [2] = A(0x1000, 4) },
		.slots = { [3] = A(0x1000, 4) },
		.access = HIT(8),
		.report = A(0x1000, 4),
	}, {
		.what = "a breakpoint",
		.watches = { X(0x1000) },
		.slots = { X(0x1000) },
		.access = HIT(1),
		.report = X(0x1000),
	}, {
		.what = "a breakpoint of another kind",
		.watches = { SPEC(EXECUTE, 0x1000, 4) },
		.slots = { X(0x1000) },
		.access = HIT(1),
		.report = SPEC(EXECUTE, 0x1000, 4),
	}, {
		.what = "no slot",
		.watches = { W(0x1000, 4) },
		.slots = { W(0x1000, 4) },
		.access = HIT(0),
	}, {
		.what = "a slot that serves nothing any more",
		.watches = { W(0x1004, 4) },
		.slots = { W(0x1000, 4), W(0x1004, 4) },
		.access = HIT(1),
	}, {
		.what = "a free entry that looks like the slot",
		.watches = { SPEC(SOFTWARE, 0x1000, 4) },
		.slots = { W(0x1000, 4) },
		.access = HIT(1),
	}, {
		.what = "the second piece of a watchpoint",
		.watches = { W(0x1001, 3) },
		.slots = { W(0x1001, 1), W(0x1002, 2) },
		.access = HIT(2),
		.report = W(0x1002, 3),
	}, {
		.what = "all pieces of a watchpoint",
		.watches = { A(0x1001, 7) },
		.slots = { A(0x1004, 4), A(0x1002, 2), A(0x1001, 1) },
		.access = HIT(7),
		.report = A(0x1001, 7),
	},

	/* reads told from writes */
	{
		.what = "a read of what is watched for reads",
		.watches = { R(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(2),
		.report = R(0x1000, 4),
	}, {
		.what = "a write to what is watched for reads",
		.watches = { R(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(3),
	}, {
		.what = "a write to it, of which the first slot is known",
		.watches = { R(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(1),
	}, {
		.what = "a read and write of it, of which the read is known",
		.watches = { R(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT_WROTE(2, 0x1000, 4),
	}, {
		.what = "a read of what is watched for reads and writes",
		.watches = { W(0x1000, 4), R(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(2),
		.report = R(0x1000, 4),
	}, {
		.what = "a write to what is watched for reads and writes",
		.watches = { R(0x1000, 4), W(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(3),
		.report = W(0x1000, 4),
	}, {
		.what = "a read and write of it all, of which the read is known",
		.watches = { A(0x1000, 4), R(0x1000, 4), W(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT_WROTE(2, 0x1000, 4),
		.report = W(0x1000, 4),
	}, {
		.what = "a read of what is watched in every way",
		.watches = { A(0x1000, 4), R(0x1000, 4), W(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(2),
		.report = R(0x1000, 4),
	}, {
		.what = "a write to what is watched for reads and accesses",
		.watches = { R(0x1000, 4), A(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(3),
		.report = A(0x1000, 4),
	}, {
		.what = "a string copied from one to the other: read here, written there",
		.watches = { R(0x1000, 4), W(0x1004, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4), W(0x1004, 4) },
		.access = HIT(6),
		.report = R(0x1000, 4),
		.more = true,
	},

	/* what the instruction adds to what the hardware says */
	{
		.what = "a wide write to two, of which the hit of the first is known",
		.watches = { W(0x1000, 4), A(0x1004, 4) },
		.slots = { W(0x1000, 4), A(0x1004, 4) },
		.access = HIT_WROTE(1, 0x1000, 8),
		.report = W(0x1000, 4),
		.more = true,
	}, {
		.what = "a write of as much as one of them has",
		.watches = { W(0x1000, 4), A(0x1004, 4) },
		.slots = { W(0x1000, 4), A(0x1004, 4) },
		.access = HIT_WROTE(1, 0x1000, 4),
		.report = W(0x1000, 4),
	}, {
		.what = "an instruction that cannot have been it",
		.watches = { R(0x1000, 4), W(0x1004, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4), W(0x1004, 4) },
		.access = HIT_WROTE(2, 0x1004, 4),
		.report = R(0x1000, 4),
	}, {
		.what = "a wide write to one that was armed and one that was not",
		.watches = { W(0x1000, 4), A(0x1004, 4) },
		.slots = { W(0x1000, 4), A(0x1004, 4) },
		.access = {
			.armed = 1,
			.slots = 1,
			.addr = 0x1000,
			.len = 8,
			.wrote = true,
		},
		.report = W(0x1000, 4),
	},

	/* what was set while the hit waited */
	{
		.what = "an access to what is watched for reads as well by now",
		.watches = { R(0x1000, 4), A(0x1000, 4) },
		.slots = { A(0x1000, 4), W(0x1000, 4) },
		.access = { .armed = 1, .slots = 1 },
		.report = A(0x1000, 4),
	}, {
		.what = "an access within what is watched by now",
		.watches = { A(0x1000, 4), A(0x1002, 1) },
		.slots = { A(0x1002, 1), A(0x1000, 4) },
		.access = { .armed = 1, .slots = 1 },
		.report = A(0x1002, 1),
	},

	/* one within the other */
	{
		.what = "an address of which nothing is known",
		.watches = { A(0x1000, 4), A(0x1002, 1) },
		.slots = { A(0x1000, 4), A(0x1002, 1) },
		.access = { .armed = 3, .slots = 1, .addr = 0x1002 },
		.report = A(0x1000, 4),
	}, {
		.what = "both: the address lies in both",
		.watches = { A(0x1000, 4), A(0x1002, 1) },
		.slots = { A(0x1000, 4), A(0x1002, 1) },
		.access = HIT(3),
		.report = A(0x1002, 4),
	}, {
		.what = "the longer one only",
		.watches = { A(0x1000, 4), A(0x1002, 1) },
		.slots = { A(0x1000, 4), A(0x1002, 1) },
		.access = HIT(1),
		.report = A(0x1000, 4),
	}, {
		.what = "both, and the write says more",
		.watches = { A(0x1002, 1), W(0x1000, 4) },
		.slots = { A(0x1002, 1), W(0x1000, 4) },
		.access = HIT(3),
		.report = W(0x1002, 4),
	}, {
		.what = "both, of which the write to the shorter is known",
		.watches = { R(0x1002, 1), W(0x1000, 4) },
		.slots = { W(0x1002, 1), A(0x1002, 1), W(0x1000, 4) },
		.access = HIT(1),
		.report = W(0x1000, 4),
	}, {
		.what = "both, of which the access to the shorter is known",
		.watches = { A(0x1002, 1), W(0x1000, 4) },
		.slots = { A(0x1002, 1), W(0x1000, 4) },
		.access = HIT(1),
		.report = A(0x1002, 1),
	}, {
		.what = "both, of which the read of the shorter is known, and that it wrote",
		.watches = { R(0x1002, 1), W(0x1000, 4) },
		.slots = { W(0x1002, 1), A(0x1002, 1), W(0x1000, 4) },
		.access = HIT_WROTE(2, 0x1002, 1),
		.report = W(0x1000, 4),
	}, {
		.what = "a read of both",
		.watches = { A(0x1002, 1), R(0x1000, 4) },
		.slots = { A(0x1002, 1), W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(5),
		.report = R(0x1002, 4),
	}, {
		.what = "an access to the shorter, that may have written to the longer",
		.watches = { A(0x1002, 1), R(0x1000, 4) },
		.slots = { A(0x1002, 1), W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(1),
		.report = A(0x1002, 1),
	}, {
		.what = "a write next to the one watched for reads",
		.watches = { R(0x1002, 1), W(0x1000, 4) },
		.slots = { W(0x1002, 1), A(0x1002, 1), W(0x1000, 4) },
		.access = HIT(4),
		.report = W(0x1000, 4),
	},

	/* side by side */
	{
		.what = "two that no address lies in: the first stop",
		.watches = { W(0x1000, 4), W(0x1004, 4) },
		.slots = { W(0x1000, 4), W(0x1004, 4) },
		.access = HIT(3),
		.report = W(0x1000, 4),
		.more = true,
	}, {
		.what = "two that no address lies in: the second stop",
		.watches = { W(0x1000, 4), W(0x1004, 4) },
		.slots = { W(0x1000, 4), W(0x1004, 4) },
		.access = HIT_TOLD(3, 0x1000),
		.report = W(0x1004, 4),
	}, {
		.what = "two of them, and the second is gone by its stop",
		.watches = { W(0x1000, 4) },
		.slots = { W(0x1000, 4), W(0x1004, 4) },
		.access = HIT_TOLD(1, 0x1000),
	}, {
		.what = "two of them, and the first was removed before the second stop",
		.watches = { [1] = W(0x1004, 4) },
		.slots = { W(0x1000, 4), W(0x1004, 4) },
		.access = HIT_TOLD(2, 0x1000),
		.report = W(0x1004, 4),
	}, {
		.what = "the one that ends first comes first, however long",
		.watches = { W(0x1004, 2), W(0x1000, 4) },
		.slots = { W(0x1004, 2), W(0x1000, 4) },
		.access = HIT(3),
		.report = W(0x1000, 4),
		.more = true,
	}, {
		.what = "two that overlap: the address lies in both",
		.watches = { A(0x1002, 6), A(0x1004, 5) },
		.slots = { A(0x1002, 2), A(0x1004, 4), A(0x1008, 1) },
		.access = HIT(7),
		.report = A(0x1004, 6),
	}, {
		.what = "four, two stops, if the address in the midst is named by none: the first",
		.watches = { A(0x1003, 5), A(0x1004, 4), A(0x1000, 4), A(0x1000, 1) },
		.slots = { A(0x1003, 1), A(0x1004, 4), A(0x1000, 1), A(0x1000, 4) },
		.access = HIT(15),
		.report = A(0x1000, 4),
		.more = true,
	}, {
		.what = "four, two stops, if the address in the midst is named by none: the second",
		.watches = { A(0x1003, 5), A(0x1004, 4), A(0x1000, 4), A(0x1000, 1) },
		.slots = { A(0x1003, 1), A(0x1004, 4), A(0x1000, 1), A(0x1000, 4) },
		.access = HIT_TOLD(15, 0x1000),
		.report = A(0x1004, 5),
	}, {
		.what = "a long one and two short ones in it: the first stop",
		.watches = { A(0x1000, 4), A(0x1000, 1), A(0x1002, 1) },
		.slots = { A(0x1000, 4), A(0x1000, 1), A(0x1002, 1) },
		.access = HIT(7),
		.report = A(0x1000, 4),
		.more = true,
	}, {
		.what = "a long one and two short ones in it: the second stop",
		.watches = { A(0x1000, 4), A(0x1000, 1), A(0x1002, 1) },
		.slots = { A(0x1000, 4), A(0x1000, 1), A(0x1002, 1) },
		.access = HIT_TOLD(7, 0x1000),
		.report = A(0x1002, 1),
	},

	/* a breakpoint at the next instruction: gdb sees that from the PC */
	{
		.what = "a write and a breakpoint",
		.watches = { X(0x2000), W(0x1000, 4) },
		.slots = { X(0x2000), W(0x1000, 4) },
		.access = HIT(3),
		.report = W(0x1000, 4),
	}, {
		.what = "a write to what is watched for reads, and a breakpoint",
		.watches = { X(0x2000), R(0x1000, 4) },
		.slots = { X(0x2000), W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(7),
		.report = X(0x2000),
	}, {
		.what = "a write to the very place of the breakpoint",
		.watches = { X(0x1000), W(0x1000, 1) },
		.slots = { X(0x1000), W(0x1000, 1) },
		.access = HIT(3),
		.report = W(0x1000, 1),
	}, {
		.what = "a breakpoint in memory that is watched",
		.watches = { X(0x1002), A(0x1000, 4) },
		.slots = { X(0x1002), A(0x1000, 4) },
		.access = HIT(1),
		.report = X(0x1002),
	}, {
		.what = "two writes, and a breakpoint that would be a third in one of them",
		.watches = { SPEC(EXECUTE, 0x1000, 4), W(0x1000, 4), W(0x1004, 2) },
		.slots = { X(0x1000), W(0x1000, 4), W(0x1004, 2) },
		.access = HIT(7),
		.report = W(0x1000, 4),
		.more = true,
	}, {
		.what = "a breakpoint in memory of which another part was accessed",
		.watches = { X(0x1004), A(0x1002, 3) },
		.slots = { X(0x1004), A(0x1002, 2), A(0x1004, 1) },
		.access = HIT(3),
		.report = A(0x1002, 3),
	},
};

/**
 * struct kgdb_format_case - one watchpoint for kgdb_format_watch()
 * @watch: what was hit
 * @text: the field of the stop reply
 */
struct kgdb_format_case {
	struct kgdb_watch_spec watch;
	const char *text;
};

#define SAYS(_watch, _text)	{ .watch = _watch, .text = (_text) }

static const struct kgdb_format_case kgdb_format_cases[] = {
	SAYS(W(KERNEL(0x81a2c3d4), 4), "watch:" HIGH "81a2c3d4;"),
	SAYS(R(KERNEL(0x81a2c3d4), 4), "rwatch:" HIGH "81a2c3d4;"),
	SAYS(A(KERNEL(0x81a2c3d4), 4), "awatch:" HIGH "81a2c3d4;"),
	SAYS(W(KERNEL(0x01234567), 1), "watch:" HIGH "01234567;"),
	SAYS(A(KERNEL(0x89abcdef), 1), "awatch:" HIGH "89abcdef;"),
	SAYS(W(0, 1), "watch:" LOW "00000000;"),
	SAYS(R(0x10, 1), "rwatch:" LOW "00000010;"),
	SAYS(W(LAST_BYTE, 1), "watch:" HIGH "ffffffff;"),
	SAYS(R(LAST_BYTE, 1), "rwatch:" HIGH "ffffffff;"),
	SAYS(A(LAST_BYTE, 1), "awatch:" HIGH "ffffffff;"),
	SAYS(X(KERNEL(0x81a2c3d4)), ""),
	SAYS(SPEC(SOFTWARE, KERNEL(0x81a2c3d4), 1), ""),
};

#undef HIGH
#undef LOW
#undef KERNEL
#undef LAST_BYTE
#undef ACCEPTED
#undef REFUSED
#undef SPEC
#undef X
#undef W
#undef R
#undef A
#undef ONE
#undef TWO
#undef THREE
#undef FOUR
#undef TOO_MANY
#undef NONE
#undef AT
#undef WORD
#undef BYTES_OF_WORD
#undef HIT
#undef HIT_WROTE
#undef HIT_TOLD
#undef SAYS

#endif /* _KGDB_WATCH_CASES_H */
