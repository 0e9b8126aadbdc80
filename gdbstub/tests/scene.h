/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated machine for kgdb_match(): watchpoints in slots, one access, and
 * what the hardware says of it. The judge knows the bytes that were accessed.
 */
#ifndef _KGDB_WATCH_SCENE_H
#define _KGDB_WATCH_SCENE_H

#include "match.h"
#include "test_caps.h"

#define SCENE_WATCHES 6

/* Bytes that make a scene; fewer will do, the others are then 0 */
#define SCENE_SIZE 32

/**
 * struct scene - watchpoints and one instruction
 * @watches: the table; entries of type KGDB_WATCH_SOFTWARE are free
 * @slots: what each slot watches, or watched last
 * @wanted: bitmap of the slots that the watchpoints need
 * @addr: where the instruction accesses memory
 * @len: how many bytes it accesses
 * @loads: it reads them
 * @stores: it writes them, after that
 * @pc: where the processor goes on
 */
struct scene {
	struct kgdb_watch_spec watches[SCENE_WATCHES];
	struct kgdb_slot_spec slots[KGDB_SLOTS_MAX];
	unsigned int wanted;
	unsigned long addr;
	unsigned long len;
	bool loads;
	bool stores;
	unsigned long pc;
};

/**
 * struct verdict - how a scene ended
 * @fault: what is wrong, or NULL
 * @stops: how many addresses were named, each in a stop of its own for most
 *         debuggers
 * @reports: the first report of each
 */
struct verdict {
	const char *fault;
	unsigned int stops;
	struct kgdb_watch_spec reports[KGDB_SLOTS_MAX + 1];
};

/* Add a watchpoint, in slots taken from @order on; false if it does not fit */
bool scene_add(struct scene *scene, const struct kgdb_watch_spec *watch, unsigned int order);

/* Take one out, and the slots that nothing else needs */
void scene_remove(struct scene *scene, unsigned int watch);

/* Any bytes are a scene */
void scene_read(struct scene *scene, const unsigned char *data, size_t size);

/* The processor: all slots that an access matches are reported */
void scene_play(const struct scene *scene, struct verdict *verdict);

/* The same, for a debugger that takes all that was hit in one stop */
void scene_play_several(const struct scene *scene, struct verdict *verdict);

/*
 * The same, and a watchpoint is removed before the @stop th stop: while the
 * CPU waited for the debugger (0), or by gdb in between.
 */
void scene_play_removing(const struct scene *scene, unsigned int watch, unsigned int stop,
			 struct verdict *verdict);

/* QEMU's emulation: only the first slot that matches is reported */
void scene_play_emulated(const struct scene *scene, struct verdict *verdict);

/* The same, and the instruction is not understood */
void scene_play_emulated_blind(const struct scene *scene, struct verdict *verdict);

void scene_describe(char *buf, size_t size, const struct scene *scene);

#endif /* _KGDB_WATCH_SCENE_H */
