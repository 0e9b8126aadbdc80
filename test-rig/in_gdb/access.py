# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside gdb: what `rig who` asks it about the watchpoints that it sets, and the stops that these make.

Each command prints one line of JSON, or ends in gdb's error:

    rig-watch EXPRESSION    of what is to be watched: its address, size and value
    rig-access [EXPRESSION[;;EXPRESSION...]]
                            of the stop: what gdb took it for, the values, who did it, and where
    rig-module              of a stop in do_init_module(): which module it is

"What it says" in docs/who.md is what becomes of the fields.
"""

from __future__ import annotations

import functools
import json
import linecache
from typing import Any

import gdb

#: Where the preemption count of a CPU is, by version: in a per-CPU variable of one of these names.
_PREEMPT_COUNT = ("__preempt_count", "pcpu_hot.preempt_count")
#: In it, the bit of a softirq that is served (include/linux/preempt.h), which is the same in all versions.
_SOFTIRQ = 0x100
#: And where the four bits are that count hard interrupts, and NMIs: up to 6.12, and later, where the count has 8 bytes, or
#: another variable counts NMIs.
_HARDIRQ_NMI = (16, 20)
_HARDIRQ_NMI_LATER = (24, 28)
_NMIS = "nmi_nesting"

#: Prefixes of an instruction that may be done in part, and what they stand before (SDM vol. 2, REP).
_REPEATS = (0xF2, 0xF3)
_STRING = (0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF, 0x6C, 0x6D, 0x6E, 0x6F)
_PREFIXES = (0x66, 0x67, *range(0x40, 0x50))

#: The file that has start_kernel().
_MAIN = "init/main.c"
#: How many callers are told.
_FRAMES = 16
#: How much of a value is told.
_VALUE_MAX = 200

#: The breakpoints that the last stop was for.
_hit: list[int] = []
#: What is watched, as it was at the last stop; None where there was no such place.
_bytes: dict[str, bytes | None] = {}
#: Where it begins and ends.
_watched: list[tuple[int, int]] = []


def _on_stop(event: Any) -> None:
    _hit[:] = [breakpoint.number for breakpoint in event.breakpoints] if isinstance(event, gdb.BreakpointEvent) else []


class Watch(gdb.Command):  # type: ignore[misc]
    """rig-watch EXPRESSION: where it is, and what it has."""

    def __init__(self) -> None:
        super().__init__("rig-watch", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        value = gdb.parse_and_eval(argument)
        if value.is_optimized_out:
            raise gdb.GdbError(f"{argument} is optimized out here")
        if value.address is None:
            raise gdb.GdbError(f"{argument} is a value, not a place in memory")
        _changed(argument)
        _watched.append((int(value.address), int(value.address) + int(value.type.sizeof)))
        _print(address=int(value.address), size=int(value.type.sizeof), value=_text(argument))


class Access(gdb.Command):  # type: ignore[misc]
    """rig-access [EXPRESSION[;;EXPRESSION...]]: what the stop is about."""

    def __init__(self) -> None:
        super().__init__("rig-access", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        frame, pc, exact = _instruction(gdb.newest_frame())
        values = [(_text(expression), _changed(expression)) for expression in argument.split(";;")] if argument else []
        _print(breakpoints=_hit, values=values, pc=pc, exact=exact, places=_places(frame, pc), **_who())


class Module(gdb.Command):  # type: ignore[misc]
    """rig-module: which module is about to be initialized; null where the machine has stopped elsewhere."""

    def __init__(self) -> None:
        super().__init__("rig-module", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        frame = gdb.newest_frame()
        there = frame.name() == "do_init_module"
        _print(module=frame.read_var("mod")["name"].string("ascii", "replace") if there else None)


def _print(**what: Any) -> None:
    print(json.dumps(what))


def _text(expression: str) -> str:
    """A value as gdb prints it, in short."""
    try:
        text: str = gdb.parse_and_eval(expression).format_string(max_elements=16, repeat_threshold=4)
    except gdb.error as error:
        return f"<{error}>"
    text = " ".join(text.split())
    return text if len(text) <= _VALUE_MAX else f"{text[:_VALUE_MAX]}..."


def _changed(expression: str) -> bool:
    """Whether it has other bytes than when it was asked last."""
    try:
        value = gdb.parse_and_eval(expression)
        now = gdb.selected_inferior().read_memory(int(value.address), value.type.sizeof).tobytes()
    except gdb.error:
        now = None
    before = _bytes.get(expression)
    _bytes[expression] = now
    return bool(now != before)


def _instruction(frame: Any) -> tuple[Any, int, bool]:
    """The instruction that made the access, its frame, and whether that is certain.

    x86 traps behind it (SDM vol. 3B, 18.2.4): it is the one that ends at the PC,
    or one with a REP prefix that is to go on there.  At the beginning of a function
    it is what has called that, or jumped there.
    """
    pc = int(frame.pc())
    architecture = frame.architecture()
    if "i386" not in architecture.name() or _repeats(frame, pc):
        return frame, pc, True
    own = _function_block(pc)
    if own is not None and int(own.start) == pc and frame.older() is not None:
        frame = frame.older()
        return frame, _before(architecture, int(frame.pc())) or pc - 1, False
    found = _before(architecture, pc)
    return frame, found or pc - 1, found is not None


def _before(architecture: Any, pc: int) -> int | None:
    """The instruction that ends there; None where none is known to."""
    block = _function_block(pc - 1)
    if block is not None:
        for instruction in architecture.disassemble(int(block.start), pc - 1):
            if instruction["addr"] + instruction["length"] == pc:
                return int(instruction["addr"])
    return None


def _repeats(frame: Any, pc: int) -> bool:
    """Whether a string instruction with a REP prefix is here, of which some is done.

    It has just been at something that is watched then; what has not begun may be
    far from it, and the access was that of the instruction before.
    """
    code = gdb.selected_inferior().read_memory(pc, 8).tobytes()
    at = 0
    while at < len(code) and (code[at] in _REPEATS or code[at] in _PREFIXES):
        at += 1
    if at == len(code) or code[at] not in _STRING or not any(byte in _REPEATS for byte in code[:at]):
        return False
    names = ("rdi", "rsi") if "64" in frame.architecture().name() else ("edi", "esi")
    mask = (1 << 8 * gdb.lookup_type("void").pointer().sizeof) - 1
    return any(start - 8 <= int(frame.read_register(name)) & mask <= end + 8 for name in names for start, end in _watched)


def _function_block(pc: int) -> Any:
    """The block of the function proper that has this instruction; None where there is no debugging information."""
    block = gdb.block_for_pc(pc)
    while block is not None and (block.function is None or _inlined(block)):
        block = block.superblock
    return block


def _inlined(block: Any) -> bool:
    """Whether this function's block lies in another function."""
    outer = block.superblock
    while outer is not None and not outer.is_static and not outer.is_global:
        if outer.function is not None:
            return True
        outer = outer.superblock
    return False


def _places(frame: Any, pc: int) -> list[dict[str, Any]]:
    """Where the instruction is, the innermost first: functions that are inlined there, the one that has it, and its callers.

    gdb's own innermost frame is of the PC, which may be another line, or another inlined function.
    """
    found: list[dict[str, Any]] = []
    sal = gdb.find_pc_line(pc)
    line, symtab = sal.line, sal.symtab
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            inlined = _inlined(block)
            # A part of a function that the compiler has split off has its name as well.
            if found and found[-1]["function"] == block.function.name:
                found[-1]["inlined"] = inlined
            else:
                found.append(_place(block.function.name, symtab, line, inlined))
            # Where it was inlined is known to gdb's frames alone.
            symtab, line = None, 0
            if not inlined:
                break
        block = block.superblock
    if not found:
        found.append(_place(_symbol(pc), symtab, line, False))
    own = frame
    while own is not None and own.type() == gdb.INLINE_FRAME:
        own = own.older()
    caller = own.older() if own is not None else None
    while caller is not None and len(found) < _FRAMES and _in_kernel(caller):
        sal = caller.find_sal()
        found.append(_place(caller.name() or f"{int(caller.pc()):#x}", sal.symtab, sal.line,
                            caller.type() == gdb.INLINE_FRAME))
        caller = caller.older()
    return found


def _place(function: str, symtab: Any, line: int, inlined: bool) -> dict[str, Any]:
    """`inlined` is whether the next one is the function that it is inlined in, and not a caller."""
    if symtab is None:
        return {"function": function, "file": None, "line": None, "text": None, "inlined": inlined}
    return {"function": function, "file": symtab.filename.removeprefix(_root()), "line": line,
            "text": " ".join(linecache.getline(symtab.fullname(), line).split()) or None, "inlined": inlined}


def _in_kernel(frame: Any) -> bool:
    """Whether this is code of the kernel's, by its address: what lies behind the way into the kernel means nothing."""
    pointer = gdb.lookup_type("void").pointer().sizeof
    return bool(int(frame.pc()) >> (8 * pointer - 1))


@functools.cache
def _root() -> str:
    """Where the kernel was built from, by the name of a file that each has."""
    symbol = gdb.lookup_global_symbol("start_kernel")
    name: str = symbol.symtab.filename if symbol is not None else ""
    return name.removesuffix(_MAIN) if name.endswith(_MAIN) else ""


def _symbol(pc: int) -> str:
    """What gdb calls an instruction that has no debugging information."""
    said: str = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return said.split()[0] if " in section" in said else f"{pc:#x}"


def _who() -> dict[str, Any]:
    """The CPU that has the debugger, its task, and what it was doing."""
    cpu = int(gdb.parse_and_eval("kgdb_active.counter"))
    task = gdb.parse_and_eval(f"*kgdb_info[{cpu}].task")
    return {"cpu": cpu, "pid": int(task["pid"]), "comm": task["comm"].string("utf-8", "replace"), "context": _context(cpu)}


def _context(cpu: int) -> str:
    """What the exception came out of: "task", "softirq", "irq" or "nmi"; "" where the kernel does not tell."""
    found = next(filter(None, (_per_cpu(name, cpu) for name in _PREEMPT_COUNT)), None)
    if found is None:
        return ""
    count, size = found
    separate = _per_cpu(_NMIS, cpu)
    hardirq_at, nmi_at = _HARDIRQ_NMI_LATER if size == 8 or separate else _HARDIRQ_NMI
    hardirqs, nmis = count >> hardirq_at & 0xF, separate[0] if separate and size < 8 else count >> nmi_at & 0xF
    # The debug exception is an NMI to the kernel, and counted as an interrupt too.
    if nmis > 1:
        return "nmi"
    if hardirqs > 1:
        return "irq"
    return "softirq" if count & _SOFTIRQ else "task"


def _per_cpu(name: str, cpu: int) -> tuple[int, int] | None:
    """The value of a CPU's variable, and its size; None where there is none."""
    try:
        variable = gdb.parse_and_eval(name)
        kind = "unsigned long" if variable.type.sizeof == 8 else "unsigned int"
        value = gdb.parse_and_eval(f"*({kind} *)((char *)&{name} + __per_cpu_offset[{cpu}])")
    except gdb.error:
        return None
    return int(value), int(variable.type.sizeof)


gdb.events.stop.connect(_on_stop)
Watch()
Access()
Module()
