# SPDX-License-Identifier: GPL-2.0-only
"""Several CPUs: armed on all, and each hit with the thread and the CPU it happened on."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import go_on, go_on_wire, prepare, stop_in_gdb, stop_on_wire, watched
from kgdbrig import trigger
from kgdbrig.rsp import Rsp
from kgdbrig.target import Target


def thread_id(target: Target, cpu: int) -> int:
    """The process id of the trigger's thread on a CPU; it exists from the first access there on."""
    found = re.search(r"^\s*(\d+) ", target.console.run(f"ps | grep '[k]gdb_trigger/{cpu}'"), re.MULTILINE)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("smp", [2, 4])
def test_a_hit_on_each_cpu_with_its_thread(boot: Boot, smp: int) -> None:
    """gdb stops on CPU 0 first; the hits on the others come with their own thread."""
    target = boot(smp=smp)
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 64, 4)}")
    target.resume(gdb)
    target.expect_armed(1)

    value = 0
    for cpu in [0, *range(smp - 1, -1, -1)]:
        value += 1
        said = stop_in_gdb(target, gdb, "write", size=4, offset=64, value=value, cpu=cpu)
        assert "hit Hardware watchpoint 1: " in said
        assert re.search(rf"Old value = {value - 1}\s+New value = {value}\b", said)
        # The kernel's own scripts read the current task of the CPU that gdb takes the thread to be on.
        thread = gdb.command("info threads")
        assert re.search(rf"^\* .*kgdb_trigger/{cpu}\b", thread, re.MULTILINE), thread
        go_on(target, gdb)


def test_the_stop_reply_names_the_thread(boot: Boot) -> None:
    target = boot(smp=2)
    prepare(target)
    address = target.trigger.address(64)
    rsp = target.attach_rsp()
    assert rsp.request(f"Z2,{address:x},4") == "OK"
    rsp.send("c")
    target.back()
    for cpu, value in ((0, 1), (1, 2), (0, 3)):
        said = stop_on_wire(target, rsp, "write", size=4, offset=64, value=value, cpu=cpu)
        assert re.fullmatch(rf"T05thread:[0-9a-f]+;watch:{address:0{target.hex_digits}x};", said.text)
        assert said.thread is not None
        name = bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()
        assert name == f"kgdb_trigger/{cpu}"
        go_on_wire(target, rsp)


def test_set_while_another_is_armed(boot: Boot) -> None:
    """What gdb changes at a stop reaches all CPUs, the rounded-up ones as well.

    #DB and NMI handlers put DR7 back as they found it when they return; the
    CPUs in the debugger are inside of them.
    """
    target = boot(smp=4)
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    stop_in_gdb(target, gdb, "write", size=4, offset=0, value=1, cpu=2)
    gdb.command(f"watch {watched(target, 64, 4)}")
    go_on(target, gdb)
    target.expect_armed(2)
    for cpu in range(4):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=64, value=cpu + 1, cpu=cpu)
        assert "hit Hardware watchpoint 2: " in said
        if cpu == 3:
            gdb.command("delete 1")
        go_on(target, gdb)
    target.expect_armed(1)
    for cpu in range(4):
        target.trigger.run("write", size=4, offset=0, value=cpu + 7, cpu=cpu)


def test_every_cpu_at_once(boot: Boot) -> None:
    """Four CPUs store at the same time: four stops, one after another, each with its own thread."""
    target = boot(smp=4)
    prepare(target)
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    for slot in range(4):
        assert rsp.request(f"Z2,{address + 64 * slot:x},4") == "OK"
    rsp.send("c")
    target.back()
    rounds = 5
    target.trigger.start_lines(*(trigger.line("write", size=4, offset=64 * cpu, value=cpu + 1, cpu=cpu, count=rounds)
                                 for cpu in range(4)))
    stops: list[tuple[int, str]] = []
    for _ in range(4 * rounds):
        said = rsp.wait_stop()
        assert said.reason == "watch" and said.address is not None
        name = bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()
        stops.append(((said.address - address) // 64, name))
        rsp.send("c")
    target.trigger.finish()
    assert sorted(stops) == sorted((cpu, f"kgdb_trigger/{cpu}") for cpu in range(4) for _ in range(rounds))


def test_a_cpu_that_comes_online_later_is_armed(boot: Boot) -> None:
    target = boot(smp=2)
    prepare(target)
    target.console.run("echo 0 > /sys/devices/system/cpu/cpu1/online", check=True)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    target.console.run("echo 1 > /sys/devices/system/cpu/cpu1/online", check=True)
    said = stop_in_gdb(target, gdb, "write", size=4, offset=0, value=1, cpu=1)
    assert "hit Hardware watchpoint 1: " in said
    gdb.command("delete")
    go_on(target, gdb)
    target.expect_armed(0)


@pytest.mark.parametrize("instead", [False, True], ids=["removed", "replaced"])
def test_a_waiting_hit_is_dropped_with_its_watchpoint(boot: Boot, instead: bool) -> None:
    """CPUs that hit while another is in the debugger wait; gdb takes their watchpoints away; nobody hears of them.

    Nor is such a hit blamed on what gdb watches `instead` in the same slots.
    All CPUs store all the time, so that they hit together when they are let go.
    """
    target = boot(smp=4)
    prepare(target)
    address = target.trigger.address(0)
    hit = [f"2,{address + 64 * cpu:x},4" for cpu in range(4)]
    other = [f"2,{address + 1024 + 64 * cpu:x},8" for cpu in range(4)] if instead else []
    masters = target.symbol("masters_in_kgdb")
    for cpu in range(4):
        # Over and over: one line's accesses come to an end, sooner on one machine than on another.
        line = trigger.line("write", size=4, offset=64 * cpu, value=1, cpu=cpu, count=1_000_000)
        target.console.run(f"while echo '{line}' > /sys/kernel/debug/kgdb_trigger/run; do :; done 2>/dev/null &")

    rsp = target.attach_rsp()
    waited, rounds = 0, 0
    while waited < 10:
        rounds += 1
        assert rounds < 200, f"in {rounds} rounds only {waited} hits had to wait"
        exchange(rsp, other if rounds > 1 else [], hit)
        rsp.send("c")
        assert rsp.wait_stop().reason == "watch"
        # The CPU in the debugger, and those that wait to get there with a hit of their own.
        waited += int.from_bytes(rsp.read_memory(masters, 4), "little") - 1
        exchange(rsp, hit, other)
        mark = target.tap.mark()
        rsp.send("c")
        target.back()
        target.expect_armed(len(other))
        assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
        target.break_in()
        assert rsp.wait_stop().reason is None
    exchange(rsp, other, [])
    rsp.send("c")
    target.back()
    target.console.run("kill $(jobs -p); wait")


def exchange(rsp: Rsp, old: list[str], new: list[str]) -> None:
    """Remove and insert watchpoints, named as in a Z packet."""
    for spec in old:
        rsp.request(f"z{spec}")
    for spec in new:
        assert rsp.request(f"Z{spec}") == "OK"
