// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KGDB may not watch on x86: user space, and what the exception entries
 * touch with the debug registers armed. All else the debugger switches off
 * before it touches it.
 */
#include <linux/hw_breakpoint.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kgdb_slots.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/pgtable.h>

#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/hw_breakpoint.h>
#include <asm/processor.h>
#include <asm/sections.h>

#include "kgdb-x86.h"

/*
 * The processor reads it through the cpu_entry_area, the kernel writes it
 * elsewhere. Early in boot there is one address only.
 */
static bool in_idt(const struct kgdb_slot_spec *spec)
{
	unsigned int level;
	pte_t *pte = lookup_address(CPU_ENTRY_AREA_RO_IDT, &level);
	struct desc_ptr idt;
	phys_addr_t phys;

	store_idt(&idt);
	if (kgdb_overlaps(spec->addr, spec->len, (void *)idt.address,
			  idt.size + 1))
		return true;
	if (!pte)
		return false;
	phys = (phys_addr_t)pte_pfn(*pte) << PAGE_SHIFT;
#ifdef CONFIG_X86_64
	if (kgdb_overlaps(spec->addr, spec->len,
			  (void *)(__START_KERNEL_map + phys - phys_base),
			  PAGE_SIZE))
		return true;
#endif
	return kgdb_overlaps(spec->addr, spec->len, __va(phys), PAGE_SIZE);
}

/*
 * Memory that was freed: gdb knows nothing of that, and puts back what was
 * dropped, say a watchpoint on a module that is gone. Whoever gets the address
 * next is not meant.
 */
static bool is_unmapped(unsigned long addr)
{
	unsigned int level;
	pte_t *pte;

	if (!is_vmalloc_or_module_addr((void *)addr))
		return false;
	pte = lookup_address(addr, &level);
	return !pte || !pte_present(*pte);
}

#ifdef CONFIG_KPROBES
/*
 * Kprobes makes a list of where it must not probe when the initcalls begin.
 * Until then see what that will be made from.
 */
static bool in_debugger_text(unsigned long addr)
{
	unsigned long size, offset, *entry;

	if (system_state >= SYSTEM_FREEING_INITMEM)
		return false;
	if (addr >= (unsigned long)__noinstr_text_start &&
	    addr < (unsigned long)__noinstr_text_end)
		return true;
	if (!kallsyms_lookup_size_offset(addr, &size, &offset))
		return false;
	for (entry = __start_kprobe_blacklist; entry < __stop_kprobe_blacklist;
	     entry++) {
		if (*entry == addr - offset)
			return true;
	}
	return false;
}
#else
/* Breakpoints in the kernel's text are all refused then */
static bool in_debugger_text(unsigned long addr)
{
	return true;
}
#endif

/**
 * kgdb_check_slot() - can and may a debug register watch this?
 * @spec: what it would be programmed to
 *
 * Context: as @check of struct kgdb_slot_arch.
 * Return: NULL, or the reason for a refusal as a constant text.
 */
const char *kgdb_check_slot(const struct kgdb_slot_spec *spec)
{
	bool execute = spec->type == KGDB_WATCH_EXECUTE;
	struct arch_hw_breakpoint hw = { };
	struct perf_event_attr attr;

	if (spec->addr < TASK_SIZE_MAX)
		return "the address is in user space";
#ifdef CONFIG_X86_64
	if (!__is_canonical_address(spec->addr, boot_cpu_data.x86_virt_bits))
		return "the address is not canonical";
#endif
	hw_breakpoint_init(&attr);
	attr.bp_addr = spec->addr;
	attr.bp_len = execute ? sizeof(long) : spec->len;
	attr.bp_type = execute ? HW_BREAKPOINT_X :
		       spec->type == KGDB_WATCH_WRITE ? HW_BREAKPOINT_W :
							HW_BREAKPOINT_RW;
	if (hw_breakpoint_arch_parse(NULL, &attr, &hw) ||
	    (execute && in_debugger_text(spec->addr)))
		return execute ?
			"a breakpoint there would stop the debugger itself" :
			"the exception entry code uses this memory";
	if (!execute && in_idt(spec))
		return "the interrupt descriptor table is there";
	if (is_unmapped(spec->addr))
		return "there is no memory at this address any more";
	return NULL;
}
