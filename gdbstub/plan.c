// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which slots cover a watchpoint.
 *
 * Second on a watchpoint's path: packet -> plan -> table -> slots -> arch ->
 * hit -> match -> stop reply. Pure code: it knows what a slot can hold, not
 * which are free.
 */
#include "plan.h"

/* The slots a plan has so far; those that do not fit are only counted */
struct plan {
	const struct kgdb_slot_caps *caps;
	struct kgdb_slot_spec *slots;
	unsigned int room;
	unsigned long count;
};

static void add(struct plan *plan, enum kgdb_watch_type type,
		unsigned long addr, unsigned long len)
{
	if (plan->count < plan->room)
		plan->slots[plan->count] = (struct kgdb_slot_spec){
			.type = type,
			.addr = addr,
			.len = len,
		};
	plan->count++;
}

/*
 * Where no slot tells reads from writes, two on the same bytes do: a write hits
 * both, a read only the one for all accesses.
 */
static void add_piece(struct plan *plan, enum kgdb_watch_type type,
		      unsigned long addr, unsigned long len)
{
	if (type == KGDB_WATCH_READ && !plan->caps->read_slots) {
		add(plan, KGDB_WATCH_WRITE, addr, len);
		type = KGDB_WATCH_ACCESS;
	}
	add(plan, type, addr, len);
}

/* The longest slot that can begin at @addr and is not longer than @left */
static unsigned long piece_len(const struct kgdb_slot_caps *caps,
			       unsigned long addr, unsigned long left)
{
	unsigned long len = caps->max_len;
	unsigned long in_word = 8 - addr % 8;

	if (caps->byte_select && (in_word < 8 || left < 8))
		return left < in_word ? left : in_word;

	while (addr & (len - 1) || len > left)
		len /= 2;
	return len;
}

/**
 * kgdb_plan_slots() - find the slots that cover exactly one watchpoint
 * @caps: what a slot can hold
 * @watch: what gdb asked for
 * @slots: result, valid only when NULL is returned; NULL if @room is 0
 * @room: how many slots fit into @slots
 * @count: set to the number of slots needed, which may be more than @room
 *
 * Splits a region into naturally aligned powers of two up to @max_len, each as
 * long as can be, which makes as few as can be; what is left at either end is
 * one piece where a slot selects bytes. A slot that covered more than was asked
 * for would report accesses nobody asked about. Where the hardware cannot watch
 * for reads alone, a KGDB_WATCH_READ has two slots for each piece, the one for
 * writes first. Breakpoints are one byte long whatever gdb says: the processor
 * compares the instruction's first byte.
 *
 * Context: any; touches nothing but its arguments.
 * Return: NULL on success, otherwise the reason as a constant text.
 */
const char *kgdb_plan_slots(const struct kgdb_slot_caps *caps,
			    const struct kgdb_watch_spec *watch,
			    struct kgdb_slot_spec *slots, unsigned int room,
			    unsigned long *count)
{
	unsigned long addr = watch->addr, left = watch->len, len;
	struct plan plan = { .caps = caps, .slots = slots, .room = room };
	unsigned long max_len = caps->max_len;

	switch (watch->type) {
	case KGDB_WATCH_EXECUTE:
		left = 1;
		break;
	case KGDB_WATCH_WRITE:
	case KGDB_WATCH_READ:
	case KGDB_WATCH_ACCESS:
		break;
	default:
		return "not a hardware breakpoint or watchpoint";
	}

	if (!left)
		return "the length is zero";
	if (addr + (left - 1) < addr)
		return "the region wraps around the end of memory";

	while (left) {
		/* What nothing can hold is counted without a look at each piece */
		if (plan.count > room && !(addr % max_len) && left >= max_len) {
			len = left - left % max_len;
			plan.count += len / max_len *
				      (watch->type == KGDB_WATCH_READ &&
				       !caps->read_slots ? 2 : 1);
		} else {
			len = piece_len(caps, addr, left);
			add_piece(&plan, watch->type, addr, len);
		}
		addr += len;
		left -= len;
	}
	*count = plan.count;
	return NULL;
}
