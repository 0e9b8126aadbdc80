# SPDX-License-Identifier: GPL-2.0-only
"""Several CPUs: armed on all, and each hit with the thread and the CPU it happened on."""

from __future__ import annotations

import re

import pytest

from conftest import Boot, Platform
from drive import (
    expect_off,
    expect_on,
    go_on,
    go_on_wire,
    prepare,
    set_and_go_on,
    stop_in_gdb,
    stop_on_wire,
    stop_storing,
    store_all_the_time,
    watched,
)
from kgdbrig.clients import trigger
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target


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

    for value, cpu in enumerate([0, *range(smp - 1, -1, -1)], 1):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=64, value=value, cpu=cpu)
        assert "hit Hardware watchpoint 1: " in said
        assert re.search(rf"Old value = {value - 1}\s+New value = {value}\b", said)
        # The kernel's own scripts read the current task of the CPU that gdb takes the thread to be on.
        thread = gdb.command("info threads", timeout=120)
        assert re.search(rf"^\* .*kgdb_trigger/{cpu}\b", thread, re.MULTILINE), thread
        go_on(target, gdb)


def test_the_stop_reply_names_the_thread(boot: Boot) -> None:
    target = boot(smp=2)
    prepare(target)
    address = target.trigger.address(64)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    for cpu, value in ((0, 1), (1, 2), (0, 3)):
        said = stop_on_wire(target, rsp, "write", size=4, offset=64, value=value, cpu=cpu)
        assert re.fullmatch(rf"T05thread:[0-9a-f]+;watch:{address:0{target.hex_digits}x};", said.text)
        assert said.thread is not None
        name = bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()
        assert name == f"kgdb_trigger/{cpu}"
        go_on_wire(target, rsp)


@pytest.mark.i386
def test_off_at_a_hit_and_on_again(boot: Boot) -> None:
    """On the CPU that hit as on the one that was rounded up: DR7, and cpu_dr7, by which others restore it."""
    target = boot(smp=2)
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{target.trigger.address():x},4", f"Z4,{target.trigger.address(64):x},4")
    expect_on(target, 2)
    for value, cpu in enumerate((0, 1, 0), 1):
        assert stop_on_wire(target, rsp, "write", size=4, offset=0, value=value, cpu=cpu).reason == "watch"
        expect_off(target)
        go_on_wire(target, rsp)
        expect_on(target, 2)


@pytest.mark.i386
@pytest.mark.rest_in_test_all(i386=True)
def test_the_round_up_of_many(boot: Boot, platform: Platform) -> None:
    """With more than 8 CPUs i386 has another APIC driver (bigsmp)."""
    smp = 9 if platform.arch == "i386" else 8
    target = boot(smp=smp)
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{target.trigger.address():x},4")
    target.expect_armed(1)
    for cpu in (smp - 1, 0):
        said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=cpu, cpu=cpu)
        assert (said.reason, name_of(rsp, said.thread)) == ("watch", f"kgdb_trigger/{cpu}")
        go_on_wire(target, rsp)
    assert not re.search("did not|[Tt]imed out", target.kernel_log("KGDB"))


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


def name_of(rsp: Rsp, thread: str | None) -> str:
    """What KGDB calls a thread."""
    return bytes.fromhex(rsp.request(f"qThreadExtraInfo,{thread}")).rstrip(b"\0").decode()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("smp", [
    4, *(pytest.param(smp, marks=pytest.mark.only_in_test_all) for smp in (2, 8))])
def test_every_cpu_at_once(boot: Boot, smp: int) -> None:
    """All CPUs store at the same time: a stop for each store, one after another, with its own thread, PC and address."""
    target = boot(smp=smp, parallel=True)
    prepare(target)
    address, code = target.trigger.address(0), target.symbol("trigger_write_4")
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *(f"Z2,{address + 64 * slot:x},4" for slot in range(4)))
    # CPUs that wait spin, on few of the host's: a stop takes long with many.
    rounds = 8 // smp
    target.trigger.start_lines(*(trigger.line("write", size=4, offset=64 * (cpu % 4), value=cpu + 1, cpu=cpu,
                                              count=rounds) for cpu in range(smp)))
    stops: list[tuple[int, str]] = []
    places = set()
    for _ in range(smp * rounds):
        said = rsp.wait_stop()
        assert said.reason == "watch" and said.address is not None
        stops.append(((said.address - address) // 64, name_of(rsp, said.thread)))
        places.add(rsp.read_pc())
        rsp.send("c")
    target.trigger.finish()
    assert sorted(stops) == sorted((cpu % 4, f"kgdb_trigger/{cpu}") for cpu in range(smp) for _ in range(rounds))
    # One instruction makes all of the stores.
    assert len(places) == 1 and code < places.pop() < code + 32


@pytest.mark.parametrize("moved", [False, True], ids=["put back", "moved"])
def test_a_waiting_hit_is_not_lost(boot: Boot, moved: bool) -> None:
    """gdb takes its watchpoints out at each stop and puts them back: hits that wait meanwhile are reported all the same.

    Also when they come back in another order, and another one comes or goes
    with them, so that what they had may serve something else.
    """
    target = boot(smp=4)
    prepare(target)
    address = target.trigger.address(0)
    ours = [f"2,{address + 64 * slot:x},4" for slot in range(3)]
    other = f"4,{address + 1024:x},8"
    rsp = target.attach_rsp()
    exchange(rsp, [], ours)
    rsp.send("c")
    target.back()
    rounds = 12
    cpus = (1, 2, 3)
    masters = target.kernel.symbol("masters_in_kgdb")
    waited = runs = 0
    # Whether a hit has to wait is up to whose turn it is: as often as it takes for enough of them.
    while waited < 5:
        runs += 1
        assert runs <= 10, f"only {waited} hits had to wait"
        target.trigger.start_lines(*(trigger.line("write", size=4, offset=64 * (cpu - 1), value=cpu, cpu=cpu,
                                                  count=rounds) for cpu in cpus))
        stops: list[tuple[int, str]] = []
        for number in range(len(cpus) * rounds):
            said = rsp.wait_stop()
            assert said.reason == "watch" and said.address is not None
            stops.append(((said.address - address) // 64, name_of(rsp, said.thread)))
            # The CPU in the debugger, and those that wait to get there with a hit of their own.
            waited += int.from_bytes(rsp.read_memory(masters, 4), "little") - 1
            exchange(rsp, ours, [])
            if moved:
                ours.insert(0, ours.pop())
                exchange(rsp, [other] * (number % 2), [other] * (1 - number % 2))
            exchange(rsp, [], ours)
            rsp.send("c")
        target.trigger.finish()
        assert sorted(stops) == sorted((cpu - 1, f"kgdb_trigger/{cpu}") for cpu in cpus for _ in range(rounds))


def test_a_cpu_that_comes_online_later_is_armed(boot: Boot) -> None:
    target = boot(smp=2, starts_cpus=True)
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


def test_offline_and_online_while_armed(boot: Boot) -> None:
    """A CPU that goes and comes back is armed as the others are, also with what was set and removed meanwhile."""
    target = boot(smp=4, starts_cpus=True)
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    for cpu in (1, 3):
        target.console.run(f"echo 0 > /sys/devices/system/cpu/cpu{cpu}/online", check=True)
    assert "hit Hardware watchpoint 1: " in stop_in_gdb(target, gdb, "write", size=4, offset=0, value=1, cpu=2)
    gdb.command(f"watch {watched(target, 64, 4)}")
    go_on(target, gdb)
    target.console.run("echo 1 > /sys/devices/system/cpu/cpu1/online", check=True)
    assert "hit Hardware watchpoint 1: " in stop_in_gdb(target, gdb, "write", size=4, offset=0, value=2, cpu=1)
    gdb.command("delete 1")
    go_on(target, gdb)
    target.console.run("echo 1 > /sys/devices/system/cpu/cpu3/online", check=True)
    target.expect_armed(1)
    for cpu in range(4):
        target.trigger.run("write", size=4, offset=0, value=8 + cpu, cpu=cpu)
        said = stop_in_gdb(target, gdb, "write", size=4, offset=64, value=8 + cpu, cpu=cpu)
        assert "hit Hardware watchpoint 2: " in said
        go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_cpus_that_are_started_late(boot: Boot) -> None:
    """With maxcpus=1 the others have never run when the watchpoint is set."""
    target = boot(smp=4, append="maxcpus=1", starts_cpus=True)
    prepare(target)
    assert target.console.run("cat /sys/devices/system/cpu/online").strip() == "0"
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    for cpu in (1, 2, 3):
        target.console.run(f"echo 1 > /sys/devices/system/cpu/cpu{cpu}/online", check=True)
    target.expect_armed(1)
    for cpu in (3, 0, 2, 1):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=0, value=cpu + 1, cpu=cpu)
        assert "hit Hardware watchpoint 1: " in said
        if cpu == 1:
            gdb.command("delete")
        go_on(target, gdb)
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("instead", [False, True], ids=["removed", "replaced"])
def test_a_waiting_hit_is_dropped_with_its_watchpoint(boot: Boot, instead: bool) -> None:
    """CPUs that hit while another is in the debugger wait; gdb takes their watchpoints away; nobody hears of them.

    Nor is such a hit blamed on what gdb watches `instead` in the same slots.
    All CPUs store all the time, so that they hit together when they are let go.
    """
    target = boot(smp=4, parallel=True)
    prepare(target)
    address = target.trigger.address(0)
    hit = [f"2,{address + 64 * cpu:x},4" for cpu in range(4)]
    other = [f"2,{address + 1024 + 64 * cpu:x},8" for cpu in range(4)] if instead else []
    masters = target.symbol("masters_in_kgdb")
    store_all_the_time(target)
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
    stop_storing(target)


def exchange(rsp: Rsp, old: list[str], new: list[str]) -> None:
    """Remove and insert watchpoints, named as in a Z packet."""
    for spec in old:
        rsp.request(f"z{spec}")
    for spec in new:
        assert rsp.request(f"Z{spec}") == "OK"
