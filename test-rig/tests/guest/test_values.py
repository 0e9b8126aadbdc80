# SPDX-License-Identifier: GPL-2.0-only
"""What gdb makes of values: expressions, scopes, conditions, counts.  The kernel reports accesses, gdb decides."""

from __future__ import annotations

import re

import pytest

from drive import attach_with_values, break_in, go_on_from, stop_at
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target


def change(said: str) -> tuple[str, str, str] | None:
    """The expression and the old and new value of the watchpoint that gdb reports."""
    found = re.search(r"Hardware watchpoint \d+: (.+)\n+Old value = (.+)\nNew value = (.+)", said)
    return (found[1], found[2], found[3]) if found else None


def hits(gdb: Gdb, number: int) -> int:
    """How often gdb counts a watchpoint as hit."""
    found = re.search(rf"^{number} .*(?:\n\s.*)*?\n\s+breakpoint already hit (\d+) time", gdb.command("info watchpoints"),
                      re.MULTILINE)
    return int(found[1]) if found else 0


@pytest.mark.rest_in_test_all
def test_an_expression_through_pointers(target: Target) -> None:
    """Both the pointer and what it points to are watched; when the pointer changes, so does what that is."""
    gdb = attach_with_values(target)
    gdb.command("watch values_head->value")
    target.resume(gdb)
    target.expect_armed(2)
    expression = "values_head->value"
    assert change(stop_at(target, gdb, "node", 0 << 8 | 7)) == (expression, "0", "7")
    go_on_from(target, gdb)
    target.values.run("node", 1 << 8 | 5)
    assert change(stop_at(target, gdb, "head", 1)) == (expression, "7", "5")
    go_on_from(target, gdb)
    target.values.run("node", 0 << 8 | 9)
    # To another node of the same value: the pointer is stored to, the expression does not change.
    target.values.run("node", 2 << 8 | 5)
    target.values.run("head", 2)
    target.values.run("node", 1 << 8 | 6)
    assert change(stop_at(target, gdb, "node", 2 << 8 | 6)) == (expression, "5", "6")
    assert hits(gdb, 1) == 3
    go_on_from(target, gdb)


@pytest.mark.rest_in_test_all
def test_a_location(target: Target) -> None:
    """watch -l stays with the place: the pointer may go elsewhere."""
    gdb = attach_with_values(target)
    assert "-location values_head->value" in gdb.command("watch -l values_head->value")
    target.resume(gdb)
    target.expect_armed(1)
    target.values.run("head", 1)
    target.values.run("node", 1 << 8 | 5)
    assert change(stop_at(target, gdb, "node", 0 << 8 | 7)) == ("-location values_head->value", "0", "7")
    go_on_from(target, gdb)


def stop_with_a_local(target: Target, gdb: Gdb, count: int) -> None:
    """From break_in() to a stop with values_sum()'s frame selected, which is about to add the first of `count` to -1.

    Where the function begins is too early: its frame may not be made yet, and
    an interrupt stores where it will be.
    """
    gdb.command("tbreak values_add")
    target.resume(gdb)
    assert "Temporary breakpoint 1, values_add" in stop_at(target, gdb, "local", count)
    assert "values_sum" in gdb.command("up")
    gdb.command("set var local.sum = -1")


@pytest.mark.rest_in_test_all
def test_a_local_variable(target: Target) -> None:
    """It is watched for as long as its function runs; gdb says when that is over, and nothing stays behind.

    gdb has a breakpoint in the caller for that. On the way into the debugger
    the kernel handles this breakpoint on the very stack that the variable was
    on, and so the end may be seen a little early, inside do_int3().
    """
    gdb = attach_with_values(target)
    stop_with_a_local(target, gdb, 3)
    gdb.command("watch local.sum")
    for expected in (("-1", "0"), ("0", "2"), ("2", "5")):
        said = gdb.command("continue")
        assert change(said) == ("local.sum", *expected)
    assert "values_add" in said
    mark = target.tap.mark()
    said = gdb.command("continue")
    assert "Watchpoint 2 deleted because the program has left the block in" in said
    assert any(packet.data.startswith(b"Z0,") for packet in target.tap.since(mark)), "no breakpoint in the caller"
    assert "No breakpoints" in gdb.command("info breakpoints")
    # The function runs once more, in the same place on the stack.
    go_on_from(target, gdb)
    target.expect_armed(0)
    break_in(target, gdb)
    assert gdb.command("output values_other") == "11"
    target.resume(gdb)


@pytest.mark.rest_in_test_all
def test_a_local_variable_s_location(target: Target) -> None:
    """watch -l of a local knows no scope: with a condition it finds the one store that matters."""
    gdb = attach_with_values(target)
    stop_with_a_local(target, gdb, 4)
    place = gdb.command("output &local.sum")
    gdb.command(f"watch -l local.sum if *(int *)({place}) == 5")
    assert change(gdb.command("continue")) == ("-location local.sum", "2", "5")
    assert "values_add" in gdb.command("backtrace 2")
    assert hits(gdb, 2) == 1
    gdb.command("delete")
    go_on_from(target, gdb)


@pytest.mark.rest_in_test_all
def test_conditions_counts_and_commands(target: Target) -> None:
    gdb = attach_with_values(target)

    # A condition: the machine stops for gdb at each store, and gdb goes on.
    gdb.command("watch values_counter if values_counter == 5")
    target.resume(gdb)
    mark = target.tap.mark()
    for number in (1, 2, 3):
        target.values.run("counter", number)
    assert len([packet for packet in target.tap.since(mark) if packet.data.startswith(b"T05")]) == 3
    assert change(stop_at(target, gdb, "counter", 5)) == ("values_counter", "3", "5")
    assert hits(gdb, 1) == 1
    # Hit counts are of changes: what leaves the value as it was is no hit.
    gdb.command("condition 1")
    go_on_from(target, gdb)
    target.values.run("counter", 5)
    assert change(stop_at(target, gdb, "counter", 6)) == ("values_counter", "5", "6")
    assert hits(gdb, 1) == 2

    # ignore: counted, not stopped at.
    assert "Will ignore next 2 crossings" in gdb.command("ignore 1 2")
    go_on_from(target, gdb)
    target.values.run("counter", 7)
    target.values.run("counter", 7)
    target.values.run("counter", 8)
    assert change(stop_at(target, gdb, "counter", 9)) == ("values_counter", "8", "9")
    assert hits(gdb, 1) == 5

    # Once, and gone: "enable delete" is for watchpoints what tbreak is for breakpoints.
    gdb.command("enable delete 1")
    go_on_from(target, gdb)
    assert change(stop_at(target, gdb, "counter", 10)) == ("values_counter", "9", "10")
    assert "No watchpoints" in gdb.command("info watchpoints")
    go_on_from(target, gdb)
    target.expect_armed(0)

    # Once, and off; on again, for once again.
    break_in(target, gdb)
    gdb.command("watch values_counter")
    gdb.command("enable once 2")
    target.resume(gdb)
    assert change(stop_at(target, gdb, "counter", 11)) == ("values_counter", "10", "11")
    go_on_from(target, gdb)
    target.expect_armed(0)
    target.values.run("counter", 12)
    break_in(target, gdb)
    gdb.command("enable 2")
    target.resume(gdb)
    assert change(stop_at(target, gdb, "counter", 13)) == ("values_counter", "12", "13")
    assert re.search(r"^2 .* dis +n ", gdb.command("info watchpoints"), re.MULTILINE)
    gdb.command("delete")

    # Commands that go on by themselves: a log.
    gdb.command("watch values_counter")
    gdb.command('commands 3\nsilent\nprintf "counter %d\\n", values_counter\ncontinue\nend')
    go_on_from(target, gdb)
    for number in (14, 14, 15):
        target.values.run("counter", number)
    target.break_in()
    assert re.findall(r"^counter (\d+)", gdb.wait_stop(), re.MULTILINE) == ["14", "15"]
    assert hits(gdb, 3) == 2
    gdb.command("delete")

    # A temporary breakpoint, of either kind, beside a watchpoint.
    gdb.command("watch values_counter")
    gdb.command("thbreak values_store_head")
    gdb.command("tbreak values_store_node")
    target.resume(gdb)
    target.expect_armed(2)
    assert re.search(r"hit Temporary breakpoint \d+, values_store_head", stop_at(target, gdb, "head", 1))
    go_on_from(target, gdb)
    target.expect_armed(1)
    assert re.search(r"hit Temporary breakpoint \d+, values_store_node", stop_at(target, gdb, "node", 1))
    go_on_from(target, gdb)
    target.values.run("head", 0)
    target.values.run("node", 2)
    assert change(stop_at(target, gdb, "counter", 16)) == ("values_counter", "15", "16")
    go_on_from(target, gdb)


@pytest.mark.rest_in_test_all
def test_what_gdb_does_not_send(target: Target) -> None:
    """A mask: gdb itself says that this target has none, and sets nothing."""
    gdb = attach_with_values(target)
    assert "This target does not support masked watchpoints." in gdb.command("watch values_counter mask 0xffffff00")
    assert "No watchpoints" in gdb.command("info watchpoints")
    # A register has no address: gdb would step the kernel, and says "Watchpoint" alone.
    assert re.match(r"Watchpoint \d+: \$rax", gdb.command("watch $rax"))
    gdb.command("delete")
    target.resume(gdb)
    target.expect_armed(0)
