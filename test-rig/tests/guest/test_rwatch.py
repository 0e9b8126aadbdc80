# SPDX-License-Identifier: GPL-2.0-only
"""rwatch stops at reads and never at writes, whatever else is watched on the same bytes."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import break_in, go_on, prepare, reasons, set_and_go_on, stop_in_gdb, stops_on_wire, watched
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import line
from kgdbrig.line.wire import Kind

HERE, THERE = 64, 192


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_in_gdb(target: Target) -> None:
    """Z3 is taken, so gdb does not turn to Z4; a read is reported after writes that went by in silence."""
    prepare(target)
    gdb = target.attach_gdb()
    assert "Hardware read watchpoint 1: " in gdb.command(f"rwatch {watched(target, HERE, 4)}")
    mark = target.tap.mark()
    target.resume(gdb)
    target.expect_armed(2)
    assert [packet.data[:2] for packet in target.tap.since(mark) if packet.data[:1] == b"Z"] == [b"Z3"]

    # gdb goes by the value, so each of these matters: no change, a change behind its back, a change back.
    for stored in (0, 5, 5, 6, 0):
        mark = target.tap.mark()
        target.trigger.run("write", size=4, offset=HERE, value=stored)
        target.trigger.run("write", size=1, offset=HERE, value=stored)
        # The acknowledgment of gdb's last packet may cross after the console has its prompt again.
        assert not [packet for packet in target.tap.since(mark) if packet.kind is not Kind.ACK], \
            "a write came to gdb's notice"
        for _ in range(2):
            mark = target.tap.mark()
            said = stop_in_gdb(target, gdb, "read", size=4, offset=HERE)
            assert "hit Hardware read watchpoint 1: " in said
            assert re.search(rf"Value = {stored}\s", said)
            address = f"{target.trigger.address(HERE):0{target.hex_digits}x}".encode()
            assert next(packet.data for packet in target.tap.since(mark) if packet.data.startswith(b"T05")).endswith(
                b";rwatch:" + address + b";")
            go_on(target, gdb)
    table = gdb_table(target, gdb)
    assert re.search(r"^1\s+read watchpoint.*\n\s+breakpoint already hit 10 times", table, re.MULTILINE)


def gdb_table(target: Target, gdb: Gdb) -> str:
    """gdb's list of watchpoints, for which the machine is stopped."""
    break_in(target, gdb)
    return gdb.command("info watchpoints")


def spec(target: Target, kind: str, offset: int, length: int) -> str:
    return f"Z{kind},{target.trigger.address(offset):x},{length:x}"


def heard(target: Target, rsp: Rsp, *lines: str) -> list[tuple[str | None, int | None]]:
    """The stops of the trigger's lines as (reason, offset in the buffer); the machine runs again."""
    stops = stops_on_wire(target, rsp, *lines)
    rsp.send("c")
    target.back()
    return reasons(target, stops)


READ = line("read", size=4, offset=HERE)
WRITE = line("write", size=4, offset=HERE, value=9)
ADD = line("rmw", size=4, offset=HERE, value=1)
ADD_NOTHING = line("rmw", size=4, offset=HERE, value=0)


@pytest.mark.rest_in_test_all
def test_a_read_modify_write_is_a_write(target: Target) -> None:
    """Also one that changes nothing: it is the access that counts.  watch stops at both."""
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, spec(target, "3", HERE, 4))
    assert heard(target, rsp, ADD, ADD_NOTHING, WRITE, READ, ADD) == [("rwatch", HERE)]
    target.break_in()
    rsp.wait_stop()
    set_and_go_on(target, rsp, spec(target, "2", HERE, 4))
    assert heard(target, rsp, ADD, ADD_NOTHING, WRITE, READ) == [("watch", HERE)] * 3 + [("rwatch", HERE)]


@pytest.mark.rest_in_test_all
def test_on_several_cpus(boot: Boot) -> None:
    """Each CPU's reads are reported and none of its writes.

    QEMU 7.2 with several virtual CPUs reports no hit at all for an instruction
    with a LOCK prefix, as the trigger's rmw is; so all that shows here is that
    it is no read.
    """
    target = boot(smp=4)
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, spec(target, "3", HERE, 4), spec(target, "2", THERE, 4))
    lines = []
    for cpu in range(4):
        lines += [line("write", size=4, offset=HERE, value=cpu + 1, cpu=cpu, count=3),
                  line("rmw", size=4, offset=HERE, value=1, cpu=cpu),
                  line("read", size=4, offset=HERE, cpu=cpu),
                  line("read", size=4, offset=THERE, cpu=cpu),
                  line("write", size=4, offset=THERE, value=cpu + 1, cpu=cpu)]
        # One command's length is limited.
        assert heard(target, rsp, *lines) == [("rwatch", HERE), ("watch", THERE)]
        lines.clear()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("order", ["234", "432", "324"])
def test_with_others_on_the_same_bytes(target: Target, order: str) -> None:
    """Two slots do for all three; a write is reported for watch, a read for rwatch, in whatever order they were set."""
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *(spec(target, kind, HERE, 4) for kind in order))
    target.expect_armed(2)
    assert heard(target, rsp, READ, WRITE, WRITE, READ, ADD) == [
        ("rwatch", HERE), ("watch", HERE), ("watch", HERE), ("rwatch", HERE), ("watch", HERE)]
    # Any one of them removed leaves the others whole.
    for gone, left in (("2", [("rwatch", HERE), ("awatch", HERE)]),
                       ("3", [("awatch", HERE), ("watch", HERE)]),
                       ("4", [("rwatch", HERE), ("watch", HERE)])):
        target.break_in()
        rsp.wait_stop()
        assert rsp.request("z" + spec(target, gone, HERE, 4)[1:]) == "OK"
        rsp.send("c")
        target.back()
        assert heard(target, rsp, READ, WRITE) == left
        target.break_in()
        rsp.wait_stop()
        set_and_go_on(target, rsp, spec(target, gone, HERE, 4))


@pytest.mark.rest_in_test_all
def test_part_of_the_bytes(target: Target) -> None:
    """Bytes that are watched for reads inside bytes that are watched for writes, and the other way round."""
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, spec(target, "3", HERE + 4, 4), spec(target, "2", HERE, 8))
    target.expect_armed(3)
    assert heard(target, rsp, line("read", size=8, offset=HERE), line("read", size=4, offset=HERE),
                 line("write", size=8, offset=HERE, value=1)) == [("rwatch", HERE + 4), ("watch", HERE)]
    said = heard(target, rsp, line("write", size=1, offset=HERE + 5, value=1))
    assert [reason for reason, _ in said] == ["watch"]


@pytest.mark.rest_in_test_all
def test_too_few_slots(target: Target) -> None:
    """Two slots for each piece, or a refusal that says so and changes nothing."""
    prepare(target)
    rsp = target.attach_rsp()
    assert rsp.request(spec(target, "2", 512, 4)) == "OK"
    assert rsp.request(spec(target, "3", HERE, 8)) == "OK"
    assert rsp.request(spec(target, "3", THERE, 4)) == "E28"
    assert rsp.request(spec(target, "3", THERE, 16)) == "E28"
    # One of its slots is there already.
    assert rsp.request(spec(target, "2", 576, 4)) == "OK"
    assert rsp.request(spec(target, "3", 512, 4)) == "E28"
    rsp.send("c")
    target.back()
    target.expect_armed(4)
    log = target.kernel_log()
    for needed, free, held in ((2, 1, 3), (4, 1, 3), (1, 0, 4)):
        slots = "slot" if needed == 1 else "slots"
        assert f"refused: needs {needed} {slots}, {free} free: the debugger holds {held}" in log
    assert heard(target, rsp, READ, WRITE, line("write", size=4, offset=512, value=1),
                 line("write", size=4, offset=576, value=1)) == [("rwatch", HERE), ("watch", 512), ("watch", 576)]


@pytest.mark.rest_in_test_all
def test_gdb_with_watch_and_rwatch_of_one_variable(target: Target) -> None:
    """Reads and changes go to the right one of the two.

    A write of the value that is there already is the one thing that gdb 13
    takes for a read: see "What gdb makes of a stop" in docs/protocol.md.
    """
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, HERE, 4)}")
    gdb.command(f"rwatch {watched(target, HERE, 4)}")
    target.resume(gdb)
    target.expect_armed(2)
    for value in (1, 2):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=HERE, value=value)
        assert re.findall(r"watchpoint (\d): ", said) == ["1"]
        go_on(target, gdb)
        said = stop_in_gdb(target, gdb, "read", size=4, offset=HERE)
        assert re.findall(r"watchpoint (\d): ", said) == ["2"]
        go_on(target, gdb)
    mark = target.tap.mark()
    said = stop_in_gdb(target, gdb, "write", size=4, offset=HERE, value=2)
    stop, = [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T05")]
    assert b";watch:" in stop.data
    assert "hit Hardware read watchpoint 2: " in said
    go_on(target, gdb)
