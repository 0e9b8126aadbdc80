# SPDX-License-Identifier: GPL-2.0-only
"""Regions of any length and alignment: just the bytes asked for, from as few slots as can be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import pytest

from drive import (
    attach_with_values,
    break_in,
    go_on,
    go_on_from,
    go_on_wire,
    prepare,
    stop_at,
    stop_in_gdb,
    stop_on_wire,
    stops_on_wire,
    watched,
)
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, line

SLOTS = 4
#: Where in the trigger's buffer the regions lie: a multiple of 64, so of every slot's length.
BASE = 128
#: Offsets from BASE at which a region begins: each alignment, and one past a whole word.
OFFSETS = range(9)
#: Some of them: aligned to 8, to 1, to 2, and one past a whole word.
OFFSETS_IN_SHORT = (0, 3, 6, 8)
#: The part of the buffer that tells which byte was stored to, and what is stored for the first length at an offset.
WINDOW, WINDOW_SIZE = BASE - 8, 64
FIRST_VALUE = (1, 101)


def pieces(offset: int, length: int, word: int) -> list[tuple[int, int]]:
    """The fewest slots (offset, length) that cover just that: naturally aligned, of a power of two up to a word."""
    found = []
    while length:
        size = word
        while offset % size or size > length:
            size //= 2
        found.append((offset, size))
        offset, length = offset + size, length - size
    return found


def regions(offset: int, word: int) -> list[int]:
    """The lengths that fit in all slots at an offset."""
    return [length for length in range(1, SLOTS * word + 1) if len(pieces(offset, length, word)) <= SLOTS]


def insert(rsp: Rsp, target: Target, *specs: tuple[str, int, int]) -> None:
    """Z packets: type, offset in the trigger's buffer, length."""
    for kind, offset, length in specs:
        assert rsp.request(f"Z{kind},{target.trigger.address(offset):x},{length:x}") == "OK", (kind, offset, length)


def remove(rsp: Rsp, target: Target, *specs: tuple[str, int, int]) -> None:
    for kind, offset, length in specs:
        assert rsp.request(f"z{kind},{target.trigger.address(offset):x},{length:x}") == "OK", (kind, offset, length)


def each_byte(start: int, stop: int | str, value: str) -> str:
    """A loop of the guest's shell that stores to each byte from `start` to before `stop`; the latter two may be expansions."""
    return (f"i={start}; while [ $i -lt {stop} ]; do echo op=write size=1 offset=$i value={value} > {RUN}; "
            "i=$((i+1)); done")


def expect_hits(target: Target, rsp: Rsp, hit: range, around: range, value: int) -> None:
    """Of the bytes `around`, each stored to by itself, just those in `hit` stop the machine; then a break-in does.

    `value` is one that none of them has yet.
    """
    target.console.start(f"{each_byte(around.start, around.stop, f'{value:x}')}; {BREAK_IN}")
    for offset in hit:
        said = rsp.wait_stop()
        assert said.reason == "watch" and said.address is not None
        here, behind = rsp.read_memory(target.trigger.address(offset), 2)
        assert here == value != behind, f"the stop should be at byte {offset}"
        rsp.send("c")
    assert rsp.wait_stop().reason is None, f"a stop behind {hit}"


@pytest.mark.i386
@pytest.mark.rest_in_test_all
def test_each_byte_and_no_other(target: Target) -> None:
    """Each region that fits in four slots: every byte of it is reported, with the slot it is in; its neighbours are not."""
    prepare(target)
    rsp = target.attach_rsp()
    rsp.send("c")
    target.back()
    last: tuple[int, int] | None = None
    offsets: Iterable[int] = OFFSETS if os.environ.get("TEST_ALL") else OFFSETS_IN_SHORT
    for offset in offsets:
        last = walk(target, rsp, offset, last)
    assert last is not None
    target.expect_armed(len(pieces(*last, target.word)))


def walk(target: Target, rsp: Rsp, offset: int, before: tuple[int, int] | None) -> tuple[int, int]:
    """All regions that begin at one offset, the last of which is returned; `before` is what was set until then.

    One loop of the guest's shell does it: it breaks in, for the next region to
    be set, and stores to the byte before that, to each byte and to the one behind.
    """
    lengths = regions(offset, target.word)
    each = " ".join(f"{length}:{value:x}" for value, length in enumerate(lengths, FIRST_VALUE[offset % 2]))
    stores = each_byte(BASE + offset - 1, f"$(({BASE + offset}+${{e%:*}}+1))", "${e#*:}")
    target.console.start(f"for e in {each}; do {BREAK_IN}; {stores}; done; {BREAK_IN}")
    for value, length in enumerate(lengths, FIRST_VALUE[offset % 2]):
        assert rsp.wait_stop().reason is None, f"a stop behind the region {before}"
        if before:
            remove(rsp, target, ("2", BASE + before[0], before[1]))
        before = offset, length
        insert(rsp, target, ("2", BASE + offset, length))
        memory = bytearray(rsp.read_memory(target.trigger.address(WINDOW), WINDOW_SIZE))
        memory[BASE + offset - 1 - WINDOW] = value
        rsp.send("c")
        for slot, size in pieces(offset, length, target.word):
            for byte in range(slot, slot + size):
                said = rsp.wait_stop()
                assert (said.reason, said.address) == ("watch", target.trigger.address(BASE + slot)), (before, byte)
                memory[BASE + byte - WINDOW] = value
                assert rsp.read_memory(target.trigger.address(WINDOW), WINDOW_SIZE) == memory, \
                    f"with the region {before} the stop should be at byte {byte}"
                rsp.send("c")
    assert rsp.wait_stop().reason is None, f"a stop behind the region {before}"
    rsp.send("c")
    target.console.finish()
    assert before
    return before


@pytest.mark.rest_in_test_all
def test_overlapping_watchpoints(target: Target) -> None:
    """Each keeps what it asked for when another one goes; equal slots are shared, not taken twice."""
    prepare(target)
    rsp = target.attach_rsp()
    around = range(BASE - 1, BASE + 17)

    def settle(armed: int, hit: range, value: int) -> None:
        rsp.send("c")
        target.back()
        target.expect_armed(armed)
        expect_hits(target, rsp, hit, around, value)

    low, high = ("2", BASE, 8), ("2", BASE + 4, 8)
    insert(rsp, target, low, high)
    settle(3, range(BASE, BASE + 12), 1)
    remove(rsp, target, low)
    settle(2, range(BASE + 4, BASE + 12), 2)
    insert(rsp, target, low)
    remove(rsp, target, high)
    settle(1, range(BASE, BASE + 8), 3)
    remove(rsp, target, low)

    # Three lengths from one address share their first piece, in any order of coming and going.
    word, longer, longest = ("2", BASE, 8), ("2", BASE, 12), ("2", BASE, 14)
    insert(rsp, target, longest, word, longer)
    settle(3, range(BASE, BASE + 14), 4)
    remove(rsp, target, longest)
    settle(2, range(BASE, BASE + 12), 5)
    remove(rsp, target, word)
    settle(2, range(BASE, BASE + 12), 6)
    insert(rsp, target, word)
    remove(rsp, target, longer)
    settle(1, range(BASE, BASE + 8), 7)
    remove(rsp, target, word)

    # What shares all of its slots with others fits when nothing is free.
    parts = [("2", BASE + 8 * slot, 8) for slot in range(SLOTS)]
    insert(rsp, target, *parts)
    insert(rsp, target, ("2", BASE, 32), ("2", BASE + 8, 16))
    remove(rsp, target, *parts)
    assert rsp.request(f"Z2,{target.trigger.address(BASE + 4):x},4") == "E28"
    around = range(BASE - 1, BASE + 33)
    settle(4, range(BASE, BASE + 32), 8)
    remove(rsp, target, ("2", BASE, 32))
    settle(2, range(BASE + 8, BASE + 24), 9)
    rsp.send("c")
    target.back()


@pytest.mark.rest_in_test_all
def test_an_access_across_two_watchpoints(target: Target) -> None:
    """It is reported, and in each watchpoint alone.

    Hardware reports every slot that an access matches, and there is one stop
    for each watchpoint. QEMU 7.2 reports the first slot it finds, and so this
    is all that can be asked here; for hits of several slots see cases_match.h.
    """
    prepare(target)
    address = target.trigger.address(BASE)
    rsp = target.attach_rsp()
    insert(rsp, target, ("2", BASE, 4), ("4", BASE + 4, 4))
    rsp.send("c")
    target.back()
    stops = {(stop.reason, stop.address)
             for stop in stops_on_wire(target, rsp, line("write", size=8, offset=BASE, value=0x0000000200000001))}
    assert stops and stops <= {("watch", address), ("awatch", address + 4)}
    rsp.send("c")
    target.back()
    for offset, reason in ((BASE + 4, "awatch"), (BASE, "watch")):
        said = stop_on_wire(target, rsp, "write", size=4, offset=offset, value=3)
        assert (said.reason, said.address) == (reason, target.trigger.address(offset))
        go_on_wire(target, rsp)

    # Two slots of one watchpoint: a single stop.
    target.break_in()
    rsp.wait_stop()
    remove(rsp, target, ("2", BASE, 4), ("4", BASE + 4, 4))
    insert(rsp, target, ("2", BASE + 6, 4))
    rsp.send("c")
    target.back()
    stop, = stops_on_wire(target, rsp, line("write", size=4, offset=BASE + 6, value=5))
    assert (stop.reason, stop.address) in (("watch", address + 6), ("watch", address + 8))
    rsp.send("c")
    target.back()


@pytest.mark.rest_in_test_all
def test_what_gdb_asks_for(target: Target) -> None:
    """A structure of 32 bytes, a packed member at an odd address, the bytes of a bit-field: the real gdb's requests."""
    gdb = attach_with_values(target)

    gdb.command("watch values_record")
    target.resume(gdb)
    for byte in (0, 7, 8, 12, 17, 31):
        said = stop_at(target, gdb, "record", byte << 8 | 0x41)
        assert "hit Hardware watchpoint 1: values_record" in said
        assert gdb.command(f"output/x ((unsigned char *)&values_record)[{byte}]") == "0x41"
        go_on_from(target, gdb)
    target.values.run("record", 31 << 8 | 0x41)
    break_in(target, gdb)
    gdb.command("delete")

    gdb.command("watch values_packed.odd")
    assert gdb.command("output (unsigned long)&values_packed.odd % 2") == "1"
    target.resume(gdb)
    target.expect_armed(3)
    target.values.run("before", 0x55)
    target.values.run("after", 0x6666)
    said = stop_at(target, gdb, "odd", 0x12345678)
    assert re.search(r"hit Hardware watchpoint 2: values_packed\.odd\s+Old value = 0\s+New value = 305419896\b", said)
    gdb.command("delete")
    go_on_from(target, gdb)

    break_in(target, gdb)
    gdb.command("watch values_bits.across")
    target.resume(gdb)
    target.expect_armed(1)
    target.values.run("high", 0x77)
    said = stop_at(target, gdb, "across", 33)
    assert re.search(r"hit Hardware watchpoint 3: values_bits\.across\s+Old value = 0\s+New value = 33\b", said)
    go_on_from(target, gdb)


@pytest.mark.rest_in_test_all
def test_overlapping_in_gdb(target: Target) -> None:
    """gdb says which of two overlapping watchpoints changed: one, the other, or both."""
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, BASE, 8)}")
    gdb.command(f"watch {watched(target, BASE + 6, 4)}")
    target.resume(gdb)
    for offset, hit in ((BASE, [1]), (BASE + 8, [2]), (BASE + 6, [1, 2])):
        said = stop_in_gdb(target, gdb, "write", size=2, offset=offset, value=0x4242)
        assert [int(number) for number in re.findall(r"Hardware watchpoint (\d): ", said)] == hit
        go_on(target, gdb)
