// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hits: from the overflow handler to the stop reply.
 *
 * A hit is recorded on the CPU that took it, as the slots that matched and
 * what each of them watched. That CPU then queues for the debugger; another
 * CPU may be there already, and gdb may remove the watchpoint, or set another
 * one in the same slot, before it is this CPU's turn. Only then is the hit
 * resolved to watchpoints: a stale one is dropped and nobody told.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/kgdb.h>
#include <linux/kgdb_watch.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/panic.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/smp.h>

#include "client.h"
#include "freed.h"
#include "match.h"
#include "slots.h"
#include "table.h"

/**
 * struct kgdb_hit - what one CPU has to report
 * @access: the slots that hit, and what gdb was told in earlier stops
 * @since: what each of these slots watched when it hit
 * @generation: that of what this CPU had armed then
 * @reports: what to report, once resolved; the first is what this stop is for
 * @nr_reports: how many there are
 * @nr_named: how many of them stop replies have named
 */
struct kgdb_hit {
	struct kgdb_access access;
	unsigned int since[KGDB_SLOTS_MAX];
	unsigned int generation;
	struct kgdb_watch_spec reports[KGDB_REPORTS_MAX];
	unsigned int nr_reports;
	unsigned int nr_named;
};

/* What all reports need in the buffer of a packet, beside thread and signal */
static_assert(KGDB_REPORTS_MAX * KGDB_WATCH_REASON_SIZE + 64 < BUFMAX);

static DEFINE_PER_CPU(struct kgdb_hit, kgdb_hit);

/* What a hit can be of, while it is resolved: too much for the stack */
static struct kgdb_watch_spec candidates[KGDB_WATCH_MAX];

/*
 * A panic that does not ask the debugger, because the machine is to restart by
 * itself, or a crash kernel is to start: see kgdb_panic(). Nothing on the way
 * there waits for a debugger, which may have gone long ago.
 */
static bool panics_alone(void)
{
	return panic_timeout && atomic_read(&panic_cpu) != PANIC_CPU_INVALID;
}

/**
 * kgdb_hit_record() - note that a slot hit on this CPU
 * @info: which slot, and what is known of the access
 *
 * One exception may record several slots: an access can match several, and
 * the processor reports them together.
 *
 * Context: the debug exception on the CPU that hit, interrupts off.
 */
void kgdb_hit_record(const struct kgdb_hit_info *info)
{
	struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);

	if (panics_alone()) {
		/* Of what other CPUs say, printk() keeps nothing by now */
		if (atomic_read(&panic_cpu) == raw_smp_processor_id())
			pr_warn_once("KGDB: the panic waits for no debugger: hits are not reported any more\n");
		return;
	}
	hit->since[info->slot] = info->since;
	hit->generation = info->generation;
	hit->access.addr = info->addr;
	hit->access.len = info->len;
	hit->access.wrote = info->wrote;
	hit->access.slots |= BIT(info->slot);
}
NOKPROBE_SYMBOL(kgdb_hit_record);

/**
 * kgdb_hit_pending() - has this CPU a hit that the debugger has not seen?
 *
 * Context: the debug exception, interrupts off.
 * Return: true from kgdb_hit_record() until kgdb_hit_next() is false.
 */
bool kgdb_hit_pending(void)
{
	return this_cpu_read(kgdb_hit.access.slots);
}
NOKPROBE_SYMBOL(kgdb_hit_pending);

/**
 * kgdb_hit_resolve() - find the watchpoints that this CPU's hit belongs to
 * @regs: of the exception that recorded the hit
 *
 * Of several, this stop is for the most specific one that lies at the address
 * which says most (gdb checks all watchpoints it lies in). A hit whose slot
 * watches something else by now is stale.
 *
 * Context: this CPU has just become master.
 * Return: false if this CPU has no reason to stop: the hit is stale, or a
 * write to what is watched for reads.
 */
bool kgdb_hit_resolve(struct pt_regs *regs)
{
	struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);
	const struct kgdb_slot_set *set = kgdb_slots_current();
	struct kgdb_slot_spec specs[KGDB_SLOTS_MAX];
	struct kgdb_access *access = &hit->access;
	int i;

	access->armed = 0;
	for (i = 0; i < KGDB_SLOTS_MAX; i++) {
		specs[i] = set->slot[i].spec;
		if (set->slot[i].wanted && set->slot[i].since <= hit->generation)
			access->armed |= BIT(i);
		if (set->slot[i].since != hit->since[i])
			access->slots &= ~BIT(i);
	}
	access->slots &= access->armed;

	kgdb_table_as_of(hit->generation, candidates);
	hit->nr_named = 0;
	hit->nr_reports = kgdb_match(kgdb_slot_arch->caps, access, specs, candidates,
				     KGDB_WATCH_MAX, hit->reports);
	if (hit->nr_reports) {
		kgdb_freed_hit(&hit->reports[0]);
		return true;
	}
	if (kgdb_slot_arch->step_over)
		kgdb_slot_arch->step_over(regs);
	return false;
}
NOKPROBE_SYMBOL(kgdb_hit_resolve);

/**
 * kgdb_hit_again() - is this another stop for an access that made one already?
 *
 * Context: this CPU has just become master.
 * Return: true if so. If nothing is left to report then, a single step that
 * gdb asked for at the first stop is still to be made.
 */
bool kgdb_hit_again(void)
{
	return this_cpu_read(kgdb_hit.access.nr_told);
}
NOKPROBE_SYMBOL(kgdb_hit_again);

/**
 * kgdb_hit_next() - this CPU's stop is over: is there another one to make?
 *
 * An access can hit watchpoints that no one address lies in. If the stop reply
 * did not name them all, the debugger has to be entered once more, with the
 * same registers.
 *
 * Context: this CPU has left the debugger for the exception that recorded the
 * hit, interrupts off. Not for a CPU that leaves a round-up: a hit may have
 * been recorded and not yet reported when the round-up came in between.
 * Return: true if it is to be entered again; otherwise the hit is forgotten.
 */
bool kgdb_hit_next(void)
{
	struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);
	const struct kgdb_watch_spec *reports = hit->reports;
	struct kgdb_access *access = &hit->access;
	unsigned int i, named = max(hit->nr_named, 1U);
	bool more;

	for (i = 0; i < min(named, hit->nr_reports); i++) {
		if (!i || reports[i].addr != reports[i - 1].addr)
			access->told[access->nr_told++] = reports[i].addr;
	}
	/* Those with one address come one after another */
	more = i < hit->nr_reports &&
	       reports[hit->nr_reports - 1].addr != reports[i - 1].addr;
	if (!more)
		*access = (struct kgdb_access){ };
	hit->nr_reports = 0;
	return more;
}
NOKPROBE_SYMBOL(kgdb_hit_next);

/**
 * kgdb_hit_reported() - is this stop due to a watchpoint or hardware breakpoint?
 *
 * Context: master CPU in the debugger.
 * Return: true for such a stop, with the same reason, until the machine runs
 * on, also when gdb has connected anew and the table is empty.
 */
bool kgdb_hit_reported(void)
{
	return this_cpu_read(kgdb_hit.nr_reports);
}

/**
 * kgdb_hit_describe() - what this stop is due to, for a person
 * @addr: set to the address that was hit
 *
 * Context: master CPU in the debugger.
 * Return: what kind of watchpoint, or NULL if it is due to something else; a
 * breakpoint is told from the PC.
 */
const char *kgdb_hit_describe(unsigned long *addr)
{
	const struct kgdb_watch_spec *watch = this_cpu_ptr(&kgdb_hit)->reports;

	if (!kgdb_hit_reported() || watch->type < KGDB_WATCH_WRITE)
		return NULL;
	*addr = watch->addr;
	return kgdb_type_name(watch->type);
}

/*
 * How many reports a stop reply names: the first, or for a debugger that takes
 * several all up to one that is kdb's, of which gdb would know nothing.
 */
static unsigned int nameable(const struct kgdb_hit *hit)
{
	unsigned int count;

	if (!hit->nr_reports || !kgdb_client_takes_several() ||
	    kgdb_table_kdb_alone(&hit->reports[0]))
		return min(hit->nr_reports, 1U);
	for (count = 1; count < hit->nr_reports; count++) {
		if (kgdb_table_kdb_alone(&hit->reports[count]))
			break;
	}
	return count;
}

/**
 * kgdb_hit_tell() - have gdb show what there is to say of this stop's hit
 *
 * Context: master CPU in the debugger, before the stop reply.
 */
void kgdb_hit_tell(void)
{
	const struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);
	unsigned int i, count = nameable(hit);

	for (i = 0; i < count; i++) {
		/* The first was looked at when it was resolved */
		if (i)
			kgdb_freed_hit(&hit->reports[i]);
		if (!*kgdb_freed_text())
			continue;
		dbg_tell_gdb("KGDB: ");
		dbg_tell_gdb(kgdb_freed_text());
	}
}

/**
 * kgdb_hit_locked_down() - the kernel is locked down, and gdb not served
 *
 * Removes what gdb has set.
 *
 * Context: master CPU in the debugger, all others held.
 * Return: true if this stop was due to a watchpoint of gdb's alone: there is
 * nobody to stop for.
 */
bool kgdb_hit_locked_down(void)
{
	kgdb_table_lock_down();
	return kgdb_hit_reported() &&
	       !kgdb_table_kdb_alone(this_cpu_ptr(&kgdb_hit)->reports);
}

/**
 * kgdb_hit_stop_reason() - write the reason fields of a stop reply
 * @buf: where to write, at least KGDB_REPORTS_MAX * KGDB_WATCH_REASON_SIZE bytes
 *
 * A field for each report that the debugger takes: no other stop is made for
 * them. Writes nothing if this stop has another cause.
 *
 * Context: master CPU in the debugger.
 * Return: the address of the terminating NUL in @buf.
 */
char *kgdb_hit_stop_reason(char *buf)
{
	struct kgdb_hit *hit = this_cpu_ptr(&kgdb_hit);
	unsigned int i, count = nameable(hit);

	*buf = '\0';
	for (i = 0; i < count; i++)
		buf = kgdb_format_watch(buf, &hit->reports[i]);
	hit->nr_named = max(hit->nr_named, count);
	return buf;
}

/**
 * kgdb_hit_of_kdb() - what this stop is due to, if only kdb has set it
 * @addr: set to the address that was hit
 *
 * Context: master CPU in the debugger.
 * Return: what kind of watchpoint, for a person, or NULL if the stop is due to
 * one of gdb's, or to none at all.
 */
const char *kgdb_hit_of_kdb(unsigned long *addr)
{
	const struct kgdb_watch_spec *watch = this_cpu_ptr(&kgdb_hit)->reports;

	if (!kgdb_hit_reported() || !kgdb_table_kdb_alone(watch))
		return NULL;
	*addr = watch->addr;
	return kgdb_type_name(watch->type);
}
