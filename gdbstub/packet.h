/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The remote protocol's text for breakpoints and watchpoints: what the
 * Z, z and qSupported packets say, and what a stop reply says of a hit. Pure
 * code.
 *
 * "Packets", "General Query Packets" and "Stop Reply Packets" in the gdb
 * manual, appendix E.
 */
#ifndef _KGDB_WATCH_PACKET_H
#define _KGDB_WATCH_PACKET_H

#include "pure.h"

/**
 * struct kgdb_watch_spec - a breakpoint or watchpoint as gdb names it
 * @type: what kind of access it is for
 * @addr: first byte, a virtual address
 * @len: number of bytes (for breakpoints: the "kind" field)
 *
 * Two are the same watchpoint when all three fields are equal: that is how
 * the z packet says which one to remove.
 */
struct kgdb_watch_spec {
	enum kgdb_watch_type type;
	unsigned long addr;
	unsigned long len;
};

/*
 * More watchpoints than slots, since equal slots are shared: gdb sets several
 * watchpoints of one expression, and kdb and gdb may want the same bytes.
 */
#define KGDB_WATCH_MAX 32

/**
 * struct kgdb_break_packet - a parsed Z or z packet
 * @insert: true for Z, false for z
 * @spec: what to insert or remove
 */
struct kgdb_break_packet {
	bool insert;
	struct kgdb_watch_spec spec;
};

/* Longest text of kgdb_format_watch(), with its NUL: "rwatch:" + hex + ";" */
#define KGDB_WATCH_REASON_SIZE (sizeof("rwatch:;") + 2 * sizeof(long))

const char *kgdb_parse_break(const char *text, struct kgdb_break_packet *packet);
char *kgdb_format_watch(char *buf, const struct kgdb_watch_spec *spec);
bool kgdb_offers(const char *text, const char *feature);

static inline bool kgdb_watch_spec_equal(const struct kgdb_watch_spec *a,
					 const struct kgdb_watch_spec *b)
{
	return a->type == b->type && a->addr == b->addr && a->len == b->len;
}

#endif /* _KGDB_WATCH_PACKET_H */
