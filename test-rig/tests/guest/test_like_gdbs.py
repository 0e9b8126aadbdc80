# SPDX-License-Identifier: GPL-2.0-only
"""Cases of gdb's own watchpoint tests, on variables of the kernel's: scopes that end, threads, reuse, strings, breakpoints.

What of them is about values is in test_values.py, and about the sizes of regions and accesses in test_widths.py.
"""

from __future__ import annotations

import itertools
import re

import pytest

from drive import attach_with_values, break_in, go_on_from, stop_at
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target
from test_values import change, hits, stop_with_a_local

pytestmark = pytest.mark.rest_in_test_all

#: What values_copy() stores to the 4 bytes from the record's ninth on.
COPIED = 0x090a0b0c
FILLED = 0x05050505


def test_frames_that_end_one_after_the_other(target: Target) -> None:
    """Two variables of one frame, and one of its caller's: each is told from the others, and ends in its time."""
    gdb = attach_with_values(target)
    gdb.command("tbreak values_deepest")
    target.resume(gdb)
    assert "Temporary breakpoint 1, values_deepest" in stop_at(target, gdb, "frames", 2)
    for frame, expression in ((1, "local.own"), (1, "local.beside"), (2, "local.own")):
        gdb.command(f"frame {frame}")
        assert f": {expression}" in gdb.command(f"watch {expression}")
    assert change(gdb.command("continue")) == ("local.own", "0", "10")
    assert change(gdb.command("continue")) == ("local.beside", "100", "110")
    assert said_of_the_end(gdb, 2) == {2, 3}
    said = gdb.command("continue")
    assert change(said) == ("local.own", "1", "11")
    assert re.search(r"Hardware watchpoint 4: local\.own", said)
    assert said_of_the_end(gdb, 1) == {4}
    assert "No breakpoints" in gdb.command("info breakpoints")
    go_on_from(target, gdb)
    target.expect_armed(0)


def said_of_the_end(gdb: Gdb, count: int) -> set[int]:
    """The watchpoints whose end gdb tells, in so many stops at most: what comes upon the frame's place may be two stores."""
    ended: set[int] = set()
    for _ in range(count):
        said = gdb.command("continue")
        ended |= {int(number) for number in
                  re.findall(r"Watchpoint (\d+) deleted because the program has left the block in", said)}
        assert change(said) is None, said
        if len(ended) == count:
            break
    return ended


def test_a_condition_whose_scope_has_ended(target: Target) -> None:
    """gdb cannot evaluate it any more, says so, and stops."""
    gdb = attach_with_values(target)
    stop_with_a_local(target, gdb, 3)
    gdb.command("watch values_other if local.sum == 1000")
    said = gdb.command("continue")
    assert "Watchpoint condition cannot be tested in the current scope" in said
    assert change(said) == ("values_other", "0", "11")
    gdb.command("delete")
    go_on_from(target, gdb)


def test_of_one_thread(target: Target) -> None:
    """gdb hears of every store, and stops at those of the thread that it was told."""
    gdb = attach_with_values(target)
    gdb.command("tbreak values_store_counter")
    target.resume(gdb)
    stop_at(target, gdb, "counter", 1)
    found = re.search(r"Current thread is (\d+)", gdb.command("thread"))
    assert found
    assert "Hardware watchpoint 2" in gdb.command(f"watch values_counter thread {found[1]}")
    go_on = gdb.command("continue")
    assert change(go_on) == ("values_counter", "0", "1")
    go_on_from(target, gdb)
    mark = target.tap.mark()
    # A process of its own
    target.console.run("(echo 'counter 2' > /sys/kernel/debug/kgdb_values)", check=True)
    assert len([packet for packet in target.tap.since(mark) if packet.data.startswith(b"T05")]) == 1
    assert change(stop_at(target, gdb, "counter", 3)) == ("values_counter", "2", "3")
    assert hits(gdb, 2) == 2
    gdb.command("delete")
    go_on_from(target, gdb)


@pytest.mark.parametrize("always", ["off", "on"])
def test_a_slot_that_is_used_again(target: Target, always: str) -> None:
    """What had it before does not stop any more, and what has it now does."""
    gdb = attach_with_values(target)
    gdb.command(f"set breakpoint always-inserted {always}")
    gdb.command("watch values_other")
    gdb.command("watch values_counter")
    actions = {"values_counter": "counter", "values_packed.before": "before", "values_head": "head"}
    order = [*actions, "values_counter"]
    for number, (gone, there) in enumerate(itertools.pairwise(order), 2):
        gdb.command(f"delete {number}")
        assert f"watchpoint {number + 1}: {there}" in gdb.command(f"watch {there}")
        target.resume(gdb)
        target.expect_armed(2)
        target.values.run(actions[gone], number)
        said = change(stop_at(target, gdb, actions[there], number + 64))
        assert said is not None and said[0] == there
        go_on_from(target, gdb)
        break_in(target, gdb)
    gdb.command("delete")
    target.resume(gdb)
    target.expect_armed(0)


@pytest.mark.parametrize("kind, action, filled", [("watch", "fill", FILLED), ("awatch", "copy", COPIED)])
def test_what_a_function_fills_or_copies(target: Target, kind: str, action: str, filled: int) -> None:
    """memset() and memcpy(), whatever they are made of: as many stops as there are stores, the last with the whole value."""
    gdb = attach_with_values(target)
    gdb.command(f"{kind} values_record.second")
    target.resume(gdb)
    said = stop_at(target, gdb, action, FILLED & 0xff)
    assert {"fill": "memset", "copy": "memcpy"}[action] in gdb.command("backtrace 4")
    values = [change_of(said)]
    while values[-1] != filled:
        assert len(values) <= 4
        values.append(change_of(gdb.command("continue")))
    # Byte by byte, in order
    assert [value & 0xff for value in values] == [filled & 0xff] * len(values)
    go_on_from(target, gdb)


def change_of(said: str) -> int:
    found = re.search(r"(?:New value|Value) = (\d+)", said)
    assert found, said
    return int(found[1])


@pytest.mark.parametrize("command", ["continue", "next", "stepi"])
@pytest.mark.parametrize("always", ["off", "on"])
def test_over_a_breakpoint_onto_a_watchpoint(target: Target, always: str, command: str) -> None:
    """gdb takes the breakpoint out, steps, and puts it in again: the step's hit is the watchpoint's."""
    gdb = attach_with_values(target)
    gdb.command(f"set breakpoint always-inserted {always}")
    store = re.search(r"(0x[0-9a-f]+) .*\tmov .*<values_counter>", gdb.command("x/4i values_store_counter"))
    assert store
    gdb.command(f"break *{store[1]}")
    gdb.command("watch values_counter")
    target.resume(gdb)
    for before, number in ((0, 5), (5, 6)):
        assert "Breakpoint 1, " in stop_at(target, gdb, "counter", number)
        assert change(gdb.command(command)) == ("values_counter", str(before), str(number))
        go_on_from(target, gdb)
    break_in(target, gdb)
    assert hits(gdb, 2) == 2
    gdb.command("delete")
    target.resume(gdb)


def test_a_load_of_the_stack_segment(target: Target) -> None:
    """A processor delivers what it hits one instruction late: it is reported once, and the next load again."""
    gdb = attach_with_values(target)
    gdb.command("rwatch values_selector")
    target.resume(gdb)
    for count in (1, 2):
        said = stop_at(target, gdb, "selector")
        assert "Hardware read watchpoint 1: values_selector" in said
        assert "values_load_selector" in gdb.command("frame")
        assert hits(gdb, 1) == count
        go_on_from(target, gdb)
