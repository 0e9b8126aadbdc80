// SPDX-License-Identifier: GPL-2.0-only
/*
 * kdb's watchpoints, by its commands. These may come through gdb, where
 * dbg_kdb_mode says who has the line, and not whose the watchpoint is.
 */
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>

#include "room.h"
#include "table.h"

static struct kgdb_watch_spec watch_spec(unsigned long addr, int len,
					 enum kgdb_bptype bptype)
{
	return (struct kgdb_watch_spec){
		.type = (enum kgdb_watch_type)bptype,
		.addr = addr,
		.len = len,
	};
}

/**
 * kgdb_kdb_set_watch() - add a watchpoint of kdb's
 * @addr: first byte, a virtual address
 * @len: number of bytes
 * @bptype: what it is for; not BP_BREAKPOINT
 *
 * Context: master CPU in the debugger, all others held; kdb or gdb has the
 * line.
 * Return: NULL, or the reason for a refusal. Nothing has changed then.
 */
const char *kgdb_kdb_set_watch(unsigned long addr, int len,
			       enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);

	return kgdb_table_set(&spec, true) ? kgdb_watch_refusal() : NULL;
}

/**
 * kgdb_kdb_remove_watch() - remove a watchpoint of kdb's
 * @addr: first byte
 * @len: number of bytes, as it was set with
 * @bptype: as it was set with
 *
 * Context: as kgdb_kdb_set_watch().
 * Return: 0, or -ENOENT if there is no such watchpoint.
 */
int kgdb_kdb_remove_watch(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);

	return kgdb_table_remove(&spec, true);
}

/**
 * kgdb_kdb_has_watch() - is a watchpoint of kdb's still there?
 * @addr: first byte
 * @len: number of bytes, as it was set with
 * @bptype: as it was set with
 *
 * Context: as kgdb_kdb_set_watch().
 * Return: as kgdb_table_has().
 */
bool kgdb_kdb_has_watch(unsigned long addr, int len, enum kgdb_bptype bptype)
{
	struct kgdb_watch_spec spec = watch_spec(addr, len, bptype);

	return kgdb_table_has(&spec, true);
}
