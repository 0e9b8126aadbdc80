/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pure parts again, written another way: what the exhaustive tests and
 * the fuzzer compare with. Slow, and with the whole C library at hand.
 */
#ifndef _KGDB_WATCH_ORACLE_H
#define _KGDB_WATCH_ORACLE_H

#include "packet.h"
#include "plan.h"
#include "test_caps.h"

/* Why a packet is refused, in the order of its fields; ends with NULL */
extern const char * const oracle_parse_reasons[];

const char *oracle_parse(const char *text, struct kgdb_break_packet *packet);

/* Why a watchpoint is refused, else how many slots it needs at least */
const char *oracle_plan(const struct kgdb_watch_spec *watch, unsigned long *count);

/* What is wrong with a plan, all of which is in @slots; NULL for nothing */
const char *oracle_plan_fault(const struct kgdb_watch_spec *watch,
			      const struct kgdb_slot_spec *slots, unsigned long count);

/* Does a qSupported packet offer "multi-wp-addr+"? */
bool oracle_offers(const char *text);

void oracle_format(char *buf, size_t size, const struct kgdb_watch_spec *watch);

#endif /* _KGDB_WATCH_ORACLE_H */
