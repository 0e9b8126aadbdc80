// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the debugger on the line understands.
 *
 * It says so in a qSupported packet, the first of each gdb that connects.
 * What it did not offer it does not get. The line does not tell when one
 * debugger is gone and another one there, so what the last one offered is
 * forgotten at each sign of that.
 */
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/string.h>

#include "client.h"
#include "packet.h"

/**
 * struct kgdb_client - what was offered
 * @texts: errors with a text are understood ("Standard Replies", E.1.1)
 * @several: a stop reply may name several watchpoints ("Stop Reply Packets",
 *           E.3)
 */
struct kgdb_client {
	bool texts;
	bool several;
};

static struct kgdb_client client;

/* The offer was made at this stop */
static bool offered_now;

/**
 * kgdb_supported_query() - answer a qSupported packet
 * @in: the packet's payload
 * @out: where the answer goes, at least 32 bytes
 *
 * Accepts the features error-message and multi-wp-addr if they are offered
 * ("General Query Packets" in the gdb manual, E.6).
 *
 * Context: master CPU in the debugger.
 * Return: true if it was such a packet.
 */
bool kgdb_supported_query(const char *in, char *out)
{
	if (strncmp(in, "qSupported", strlen("qSupported")))
		return false;

	client.texts = kgdb_offers(in, "error-message+");
	client.several = kgdb_offers(in, "multi-wp-addr+");
	offered_now = true;
	sprintf(out, "%s%s%s", client.texts ? "error-message+" : "",
		client.texts && client.several ? ";" : "",
		client.several ? "multi-wp-addr+" : "");
	return true;
}

/**
 * kgdb_client_takes_texts() - does the debugger take the reason of a refusal?
 *
 * Context: master CPU in the debugger.
 * Return: true if it offered that.
 */
bool kgdb_client_takes_texts(void)
{
	return client.texts;
}

/**
 * kgdb_client_takes_several() - may a stop reply name several watchpoints?
 *
 * Context: master CPU in the debugger.
 * Return: true if the debugger offered that.
 */
bool kgdb_client_takes_several(void)
{
	return client.several;
}

/**
 * kgdb_client_begins() - a debugger has connected, or leaves
 *
 * One that connects has made its offer at this stop. If none was made, the
 * offer that there is was another one's.
 *
 * Context: master CPU in the debugger.
 */
void kgdb_client_begins(void)
{
	if (!offered_now)
		client = (struct kgdb_client){ };
}

/**
 * kgdb_client_continues() - the machine is about to go on
 *
 * Nobody is connected any more after a detach or a kill. gdb may have lent the
 * line to kdb, and come back without a word.
 *
 * Context: master CPU about to leave the debugger.
 */
void kgdb_client_continues(void)
{
	offered_now = false;
	if (!kgdb_connected && !dbg_kdb_mode)
		client = (struct kgdb_client){ };
}
