# SPDX-License-Identifier: GPL-2.0-only
"""What the entries of #DB and NMI touch while breakpoints are enabled, read from their machine code.

That is before local_db_save() and after local_db_restore().  Built with every
mitigation on.  All of it must be refused to whoever sets a
data breakpoint: within_cpu_entry() in arch/x86/kernel/hw_breakpoint.c, for
perf as well, and kgdb_arch_slots.check.  REFUSED is what these refuse;
test_packets.py asks KGDB and test_freed_memory.py asks perf for all of it that
the rig's kernels have, and test_mitigations.py both for the rest.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from kgdbrig.judging.check.report import program

#: Built besides what the series touches.
MORE = ("arch/x86/entry/entry_64.o",)
_NAMES = ("PAGE_TABLE_ISOLATION", "RETPOLINE", "IBRS_ENTRY", "CALL_DEPTH_TRACKING", "UNRET_ENTRY", "SRSO")
_NAMES_6_1 = ("PAGE_TABLE_ISOLATION", "RETPOLINE", "CPU_IBRS_ENTRY", "CPU_UNRET_ENTRY", "CPU_SRSO")
#: What is refused, and so may be touched.
REFUSED = frozenset((
    "__per_cpu_offset", "cpu_tss_rw", "cpu_tlbstate", "cpu_dr7", "cpu_db_depth", "x86_spec_ctrl_current",
    "cpu_current_top_of_stack", "pcpu_hot.top_of_stack", "pcpu_hot.call_depth", "__x86_call_depth",
    "nmi_state", "nmi_cr2", "nmi_dr7", "nmi_stats", "kgdb_db",
    "fixed_percpu_data.stack_canary", "__stack_chk_guard", "cpu_number", "pcpu_hot.cpu_number"))
#: What is refused for reads alone, which is what exc_nmi() does there.
REFUSED_FOR_READS = frozenset(("__cpu_online_mask", "jiffies", "this_cpu_off"))
#: Assembly that runs with breakpoints enabled, and C code that does up to its local_db_save() and from its
#: local_db_restore() on.
ASSEMBLY = ("asm_exc_debug", "asm_exc_nmi", "nested_nmi", "nested_nmi_out", "first_nmi", "repeat_nmi", "end_repeat_nmi",
            "nmi_swapgs", "nmi_restore", "paranoid_entry", "paranoid_exit")
C_CODE = ("exc_debug", "exc_debug_kernel", "exc_nmi")
#: What is called or jumped to there, and is either among the above or not within another exception: what comes from user
#: mode or goes there has a stack of its own, and leaves no NMI unfinished.  The last one panics.
_CALLED = frozenset(("exc_debug", "exc_debug_kernel", "exc_debug_user", "exc_nmi", "paranoid_entry", "paranoid_exit",
                     "noist_exc_debug", "error_entry", "error_return", "swapgs_restore_regs_and_return_to_usermode",
                     "__irqentry_text_end", "__stack_chk_fail"))
#: Code whose address is taken.
_CODE = frozenset(("native_irq_return_iret",))
#: The last that is called before local_db_restore().
_BEFORE_RESTORE = "irqentry_nmi_exit"
#: Fields of the structure that 6.12 has such variables in, by their offset: <asm/current.h>.
_HOT = {"pcpu_hot": "pcpu_hot.current_task", "pcpu_hot+0x8": "pcpu_hot.preempt_count", "pcpu_hot+0xc": "pcpu_hot.cpu_number",
        "pcpu_hot+0x10": "pcpu_hot.call_depth", "pcpu_hot+0x18": "pcpu_hot.top_of_stack"}
_NO_FALL_THROUGH = re.compile(r"\b(?:jmp|ret|iret|ud2|int3)")


def settings(version: str) -> dict[str, str]:
    """The configuration with every mitigation that is in the entries."""
    names = _NAMES_6_1 if version == "6.1" else tuple(f"MITIGATION_{name}" for name in _NAMES)
    more = ("STACKPROTECTOR", "STACKPROTECTOR_STRONG", *(("NMI_CHECK_CPU",) if version != "6.1" else ()))
    return dict.fromkeys(("CPU_MITIGATIONS", *names, *more), "y")


def touched(objects: list[Path], directory: Path) -> list[str]:
    """What that code touches and nobody refuses, and what it calls and is not looked at: "FUNCTION touches SYMBOL" for each."""
    functions = dict(_functions(objects, directory))
    found = []
    for name in (*ASSEMBLY, *C_CODE):
        code = functions.get(name)
        if code is None:
            if name != "exc_debug_kernel":  # the compiler may have put it into its caller
                found.append(f"{name}: no such function was built")
            continue
        run = code if name in ASSEMBLY else _before_and_after(code)
        if name in C_CODE and not _restores(code) and any("%db7," in instruction for instruction, _ in code.values()):
            found.append(f"{name} has no call of {_BEFORE_RESTORE}: what follows local_db_restore() is not looked at")
        data, unknown = _data(run), []
        seen = _CALLED | {name}
        todo = sorted(_calls(run) - seen)
        while todo:
            called = todo.pop()
            seen |= {called}
            if called in functions:
                data |= _data(functions[called])
                todo += sorted(_calls(functions[called]) - seen)
            else:
                unknown.append(called)
        found += [f"{name} touches {symbol} with breakpoints enabled"
                  for symbol in sorted(data - REFUSED - REFUSED_FOR_READS - _CODE)]
        found += [f"{name} calls {called} with breakpoints enabled" for called in unknown]
    return found


#: An instruction by its address: what it is, and the symbol it refers to if there is one.
Code = dict[int, tuple[str, str]]


def _functions(objects: list[Path], directory: Path) -> Iterator[tuple[str, Code]]:
    for path in objects:
        text = program(["objdump", "-dr", "--no-show-raw-insn", str(path)], directory, "binutils").stdout
        variables = _variables(program(["objdump", "-t", str(path)], directory, "binutils").stdout)
        for name, body in re.findall(r"^[0-9a-f]+ <([^>]+)>:\n((?:.+\n)*)", text, re.MULTILINE):
            code: Code = {}
            at = 0
            for line in body.splitlines():
                relocation = re.search(r"([0-9a-f]+): R_X86_64_(32S?|PC32|PLT32)\s+([\w.+-]+)", line)
                if relocation is not None and relocation[2] != "PLT32":
                    code[at] = code[at][0], _symbol(code[at][0], int(relocation[1], 16), relocation[3], variables)
                elif relocation is not None:
                    # Elsewhere, a return thunk for one; what is disassembled is where it would go without relocation.
                    code[at] = re.sub(r"^(call|j\w+)\s.*", r"\1", code[at][0]), re.split(r"[+-]", relocation[3])[0]
                elif not re.search(r"\sR_X86_64_", line):
                    address, _, instruction = line.partition(":")
                    at = int(address, 16)
                    code[at] = instruction.strip(), ""
            yield name, code


#: The variables of a section, by its name: where each begins and ends, and its name.
Variables = dict[str, list[tuple[int, int, str]]]


def _variables(table: str) -> Variables:
    """By an object's symbol table: a relocation for one of the file's own names its section alone."""
    found: Variables = {}
    for start, section, size, name in re.findall(r"^([0-9a-f]+) [lg].{5}O (\S+)\t([0-9a-f]+) (\S+)$", table, re.MULTILINE):
        found.setdefault(section, []).append((int(start, 16), int(start, 16) + int(size, 16), name))
    return found


def _symbol(instruction: str, at: int, relocation: str, variables: Variables) -> str:
    """The name in a relocation `at` an address, whose addend counts from there where the PC is in it."""
    name, sign, addend = re.fullmatch(r"([\w.]+?)(?:([+-])0x([0-9a-f]+))?", relocation).groups()  # type: ignore[union-attr]
    offset = int(f"{sign or '+'}{addend or '0'}", 16)
    behind = re.search(r"\(%rip\).*# ([0-9a-f]+) ", instruction)
    if behind is not None:
        offset += int(behind[1], 16) - at
    for start, end, variable in variables.get(name, ()):
        if start <= offset < end:
            return variable
    return _HOT.get(f"{name}{f'+{offset:#x}' if offset else ''}", name)


def _before_and_after(code: Code) -> Code:
    """What is executed up to local_db_save(), and from local_db_restore() on."""
    order = sorted(code)
    ends = _restores(code)
    before = _executed(code, order[:1], lambda instruction, symbol: symbol == "cpu_dr7" or "%db7" in instruction)
    after = _executed(code, [order[order.index(at) + 1] for at in ends], lambda instruction, symbol: "%db7," in instruction,
                      frozenset(before))
    return before | after


def _restores(code: Code) -> list[int]:
    return [at for at, (instruction, symbol) in code.items() if instruction == "call" and symbol == _BEFORE_RESTORE]


def _executed(code: Code, todo: list[int], is_last: Callable[[str, str], bool], known: frozenset[int] = frozenset()) -> Code:
    """What is executed from there, on whatever way, until one that is the last, or that is known already."""
    run: Code = {}
    order = sorted(code)
    follows = dict(itertools.pairwise(order))
    while todo:
        at = todo.pop()
        if at in run or at in known or at not in code:
            continue
        instruction, symbol = run[at] = code[at]
        if is_last(instruction, symbol):
            continue
        jump = re.match(r"j\w+\s+([0-9a-f]+)", instruction)
        if jump is not None:
            todo.append(int(jump[1], 16))
        if at in follows and not _NO_FALL_THROUGH.match(instruction):
            todo.append(follows[at])
    return run


def _calls(code: Code) -> set[str]:
    """The functions that are called or jumped to, in the same file or elsewhere."""
    found = set()
    for instruction, symbol in code.values():
        leaves = re.fullmatch(r"(?:call|jmp)(?:\s+[0-9a-f]+ <([\w.]+)>)?", instruction)
        if leaves is not None and (leaves[1] or symbol):
            found.add(leaves[1] or symbol)
    return found - {"__x86_return_thunk"}


def _data(code: Code) -> set[str]:
    """The symbols of the memory that instructions access; the stack's canary, before 7.3, has a fixed place instead."""
    found = {symbol for instruction, symbol in code.values()
             if symbol and not symbol.startswith(".") and re.search(r"\(|%gs:|\s0x", instruction)
             and not re.match(r"(?:call|j\w+)\s", instruction)}
    if any(not symbol and "%gs:0x28" in instruction for instruction, symbol in code.values()):
        found.add("fixed_percpu_data.stack_canary")
    return found
