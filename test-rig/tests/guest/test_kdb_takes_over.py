# SPDX-License-Identifier: GPL-2.0-only
"""$3#33 takes the line from gdb: its software breakpoints go, and a stop at one of them is no oops.

gdb has them in memory all the time with "set breakpoint always-inserted on",
and whenever the machine runs; a gdb that was killed leaves them there.
"""

from __future__ import annotations

import pytest

from drive import prepare
from kgdbrig.clients.kdb import Kdb
from kgdbrig.clients.target import Target


def stopped_at(target: Target) -> tuple[Kdb, int]:
    """A terminal at gdb's stub, on a machine that stands at gdb's breakpoint; and where that is."""
    prepare(target)
    place = target.symbol("trigger_write_4")
    kdb = target.attach_kdb()
    kdb.to_gdb()
    assert kdb.packet(f"Z0,{place:x},1") == "OK"
    kdb.send_packet("c")
    target.back()
    target.trigger.start("write", size=4, offset=64, value=1)
    assert kdb.receive_packet().startswith("T05")
    return kdb, place


def lives(target: Target) -> None:
    """The machine goes on, the breakpoint is gone, and nothing was wrong."""
    target.trigger.run("write", size=4, offset=64, value=2)
    for complaint in ("BUG:", "Oops", "int3:", "invalid opcode"):
        assert target.kernel_log(complaint) == "", complaint


@pytest.mark.rest_in_test_all
def test_it_is_gone_when_kdb_goes_on(target: Target) -> None:
    prepare(target)
    place = target.symbol("trigger_write_4")
    kdb = target.attach_kdb()
    kdb.to_gdb()
    assert kdb.packet(f"Z0,{place:x},1") == "OK"
    kdb.to_kdb()
    kdb.go()
    target.back()
    lives(target)


@pytest.mark.parametrize("put_back", [True, False], ids=["gdb put the PC back", "gdb was killed"])
def test_a_stop_there_is_no_oops(target: Target, put_back: bool) -> None:
    """kdb goes on with the instruction that the breakpoint was on, whether or not gdb came to put the PC back."""
    kdb, place = stopped_at(target)
    if put_back:
        registers = bytearray.fromhex(kdb.packet("g"))
        registers[16 * 8:17 * 8] = place.to_bytes(8, "little")
        assert kdb.packet(f"G{registers.hex()}") == "OK"
    said = kdb.to_kdb()
    assert f"due to Breakpoint @ 0x{place:x}" in said and "ops" not in said
    assert "Catastrophic" not in kdb.command("bl")
    kdb.go()
    target.trigger.finish()
    lives(target)


@pytest.mark.rest_in_test_all
def test_a_step_from_there(target: Target) -> None:
    """kdb's own commands work at such a stop."""
    kdb, _place = stopped_at(target)
    kdb.to_kdb()
    kdb.command("bt")
    said = kdb.command("ss")
    assert "due to SS trap" in said
    kdb.go()
    target.trigger.finish()
    lives(target)


@pytest.mark.rest_in_test_all
def test_kdb_s_own_breakpoint_there(target: Target) -> None:
    """Both have one on the same instruction: it is passed once, and stays kdb's."""
    kdb, _ = stopped_at(target)
    kdb.to_kdb()
    assert "BP #0" in kdb.command("bp trigger_write_4")
    kdb.go()
    kdb.entered()
    kdb.go()
    target.trigger.finish()
    target.trigger.start("write", size=4, offset=64, value=3)
    assert "due to Breakpoint" in kdb.entered()
    kdb.command("bc *")
    kdb.go()
    target.trigger.finish()
    lives(target)


@pytest.mark.rest_in_test_all
def test_gdb_s_watchpoint_stays(target: Target) -> None:
    """Only what is in the text goes: gdb's watchpoint is armed while kdb has the line."""
    kdb, _ = stopped_at(target)
    assert kdb.packet(f"Z2,{target.trigger.address(128):x},4") == "OK"
    kdb.to_kdb()
    kdb.go()
    target.trigger.finish()
    target.expect_armed(1)
    target.trigger.start("write", size=4, offset=128, value=3)
    assert "due to watchpoint at" in kdb.entered()
    kdb.go()
    target.trigger.finish()
    lives(target)
