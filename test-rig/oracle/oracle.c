// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle: a QEMU TCG plugin that says which guest accesses really happened.
 *
 *	qemu-system-x86_64 -accel tcg -plugin oracle.so,control=PATH,turns=on ...
 *
 * It logs every load and store that overlaps a watched range of virtual
 * addresses, outside the guest and outside gdb, and counts the instructions
 * that the guest ran.  PATH is a unix socket, to which server.c answers.  turns=on
 * says that one thread runs all vCPUs (thread=single).
 *
 * This file is what QEMU starts: it installs the callbacks, and has those that
 * count.  The one for accesses is in accesses.c.
 *
 * What QEMU 7.2 tells a plugin, and what it does not:
 * - A read-modify-write is a load and a store; but when the guest has several
 *   vCPUs, an atomic one (LOCK prefix, xchg) is a single "store".
 * - Accesses by the CPU itself (pushing an exception frame, walking page
 *   tables, loading a descriptor) are not reported.
 * - An access that hits a hardware watchpoint of an x86 guest is abandoned
 *   before it happens, and its instruction runs again; see tried_again() in
 *   accesses.c.
 * 10.0 does the same, and tells the wrong vCPU: see who.c.
 */
#include "oracle.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct thread *threads;
unsigned int nr_vcpus;
bool in_turns;			/* one thread runs all vCPUs */

/* Written by every vCPU; rare. */
static uint64_t debugreg_writes;

/* Instructions whose executions are counted; none is ever removed. */
#define MAX_VISITED	16
static struct visited {
	uint64_t pc;
	uint64_t visits;
} visited[MAX_VISITED];
static unsigned int nr_visited;
static pthread_mutex_t visited_lock = PTHREAD_MUTEX_INITIALIZER;

static void count_block(struct thread *thread, uint64_t insns)
{
	store(&thread->insns, load(&thread->insns) + insns);
}

static void on_block(unsigned int index, void *insns)
{
	count_block(thread_of(index), (uintptr_t)insns);
	thread_of(index)->left = true;
}

static void on_single_insn_block(unsigned int index, void *packed)
{
	count_block(thread_of(index), 1);
	if (packed_pc(packed) != thread_of(index)->pc)
		thread_of(index)->left = true;
}

static void on_visit(unsigned int index, void *counter)
{
	(void)index;
	__atomic_fetch_add((uint64_t *)counter, 1, __ATOMIC_RELAXED);
}

/* x86: 0F 23 /r, with a REX prefix for the upper registers (SDM vol. 2B) */
static bool writes_debugreg(const struct qemu_plugin_insn *insn)
{
	size_t size = qemu_plugin_insn_size(insn), rex;
	uint8_t code[4];

	if (size != 3 && size != 4)
		return false;
	rex = size - 3;
#if QEMU_PLUGIN_VERSION == 1
	memcpy(code, qemu_plugin_insn_data(insn), size);
#else
	qemu_plugin_insn_data(insn, code, size);
#endif
	return (!rex || (code[0] & 0xf0) == 0x40) && code[rex] == 0x0f && code[rex + 1] == 0x23;
}

static void count_rare(struct qemu_plugin_insn *insn)
{
	unsigned int i, n = __atomic_load_n(&nr_visited, __ATOMIC_ACQUIRE);

	if (writes_debugreg(insn))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_visit, QEMU_PLUGIN_CB_NO_REGS,
						       &debugreg_writes);
	for (i = 0; i < n; i++) {
		if (visited[i].pc == qemu_plugin_insn_vaddr(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_visit, QEMU_PLUGIN_CB_NO_REGS,
							       &visited[i].visits);
	}
}

/*
 * Every instruction of the only vCPU adds itself to a counter, inline, wherever
 * this QEMU wants to have that.
 */
#if QEMU_PLUGIN_VERSION == 1
static void count_insn(struct qemu_plugin_insn *insn)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &threads[0].insns, 1);
}

static const uint64_t *inline_count(void)
{
	return &threads[0].insns;
}
#else
static struct qemu_plugin_scoreboard *counted;

static void count_insn(struct qemu_plugin_insn *insn)
{
	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, QEMU_PLUGIN_INLINE_ADD_U64,
							    (qemu_plugin_u64) { counted, 0 }, 1);
}

static const uint64_t *inline_count(void)
{
	return qemu_plugin_scoreboard_find(counted, 0);
}
#endif

/*
 * The inline addition of API version 1 knows one address only and is not
 * atomic; that of QEMU 10.0, where one thread runs several vCPUs, overwrites a
 * constant that the block uses (gen_plugin_u64_ptr() in its
 * accel/tcg/plugin-gen.c).  So several vCPUs count whole blocks in a callback
 * instead: a block that an exception leaves early counts in full.
 */
static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	if (nr_vcpus > 1 && n == 1)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_single_insn_block,
						     QEMU_PLUGIN_CB_NO_REGS,
						     pack_insn(qemu_plugin_tb_get_insn(tb, 0)));
	else if (nr_vcpus > 1)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS,
						     (void *)(uintptr_t)n);
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		count_rare(insn);
		if (nr_vcpus == 1)
			count_insn(insn);
		register_accesses(insn, pack_insn(insn));
	}
}

uint64_t insns_of(const struct thread *thread)
{
	return load(nr_vcpus == 1 ? inline_count() : &thread->insns);
}

uint64_t count_insns(void)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < nr_vcpus; i++)
		total += insns_of(&threads[i]);
	return total;
}

uint64_t count_debugreg_writes(void)
{
	return load(&debugreg_writes);
}

static struct visited *find_visited(uint64_t pc)
{
	unsigned int i;

	for (i = 0; i < nr_visited; i++) {
		if (visited[i].pc == pc)
			return &visited[i];
	}
	return NULL;
}

bool count_visits(uint64_t pc, uint64_t *visits)
{
	struct visited *found;

	*visits = 0;
	pthread_mutex_lock(&visited_lock);
	found = find_visited(pc);
	if (found) {
		*visits = load(&found->visits);
	} else if (nr_visited < MAX_VISITED) {
		found = &visited[nr_visited];
		found->pc = pc;
		__atomic_store_n(&nr_visited, nr_visited + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&visited_lock);
	return found;
}

static void on_exit_of_qemu(qemu_plugin_id_t id, void *udata)
{
	(void)id;
	(void)udata;
	stop_server();
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
					   int argc, char **argv)
{
	const char *control = NULL;
	int i;

	if (!info->system_emulation) {
		fprintf(stderr, "oracle: this plugin is for system emulation\n");
		return 1;
	}
	for (i = 0; i < argc; i++) {
		const char *path = argv[i] + strlen("control=");

		if (!strcmp(argv[i], "turns=on")) {
			in_turns = true;
		} else if (!strncmp(argv[i], "control=", strlen("control=")) && *path) {
			control = path;
		} else {
			fprintf(stderr, "oracle: %s: the arguments are control=PATH and turns=on\n", argv[i]);
			return 1;
		}
	}
	if (!control) {
		fprintf(stderr, "oracle: control=PATH is missing\n");
		return 1;
	}

	nr_vcpus = info->system.max_vcpus;
	in_turns |= nr_vcpus == 1;
	threads = aligned_alloc(__alignof__(*threads), nr_vcpus * sizeof(*threads));
	if (!threads) {
		fprintf(stderr, "oracle: no memory\n");
		return 1;
	}
	memset(threads, 0, nr_vcpus * sizeof(*threads));
#if QEMU_PLUGIN_VERSION != 1
	counted = qemu_plugin_scoreboard_new(sizeof(uint64_t));
#endif
	if (!start_server(control))
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
