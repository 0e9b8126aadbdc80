# SPDX-License-Identifier: GPL-2.0-only
"""Each debug register with each length and each kind of access, as the kernel's breakpoint_test.c has them for programs."""

from __future__ import annotations

import pytest

from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import Op
from kgdbrig.machines.debugregs import LENGTHS, LOADS_AND_STORES, STORES, Register, each

REGISTERS = 4
#: What is accessed by, the packet's type, and what a stop then says.
KINDS: tuple[tuple[Op, int, str], ...] = (("write", 2, "watch"), ("write", 4, "awatch"), ("read", 4, "awatch"),
                                          ("read", 3, "rwatch"))
#: Far enough apart for no access to touch two.
APART = 64


def replace(target: Target, rsp: Rsp, old: list[str], new: list[str]) -> None:
    """At a stop of its own, remove breakpoints and set others, by their packets."""
    target.break_in()
    assert rsp.wait_stop().reason is None
    set_and_go_on(target, rsp, *(f"z{packet}" for packet in old), *(f"Z{packet}" for packet in new))


def in_registers(target: Target) -> list[Register | None]:
    """Of the only CPU, when all its registers are enabled: a moment after the machine has gone on none may be."""
    target.expect_armed(REGISTERS)
    [registers] = target.machine.debug_registers()
    return each(registers)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("op, kind, reason", KINDS)
def test_each_length_in_each_register(target: Target, op: Op, kind: int, reason: str) -> None:
    """All registers at a time, each with a place of its own; rwatch takes two for a place.

    Each place is stopped for by its own address, for an access of that length, and for one of its last byte.
    """
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp)
    places = range(REGISTERS // 2 if kind == 3 else REGISTERS)
    kinds = [STORES, LOADS_AND_STORES] if kind == 3 else [STORES if kind == 2 else LOADS_AND_STORES]
    packets: list[str] = []
    for length in (length for length in sorted(LENGTHS) if length <= target.word):
        addresses = [target.trigger.address(APART * place) for place in places]
        old, packets = packets, [f"{kind},{address:x},{length}" for address in addresses]
        replace(target, rsp, old, packets)
        assert sorted(filter(None, in_registers(target))) == [(address, bits, LENGTHS[length])
                                                              for address in addresses for bits in kinds]
        for place, address in zip(places, addresses, strict=True):
            for size, at in ((length, 0), (1, length - 1)):
                value = 1 + place if op == "write" else None
                said = stop_on_wire(target, rsp, op, size=size, offset=APART * place + at, value=value)
                assert (said.reason, said.address) == (reason, address), (length, place, size)
                go_on_wire(target, rsp)
        for beside in (-1, length):
            for place in places[1:]:
                target.trigger.run(op, size=1, offset=APART * place + beside, value=9 if op == "write" else None)


@pytest.mark.rest_in_test_all
def test_an_instruction_in_each_register(target: Target) -> None:
    """Four functions, each stopped at before its first instruction, whichever register it is in."""
    prepare(target)
    sizes = sorted(size for size in LENGTHS if size <= target.word)
    functions = {size: target.symbol(f"trigger_write_{size}") for size in sizes}
    used: set[tuple[int, int]] = set()
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp)
    packets: list[str] = []
    for first in range(len(sizes)):
        order = sizes[first:] + sizes[:first]
        replace(target, rsp, packets, [])
        packets = [f"1,{functions[size]:x},1" for size in order]
        replace(target, rsp, [], packets)
        found = in_registers(target)
        assert sorted(filter(None, found)) == sorted((address, 0, 0) for address in functions.values())
        used.update((number, held[0]) for number, held in enumerate(found) if held)
        for size, address in functions.items():
            said = stop_on_wire(target, rsp, "write", size=size, offset=0, value=first + 1)
            assert (said.reason, rsp.read_pc()) == (None, address)
            go_on_wire(target, rsp)
    assert used == {(number, address) for number in range(REGISTERS) for address in functions.values()}
