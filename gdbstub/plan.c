// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which slot covers a watchpoint.
 *
 * Second on a watchpoint's path: packet -> plan -> watch -> arch -> hit ->
 * stop reply. Pure code: it knows what a slot can hold, not which are free.
 */
#include "plan.h"

/**
 * kgdb_plan_slot() - find the slot that covers exactly one watchpoint
 * @watch: what gdb asked for
 * @slot: result, valid only when NULL is returned
 *
 * One naturally aligned power of two up to the word size fits one slot;
 * nothing else is accepted yet. A slot that covered more than was asked for
 * would report accesses nobody asked about. Breakpoints are one byte long
 * whatever gdb says: the processor compares the instruction's first byte.
 *
 * Context: any; touches nothing but its arguments.
 * Return: NULL on success, otherwise the reason as a constant text.
 */
const char *kgdb_plan_slot(const struct kgdb_watch_spec *watch,
			   struct kgdb_slot_spec *slot)
{
	slot->type = watch->type;
	slot->addr = watch->addr;
	slot->len = watch->len;

	switch (watch->type) {
	case KGDB_WATCH_EXECUTE:
		slot->len = 1;
		return NULL;
	case KGDB_WATCH_WRITE:
	case KGDB_WATCH_ACCESS:
		break;
	case KGDB_WATCH_READ:
		return "the hardware cannot watch for reads alone";
	default:
		return "not a hardware breakpoint or watchpoint";
	}

	if (!watch->len)
		return "the length is zero";
	if (watch->addr + (watch->len - 1) < watch->addr)
		return "the region wraps around the end of memory";
	if (watch->len > KGDB_SLOT_MAX_LEN || watch->len & (watch->len - 1))
		return sizeof(long) == 8 ? "the length is not 1, 2, 4 or 8" :
					   "the length is not 1, 2 or 4";
	if (watch->addr & (watch->len - 1))
		return "the address is not aligned to the length";
	return NULL;
}
