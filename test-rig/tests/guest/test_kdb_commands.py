# SPDX-License-Identifier: GPL-2.0-only
"""kdb's own commands at a stop, beside each kind of breakpoint: its accesses are not reported, and the machine lives."""

from __future__ import annotations

import re

import pytest

from drive import prepare
from kgdbrig.clients.kdb import Kdb
from kgdbrig.clients.target import Target

#: Watched, in the trigger's buffer.
PLACE = 64
SYMBOL = f"kgdb_trigger_buffer+0x{PLACE:x}"

#: How each is set, what makes it hit, and what kdb then says it is due to.
KINDS = {
    "dataw": (f"bph {SYMBOL} dataw 4", "write", "watchpoint at"),
    "datar": (f"bph {SYMBOL} datar 4", "read", "access watchpoint at"),
    "inst": ("bph trigger_write_4 inst", "write", "Breakpoint @"),
    "bp": ("bp trigger_write_4", "write", "Breakpoint @"),
}

#: Each at a stop, and a part of what it prints.  {address} is the watched word.
COMMANDS = {
    "md": ("md8c1 {address}", "0x"),
    "mm": ("mm4 {address} 0x11223344", "0x"),
    "bt": ("bt", "trigger_"),
    "summary": ("summary", "sysname"),
    "bl": ("bl", "BP #0"),
}


def stopped_by(target: Target, *commands: str, op: str) -> tuple[Kdb, str]:
    """kdb, and what it said as an access of the trigger's made it enter."""
    prepare(target)
    target.trigger.run("write", size=4, offset=0, value=1)
    kdb = target.attach_kdb()
    for command in commands:
        assert "BP #" in kdb.command(command)
    kdb.go()
    target.back()
    target.trigger.start(op, size=4, offset=PLACE, value=5 if op == "write" else None)  # type: ignore[arg-type]
    return kdb, kdb.entered()


def still_works(target: Target, kdb: Kdb, op: str, due: str) -> None:
    """The next access is reported, and after "bc *" the machine goes on alone."""
    target.trigger.start(op, size=4, offset=PLACE, value=6 if op == "write" else None)  # type: ignore[arg-type]
    assert f"due to {due}" in kdb.entered()
    kdb.command("bc *")
    kdb.go()
    target.trigger.finish()
    target.expect_armed(0)
    target.trigger.run("write", size=4, offset=PLACE, value=7)
    assert target.kernel_log("re-enter") == ""


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_command_at_a_stop(target: Target, kind: str, command: str) -> None:
    line, op, due = KINDS[kind]
    kdb, said = stopped_by(target, line, op=op)
    assert f"due to {due}" in said
    text, printed = COMMANDS[command]
    answer = kdb.command(text.format(address=f"0x{target.trigger.address(PLACE):x}"))
    assert printed in answer and "Entering kdb" not in answer
    kdb.go()
    target.trigger.finish()
    still_works(target, kdb, op, due)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_at_a_stop(target: Target, kind: str) -> None:
    """ss executes one instruction, which accesses nothing that is watched."""
    line, op, due = KINDS[kind]
    kdb, _ = stopped_by(target, line, op=op)
    said = kdb.command("ss")
    assert "Entering kdb" in said and "due to SS trap" in said
    kdb.go()
    target.trigger.finish()
    still_works(target, kdb, op, due)


@pytest.mark.parametrize("kind", ["dataw", "datar"])
def test_beside_a_software_breakpoint(target: Target, kind: str) -> None:
    """A breakpoint's text is written at each stop, which must not have watchpoints come back on in the debugger."""
    line, op, due = KINDS[kind]
    kdb, said = stopped_by(target, "bp trigger_write_1", line, op=op)
    assert f"due to {due}" in said
    address = f"0x{target.trigger.address(PLACE):x}"
    for text, printed in (command for name, command in COMMANDS.items() if name != "bl"):
        answer = kdb.command(text.format(address=address))
        assert printed in answer and "Entering kdb" not in answer
    kdb.go()
    target.trigger.finish()
    target.trigger.start("write", size=1, offset=0, value=2)
    assert "due to Breakpoint @" in kdb.entered()
    assert re.search(r"0x44|0x", kdb.command(f"md4c1 {address}"))
    kdb.go()
    target.trigger.finish()
    still_works(target, kdb, op, due)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("stop", ["bp", "inst"])
@pytest.mark.parametrize("kind", ["dataw", "datar"])
def test_steps_from_a_breakpoint_onto_a_watchpoint(target: Target, kind: str, stop: str) -> None:
    """ss over the breakpoint's instruction, and on until one of them makes the access: that one is named."""
    line, op, due = KINDS[kind]
    at = KINDS[stop][0].replace("write", op)
    kdb, said = stopped_by(target, at, line, op=op)
    assert "due to Breakpoint @" in said
    for _ in range(20):
        said = kdb.command("ss")
        if "due to SS trap" not in said:
            break
    assert f"due to {due}" in said
    kdb.go()
    target.trigger.finish()
    target.trigger.start(op, size=4, offset=PLACE, value=6 if op == "write" else None)  # type: ignore[arg-type]
    assert "due to Breakpoint @" in kdb.entered()
    kdb.go()
    assert f"due to {due}" in kdb.entered()
    kdb.command("bc *")
    kdb.go()
    target.trigger.finish()
    target.expect_armed(0)
    assert target.kernel_log("re-enter") == ""
