# SPDX-License-Identifier: GPL-2.0-only
"""perf events and ptrace watchpoints beside KGDB's: each gets exactly its own hits, nobody takes another's slot.

hwbp in the guest is the other user; it counts for itself. For kernel memory
the oracle has the last word on both.
"""

from __future__ import annotations

import re
from typing import Literal

import pytest

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients import hwbp, trigger
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError
from kgdbrig.machines.oracle import Access

CPUS = 2
SLOTS = 4
NO_SPACE = "No space left on device"
#: The trigger's memory is used in two spans, too far apart for one access to touch both.
KGDB_SPAN, PERF_SPAN, SPAN = 0, 1024, 64
ACCESSES = 200


@pytest.fixture
def shared(boot: Boot) -> Target:
    target = boot(smp=CPUS, oracle=True)
    prepare(target)
    return target


def break_in(target: Target, rsp: Rsp) -> None:
    target.break_in()
    assert rsp.wait_stop().reason is None


def four(target: Target) -> list[str]:
    return [f"2,{target.trigger.address(64 * slot):x},4" for slot in range(SLOTS)]


def perf_can_have(target: Target, count: int) -> None:
    """perf gets `count` slots on every CPU, and no more; they are free again when this returns."""
    events = []
    for number in range(SLOTS):
        try:
            events.append(PerfEvent(target.console, target.trigger.address(2048 + 64 * number), 4))
        except RigError as error:
            assert NO_SPACE in str(error)
    assert len(events) == count
    for event in events:
        event.close()


@pytest.mark.rest_in_test_all
def test_random_accesses_to_both(shared: Target) -> None:
    """Two CPUs at a time, one in KGDB's memory and one in perf's, then the other way round."""
    target = shared
    base = target.trigger.address()
    low, high = target.symbol("trigger_read_1"), target.symbol("trigger_rmw_8") + 64
    watch, perf = (base + KGDB_SPAN + 24, 8), (base + PERF_SPAN + 16, 8)
    witness = target.oracle()
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{watch[0]:x},{watch[1]}")

    stops: list[int] = []
    with PerfEvent(target.console, *perf) as event:
        for place in (watch, perf):
            witness.watch(*place)
        for turn in range(CPUS):
            lines = {cpu: (7 + turn, KGDB_SPAN) if cpu == turn else (70 + turn, PERF_SPAN) for cpu in range(CPUS)}
            due = [access for access in target.trigger.predict(7 + turn, ACCESSES, SPAN, offset=KGDB_SPAN)
                   if access.op == "write" and overlaps(base + access.offset, access.size, watch)]
            target.trigger.start_lines(*(trigger.random_line(seed, ACCESSES, SPAN, offset=offset, cpu=cpu)
                                         for cpu, (seed, offset) in lines.items()))
            for _ in due:
                said = rsp.wait_stop()
                assert (said.reason, said.address) == ("watch", watch[0])
                stops.append(rsp.read_pc())
                rsp.send("c")
            target.trigger.finish()
        counts = event.counts()

    seen = [access for access in witness.drain() if low <= access.pc < high and access.store]
    assert stops == [access.next_pc for access in hits(seen, watch)]
    assert counts == [sum(access.vcpu == cpu for access in hits(seen, perf)) for cpu in range(CPUS)]
    assert len(stops) > 10 and min(counts) > 10


def hits(accesses: list[Access], place: tuple[int, int]) -> list[Access]:
    return [access for access in accesses if overlaps(access.addr, access.size, place)]


def overlaps(address: int, size: int, place: tuple[int, int]) -> bool:
    return address < place[0] + place[1] and place[0] < address + size


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("user", ["task", "ptrace"])
def test_a_watchpoint_of_a_task_s_own(shared: Target, user: Literal["task", "ptrace"]) -> None:
    """The task stores to its variable and to KGDB's memory in turn: as many hits for each, and none for the other."""
    target = shared
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *(f"Z{spec}" for spec in four(target)[:3]))
    stores = 10
    line = trigger.line("write", size=4, offset=64, value=5)
    target.console.start(hwbp.watch_own_variable(user, stores, then=line))
    for _ in range(stores):
        said = rsp.wait_stop()
        assert (said.reason, said.address) == ("watch", target.trigger.address(64))
        assert bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0") == b"hwbp"
        rsp.send("c")
    assert hwbp.hits(target.console.finish()) == stores

    # And where nothing of KGDB's is hit, nothing stops.
    mark = target.tap.mark()
    assert hwbp.hits(target.console.run(hwbp.watch_own_variable(user, 1000))) == 1000
    assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
    for slot in range(3):
        said = stop_on_wire(target, rsp, "write", size=4, offset=64 * slot, value=1)
        assert said.address == target.trigger.address(64 * slot)
        go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_nothing_is_left_for_the_others(shared: Target) -> None:
    """KGDB holds all four: perf and ptrace are told so, and nobody's registers change."""
    target = shared
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *(f"Z{spec}" for spec in four(target)))
    target.expect_armed(SLOTS)
    perf_can_have(target, 0)
    assert NO_SPACE in target.console.run(hwbp.watch_own_variable("task", 1))
    assert NO_SPACE in target.console.run(hwbp.watch_own_variable("ptrace", 1))
    target.expect_armed(SLOTS)
    for slot in range(SLOTS):
        said = stop_on_wire(target, rsp, "write", size=4, offset=64 * slot, value=1, cpu=slot % CPUS)
        assert said.address == target.trigger.address(64 * slot)
        go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_kgdb_is_refused_what_perf_holds(shared: Target) -> None:
    """With the count and the holders; what was armed stays armed, and perf goes on counting."""
    target = shared
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    rsp.send("c")
    target.back()
    with PerfEvent(target.console, target.trigger.address(2048), 4) as first:
        break_in(target, rsp)
        specs = four(target)
        for spec in specs[:3]:
            assert rsp.request(f"Z{spec}") == "OK"
        assert rsp.request(f"Z{specs[3]}") == "E28"
        set_and_go_on(target, rsp)
        assert "refused: needs 1 slot, 0 free: the debugger holds 3, perf holds 1" in target.kernel_log("KGDB: ")
        target.expect_armed(4)
        target.trigger.run("write", size=4, offset=2048, value=1, cpu=1, count=7)
        for slot in range(3):
            assert stop_on_wire(target, rsp, "write", size=4, offset=64 * slot, value=1).reason == "watch"
            go_on_wire(target, rsp)

        break_in(target, rsp)
        for spec in specs[1:3]:
            assert rsp.request(f"z{spec}") == "OK"
        set_and_go_on(target, rsp)
        with PerfEvent(target.console, target.trigger.address(2112), 4) as second:
            break_in(target, rsp)
            # A read watchpoint takes two slots, and so do 12 bytes.
            assert rsp.request(f"Z3,{address + 64:x},4") == "E28"
            assert rsp.request(f"Z2,{address + 64:x},c") == "E28"
            set_and_go_on(target, rsp, f"Z{specs[1]}")
            assert target.kernel_log().count(
                "refused: needs 2 slots, 1 free: the debugger holds 1, perf holds 2") == 2
            target.expect_armed(4)
            target.trigger.run("write", size=4, offset=2112, value=1, cpu=0, count=3)
            for slot in range(2):
                assert stop_on_wire(target, rsp, "write", size=4, offset=64 * slot, value=2, cpu=1).reason == "watch"
                go_on_wire(target, rsp)
            assert second.counts() == [3, 0]
        assert first.counts() == [0, 7]
    break_in(target, rsp)
    set_and_go_on(target, rsp, *(f"Z{spec}" for spec in specs[2:]))
    target.expect_armed(4)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("way", ["delete", "detach", "kill", "disconnect"])
def test_all_is_given_back(shared: Target, way: str) -> None:
    """perf can have all four again, whichever way KGDB let go of them."""
    target = shared
    gdb = target.attach_gdb()
    for slot in range(SLOTS):
        gdb.command(f"watch *(int *){target.trigger.address(64 * slot):#x}")
    target.resume(gdb)
    target.expect_armed(SLOTS)
    target.break_in()
    gdb.wait_stop()
    gdb.command(way)
    if way == "delete":
        gdb.resume()
    elif way == "disconnect":
        # The machine stands in KGDB still. The next debugger finds no watchpoint, and lets it go on.
        gdb = target.reattach_gdb()
        gdb.command("delete")
        gdb.resume()
    target.back()
    target.expect_armed(0)
    perf_can_have(target, SLOTS)


@pytest.mark.rest_in_test_all
def test_what_ptrace_holds_counts_as_well(shared: Target) -> None:
    """A traced task that stands still holds its slot: KGDB gets the three that are left."""
    target = shared
    # The child's store to the trigger stops the machine while its own register is reserved.
    rsp = target.attach_rsp()
    specs = four(target)
    set_and_go_on(target, rsp, f"Z{specs[0]}")
    target.console.start(hwbp.watch_own_variable("ptrace", 1, then=trigger.line("write", size=4, offset=0, value=3)))
    assert rsp.wait_stop().reason == "watch"
    assert [rsp.request(f"Z{spec}") for spec in specs[1:]] == ["OK", "OK", "E28"]
    rsp.send("c")
    assert hwbp.hits(target.console.finish()) == 1
    assert re.search(r"refused: needs 1 slot, 0 free: the debugger holds 3, perf holds 1", target.kernel_log("KGDB: "))
