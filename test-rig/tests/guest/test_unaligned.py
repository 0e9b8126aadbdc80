# SPDX-License-Identifier: GPL-2.0-only
"""Unaligned accesses stop for the bytes that they touch, and for no others.

QEMU's debug registers match more than that, so the kernel looks at the instruction (docs/rig.md).  In Bochs, whose registers
match exactly, test_bochs_exact.py walks over each byte.
"""

from __future__ import annotations

import re

import pytest

from drive import go_on, prepare, reasons, set_and_go_on, stop_in_gdb, stops_on_wire, watched
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import Op, line

#: Stores, each with its value.
STORES: tuple[tuple[Op, int], ...] = (("write", 0x123456), ("add", 0x101010))


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_what_is_not_touched_stops_nobody(target: Target) -> None:
    """Stores behind a watched byte in its page, and accesses whose aligned words it lies in, on either side."""
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z4,{target.trigger.address(66):x},1")
    for size in (2, 4, 8)[:1 + target.word // 4]:
        for offset in (67, 65 - size, 129, 1001):
            target.trigger.run("write", size=size, offset=offset, value=0x5a)
            target.trigger.run("add", size=size, offset=offset, value=1)
            target.trigger.run("read", size=size, offset=offset)
    stops = stops_on_wire(target, rsp, line("read", size=target.word, offset=63))
    assert reasons(target, stops) == [("awatch", 66)]


@pytest.mark.rest_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("kind, reason", [(2, "watch"), (4, "awatch")])
def test_of_two_on_a_page_the_one_that_is_touched(target: Target, kind: int, reason: str) -> None:
    prepare(target)
    rsp = target.attach_rsp()
    size = target.word
    low, high = 131, 325
    set_and_go_on(target, rsp, f"Z{kind},{target.trigger.address(low):x},1", f"Z{kind},{target.trigger.address(high):x},2")
    stops = stops_on_wire(target, rsp, *(line(op, size=size, offset=offset, value=value)
                                         for offset in (high - 1, low - 2)
                                         for op, value in STORES))
    assert reasons(target, stops) == [(reason, high)] * 2 + [(reason, low)] * 2


@pytest.mark.rest_in_test_all
def test_gdb_sees_the_change(target: Target) -> None:
    """A string that the kernel stores in pieces, at an odd address, with another watched word below it in the page."""
    gdb = target.attach_gdb()
    gdb.command("watch *(long *)&init_uts_ns.name.nodename[7]")
    gdb.command("watch *(long *)&init_uts_ns.name.domainname[3]")
    target.resume(gdb)
    target.console.start("echo abcdefgh > /proc/sys/kernel/domainname")
    said = gdb.wait_stop()
    assert "hit Hardware watchpoint 2: " in said and "watchpoint 1: " not in said
    gdb.resume()
    target.console.finish()
    assert "abcdefgh" in target.console.run("cat /proc/sys/kernel/domainname")


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_a_read_modify_write(target: Target) -> None:
    """One that begins below what is watched is a write of it, and no read."""
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 67, 1)}")
    gdb.command(f"rwatch {watched(target, 67, 1)}")
    target.resume(gdb)
    said = stop_in_gdb(target, gdb, "add", size=4, offset=66, value=0x300)
    assert "hit Hardware watchpoint 1: " in said
    assert re.search(r"Old value = 0\b.*\s+New value = 3\b", said)
    assert "read watchpoint 2: " not in said
    go_on(target, gdb)
