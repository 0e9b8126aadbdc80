// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Z and z commands of the gdb stub: from packet to answer.
 */
#define pr_fmt(fmt) "KGDB: " fmt

#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/limits.h>
#include <linux/memory.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "client.h"
#include "packet.h"
#include "room.h"
#include "table.h"

/* As much of a refused packet as the kernel log repeats, in characters */
#define QUOTED_PACKET 48

static void refuse(char *out, int err, const char *why)
{
	if (kgdb_client_takes_texts())
		sprintf(out, "E.%s", why);
	else
		sprintf(out, "E%02d", min(-err, 99));
}

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

static const char *software_refusal(const struct kgdb_break_packet *packet)
{
	const char *why = NULL;

	if (packet->insert)
		why = kgdb_text_reserved(packet->spec.addr);
	/* KGDB writes to text while nobody else does; gdb may try again */
	if (!why && mutex_is_locked(&text_mutex))
		why = "the kernel is in the middle of patching its text";
	return why ?: "no software breakpoint can be set or removed there";
}

/**
 * kgdb_break_command() - carry out a Z or z packet
 * @in: the packet's payload
 * @out: where the answer goes, at least 128 bytes
 *
 * Answers ``OK`` or an error: ``E.`` and the reason for a debugger that asked
 * for that, else ``Enn`` with a decimal errno. The kernel log has the reason
 * as well. On an error nothing has changed. Setting what is there, and removing
 * what is not, is no error ("Packets", E.2: both are idempotent).
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
	if (why) {
		pr_err("packet \"%.*s\" refused: %s\n", QUOTED_PACKET, in, why);
		refuse(out, -EINVAL, why);
		return;
	}

	err = break_command(&packet);
	/*
	 * It is gone, as asked. GDB sends a packet again if the acknowledgment
	 * was lost, and would take an error to mean that it is still there.
	 */
	if (err == -ENOENT && !packet.insert)
		err = 0;
	if (!err)
		memcpy(out, "OK", sizeof("OK"));
	else if (packet.spec.type == KGDB_WATCH_SOFTWARE)
		refuse(out, err, software_refusal(&packet));
	else
		refuse(out, err, kgdb_watch_refusal());
}
