// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which watchpoints a hit is reported for.
 *
 * On the way back of a watchpoint's path, between arch and stop reply: the
 * hardware says which slots an access hit, gdb wants to hear of watchpoints
 * and addresses in them. Pure code.
 */
#include "match.h"

/* What the parts of this file ask about: the access, and the table */
struct match {
	const struct kgdb_slot_caps *caps;
	const struct kgdb_access *access;
	const struct kgdb_slot_spec *slots;
	const struct kgdb_watch_spec *watches;
	unsigned int nr_watches;
	unsigned int said;
	unsigned int hit;
};

static bool is_data(enum kgdb_watch_type type)
{
	return type != KGDB_WATCH_SOFTWARE && type != KGDB_WATCH_EXECUTE;
}

/* Is there such a slot among these? */
static bool has_slot(const struct match *match, unsigned int slots,
		     const struct kgdb_slot_spec *spec)
{
	unsigned int i;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (slots & 1U << i && kgdb_slot_spec_equal(&match->slots[i], spec))
			return true;
	}
	return false;
}

/*
 * Not all hardware names each slot that an access matches. Where the
 * architecture knows the access, what else was hit follows from that, if it
 * agrees with the slots that are named: another access may have led here.
 */
static void add_accessed(struct match *match)
{
	const struct kgdb_access *access = match->access;
	struct kgdb_slot_spec accessed = { .addr = access->addr, .len = access->len };
	unsigned int i, overlapping = 0;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (is_data(match->slots[i].type) &&
		    kgdb_slot_spec_overlaps(&match->slots[i], &accessed))
			overlapping |= 1U << i;
	}
	if (!access->len || !(overlapping & match->said))
		return;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (overlapping & access->armed & 1U << i &&
		    (access->wrote || match->slots[i].type == KGDB_WATCH_ACCESS))
			match->said |= 1U << i;
	}
}

/*
 * Where one slot lies within another, an access to the inner one is an access
 * to the outer one.
 */
static bool implies(const struct kgdb_slot_spec *inner,
		    const struct kgdb_slot_spec *outer)
{
	if (!is_data(inner->type) || !is_data(outer->type))
		return false;
	if (!kgdb_slot_spec_contains(outer, inner))
		return false;
	return outer->type == KGDB_WATCH_ACCESS || outer->type == inner->type;
}

static unsigned int implied(const struct match *match)
{
	unsigned int i, j, hit = match->said;

	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		if (!(match->said & 1U << i))
			continue;
		for (j = 0; j < KGDB_SLOTS_MAX; j++) {
			if (match->access->armed & 1U << j &&
			    implies(&match->slots[i], &match->slots[j]))
				hit |= 1U << j;
		}
	}
	return hit;
}

/* Does a hit of this slot, of which @watch has asked, concern @watch? */
static bool concerns(const struct match *match, const struct kgdb_watch_spec *watch,
		     const struct kgdb_slot_spec *piece)
{
	struct kgdb_slot_spec write = *piece;

	if (watch->type != KGDB_WATCH_READ || match->caps->read_slots)
		return has_slot(match, match->hit, piece);

	/*
	 * The slots for writes are there to tell writes from reads, if they
	 * were armed then. A shorter slot that implies this one may have none,
	 * so that does not count.
	 */
	write.type = KGDB_WATCH_WRITE;
	return piece->type == KGDB_WATCH_ACCESS &&
	       has_slot(match, match->said, piece) &&
	       has_slot(match, match->access->armed, &write) &&
	       !has_slot(match, match->hit, &write);
}

/* Has @watch been hit, and is @slot, if one is given, where? */
static bool watch_hit(const struct match *match, const struct kgdb_watch_spec *watch,
		      const struct kgdb_slot_spec *slot)
{
	struct kgdb_slot_spec pieces[KGDB_SLOTS_MAX];
	unsigned long i, count;

	if (watch->type == KGDB_WATCH_SOFTWARE ||
	    kgdb_plan_slots(match->caps, watch, pieces, KGDB_SLOTS_MAX, &count) ||
	    count > KGDB_SLOTS_MAX)
		return false;

	for (i = 0; i < count; i++) {
		if (slot && !kgdb_slot_spec_equal(slot, &pieces[i]))
			continue;
		if (concerns(match, watch, &pieces[i]))
			return true;
	}
	return false;
}

/* Is @addr enough for gdb to look at this watchpoint? */
static bool contains(const struct kgdb_watch_spec *watch, unsigned long addr)
{
	return is_data(watch->type) && addr - watch->addr < watch->len;
}

/* Has @watch been hit, and is gdb not told so by an address before? */
static bool is_news(const struct match *match, const struct kgdb_watch_spec *watch)
{
	unsigned int i;

	for (i = 0; i < match->access->nr_told; i++) {
		if (contains(watch, match->access->told[i]))
			return false;
	}
	return watch_hit(match, watch, NULL);
}

/* Has a watchpoint been hit where this slot is? */
static bool slot_hit(const struct match *match, const struct kgdb_slot_spec *slot)
{
	unsigned int i;

	for (i = 0; i < match->nr_watches; i++) {
		if (is_data(match->watches[i].type) &&
		    watch_hit(match, &match->watches[i], slot))
			return true;
	}
	return false;
}

/* Of how many watchpoints gdb would learn by this address */
static unsigned int news(const struct match *match, unsigned long addr)
{
	unsigned int i, count = 0;

	for (i = 0; i < match->nr_watches; i++)
		count += contains(&match->watches[i], addr) && is_news(match, &match->watches[i]);
	return count;
}

/* The watchpoint that ends first among those gdb has to be told of */
static const struct kgdb_watch_spec *first_news(const struct match *match)
{
	const struct kgdb_watch_spec *first = NULL, *watch;
	unsigned int i;

	for (i = 0; i < match->nr_watches; i++) {
		watch = &match->watches[i];
		/* By its last byte: beyond that, memory may end */
		if (is_data(watch->type) && is_news(match, watch) &&
		    (!first || watch->addr + (watch->len - 1) < first->addr + (first->len - 1)))
			first = watch;
	}
	return first;
}

/*
 * The slot whose address is named next, so that an access is reported by as few
 * addresses as can be. The watchpoint that ends first needs one. None ends
 * before, so a watchpoint that one address in it lies in has all that follow as
 * well: the address that tells most leaves nothing to regret. The first of
 * several.
 */
static const struct kgdb_slot_spec *next_slot(const struct match *match)
{
	const struct kgdb_watch_spec *watch = first_news(match);
	const struct kgdb_slot_spec *next = NULL, *slot;
	unsigned int i, count, most = 0;

	if (!watch)
		return NULL;
	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		slot = &match->slots[i];
		if (!contains(watch, slot->addr) || !slot_hit(match, slot))
			continue;
		count = news(match, slot->addr);
		if (count > most || (next && count == most && slot->addr < next->addr)) {
			next = slot;
			most = count;
		}
	}
	return next;
}

/*
 * What there is to report at the address of a slot: of each kind of watchpoint
 * one, the kind first that says most. Returns how many.
 */
static unsigned int report_at(const struct match *match, unsigned long addr,
			      struct kgdb_watch_spec *reports)
{
	const struct kgdb_watch_spec *watch;
	enum kgdb_watch_type type;
	unsigned int i, count = 0;

	for (type = KGDB_WATCH_WRITE; type <= KGDB_WATCH_ACCESS; type++) {
		for (i = 0; i < match->nr_watches; i++) {
			watch = &match->watches[i];
			if (watch->type == type && contains(watch, addr) &&
			    is_news(match, watch)) {
				reports[count] = *watch;
				reports[count++].addr = addr;
				break;
			}
		}
	}
	return count;
}

/*
 * gdb knows a breakpoint by itself, from the PC, whatever the stop is for: one
 * is reported only if nothing else is.
 */
static unsigned int report_breakpoint(const struct match *match,
				      struct kgdb_watch_spec *report)
{
	unsigned int i, count = 0;

	for (i = 0; i < match->nr_watches; i++) {
		if (match->watches[i].type == KGDB_WATCH_EXECUTE &&
		    watch_hit(match, &match->watches[i], NULL)) {
			*report = match->watches[i];
			count = 1;
		}
	}
	return count;
}

/**
 * kgdb_match() - find the watchpoints to report for an access
 * @caps: what the slots can hold
 * @access: what is known of it
 * @slots: what each of the KGDB_SLOTS_MAX slots watches
 * @watches: the watchpoints; entries of type KGDB_WATCH_SOFTWARE are free
 * @nr_watches: how many entries there are, KGDB_WATCH_MAX at most
 * @reports: KGDB_REPORTS_MAX entries; set to the type and length of each
 *           watchpoint, and to an address in it that was hit
 *
 * One access may hit several watchpoints. gdb looks at each watchpoint that an
 * address which it is told of lies in, so there are as few addresses as can be.
 * What is reported for one address comes together, and first that which says
 * most of the access: a write, then a read, then any. For most debuggers a stop
 * reply names the first report alone, and those with another address need stops
 * of their own.
 *
 * Context: any; touches nothing but its arguments.
 * Return: how many there are, without what gdb has been told.
 */
unsigned int kgdb_match(const struct kgdb_slot_caps *caps,
			const struct kgdb_access *access,
			const struct kgdb_slot_spec *slots,
			const struct kgdb_watch_spec *watches,
			unsigned int nr_watches,
			struct kgdb_watch_spec *reports)
{
	struct kgdb_access rest = *access;
	struct match match = {
		.caps = caps,
		.access = &rest,
		.slots = slots,
		.watches = watches,
		.nr_watches = nr_watches,
		.said = access->slots,
	};
	const struct kgdb_slot_spec *named;
	unsigned int count = 0;

	add_accessed(&match);
	match.hit = implied(&match);
	while (rest.nr_told < KGDB_SLOTS_MAX && (named = next_slot(&match))) {
		count += report_at(&match, named->addr, &reports[count]);
		rest.told[rest.nr_told++] = named->addr;
	}
	if (!rest.nr_told)
		count = report_breakpoint(&match, reports);
	return count;
}
