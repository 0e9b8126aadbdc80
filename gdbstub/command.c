// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Z and z commands of the gdb stub: from packet to answer.
 */
#define pr_fmt(fmt) "KGDB: " fmt

#include <linux/kernel.h>
#include <linux/kgdb_watch.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "../debug_core.h"
#include "packet.h"

/* As much of a refused packet as the kernel log repeats, in characters */
#define QUOTED_PACKET 48

static int break_command(const struct kgdb_break_packet *packet)
{
	const struct kgdb_watch_spec *spec = &packet->spec;

	if (spec->type == KGDB_WATCH_SOFTWARE)
		return packet->insert ? dbg_set_sw_break(spec->addr) :
					dbg_remove_sw_break(spec->addr);

	return packet->insert ?
		arch_kgdb_ops.set_hw_breakpoint(spec->addr, spec->len,
						(enum kgdb_bptype)spec->type) :
		arch_kgdb_ops.remove_hw_breakpoint(spec->addr, spec->len,
						   (enum kgdb_bptype)spec->type);
}

/**
 * kgdb_break_command() - carry out a Z or z packet
 * @in: the packet's payload
 * @out: where the answer goes, at least 4 bytes
 *
 * Answers ``OK``, ``Enn`` with a decimal errno after the kernel log has the
 * reason, or nothing for Z3 and z3, which tells gdb to use an access
 * watchpoint instead. On an error nothing has changed.
 *
 * Context: master CPU in the debugger, all others held.
 */
void kgdb_break_command(const char *in, char *out)
{
	struct kgdb_break_packet packet;
	const char *why;
	int err;

	why = kgdb_parse_break(in, &packet);
	if (!why && packet.spec.len > INT_MAX)
		why = "the length is too large";
	if (!why && packet.spec.type == KGDB_WATCH_READ) {
		*out = '\0';
		return;
	}

	if (why) {
		pr_err("packet \"%.*s\" refused: %s\n", QUOTED_PACKET, in, why);
		err = -EINVAL;
	} else {
		err = break_command(&packet);
	}

	if (err)
		sprintf(out, "E%02d", min(-err, 99));
	else
		memcpy(out, "OK", sizeof("OK"));
}
