# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: what a processor's debug registers say, and QEMU's do not.

DR6 names every register that an access matches, an unaligned access matches
just the bytes that it touches, a read-modify-write is a write, a repeated
instruction stops between two of its iterations, and a single step over a hit is
one exception with both causes.  Here the stops have to be equal to that.
"""

from __future__ import annotations

import pytest

from drive import go_on_wire, prepare, reasons, set_and_go_on, stop_on_wire, stops_of_commands, stops_on_wire
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, Op, line
from test_dr6 import test_several_registers
from test_stepping import step_to_a_hit

HERE = 64
#: Where a register is in the reply to 'g', in units of 8 bytes: gdb's order, for the arguments of a function.
ARGUMENTS = {"rdi": 5, "rsi": 4, "rdx": 3}
RIP = 16

Reason = tuple[str, int]


@pytest.fixture
def target(bochs: Target) -> Target:
    prepare(bochs)
    return bochs


def spec(target: Target, kind: int, offset: int, length: int) -> str:
    return f"Z{kind},{target.trigger.address(offset):x},{length:x}"


def heard(target: Target, rsp: Rsp, *lines: str) -> list[tuple[str | None, int | None]]:
    """The stops of the trigger's lines as (reason, offset in the buffer); the machine runs again."""
    stops = stops_on_wire(target, rsp, *lines)
    rsp.send("c")
    target.back()
    return reasons(target, stops)


def attach(target: Target, *specs: tuple[int, int, int]) -> Rsp:
    """A client on a machine that runs with these watchpoints: type, offset, length."""
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *(spec(target, *each) for each in specs))
    return rsp


def test_nested_watchpoints(target: Target) -> None:
    """A store of 4 bytes hits watch on the first, watch on the last two, and awatch on all.

    gdb looks at every watchpoint that has the address of a stop in it, and so "watch" is also what it has to hear for awatch.
    """
    rsp = attach(target, (2, HERE, 1), (2, HERE + 2, 2), (4, HERE, 4))
    target.expect_armed(3)
    assert sorted(heard(target, rsp, line("write", size=4, offset=HERE, value=1))) == \
        [("watch", HERE), ("watch", HERE + 2)]
    assert heard(target, rsp, line("write", size=1, offset=HERE, value=2)) == [("watch", HERE)]
    assert heard(target, rsp, line("write", size=1, offset=HERE + 1, value=2)) == [("awatch", HERE)]
    assert heard(target, rsp, line("write", size=1, offset=HERE + 3, value=2)) == [("watch", HERE + 2)]
    assert heard(target, rsp, line("read", size=4, offset=HERE)) == [("awatch", HERE)]


@pytest.mark.rest_in_test_all
def test_watchpoints_apart(target: Target) -> None:
    """One access of 8 or 16 bytes, aligned or not, to two to four watchpoints side by side: a stop for each."""
    four = [(2, HERE, 1), (4, HERE + 2, 2), (2, HERE + 4, 2), (4, HERE + 7, 1)]
    rsp = attach(target, *four)
    names = {2: "watch", 4: "awatch"}
    for size, offset in ((8, HERE - 3), (8, HERE), (8, HERE + 1), (8, HERE + 5), (16, HERE - 8), (16, HERE - 1), (16, HERE + 7)):
        hit = sorted((names[kind], at) for kind, at, length in four if offset < at + length and at < offset + size)
        assert sorted(heard(target, rsp, line("write", size=size, offset=offset, value=offset))) == hit, (size, offset)
        reads = [each for each in hit if each[0] == "awatch"]
        assert sorted(heard(target, rsp, line("read", size=size, offset=offset))) == reads, (size, offset)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_unaligned_accesses(target: Target, size: int) -> None:
    """One watched byte, and accesses at every offset around it: a stop for those that touch it, and for no other."""
    rsp = attach(target, (4, HERE, 1))
    offsets = range(HERE - size - 1, HERE + 3)
    lines = [each for offset in offsets for each in (line("read", size=size, offset=offset),
                                                     line("write", size=size, offset=offset, value=offset))]
    touching = 2 * size
    # One command's length is limited.
    said = [each for at in range(0, len(lines), 8) for each in heard(target, rsp, *lines[at:at + 8])]
    assert said == [("awatch", HERE)] * touching


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_locked_read_modify_writes(target: Target, size: int) -> None:
    """A write, for each kind of watchpoint: also where it changes nothing."""
    rsp = attach(target, (2, HERE, size), (3, 2 * HERE, size), (4, 3 * HERE, size))
    lines = [line("rmw", size=size, offset=offset, value=value) for offset in (HERE, 2 * HERE, 3 * HERE) for value in (1, 0)]
    assert heard(target, rsp, *lines) == [("watch", HERE)] * 2 + [("awatch", 3 * HERE)] * 2
    assert heard(target, rsp, line("read", size=size, offset=2 * HERE)) == [("rwatch", 2 * HERE)]


def test_a_read_modify_write_of_the_kernel_s(target: Target) -> None:
    """`total_forks++` is one instruction without LOCK: rwatch lets it pass, watch has it once for each fork."""
    address = target.kernel.symbol("total_forks")
    fork, look = "(true)", "grep -c processes /proc/stat"
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z3,{address:x},8")
    # grep itself is forked, and so the first read is the one that stops.
    stops = stops_of_commands(target, rsp, fork, fork, look)
    assert [(stop.reason, stop.address) for stop in stops] == [("rwatch", address)]
    assert rsp.request(f"z3,{address:x},8") == "OK"
    set_and_go_on(target, rsp, f"Z2,{address:x},8")
    stops = stops_of_commands(target, rsp, fork, fork)
    assert [(stop.reason, stop.address) for stop in stops] == [("watch", address)] * 2


def redirected(target: Target, rsp: Rsp, store: int, function: int, **arguments: int) -> list[tuple[str | None, int | None]]:
    """The stops of a function of the kernel's that is called with these arguments in place of the trigger's, at `store`.

    The machine is stopped by break_in() before and behind it.
    """
    assert rsp.request(f"Z1,{store:x},1") == "OK"
    rsp.send("c")
    target.back()
    target.console.start(f"echo '{line('write', size=8, offset=0, value=0)}' > {RUN}; {BREAK_IN}")
    said = rsp.wait_stop()
    assert (said.reason, rsp.read_pc()) == (None, store)
    assert rsp.request(f"z1,{store:x},1") == "OK"
    registers = bytearray.fromhex(rsp.request("g"))
    values = {RIP: function, **{ARGUMENTS[name]: value for name, value in arguments.items()}}
    for number, value in values.items():
        registers[8 * number:8 * number + 8] = value.to_bytes(8, "little")
    assert rsp.request(f"G{registers.hex()}") == "OK"
    stops = []
    rsp.send("c")
    while (said := rsp.wait_stop()).reason:
        stops.append(said)
        rsp.send("c")
    return reasons(target, stops)


def zeroing(target: Target) -> dict[int, int]:
    """Functions that zero the RDX bytes at RDI, a page, by a repeated instruction: where, and how many in an iteration.

    Linux 7.3 has it inline, and for others in memset(), behind a jump of two bytes that a processor with a fast one has not.
    """
    symbol = target.kernel.symbol
    if target.kernel.version == "7.3":
        return {symbol("memset") + 2: 1}
    return {symbol("clear_page_rep"): 8, symbol("clear_page_erms"): 1}


@pytest.mark.rest_in_test_all
def test_string_instructions(target: Target) -> None:
    """rep stos and rep movs, forwards and backwards: each watched word is reported once, in the order of the iterations.

    An iteration that loads one and stores to the other has both in one exception.
    """
    base = target.trigger.address()
    store = target.symbol("trigger_write_8")
    source, first, second = 512, 1024, 1536
    rsp = attach(target, (4, source, 8), (2, first, 8), (2, second, 8))
    target.break_in()
    assert rsp.wait_stop().reason is None
    memmove = target.kernel.symbol("memmove")
    for function, size in zeroing(target).items():
        rsp.request(f"M{base:x},8:0102030405060708")
        said = redirected(target, rsp, store, function, rdi=base, rsi=0, rdx=4096)
        words = 8 // size
        assert said == [("awatch", source)] * words + [("watch", first)] * words + [("watch", second)] * words, size
        assert rsp.read_memory(base, 4096 // 16) == bytes(4096 // 16)
    # Forwards: what it stores at `second` it has loaded from `source`.
    said = redirected(target, rsp, store, memmove, rdi=base + first, rsi=base, rdx=1024)
    assert (said[0], sorted(said[1:])) == (("watch", first), [("awatch", source), ("watch", second)])
    # Backwards, since the two overlap: down from 1279 it stores what it loads from 256 below.
    assert redirected(target, rsp, store, memmove, rdi=base + 256, rsi=base, rdx=1024) == \
        [("watch", first), ("awatch", source), ("awatch", source)]
    rsp.send("c")
    target.back()


def test_steps(target: Target) -> None:
    """A step over a load, a store and a read-modify-write with each kind of watchpoint: the hit, once; the next step is one."""
    cases: list[tuple[Op, int, str | None]] = [("write", 2, "watch"), ("write", 4, "awatch"), ("write", 3, None),
                                               ("read", 4, "awatch"), ("read", 3, "rwatch"), ("read", 2, None),
                                               ("rmw", 2, "watch"), ("rmw", 4, "awatch"), ("rmw", 3, None)]
    address = target.trigger.address(HERE)
    code = {op: target.symbol(f"trigger_{op}_8") for op in ("read", "write", "rmw")}
    rsp = attach(target)
    for op, kind, reason in cases:
        target.break_in()
        assert rsp.wait_stop().reason is None
        packets = f"{kind},{address:x},8", f"1,{code[op]:x},1"
        set_and_go_on(target, rsp, *(f"Z{packet}" for packet in packets))
        value = None if op == "read" else 1
        said = stop_on_wire(target, rsp, op, size=8, offset=HERE, value=value)
        assert (said.reason, rsp.read_pc()) == (None, code[op]), (op, kind)
        if reason:
            _, after = step_to_a_hit(rsp, code[op], reason)
            rsp.send("s")
            assert rsp.wait_stop().reason is None and rsp.read_pc() != after, (op, kind)
        else:
            for _ in range(8):
                rsp.send("s")
                assert rsp.wait_stop().reason is None, (op, kind)
        for packet in packets:
            assert rsp.request(f"z{packet}") == "OK"
        go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_perf_on_the_same_bytes(target: Target) -> None:
    """perf counts each store that KGDB stops at; and neither has the other's."""
    rsp = attach(target, (2, HERE, 4))
    with PerfEvent(target.console, target.trigger.address(HERE), 4) as same, \
            PerfEvent(target.console, target.trigger.address(HERE + 4), 4) as beside:
        assert heard(target, rsp, *(line("write", size=4, offset=HERE, value=value) for value in range(5))) == \
            [("watch", HERE)] * 5
        assert (same.counts(), beside.counts()) == ([5], [0])
        # One access to both.
        assert heard(target, rsp, *(line("write", size=8, offset=HERE, value=value) for value in range(3))) == \
            [("watch", HERE)] * 3
        assert (same.counts(), beside.counts()) == ([8], [3])
        assert heard(target, rsp, line("write", size=4, offset=HERE + 4, value=1)) == []
        assert (same.counts(), beside.counts()) == ([8], [4])
