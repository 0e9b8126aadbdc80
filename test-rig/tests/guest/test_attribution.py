# SPDX-License-Identifier: GPL-2.0-only
"""Each hit belongs to its watchpoint: by type, by address, by size."""

from __future__ import annotations

import re

import pytest

from drive import go_on, go_on_wire, prepare, set_and_go_on, stop_in_gdb, stop_on_wire, watched
from kgdbrig.clients.target import Target


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_every_size_and_direction(target: Target, size: int) -> None:
    """watch stops on writes, awatch on reads too; the neighbours of the watched bytes stop nobody."""
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 64, size)}")
    gdb.command(f"awatch {watched(target, 256, size)}")
    target.resume(gdb)

    target.trigger.run("read", size=size, offset=64)
    target.trigger.run("write", size=size, offset=64 - size, value=1)
    target.trigger.run("write", size=size, offset=64 + size, value=1)
    target.trigger.run("read", size=1, offset=256 + size)
    target.trigger.run("read", size=1, offset=255)

    said = stop_in_gdb(target, gdb, "write", size=size, offset=64, value=0x5a)
    assert "hit Hardware watchpoint 1: " in said
    assert re.search(r"Old value = 0\b.*\s+New value = 90\b", said)
    go_on(target, gdb)

    said = stop_in_gdb(target, gdb, "write", size=1, offset=256 + size - 1, value=1)
    assert "hit Hardware access (read/write) watchpoint 2: " in said
    go_on(target, gdb)

    said = stop_in_gdb(target, gdb, "read", size=size, offset=256)
    assert "hit Hardware access (read/write) watchpoint 2: " in said
    assert re.search(r"Value = \d+", said)
    go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_an_access_that_only_overlaps(target: Target) -> None:
    """A wide store over a watched byte, and a store that begins below it, both stop."""
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 67, 1)}")
    target.resume(gdb)
    for offset, value in ((64, 0x11 << 24), (66, 0x22 << 8)):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=offset, value=value)
        assert "hit Hardware watchpoint 1: " in said
        go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_a_read_modify_write_is_a_write(target: Target) -> None:
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 64, 4)}")
    target.resume(gdb)
    said = stop_in_gdb(target, gdb, "rmw", size=4, offset=64, value=5)
    assert re.search(r"Old value = 0\s+New value = 5\b", said)
    go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_two_types_on_one_address(target: Target) -> None:
    """A read is the access watchpoint's alone, a change is both's: gdb counts 1 hit and 2."""
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 128, 4)}")
    gdb.command(f"awatch {watched(target, 128, 4)}")
    target.resume(gdb)

    said = stop_in_gdb(target, gdb, "read", size=4, offset=128)
    assert "hit Hardware access (read/write) watchpoint 2: " in said
    assert "watchpoint 1: " not in said
    go_on(target, gdb)

    said = stop_in_gdb(target, gdb, "write", size=4, offset=128, value=3)
    assert "Hardware watchpoint 1: " in said
    assert "Hardware access (read/write) watchpoint 2: " in said

    table = gdb.command("info watchpoints")
    assert re.search(r"^1\s.*\n\s+breakpoint already hit 1 time\b", table, re.MULTILINE)
    assert re.search(r"^2\s.*\n\s+breakpoint already hit 2 times\b", table, re.MULTILINE)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("kinds", [("Z2", "Z4"), ("Z4", "Z2")])
def test_two_types_on_one_address_by_slot(target: Target, kinds: tuple[str, str]) -> None:
    """On the wire a read says awatch, whichever came first: the address alone would not tell."""
    prepare(target)
    address = target.trigger.address(128)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *(f"{kind},{address:x},4" for kind in kinds))

    assert stop_on_wire(target, rsp, "read", size=4, offset=128).text.endswith(f";awatch:{address:0{target.hex_digits}x};")
    go_on_wire(target, rsp)

    # Both match. Hardware says so, QEMU 7.2 names the lower slot only; either is true of a write.
    said = stop_on_wire(target, rsp, "write", size=4, offset=128, value=1)
    assert said.reason in ("watch", "awatch") and said.address == address
    if kinds[0] == "Z2":
        assert said.reason == "watch"
    go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_four_at_once_and_no_fifth(target: Target) -> None:
    """Each of four is hit on its own; a fifth is refused by the kernel and the four stay armed."""
    prepare(target)
    gdb = target.attach_gdb()
    for number in range(4):
        gdb.command(f"watch {watched(target, 512 + 64 * number, 8)}")
    target.resume(gdb)
    for round_ in (1, 2):
        for number in (2, 0, 3, 1):
            said = stop_in_gdb(target, gdb, "write", size=8, offset=512 + 64 * number, value=round_)
            assert f"hit Hardware watchpoint {number + 1}: " in said
            go_on(target, gdb)

    target.break_in()
    gdb.wait_stop()
    gdb.command(f"watch {watched(target, 1024, 8)}")
    assert "Could not insert hardware watchpoint 5." in gdb.command("continue")
    gdb.command("delete 5")
    target.resume(gdb)
    said = stop_in_gdb(target, gdb, "write", size=8, offset=512, value=3)
    assert "hit Hardware watchpoint 1: " in said
    go_on(target, gdb)
    assert "refused: needs 1 slot, 0 free: the debugger holds 4" in target.kernel_log("KGDB: ")
