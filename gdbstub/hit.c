// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hits: from the overflow handler to the stop reply.
 *
 * A hit is recorded on the CPU that took it, as the slots that matched and
 * their generations. That CPU then queues for the debugger; another CPU may
 * be there already, and gdb may remove the watchpoint, or set another one in
 * the same slot, before it is this CPU's turn. Only then is the hit resolved
 * to a watchpoint, by generation: a stale one is dropped and nobody told.
 */
#include <linux/bits.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>

#include "watch.h"

/**
 * struct kgdb_hit - what one CPU has to report
 * @slots: bitmap of the slots that hit and are not reported yet
 * @generation: of each of these slots when it hit
 * @watch: the watchpoint to report, once resolved; type 0 for none
 */
struct kgdb_hit {
	unsigned int slots;
	unsigned int generation[KGDB_HW_SLOTS];
	struct kgdb_watch_spec watch;
};

static DEFINE_PER_CPU(struct kgdb_hit, kgdb_hit);

/**
 * kgdb_hit_record() - note that a slot hit on this CPU
 * @slot: which slot
 * @generation: what it was armed with on this CPU
 *
 * One exception may record several slots: an access can match several, and
 * the processor reports them together.
 *
 * Context: the debug exception on the CPU that hit, interrupts off.
 */
void kgdb_hit_record(unsigned int slot, unsigned int generation)
{
	struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);

	hit->generation[slot] = generation;
	hit->slots |= BIT(slot);
}
NOKPROBE_SYMBOL(kgdb_hit_record);

/**
 * kgdb_hit_pending() - has this CPU a hit that the debugger has not seen?
 *
 * Context: the debug exception, interrupts off.
 * Return: true from kgdb_hit_record() to kgdb_hit_clear().
 */
bool kgdb_hit_pending(void)
{
	return this_cpu_read(kgdb_hit.slots);
}
NOKPROBE_SYMBOL(kgdb_hit_pending);

/**
 * kgdb_hit_resolve() - find the watchpoint that this CPU's hit belongs to
 *
 * Of several, the most specific one is taken: they are of one access, and a
 * stop reply names one watchpoint (gdb checks them all by itself).
 *
 * Context: this CPU has just become master.
 * Return: false if the hit is stale and this CPU has no reason to stop.
 */
bool kgdb_hit_resolve(void)
{
	struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);
	bool live = false;
	int i;

	hit->watch = (struct kgdb_watch_spec){ .type = KGDB_WATCH_SOFTWARE };
	for (i = 0; i < KGDB_HW_SLOTS; i++) {
		if (hit->slots & BIT(i))
			live |= kgdb_watch_find(i, hit->generation[i],
						&hit->watch);
	}
	return live;
}
NOKPROBE_SYMBOL(kgdb_hit_resolve);

/**
 * kgdb_hit_clear() - this CPU's hit is dealt with
 *
 * Context: this CPU has left the debugger for the exception that recorded the
 * hit, interrupts off. Not for a CPU that leaves a round-up: a hit may have
 * been recorded and not yet reported when the round-up came in between.
 */
void kgdb_hit_clear(void)
{
	struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);

	hit->slots = 0;
	hit->watch.type = KGDB_WATCH_SOFTWARE;
}
NOKPROBE_SYMBOL(kgdb_hit_clear);

/**
 * kgdb_hit_reported() - is this stop due to a watchpoint or hardware breakpoint?
 *
 * Context: master CPU in the debugger.
 * Return: true for such a stop, with the same reason, until the machine runs
 * on, also when gdb has connected anew and the table is empty.
 */
bool kgdb_hit_reported(void)
{
	return this_cpu_read(kgdb_hit.watch.type) != KGDB_WATCH_SOFTWARE;
}

/**
 * kgdb_hit_stop_reason() - write the reason field of a stop reply
 * @buf: where to write, at least KGDB_WATCH_REASON_SIZE bytes
 *
 * Writes nothing if this stop has another cause.
 *
 * Context: master CPU in the debugger.
 * Return: the address of the terminating NUL in @buf.
 */
char *kgdb_hit_stop_reason(char *buf)
{
	return kgdb_format_watch(buf, &this_cpu_ptr(&kgdb_hit)->watch);
}
