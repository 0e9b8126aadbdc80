# SPDX-License-Identifier: GPL-2.0-only
"""The session a user has: gdb watches a variable that the guest's shell changes."""

from __future__ import annotations

import re

import pytest

from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target

pytestmark = pytest.mark.i386

SET = "echo {} > /proc/sys/kernel/panic"
GET = "cat /proc/sys/kernel/panic"


def stop_of(target: Target, gdb: Gdb, command: str) -> str:
    """What gdb says when `command` in the guest stops the machine."""
    target.console.start(command)
    return gdb.wait_stop()


def test_the_demo_session(target: Target) -> None:
    gdb = target.attach_gdb()
    assert "Hardware watchpoint 1: panic_timeout" in gdb.command("watch panic_timeout")
    target.resume(gdb)

    said = stop_of(target, gdb, SET.format(7))
    assert "hit Hardware watchpoint 1: panic_timeout" in said
    assert re.search(r"Old value = 0\s+New value = 7\s", said)
    assert re.search(r"\d+\s+\*?\w+.*=", said), "no line of C with the store"
    assert "proc_dointvec" in gdb.command("backtrace 8")

    gdb.resume()
    target.console.finish()
    target.console.run(SET.format(7))  # comes back: the same value is no change

    said = stop_of(target, gdb, SET.format(8))
    assert re.search(r"Old value = 7\s+New value = 8\s", said)

    assert "Hardware access (read/write) watchpoint 2: panic_timeout" in gdb.command("awatch panic_timeout")
    gdb.resume()
    target.console.finish()
    said = stop_of(target, gdb, GET)
    assert "hit Hardware access (read/write) watchpoint 2: panic_timeout" in said
    assert re.search(r"Value = 8\s", said)
    assert "watchpoint 1" not in said

    table = gdb.command("info watchpoints")
    assert re.search(r"1\s+hw watchpoint.*panic_timeout\s+breakpoint already hit 2 times", table)
    assert re.search(r"2\s+acc watchpoint.*panic_timeout\s+breakpoint already hit 1 time\b", table)

    gdb.command("delete")
    gdb.command("detach")
    assert target.console.finish().strip() == "8"
    target.console.run(SET.format(9))
    assert target.console.run(GET).strip() == "9"
    target.expect_armed(0)


def test_rwatch_stops_at_reads_alone(target: Target) -> None:
    """gdb asks for Z3 and gets it."""
    mark = target.tap.mark()
    gdb = target.attach_gdb()
    assert "Hardware read watchpoint 1: panic_timeout" in gdb.command("rwatch panic_timeout")
    target.resume(gdb)
    target.console.run(SET.format(7))
    said = stop_of(target, gdb, GET)
    assert "hit Hardware read watchpoint 1: panic_timeout" in said
    assert re.search(r"Value = 7\s", said)
    gdb.resume()
    assert target.console.finish().strip() == "7"
    target.console.run(SET.format(7))
    assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"Z4,")]


def test_a_condition_is_gdb_s_to_check(target: Target) -> None:
    gdb = target.attach_gdb()
    gdb.command("watch panic_timeout if panic_timeout == 5")
    target.resume(gdb)
    for value in (1, 2, 3):
        target.console.run(SET.format(value))
    assert re.search(r"Old value = 3\s+New value = 5\s", stop_of(target, gdb, SET.format(5)))


def test_hardware_breakpoint(target: Target) -> None:
    """It stops before the instruction, each time, and the stop reply names no watchpoint."""
    gdb = target.attach_gdb()
    assert "Hardware assisted breakpoint 1" in gdb.command("hbreak proc_dointvec")
    target.resume(gdb)
    for value in (1, 2, 3):
        mark = target.tap.mark()
        said = stop_of(target, gdb, SET.format(value))
        assert re.search(r"hit Breakpoint 1(\.1)?, proc_dointvec ", said)
        stop, = [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T05")]
        assert b"watch" not in stop.data
        assert gdb.command("print panic_timeout").endswith(f"= {value - 1}")
        gdb.resume()
        target.console.finish()
