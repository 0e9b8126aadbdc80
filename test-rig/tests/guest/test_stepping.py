# SPDX-License-Identifier: GPL-2.0-only
"""Stepping with watchpoints armed: what a step hits is reported as what it is."""

from __future__ import annotations

import re

import pytest

from drive import DR6_STEP, attach_with_values, break_in, go_on_from, go_on_wire, prepare, set_and_go_on, stop_at, stop_on_wire
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target


@pytest.mark.rest_in_test_all
def test_one_instruction_at_a_time(target: Target) -> None:
    """s over a store to a watched variable: the watchpoint, behind the store, and steps go on from there.

    The debug exception has two causes then.  A processor says so in DR6, which test_dr6.py is about; in QEMU the
    kernel finds out by itself what the step accessed.
    """
    prepare(target)
    address = target.trigger.address(64)
    code = {size: target.symbol(f"trigger_write_{size}") for size in (1, 4)}
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4", f"Z1,{code[4]:x},1")
    for value in (1, 1, 2):
        said = stop_on_wire(target, rsp, "write", size=4, offset=64, value=value)
        assert (said.reason, rsp.read_pc()) == (None, code[4])
        before, after = step_to_a_hit(rsp, code[4])
        assert rsp.read_memory(before, after - before)[0] == 0x89, "not behind the mov to memory"
        assert rsp.read_memory(address, 4) == value.to_bytes(4, "little")
        # One step further, nothing is hit; the function returns.
        rsp.send("s")
        said = rsp.wait_stop()
        assert said.reason is None and rsp.read_pc() != after
        go_on_wire(target, rsp)
    target.expect_armed(2)
    # Where nobody steps, everything is as before.
    said = stop_on_wire(target, rsp, "write", size=1, offset=64, value=9)
    assert (said.reason, said.address) == ("watch", address)
    go_on_wire(target, rsp)


def step_to_a_hit(rsp: Rsp, start: int, reason: str | None = None) -> tuple[int, int]:
    """Step until a watchpoint is reported (of this kind), within a function; the PC before and after that step."""
    pc = start
    for _ in range(8):
        rsp.send("s")
        said = rsp.wait_stop()
        before, pc = pc, rsp.read_pc()
        assert start < pc < start + 32, f"{before:#x} steps to {pc:#x}"
        if said.reason:
            assert reason in (None, said.reason)
            return before, pc
    raise AssertionError("no step hit the watchpoint")


@pytest.mark.rest_in_test_all
def test_a_step_that_hits_raises_one_exception(target: Target) -> None:
    """A step over a load that is watched: QEMU would raise the exception twice, and so the kernel has its breakpoints off."""
    prepare(target)
    address = target.trigger.address(64)
    code = target.symbol("trigger_read_4")
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z4,{address:x},4", f"Z1,{code:x},1")
    stop_on_wire(target, rsp, "read", size=4, offset=64)
    qmp = target.machine.qmp()
    log = target.machine.directory / "exceptions.log"
    qmp.hmp(f"logfile {log}")
    qmp.hmp("log int")
    _, after = step_to_a_hit(rsp, code)
    qmp.hmp("log none")
    # QEMU writes down the registers that the exception is delivered with.
    raised = re.findall(rf"v=01 .*? IP=\w+:0*{after:x} .*?^DR6=([0-9a-f]+)",
                        log.read_text(encoding="ascii", errors="replace"), re.MULTILINE | re.DOTALL)
    assert [int(dr6, 16) & (DR6_STEP | 0xF) for dr6 in raised] == [DR6_STEP]
    go_on_wire(target, rsp)


def stop_in_steps(target: Target, gdb: Gdb) -> None:
    """At the beginning of values_steps(), with its counter watched, on the line before its store to that."""
    stop_at(target, gdb, "steps", 100)
    gdb.command("watch values_counter")
    assert "WRITE_ONCE(values_other, 0)" in until_line(gdb, "values_other, 0")


def until_line(gdb: Gdb, text: str) -> str:
    """next until gdb shows a line with `text`."""
    for _ in range(5):
        said = gdb.command("next")
        if text in said:
            return said
    raise AssertionError(f"no line with {text} in five steps; the last one says {said}")


def values(said: str) -> tuple[int, int] | None:
    """The old and the new value that gdb reports for the watchpoint on the counter."""
    found = re.search(r"Hardware watchpoint \d+: values_counter\s+Old value = (-?\d+)\s+New value = (-?\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


@pytest.mark.rest_in_test_all
def test_the_commands_of_gdb(target: Target) -> None:
    """stepi, next, finish and until: each ends at the watchpoint when it comes upon it, and does its own work otherwise."""
    gdb = attach_with_values(target)
    gdb.command("hbreak values_steps")
    target.resume(gdb)

    stop_in_steps(target, gdb)
    for _ in range(16):
        said = gdb.command("stepi")
        if values(said):
            break
    assert values(said) == (0, 100)
    assert "values_steps" in gdb.command("frame")
    # Then calls that hit within.
    for expected in ((100, 101), (101, 102), (102, 103), (103, 104)):
        for _ in range(6):
            said = gdb.command("next")
            if values(said):
                break
        assert values(said) == expected
        assert "values_inner" in gdb.command("frame")
        # finish runs to the caller: nothing is hit on the way.
        said = gdb.command("finish")
        assert "Run till exit" in said and values(said) is None
        assert "values_steps" in gdb.command("frame")
    gdb.command("delete")
    go_on_from(target, gdb)

    # finish out of the caller hits what is stored on the way, each time.
    break_in(target, gdb)
    gdb.command("hbreak values_steps")
    target.resume(gdb)
    stop_at(target, gdb, "steps", 200)
    gdb.command("watch values_counter")
    assert [values(gdb.command("finish")) for _ in range(2)] == [(104, 200), (200, 201)]
    gdb.command("finish")  # from values_inner() to values_steps()
    # until goes through the loop, and does not go round it again; what the loop stores ends it each time.
    hits = []
    for _ in range(30):
        said = gdb.command("until")
        hits += [values(said)] if values(said) else []
        if "WRITE_ONCE(values_other, 3)" in said:
            break
    assert "WRITE_ONCE(values_other, 3)" in said
    assert hits == [(201, 202), (202, 203), (203, 204)]
    gdb.command("delete")
    go_on_from(target, gdb)


@pytest.mark.rest_in_test_all
def test_over_an_addition_behind_a_return(target: Target) -> None:
    """stepi over `total_forks++`, far into a function of the kernel's own, where the compiler puts int3 behind returns."""
    gdb = target.attach_gdb()
    gdb.command("watch total_forks")
    target.resume(gdb)
    target.console.start("true | true")
    gdb.wait_stop()
    behind = int(gdb.command("print/x $pc").split("= ")[1], 16)
    listed = "".join(gdb.command(f"disassemble {behind - length:#x},{behind:#x}") for length in (8, 7))
    found = re.findall(r"^\s*(0x[0-9a-f]+) .*\b(?:add|inc)[lq]\s.*<total_forks>", listed, re.MULTILINE)
    addition = int(found[0], 16)
    gdb.command("delete 1")
    gdb.command(f"break *{addition:#x}")
    gdb.resume()
    gdb.wait_stop()     # the shell forks twice
    gdb.command("delete 2")
    gdb.command("watch total_forks")
    gdb.command("rwatch total_forks")
    said = gdb.command("stepi")
    assert re.search(r"hit Hardware watchpoint 3: total_forks\s+Old value = (\d+)\s+New value = (\d+)", said), said
    assert "read watchpoint" not in said
    assert int(gdb.command("print/x $pc").split("= ")[1], 16) == behind
    gdb.command("delete")
    gdb.resume()
    target.console.finish()
