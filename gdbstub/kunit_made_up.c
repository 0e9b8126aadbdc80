// SPDX-License-Identifier: GPL-2.0-only
/*
 * The architecture that is made up: kunit_made_up.h.
 */
#include <linux/processor.h>
#include <linux/ptrace.h>
#include <linux/string.h>

#include "kunit_made_up.h"
#include "kunit_steps.h"

struct made_up made_up;

static struct kgdb_slot_caps caps;

static const char *check(const struct kgdb_slot_spec *spec)
{
	if (spec->addr < TASK_SIZE_MAX)
		return "the address is in user space";
	return spec->addr == made_up.dragons ? "there are dragons" : NULL;
}

static int reserve(unsigned int slot)
{
	if (made_up.refuse & BIT(slot))
		return -ENOSPC;
	made_up.reserved |= BIT(slot);
	return 0;
}

static bool release(unsigned int slot)
{
	made_up.reserved &= ~BIT(slot);
	return true;
}

static void off(struct pt_regs *regs) { }
static void on(void) { }
static void arm(void) { }
static void forget(unsigned int cpu) { }

static bool apply(const struct kgdb_slot_set *set)
{
	return true;
}

/* The CPUs of this machine have nothing to bring in line */
static unsigned int applied(void)
{
	return kgdb_slots_generation();
}

static void step_over(struct pt_regs *regs)
{
	made_up.stepped_over++;
}

static const struct kgdb_slot_arch made_up_arch = {
	.caps = &caps,
	.check = check,
	.reserve = reserve,
	.release = release,
	.off = off,
	.on = on,
	.apply = apply,
	.applied = applied,
	.arm = arm,
	.forget = forget,
	.step_over = step_over,
};

static_assert(MADE_UP_BREAK_SLOT < KGDB_SLOTS_MAX);

/**
 * made_up_init() - have the table use the slots that are made up
 * @test: the test that begins; skipped where the machine's own are in use
 *
 * Context: as the init function of a suite.
 * Return: 0.
 */
int made_up_init(struct kunit *test)
{
	claim_table(test);

	/* Learned now, as by a kernel that counts its registers at boot */
	caps = (struct kgdb_slot_caps) {
		.watch_slots = MADE_UP_BREAK_SLOT,
		.break_slots = 1,
		.max_len = 4096,
		.byte_select = true,
		.read_slots = true,
	};
	memset(&made_up, 0, sizeof(made_up));
	kgdb_slot_arch = &made_up_arch;
	return 0;
}

/**
 * made_up_exit() - the other end of made_up_init()
 * @test: the test that ends
 *
 * Context: as the exit function of a suite.
 */
void made_up_exit(struct kunit *test)
{
	if (kgdb_slot_arch == &made_up_arch) {
		remove_all();
		run();
		KUNIT_EXPECT_EQ(test, made_up.reserved, 0U);
		kgdb_slot_arch = &kgdb_arch_slots;
	}
	clear_table(test);
}
