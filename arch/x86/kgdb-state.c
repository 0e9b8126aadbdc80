// SPDX-License-Identifier: GPL-2.0-only
/*
 * KGDB's state of the debug registers on each CPU, and what can be told from it.
 *
 * What is under way on a CPU must be left alone: somebody else's values in the
 * registers, and a hit that #DB has not handed on.
 */
#include <linux/kprobes.h>
#include <linux/percpu.h>

#include <asm/debugreg.h>
#include <asm/hw_breakpoint.h>
#include <asm/kgdb_watch.h>

#include "kgdb-x86.h"

DEFINE_PER_CPU(struct kgdb_db, kgdb_db);

/**
 * kgdb_registers_lent() - do the debug registers hold somebody else's values?
 * @dr7: what DR7 is to hold, by the records
 *
 * Those of a KVM guest, or none while a temporary mm is in use. Who has put them
 * there restores from the records. What cannot be told is a guest's registers
 * where the host had none in use.
 *
 * Context: this CPU, interrupts off.
 * Return: true if so.
 */
bool kgdb_registers_lent(unsigned long dr7)
{
	unsigned long value = 0;
	int reg;

	for (reg = 0; reg < HBP_NUM; reg++) {
		if (!(dr7 >> (reg * DR_ENABLE_SIZE) & 3))
			continue;
		switch (reg) {
		case 0:
			get_debugreg(value, 0);
			break;
		case 1:
			get_debugreg(value, 1);
			break;
		case 2:
			get_debugreg(value, 2);
			break;
		case 3:
			get_debugreg(value, 3);
			break;
		}
		if (value != this_cpu_read(cpu_debugreg[reg]))
			return true;
	}
	return false;
}
NOKPROBE_SYMBOL(kgdb_registers_lent);

/**
 * kgdb_hit_in_flight() - has #DB not handed on yet what it is about?
 * @bits: of DR6, which are looked at; 0 where DR6 tells nothing: without an NMI,
 *        since #DB is delivered before anybody gets there, and where it is a
 *        guest's, whose bits stay until the guest clears them
 *
 * #DB may have been interrupted by NMI before it has read DR6, or after that.
 * With FRED the hit is on #DB's stack at once, and a few instructions remain in
 * which it is not seen.
 *
 * Context: this CPU, interrupts off.
 * Return: true if one of these bits is set, or was and is a hit of KGDB's.
 */
bool kgdb_hit_in_flight(unsigned long bits)
{
	unsigned long dr6;

	if (this_cpu_read(kgdb_db.unread))
		return true;
	if (!bits)
		return false;
	get_debugreg(dr6, 6);
	return dr6 & bits;
}
NOKPROBE_SYMBOL(kgdb_hit_in_flight);
