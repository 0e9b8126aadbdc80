/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What packet.c has to do, as tables: the text of a packet and what it says, and
 * a watchpoint and how a stop reply names it. Tests in the kernel
 * (kunit_pure.c) and on the host go through the same rows. No row has a '#' in
 * its text, which would end a test's name in KTAP.
 */
#ifndef _KGDB_WATCH_CASES_PACKET_H
#define _KGDB_WATCH_CASES_PACKET_H

#include "packet.h"
#include "cases_words.h"

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

/**
 * struct kgdb_offer_case - one text for kgdb_offers()
 * @text: a packet's payload
 * @offered: it offers the feature "multi-wp-addr+"
 */
struct kgdb_offer_case {
	const char *text;
	bool offered;
};

static const struct kgdb_offer_case kgdb_offer_cases[] = {
	{ "qSupported:multi-wp-addr+", true },
	{ "qSupported:multi-wp-addr+;", true },
	{ "qSupported:multi-wp-addr+;swbreak+", true },
	{ "qSupported:swbreak+;multi-wp-addr+", true },
	{ "qSupported:multiprocess+;xmlRegisters=i386;multi-wp-addr+;swbreak+", true },
	{ "qSupported:multi-wp-addr-;multi-wp-addr+", true },
	{ "qSupported:;multi-wp-addr+", true },
	{ "qSupported", false },
	{ "qSupported:", false },
	{ "qSupported:;", false },
	{ "qSupported:multi-wp-addr", false },
	{ "qSupported:multi-wp-addr-", false },
	{ "qSupported:multi-wp-addr?", false },
	{ "qSupported:multi-wp-addr+x", false },
	{ "qSupported:multi-wp-addr++", false },
	{ "qSupported:xmulti-wp-addr+", false },
	{ "qSupported:multi-multi-wp-addr+", false },
	{ "qSupported:x=:multi-wp-addr+", false },
	{ "qSupported:multi-wp-add;r+", false },
	{ "qSupported;multi-wp-addr+", false },
	{ "qSupportedmulti-wp-addr+", false },
	{ "multi-wp-addr+", false },
	{ "", false },
};

#undef ACCEPTED
#undef REFUSED
#undef SAYS

#endif /* _KGDB_WATCH_CASES_PACKET_H */
