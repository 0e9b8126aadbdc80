/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What match.c has to do, as a table: the slots that an access hit on the
 * hardware of test_caps.h, and the watchpoints to report. Tests in the kernel
 * (kunit_pure.c) and on the host go through the same rows. No row has a '#' in
 * its text, which would end a test's name in KTAP.
 */
#ifndef _KGDB_WATCH_CASES_MATCH_H
#define _KGDB_WATCH_CASES_MATCH_H

#include "match.h"
#include "cases_words.h"

/**
 * struct kgdb_match_case - one access for kgdb_match()
 * @what: what happened
 * @watches: the watchpoints; what is not given is free
 * @slots: what each slot watches
 * @access: which slots hit, and what gdb has been told
 * @report: what is to be reported first; KGDB_WATCH_SOFTWARE for nothing
 * @then: what is to be reported with it, or by other stops, in this order
 */
struct kgdb_match_case {
	const char *what;
	struct kgdb_watch_spec watches[4];
	struct kgdb_slot_spec slots[KGDB_SLOTS_MAX];
	struct kgdb_access access;
	struct kgdb_watch_spec report;
	struct kgdb_watch_spec then[3];
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
		.then = { A(0x1000, 4) },
	}, {
		.what = "a read of what is watched in every way",
		.watches = { A(0x1000, 4), R(0x1000, 4), W(0x1000, 4) },
		.slots = { W(0x1000, 4), A(0x1000, 4) },
		.access = HIT(2),
		.report = R(0x1000, 4),
		.then = { A(0x1000, 4) },
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
		.then = { W(0x1004, 4) },
	},

	/* what the instruction adds to what the hardware says */
	{
		.what = "a wide write to two, of which the hit of the first is known",
		.watches = { W(0x1000, 4), A(0x1004, 4) },
		.slots = { W(0x1000, 4), A(0x1004, 4) },
		.access = HIT_WROTE(1, 0x1000, 8),
		.report = W(0x1000, 4),
		.then = { A(0x1004, 4) },
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
		.then = { A(0x1002, 1) },
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
		.then = { A(0x1002, 1) },
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
		.then = { W(0x1004, 4) },
	}, {
		.what = "two that no address lies in: the second stop",
		.watches = { W(0x1000, 4), W(0x1004, 4) },
		.slots = { W(0x1000, 4), W(0x1004, 4) },
		.access = HIT_TOLD(3, 0x1000),
		.report = W(0x1004, 4),
	}, {
		.what = "two and one that has both, of other kinds",
		.watches = { A(0x1000, 4), W(0x1000, 2), W(0x1002, 2) },
		.slots = { A(0x1000, 4), W(0x1000, 2), W(0x1002, 2) },
		.access = HIT(7),
		.report = W(0x1000, 2),
		.then = { A(0x1000, 4), W(0x1002, 2) },
	}, {
		.what = "four in four slots",
		.watches = { W(0x1000, 1), A(0x1002, 2), W(0x1004, 2), A(0x1007, 1) },
		.slots = { A(0x1007, 1), W(0x1004, 2), A(0x1002, 2), W(0x1000, 1) },
		.access = HIT(15),
		.report = W(0x1000, 1),
		.then = { A(0x1002, 2), W(0x1004, 2), A(0x1007, 1) },
	}, {
		.what = "four in four slots, of which two have been told",
		.watches = { W(0x1000, 1), A(0x1002, 2), W(0x1004, 2), A(0x1007, 1) },
		.slots = { A(0x1007, 1), W(0x1004, 2), A(0x1002, 2), W(0x1000, 1) },
		.access = {
			.armed = ~0U,
			.slots = 15,
			.told = { 0x1000, 0x1002 },
			.nr_told = 2,
		},
		.report = W(0x1004, 2),
		.then = { A(0x1007, 1) },
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
		.then = { W(0x1004, 2) },
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
		.then = { A(0x1004, 5) },
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
		.then = { A(0x1002, 1) },
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
		.then = { W(0x1004, 2) },
	}, {
		.what = "a breakpoint in memory of which another part was accessed",
		.watches = { X(0x1004), A(0x1002, 3) },
		.slots = { X(0x1004), A(0x1002, 2), A(0x1004, 1) },
		.access = HIT(3),
		.report = A(0x1002, 3),
	},
};

#undef HIT
#undef HIT_WROTE
#undef HIT_TOLD

#endif /* _KGDB_WATCH_CASES_MATCH_H */
