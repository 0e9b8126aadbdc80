// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which vCPU makes an access.
 *
 * QEMU tells a callback, but where one thread runs several vCPUs, QEMU 10.0 tells
 * it a number that was fixed as the block was translated: that of the vCPU which
 * came to it first (gen_cpu_index() in its accel/tcg/plugin-gen.c), whoever runs
 * the block now.  So a vCPU is known there by its registers: by where the kernel's
 * memory for this CPU begins, which a segment register has as long as the kernel
 * runs, and another one while a program does.
 *
 * Whose that is, callbacks tell that do know their vCPU: those for accesses that
 * QEMU makes by a function of its own, not in translated code.  The return from an
 * interrupt reads its frame like that, and each CPU has interrupts.
 */
#include "oracle.h"

#if QEMU_PLUGIN_VERSION == 1
void register_accesses(struct qemu_plugin_insn *insn, void *packed)
{
	/*
	 * One callback for both directions: QEMU 7.2 stops at the first
	 * callback of an instruction that is not for the direction of
	 * an access made by a helper.
	 */
	qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
					 QEMU_PLUGIN_MEM_RW, packed);
}

uint64_t who_runs(unsigned int index)
{
	return index;
}

int vcpu_of(uint64_t who)
{
	return (int)who;
}
#else
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The boot CPU has two such places, one after the other, and after a reboot all may have others. */
#define MAX_KNOWN	64

/* Written by the thread that runs the vCPUs, under the lock. */
static struct {
	uint64_t who;
	int vcpu;
} known[MAX_KNOWN];
static unsigned int nr_known;
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

static struct qemu_plugin_register *fs_base, *gs_base, *k_gs_base;
static GByteArray *value;

static bool by_registers(void)
{
	return in_turns && nr_vcpus > 1;
}

static void find_registers(void)
{
	GArray *found = qemu_plugin_get_registers();
	unsigned int i;

	for (i = 0; i < found->len; i++) {
		const char *name = found->data[i].name;

		if (!strcmp(name, "fs_base"))
			fs_base = found->data[i].handle;
		else if (!strcmp(name, "gs_base"))
			gs_base = found->data[i].handle;
		else if (!strcmp(name, "k_gs_base"))
			k_gs_base = found->data[i].handle;
	}
	g_array_free(found, true);
	if (!fs_base || !gs_base || !k_gs_base) {
		fprintf(stderr, "oracle: this guest has no register by which a vCPU is known\n");
		exit(1);
	}
	value = g_byte_array_new();
}

static uint64_t value_of(struct qemu_plugin_register *which)
{
	uint64_t number = 0;

	g_byte_array_set_size(value, 0);
	qemu_plugin_read_register(which, value);
	memcpy(&number, value->data, value->len < sizeof(number) ? value->len : sizeof(number));
	return number;
}

static bool in_upper_half(uint64_t addr)
{
	return (int64_t)addr < 0;
}

/*
 * x86_64 kernels have GS for this, and while a program runs the other base that
 * SWAPGS exchanges with it; i386 kernels have FS.  It is 0 in a guest's first
 * moments, when its boot CPU is alone.
 */
uint64_t who_runs(unsigned int index)
{
	uint64_t base;

	if (!by_registers())
		return index;
	if (!value)
		find_registers();
	base = value_of(gs_base);
	if (in_upper_half(base))
		return base;
	base = value_of(k_gs_base);
	if (in_upper_half(base))
		return base;
	return value_of(fs_base);
}

static void learn(uint64_t who, unsigned int vcpu)
{
	unsigned int i;

	if (!who)
		return;
	for (i = 0; i < nr_known && i < MAX_KNOWN; i++) {
		if (known[i].who == who)
			break;
	}
	if (i < nr_known && i < MAX_KNOWN && known[i].vcpu == (int)vcpu)
		return;
	pthread_mutex_lock(&known_lock);
	if (i == nr_known || i == MAX_KNOWN)
		i = nr_known++ % MAX_KNOWN;
	known[i].who = who;
	known[i].vcpu = (int)vcpu;
	pthread_mutex_unlock(&known_lock);
}

int vcpu_of(uint64_t who)
{
	int vcpu = -1;
	unsigned int i;

	if (!by_registers())
		return (int)who;
	if (!who)
		return 0;
	pthread_mutex_lock(&known_lock);
	for (i = 0; i < nr_known && i < MAX_KNOWN; i++) {
		if (known[i].who == who)
			vcpu = known[i].vcpu;
	}
	pthread_mutex_unlock(&known_lock);
	return vcpu;
}

/* For an instruction whose accesses QEMU makes by a function: index is right. */
static void on_access_of_helper(unsigned int index, qemu_plugin_meminfo_t info, uint64_t vaddr, void *packed)
{
	learn(who_runs(index), index);
	on_access(index, info, vaddr, packed);
}

/* x86: CF, with a prefix for the size (SDM vol. 2A) */
static bool returns_from_interrupt(const struct qemu_plugin_insn *insn)
{
	size_t size = qemu_plugin_insn_size(insn);
	uint8_t code[2];

	if (size > sizeof(code))
		return false;
	qemu_plugin_insn_data(insn, code, size);
	return code[size - 1] == 0xcf && (size == 1 || (code[0] & 0xf0) == 0x40);
}

void register_accesses(struct qemu_plugin_insn *insn, void *packed)
{
	bool known_vcpu = by_registers() && returns_from_interrupt(insn);

	qemu_plugin_register_vcpu_mem_cb(insn, known_vcpu ? on_access_of_helper : on_access,
					 by_registers() ? QEMU_PLUGIN_CB_R_REGS : QEMU_PLUGIN_CB_NO_REGS,
					 QEMU_PLUGIN_MEM_RW, packed);
}
#endif
