# SPDX-License-Identifier: GPL-2.0-only
"""kdb's breakpoints while gdb has the line: set, cleared and hit there, and what is left of them when gdb goes."""

from __future__ import annotations

import re

import pytest

from drive import break_in, go_on, prepare, stop_in_gdb, watched
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target

#: Where kdb's watchpoint is, in the trigger's buffer.
PLACE = 64


def symbol_of(offset: int) -> str:
    """A place in the trigger's buffer, as a person would type it."""
    return f"kgdb_trigger_buffer+0x{offset:x}"


def attach(target: Target, *commands: str) -> Gdb:
    """A gdb on a stopped machine, after these commands of kdb's were given through it."""
    prepare(target)
    gdb = target.attach_gdb()
    for command in commands:
        gdb.command(f"monitor {command}")
    return gdb


def plain_stop(said: str) -> None:
    """gdb stopped, and not for a breakpoint or watchpoint of its own."""
    assert re.search(r"received signal SIGTRAP", said), said
    assert not re.search(r"[Ww]atchpoint \d+: ", said), said


def test_set_through_gdb(target: Target) -> None:
    """monitor bph says that it is armed, and it is."""
    gdb = attach(target)
    said = gdb.command(f"monitor bph {symbol_of(PLACE)} dataw 4")
    assert "Data Write BP #0 at" in said and "length 4, armed" in said
    target.resume(gdb)
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_refused_through_gdb(target: Target) -> None:
    """monitor bph says what is not possible and why, and nothing is left of it."""
    gdb = attach(target)
    assert "Refused: " in gdb.command(f"monitor bph {symbol_of(PLACE)} dataw 0")
    assert "BP #" not in gdb.command("monitor bl")
    target.resume(gdb)
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("command", ["bc *", "bc 0", "bd *", "bd 0"])
def test_cleared_through_gdb(target: Target, command: str) -> None:
    """What kdb had armed is disarmed, and gdb can have the slot."""
    prepare(target)
    kdb = target.attach_kdb()
    kdb.command(f"bph {symbol_of(PLACE)} dataw 4")
    kdb.go()
    target.back()
    target.expect_armed(1)
    kdb.close()

    gdb = target.attach_gdb()
    assert re.search("cleared|disabled", gdb.command(f"monitor {command}"))
    target.resume(gdb)
    target.expect_armed(0)
    target.trigger.run("write", size=4, offset=PLACE, value=1)

    break_in(target, gdb)
    for slot in range(4):
        gdb.command(f"watch {watched(target, 256 + 64 * slot, 4)}")
    target.resume(gdb)
    target.expect_armed(4)


@pytest.mark.rest_in_test_all
def test_enabled_through_gdb(target: Target) -> None:
    """monitor be arms again what bd has disarmed; where there is no slot, it says so and leaves it disabled."""
    gdb = attach(target, f"bph {symbol_of(PLACE)} dataw 4", "bd 0")
    # Else gdb takes its own out at a stop, and with them their slots.
    gdb.command("set breakpoint always-inserted on")
    for slot in range(4):
        gdb.command(f"watch {watched(target, 256 + 64 * slot, 4)}")
    target.resume(gdb)
    target.expect_armed(4)
    break_in(target, gdb)
    said = gdb.command("monitor be 0")
    assert "Refused: needs 1 slot, 0 free" in said and "enabled" not in said
    assert "is disabled" in gdb.command("monitor bl")
    gdb.command("delete")
    assert "enabled" in gdb.command("monitor be 0")
    target.resume(gdb)
    target.expect_armed(1)


@pytest.mark.parametrize("kind, op, name", [("dataw", "write", "watchpoint"), ("datar", "read", "access watchpoint")])
def test_a_hit_of_kdb_s_stops_in_gdb(target: Target, kind: str, op: str, name: str) -> None:
    """gdb has no such watchpoint: it shows which one of kdb's it was, and a signal.  Its own it shows as always."""
    gdb = attach(target, f"bph {symbol_of(PLACE)} {kind} 4")
    gdb.command(f"watch {watched(target, 256, 4)}")
    target.resume(gdb)
    target.expect_armed(2)
    value = 7 if op == "write" else None
    said = stop_in_gdb(target, gdb, op, size=4, offset=PLACE, value=value)  # type: ignore[arg-type]
    plain_stop(said)
    address = target.trigger.address(PLACE)
    assert re.search(rf"kdb's {name} at 0x{address:x} \(.*{re.escape(symbol_of(PLACE))}", said), said
    go_on(target, gdb)

    said = stop_in_gdb(target, gdb, "write", size=4, offset=256, value=7)
    assert "hit Hardware watchpoint 1: " in said and "kdb's" not in said
    go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_an_instruction_of_kdb_s_stops_in_gdb(target: Target) -> None:
    gdb = attach(target, "bph trigger_write_4 inst")
    target.resume(gdb)
    target.expect_armed(1)
    said = stop_in_gdb(target, gdb, "write", size=4, offset=PLACE, value=7)
    plain_stop(said)
    assert re.search(r"kdb's hardware breakpoint at 0x[0-9a-f]+ \(trigger_write_4", said), said
    go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_both_on_the_same_bytes(target: Target) -> None:
    """What gdb has a watchpoint for is gdb's.  A read, which only kdb's is for, is not."""
    gdb = attach(target, f"bph {symbol_of(PLACE)} datar 4")
    gdb.command(f"watch {watched(target, PLACE, 4)}")
    target.resume(gdb)
    said = stop_in_gdb(target, gdb, "write", size=4, offset=PLACE, value=7)
    assert re.search(r"hit Hardware watchpoint 1: [\s\S]*New value = 7\b", said) and "kdb's" not in said
    go_on(target, gdb)
    said = stop_in_gdb(target, gdb, "read", size=4, offset=PLACE)
    plain_stop(said)
    assert "kdb's access watchpoint at" in said
    go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_a_hit_after_gdb_has_detached(target: Target) -> None:
    """kdb's watchpoint stays, and makes kdb enter: nobody waits in silence for a gdb that left."""
    gdb = attach(target, f"bph {symbol_of(PLACE)} dataw 4")
    gdb.command("detach")
    target.back()
    target.expect_armed(1)
    gdb.close()
    kdb = target.open_kdb()
    target.trigger.start("write", size=4, offset=PLACE, value=1)
    said = kdb.entered()
    assert "Entering kdb" in said and "due to watchpoint at" in said
    target.console.expect("due to watchpoint at")
    assert "length 4, armed" in kdb.command("bl")
    kdb.go()
    target.trigger.finish()
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_a_hit_after_gdb_was_killed(target: Target) -> None:
    """The stub waits with its text and its reply until a gdb is there again, which then has the line."""
    gdb = attach(target, f"bph {symbol_of(PLACE)} dataw 4")
    target.resume(gdb)
    target.expect_armed(1)
    gdb.kill()
    target.trigger.start("write", size=4, offset=PLACE, value=1)
    gdb = target.reattach_gdb()
    assert "length 4, armed" in gdb.command("monitor bl")
    go_on(target, gdb)
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_an_own_stop_after_gdb_has_detached(target: Target) -> None:
    """What is not kdb's waits for gdb, as ever; and that is there again when it connects."""
    gdb = attach(target, f"bph {symbol_of(PLACE)} dataw 4")
    gdb.command("detach")
    target.back()
    gdb.close()
    # gdb had the line last, and 7.3 keeps its messages back while the machine stands: nothing is said of the stop.
    target.console.start(BREAK_IN)
    gdb = target.reattach_gdb()
    assert "length 4, armed" in gdb.command("monitor bl")
    target.resume(gdb)
    plain_stop(stop_in_gdb(target, gdb, "write", size=4, offset=PLACE, value=1))
    go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_a_software_breakpoint_of_kdb_s_is_not_armed(target: Target) -> None:
    """gdb would have to know it in order to continue behind it: kdb says that it is not there."""
    gdb = attach(target)
    said = gdb.command("monitor bp trigger_write_4")
    assert "not armed while gdb has the line" in said
    target.resume(gdb)
    target.trigger.run("write", size=4, offset=PLACE, value=1)
