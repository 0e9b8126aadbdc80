// SPDX-License-Identifier: GPL-2.0-only
/*
 * May something be watched, and is there room for it? If not, why.
 *
 * On the path of a watchpoint between the table and the slots.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/sections.h>

#include "plan.h"
#include "room.h"
#include "slots.h"

/* The kernel's init section is not there any more */
static bool init_mem_freed;

/* Why the last watchpoint was refused */
static char refusal[96];

/* How many of these need a slot that can serve @type */
static unsigned int count_kind(const struct kgdb_slot_spec *specs,
			       unsigned int count, enum kgdb_watch_type type)
{
	unsigned int i, found = 0;

	bool execute = type == KGDB_WATCH_EXECUTE;

	if (!kgdb_slot_arch->caps->break_slots)
		return count;
	for (i = 0; i < count; i++)
		found += execute == (specs[i].type == KGDB_WATCH_EXECUTE);
	return found;
}

/*
 * gdb knows nothing of it, and puts back what was dropped. On 64 bit nobody
 * gets the memory at these addresses again; on 32 bit somebody may, and may
 * well be the one to watch.
 */
static bool in_freed_init_mem(unsigned long addr, unsigned long len)
{
	return init_mem_freed && IS_ENABLED(CONFIG_64BIT) &&
	       init_section_intersects((void *)addr, len);
}

/**
 * kgdb_room_refuse() - keep the reason of a refusal
 * @err: the error
 * @why: text without any of the protocol's special characters
 *
 * Context: master CPU in the debugger.
 * Return: @err.
 */
int kgdb_room_refuse(int err, const char *why)
{
	strscpy(refusal, why, sizeof(refusal));
	return err;
}

static int refuse_full(unsigned long needed, unsigned int total,
		       unsigned int held, unsigned int perf)
{
	int n;

	n = scnprintf(refusal, sizeof(refusal), "needs %lu slot%s, %u free",
		      needed, needed == 1 ? "" : "s", total - held - perf);
	if (held)
		n += scnprintf(refusal + n, sizeof(refusal) - n,
			       ": the debugger holds %u", held);
	if (perf)
		scnprintf(refusal + n, sizeof(refusal) - n, "%s perf holds %u",
			  held ? "," : ":", perf);
	return -ENOSPC;
}

/* Why something cannot be watched, or NULL; otherwise the @count slots it takes */
static const char *check_watch(const struct kgdb_watch_spec *watch,
			       struct kgdb_slot_spec *pieces,
			       unsigned long *count)
{
	const char *why = kgdb_plan_slots(kgdb_slot_arch->caps, watch, pieces,
					  KGDB_SLOTS_MAX, count);
	unsigned long i;

	for (i = 0; !why && i < *count && i < KGDB_SLOTS_MAX; i++) {
		why = kgdb_slot_arch->check(&pieces[i]);
		if (!why && in_freed_init_mem(pieces[i].addr, pieces[i].len))
			why = "the kernel has freed this memory";
	}
	return why;
}

/**
 * kgdb_room_claim() - have all the slots reserved that a watchpoint needs
 * @spec: the watchpoint
 * @all: the slots of what is wanted already, each once
 * @count_all: how many these are
 *
 * Context: master CPU in the debugger, all others held.
 * Return: 0, -EINVAL (cannot be watched), -ENOSPC (too few slots are free) or
 * -EBUSY (perf was stopped while it changed its accounting). Nothing has
 * changed on an error, and kgdb_watch_refusal() has the reason.
 */
int kgdb_room_claim(const struct kgdb_watch_spec *spec,
		    const struct kgdb_slot_spec *all, unsigned int count_all)
{
	struct kgdb_slot_spec pieces[KGDB_SLOTS_MAX];
	static const char busy[] =
		"perf is changing its breakpoints: continue and try again";
	unsigned int held, total, reserved;
	unsigned long i, count, needed, claimed;
	const char *why;
	int err;

	why = check_watch(spec, pieces, &count);
	if (why)
		return kgdb_room_refuse(-EINVAL, why);

	needed = count;
	for (i = 0; i < count && i < KGDB_SLOTS_MAX; i++) {
		if (kgdb_slot_specs_have(all, count_all, &pieces[i]))
			needed--;
	}

	held = count_kind(all, count_all, spec->type);
	err = kgdb_slots_claim(spec->type,
			       min_t(unsigned long, held + needed, UINT_MAX),
			       &claimed);
	if (!err)
		return 0;

	total = kgdb_slots_room(spec->type, &reserved);
	kgdb_slots_unclaim(claimed);
	if (err == -EBUSY)
		return kgdb_room_refuse(err, busy);
	return refuse_full(needed, total, held, total - reserved);
}

/**
 * kgdb_room_check() - may this be watched?
 * @watch: what
 *
 * Context: master CPU in the debugger, or all CPUs kept out of it.
 * Return: NULL, or the reason for a refusal as a constant text.
 */
const char *kgdb_room_check(const struct kgdb_watch_spec *watch)
{
	struct kgdb_slot_spec pieces[KGDB_SLOTS_MAX];
	unsigned long needed;

	return check_watch(watch, pieces, &needed);
}

/**
 * kgdb_room_was_init_mem() - was this init memory, which the kernel has freed?
 * @watch: what
 *
 * Context: any.
 * Return: true if so.
 */
bool kgdb_room_was_init_mem(const struct kgdb_watch_spec *watch)
{
	return in_freed_init_mem(watch->addr, watch->len);
}

/**
 * kgdb_watch_refusal() - the reason that a watchpoint was refused
 *
 * Context: master CPU in the debugger, after kgdb_set_hw_break() or
 * kgdb_remove_hw_break() has failed.
 * Return: text without any of the protocol's special characters.
 */
const char *kgdb_watch_refusal(void)
{
	return refusal;
}

/**
 * kgdb_room_init_mem_freed() - refuse watchpoints on init memory from now on
 *
 * Context: all CPUs kept out of the debugger.
 */
void kgdb_room_init_mem_freed(void)
{
	init_mem_freed = true;
}
