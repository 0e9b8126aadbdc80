# SPDX-License-Identifier: GPL-2.0-only
"""A store that a kprobe stands on: executed from a copy elsewhere, reported as if it had run in place.

The three ways of a kprobe to work are described at the top of the trigger's
store.c. Kprobe events make two of them, and count every execution besides:
their count and the address in their trace are a witness that knows nothing of
watchpoints.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_in_gdb, stop_on_wire, watched
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigTimeout
from kgdbrig.wait import Deadline

OPTIMIZATION = "/proc/sys/debug/kprobes-optimization"
TRACING = "/sys/kernel/tracing"
LIST = "/sys/kernel/debug/kprobes/list"
STORES = 5


@dataclass(frozen=True)
class Kind:
    """One way of a kprobe to work: how it is set, and how often its handlers have run."""

    set: Callable[[Target], None]
    hits: Callable[[Target], int]


def set_trapping(target: Target) -> None:
    target.trigger.probe(True)


def hits_of_trapping(target: Target) -> int:
    before, after = target.trigger.probe_counts()
    assert before == after
    return before


def set_event(target: Target) -> None:
    store, _ = target.trigger.store()
    target.console.run(f"echo 'p:rig/store {store:#x}' > {TRACING}/kprobe_events", check=True)
    target.console.run(f"echo 1 > {TRACING}/options/sym-addr", check=True)
    target.console.run(f"echo 1 > {TRACING}/events/rig/store/enable", check=True)


def set_boosted(target: Target) -> None:
    target.console.run(f"echo 0 > {OPTIMIZATION}", check=True)
    set_event(target)


def set_optimised(target: Target) -> None:
    """Kprobes are optimised some time after they were set."""
    target.console.run(f"echo 1 > {OPTIMIZATION}", check=True)
    set_event(target)
    deadline = Deadline(30)
    while not optimised(target):
        if deadline.passed():
            raise RigTimeout("optimised kprobe", deadline.seconds, target.console.run(f"cat {LIST}"))


def optimised(target: Target) -> bool:
    return re.search(r" trigger_write_probed\+.*\[OPTIMIZED\]", target.console.run(f"cat {LIST}")) is not None


def hits_of_event(target: Target) -> int:
    """Of the event's count and its trace, which have to agree, and to name the store's address."""
    profile = re.search(r"^\s*store\s+(\d+)\s+(\d+)", target.console.run(f"cat {TRACING}/kprobe_profile"), re.MULTILINE)
    assert profile is not None and profile[2] == "0", "a kprobe event was missed"
    store, _ = target.trigger.store()
    traced = target.console.run(f"grep -c ' store: (trigger_write_probed+.* <{store:016x}>' {TRACING}/trace")
    assert int(traced) == int(profile[1])
    return int(profile[1])


KINDS = {
    "trapping": Kind(set_trapping, hits_of_trapping),
    "boosted": Kind(set_boosted, hits_of_event),
    "optimised": Kind(set_optimised, hits_of_event),
}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.mark.rest_in_test_all
@kinds
def test_the_pc_is_that_of_the_probed_instruction(boot: Boot, kind: Kind) -> None:
    """On the wire, on each CPU: behind the store, in place. The probe counts each store once, stopped or not."""
    target = boot(smp=2)
    prepare(target)
    address = target.trigger.address(0)
    _store, behind = target.trigger.store()
    kind.set(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")

    for value in range(1, STORES + 1):
        said = stop_on_wire(target, rsp, "probed", size=4, offset=0, value=value, cpu=value % 2)
        assert (said.reason, said.address) == ("watch", address)
        assert rsp.read_pc() == behind
        assert int.from_bytes(rsp.read_memory(address, 4), "little") == value
        go_on_wire(target, rsp)
        assert kind.hits(target) == value
    # The same store elsewhere hits the probe alone.
    target.trigger.run("probed", size=4, offset=64, value=1, count=STORES)
    assert kind.hits(target) == 2 * STORES
    if kind is KINDS["optimised"]:
        assert optimised(target), "the stops undid what was to be tested"


@pytest.mark.rest_in_test_all
@kinds
def test_stepping_on_from_there(target: Target, kind: Kind) -> None:
    """'s' from the stop goes on in the function, whatever the processor really executes, and 'c' to its end."""
    prepare(target)
    address = target.trigger.address(0)
    _store, behind = target.trigger.store()
    end = behind + 8    # the nops of store.c
    kind.set(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")

    for value in range(1, STORES + 1):
        stop_on_wire(target, rsp, "probed", size=4, offset=0, value=value)
        places = [rsp.read_pc()]
        for _ in range(3):
            rsp.send("s")
            said = rsp.wait_stop()
            assert said.signal == 5 and said.reason is None
            places.append(rsp.read_pc())
        assert places == sorted(places) and behind == places[0] < places[-1] <= end, [hex(place) for place in places]
        go_on_wire(target, rsp)
        assert kind.hits(target) == value
    assert target.trigger.count() == STORES


@pytest.mark.rest_in_test_all
@kinds
def test_gdb_shows_the_function_and_its_callers(target: Target, kind: Kind) -> None:
    prepare(target)
    kind.set(target)
    gdb = target.attach_gdb()
    gdb.command(f"lx-symbols {target.kernel.directory / 'modules'}", 60)
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    for value, command in enumerate(("continue", "stepi", "finish"), 1):
        said = stop_in_gdb(target, gdb, "probed", size=4, offset=0, value=value)
        assert "hit Hardware watchpoint 1: " in said and f"New value = {value}" in said
        trace = gdb.command("backtrace")
        frames = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(", trace, re.MULTILINE)
        assert frames[:4] == ["trigger_write_probed", "trigger_access", "trigger_perform", "trigger_in_task"], trace
        if command == "stepi":
            assert "trigger_write_probed" in gdb.command("stepi") + gdb.command("frame")
        elif command == "finish":
            assert "trigger_access" in gdb.command("finish") + gdb.command("frame")
        gdb.resume()
        target.trigger.finish()
        assert kind.hits(target) == value
