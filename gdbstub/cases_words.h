/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the rows of cases_packet.h, cases_plan.h and cases_match.h write addresses,
 * watchpoints and slots. The names are short, as tables need them, and stay
 * defined: these files are to be included after all others.
 */
#ifndef _KGDB_WATCH_CASES_WORDS_H
#define _KGDB_WATCH_CASES_WORDS_H

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

#endif /* _KGDB_WATCH_CASES_WORDS_H */
