// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where an instruction belongs that a kprobe has replaced: it is executed out
 * of line.
 */
#include <linux/kgdb.h>
#include <linux/kprobes.h>

#include <asm/kgdb_watch.h>

/**
 * struct slot_search - what slot_of() looks for
 * @ip: an address in an out-of-line slot
 * @copy: where the code at @ip begins there
 * @probed: where it has been copied from
 */
struct slot_search {
	unsigned long ip;
	unsigned long copy;
	unsigned long probed;
};

#ifdef CONFIG_KPROBES
/* The end is part of it: there the instruction has been executed */
static bool copied_from(struct slot_search *search, const void *copy,
			unsigned long size, const void *probed)
{
	if (!copy || search->ip - (unsigned long)copy > size)
		return false;
	search->copy = (unsigned long)copy;
	search->probed = (unsigned long)probed;
	return true;
}

static bool slot_of(struct kprobe *p, void *data)
{
	if (copied_from(data, p->ainsn.insn, p->ainsn.size, p->addr))
		return true;

#ifdef CONFIG_OPTPROBES
	if (kprobe_optimized(p)) {
		struct optimized_kprobe *op =
			container_of(p, struct optimized_kprobe, kp);

		/* The detour calls the handler first, then runs the copy */
		return copied_from(data, op->optinsn.insn +
				   (optprobe_template_end - optprobe_template_entry),
				   op->optinsn.size, p->addr);
	}
#endif
	return false;
}

static bool find_slot(struct slot_search *search)
{
	return kprobe_find(slot_of, search);
}
#else
static bool find_slot(struct slot_search *search)
{
	return false;
}
#endif

/**
 * kgdb_probed_ip() - the address that a user knows an instruction by
 * @ip: a kernel address
 *
 * A probed instruction is executed out of line, in memory that gdb has no
 * symbols for.
 *
 * Context: the debugger or #DB, interrupts off. Another CPU may set and remove
 * probes meanwhile: two answers need not agree.
 * Return: where the instruction at @ip has been copied from if it is in a
 * kprobe's out-of-line slot, else @ip.
 */
unsigned long kgdb_probed_ip(unsigned long ip)
{
	struct slot_search search = { .ip = ip };

	return find_slot(&search) ? search.probed + (ip - search.copy) : ip;
}
