# SPDX-License-Identifier: GPL-2.0-only
"""kdb's hardware breakpoints are in the table that gdb's are in, and stay armed across a change of the debugger."""

from __future__ import annotations

import re

import pytest

from drive import prepare
from kgdbrig.clients.kdb import Kdb
from kgdbrig.clients.target import Target


def symbol_of(target: Target, offset: int) -> str:
    """A place in the trigger's buffer, as a person would type it."""
    return f"kgdb_trigger_buffer+0x{offset:x}"


def go(target: Target, kdb: Kdb) -> None:
    """Leave kdb at the stop that break_in() made."""
    kdb.go()
    target.back()


def stop(target: Target, kdb: Kdb, op: str, offset: int, value: int | None = None) -> str:
    """What kdb says when an access of four bytes makes it enter."""
    target.trigger.start(op, size=4, offset=offset, value=value)  # type: ignore[arg-type]
    return kdb.entered()


def go_on(target: Target, kdb: Kdb) -> None:
    kdb.go()
    target.trigger.finish()


def break_in(target: Target, kdb: Kdb) -> None:
    target.break_in()
    kdb.entered()


def listed(kdb: Kdb) -> list[tuple[int, str, str]]:
    """kdb's bl: number, kind, and "enabled" or "disabled"."""
    return [(int(number), kind, state) for kind, number, state in
            re.findall(r"^(\S.*?) BP #(\d+) at .*\n +is (\w+)", kdb.command("bl"), re.MULTILINE)]


def test_its_commands(target: Target) -> None:
    """bph, bpha, bl, bd, be, bc: data writes, data accesses, instructions."""
    prepare(target)
    target.trigger.run("write", size=4, offset=0, value=1)
    kdb = target.attach_kdb()
    assert "Data Write BP #0 at" in kdb.command(f"bph {symbol_of(target, 64)} dataw 4")
    assert "Data Access BP #1 at" in kdb.command(f"bpha {symbol_of(target, 128)} datar 4")
    assert "Instruction(Register) BP #2 at" in kdb.command("bph trigger_write_1 inst")
    assert listed(kdb) == [(0, "Data Write", "enabled"), (1, "Data Access", "enabled"),
                           (2, "Instruction(Register)", "enabled")]
    go(target, kdb)
    target.expect_armed(3)

    target.trigger.run("read", size=4, offset=64)
    for op, offset, value in (("write", 64, 1), ("write", 64, 1), ("read", 128, None), ("write", 128, 2)):
        said = stop(target, kdb, op, offset, value)
        assert "Entering kdb" in said and "on processor 0 due to" in said
        go_on(target, kdb)
    target.trigger.start("write", size=1, offset=0, value=2)
    assert "due to Breakpoint @" in kdb.entered()
    go_on(target, kdb)
    target.expect_armed(3)

    break_in(target, kdb)
    assert "disabled" in kdb.command("bd 0")
    assert "cleared" in kdb.command("bc 2")
    assert listed(kdb) == [(0, "Data Write", "disabled"), (1, "Data Access", "enabled")]
    go(target, kdb)
    target.expect_armed(1)
    target.trigger.run("write", size=4, offset=64, value=3)
    target.trigger.run("write", size=1, offset=0, value=3)

    break_in(target, kdb)
    assert "enabled" in kdb.command("be 0")
    go(target, kdb)
    target.expect_armed(2)
    assert "Entering kdb" in stop(target, kdb, "write", 64, 4)
    assert "cleared" in kdb.command("bc *")
    assert listed(kdb) == []
    go_on(target, kdb)
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_a_data_hit_is_named(target: Target) -> None:
    """kdb says which of its breakpoints was hit, and where: a watchpoint stops at no instruction of its own."""
    prepare(target)
    kdb = target.attach_kdb()
    kdb.command(f"bph {symbol_of(target, 64)} dataw 4")
    kdb.command(f"bph {symbol_of(target, 128)} datar 4")
    go(target, kdb)
    for op, offset, kind, _number in (("write", 64, "watchpoint", 0), ("read", 128, "access watchpoint", 1)):
        said = stop(target, kdb, op, offset, 1 if op == "write" else None)
        address = f"{target.trigger.address(offset):0{target.hex_digits}x}"
        assert re.search(rf"due to {kind} at 0x{address} \(.*kgdb_trigger_buffer\+0x{offset:x}\) @ 0x[0-9a-f]+", said)
        go_on(target, kdb)


def stub(kdb: Kdb, *packets: str) -> None:
    for packet in packets:
        assert kdb.packet(packet) == "OK", packet


def hit_of_kdb(kdb: Kdb, address: int) -> None:
    """gdb's stub stops for a watchpoint that only kdb has set."""
    text = bytes.fromhex(kdb.receive_packet().removeprefix("O")).decode()
    assert f"kdb's watchpoint at 0x{address:x} (" in text
    assert re.fullmatch(r"T05thread:[0-9a-f]+;", kdb.receive_packet())


def test_from_gdb_into_kdb_and_back(target: Target) -> None:
    """$3#33 and kgdb: what either debugger has set stays armed, whichever of them has the line."""
    prepare(target)
    address = target.trigger.address
    digits = target.hex_digits
    kdb = target.attach_kdb()
    kdb.command(f"bph {symbol_of(target, 128)} dataw 4")
    kdb.to_gdb()
    assert kdb.packet("qC").startswith("QC")
    stub(kdb, f"Z2,{address(64):x},4")
    kdb.send_packet("c")
    target.back()
    target.expect_armed(2)

    # gdb's stub has the line: both are reported to it, kdb's by a text and without a reason.
    target.trigger.start("write", size=4, offset=64, value=1)
    assert kdb.receive_packet().endswith(f";watch:{address(64):0{digits}x};")
    kdb.send_packet("c")
    target.trigger.finish()
    target.trigger.start("write", size=4, offset=128, value=1)
    hit_of_kdb(kdb, address(128))
    kdb.send_packet("c")
    target.trigger.finish()

    # kdb has it: both make it enter.
    target.trigger.start("write", size=4, offset=64, value=2)
    assert kdb.receive_packet().endswith(f";watch:{address(64):0{digits}x};")
    assert "Entering kdb" in kdb.to_kdb()
    assert listed(kdb) == [(0, "Data Write", "enabled")]
    kdb.go()
    target.trigger.finish()
    target.expect_armed(2)
    for offset in (64, 128):
        stop(target, kdb, "write", offset, 3)
        go_on(target, kdb)

    # And back: at a hit, to gdb, which removes its own and leaves kdb's.
    stop(target, kdb, "write", 64, 4)
    kdb.to_gdb()
    stub(kdb, f"z2,{address(64):x},4")
    kdb.send_packet("c")
    target.trigger.finish()
    target.expect_armed(1)
    target.trigger.start("write", size=4, offset=128, value=5)
    hit_of_kdb(kdb, address(128))
    kdb.to_kdb()
    kdb.command("bc 0")
    kdb.go()
    target.trigger.finish()
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_the_same_in_both(target: Target) -> None:
    """One slot serves gdb's and kdb's watchpoint on the same bytes; either goes without the other."""
    prepare(target)
    place = f"2,{target.trigger.address(64):x},4"
    kdb = target.attach_kdb()
    kdb.command(f"bph {symbol_of(target, 64)} dataw 4")
    kdb.to_gdb()
    stub(kdb, f"Z{place}")
    kdb.send_packet("c")
    target.back()
    target.expect_armed(1)
    # Entering kdb and leaving it takes its own out and puts it back.
    target.trigger.start("write", size=4, offset=64, value=1)
    kdb.receive_packet()
    kdb.to_kdb()
    kdb.command("bd 0")
    kdb.go()
    target.trigger.finish()
    target.expect_armed(1)
    stop(target, kdb, "write", 64, 2)
    kdb.command("be 0")
    kdb.to_gdb()
    stub(kdb, f"z{place}")
    kdb.send_packet("c")
    target.trigger.finish()
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_gdb_that_connects_leaves_kdb_s_alone(target: Target) -> None:
    """A new gdb clears the table of what another gdb left behind; kdb's breakpoints work on afterwards."""
    prepare(target)
    kdb = target.attach_kdb()
    kdb.command(f"bph {symbol_of(target, 64)} dataw 4")
    go(target, kdb)
    stop(target, kdb, "write", 64, 1)
    assert kdb.packet("?")[0] in "ST"
    stub(kdb, f"Z2,{target.trigger.address(128):x},4")
    assert kdb.packet("D") == "OK"
    target.trigger.finish()
    # Of gdb's nothing is left, and kdb has its own again at the latest when it is entered and left.
    target.trigger.run("write", size=4, offset=128, value=1)
