# SPDX-License-Identifier: GPL-2.0-only
"""Watchpoints on memory that was given back, or is not there any more, and on what the exception entries use."""

from __future__ import annotations

import pytest

import entry_memory
from conftest import Boot
from drive import expect_perf_refused, per_cpu_offset, prepare, set_and_go_on, stops_of_commands, watched
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target


@pytest.mark.rest_in_test_all
def test_a_module_that_is_gone(target: Target) -> None:
    """Its watchpoint goes with it, and gdb, which puts it back, is refused with the reason."""
    prepare(target)
    packet = f"2,{target.trigger.address():x},4"
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z{packet}")
    target.expect_armed(1)
    target.console.run("rmmod kgdb_trigger", check=True)
    target.expect_armed(0)
    assert "removed: its memory is freed" in target.kernel_log("KGDB: watchpoint at")

    target.break_in()
    assert rsp.wait_stop().reason is None
    assert rsp.request("qSupported:error-message+") == "error-message+"
    assert rsp.request(f"Z{packet}") == "E.there is no memory at this address any more"
    rsp.send("c")
    target.back()
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_a_modules_memory_is_freed(boot: Boot) -> None:
    """That of its initialization when it is loaded, all of it when it is unloaded."""
    target = boot(smp=2)
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    gdb.command("break do_init_module")
    target.resume(gdb)
    target.trigger.start_init(1, offset=64)
    assert "Breakpoint 2, " in gdb.wait_stop()
    base = "mod->init_layout.base" if target.kernel.version == "6.1" else "mod->mem[MOD_INIT_TEXT].base"
    address = int(gdb.command(f"output (unsigned long){base}"))
    gdb.command("delete 2")
    gdb.command(f"awatch *(char *){address:#x}")
    gdb.resume()
    # The notifier's callback comes when the init function is done.
    target.trigger.finish_init()
    assert f"KGDB: access watchpoint at {address:#x}, length 1, removed: its memory is freed" in target.kernel_log("KGDB: ")
    target.expect_armed(1)
    target.console.run("rmmod kgdb_trigger", check=True)
    assert f"KGDB: watchpoint at {target.trigger.address():#x}, length 4, removed: its memory is freed" in \
        target.kernel_log()
    target.expect_armed(0)
    # gdb knows nothing of it, and would set its watchpoints again.
    target.break_in()
    gdb.wait_stop()
    assert "Could not insert hardware watchpoint 1" in gdb.command("continue")
    gdb.command("delete")
    target.resume(gdb)
    target.expect_armed(0)


#: Whoever gets the memory of each kind next, and how a hit there is named.
GIVEN_BACK = {
    "object": "its memory was freed by memory_free+",
    "vmalloc": "its memory was given back by vfree()",
    "stack": "it was on the stack of thread ",
}
#: What precedes that.
NAMED = "where the memory is not what was watched"


def stops(target: Target, rsp: Rsp, *commands: str) -> int:
    """How often the trigger's commands stop the machine, which goes on then."""
    found = stops_of_commands(target, rsp, *map(target.trigger.memory_command, commands))
    assert {stop.reason for stop in found} <= {"watch"}
    rsp.send("c")
    target.back()
    return len(found)


def watch_memory(target: Target, kind: str) -> Rsp:
    prepare(target)
    target.trigger.memory(f"new {kind}")
    address = target.trigger.memory_address()
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    target.expect_armed(1)
    return rsp


def next_owner_hits(target: Target, kind: str) -> None:
    """A hit of what got the memory next is named, to gdb and in the log, and only the first one."""
    rsp = watch_memory(target, kind)
    assert stops(target, rsp, "store 1") == 1
    assert not rsp.output and not target.kernel_log(NAMED), "it is the owner who hits"
    # A thread hits besides as it begins: other functions have had these bytes of its stack.
    assert stops(target, rsp, "free", "again", "store 2", "store 3") >= 2
    said = "".join(rsp.output)
    assert said.count(NAMED) == 1 and GIVEN_BACK[kind] in said, said
    assert target.kernel_log(NAMED).count(GIVEN_BACK[kind]) == 1


@pytest.mark.i386
@pytest.mark.parametrize("kind", ["object", "vmalloc"])
def test_its_next_owner_hits(target: Target, kind: str) -> None:
    next_owner_hits(target, kind)


@pytest.mark.rest_in_test_all
def test_the_next_owner_of_a_stack_hits(bochs: Target) -> None:
    """QEMU 7.2 ends, or loses the interrupt, where it pushes an interrupt's frame onto a watchpoint."""
    next_owner_hits(bochs, "stack")


@pytest.mark.rest_in_test_all
def test_who_uses_it_after_it_was_freed(target: Target) -> None:
    rsp = watch_memory(target, "object")
    assert stops(target, rsp, "free", "store 1") == 1
    assert GIVEN_BACK["object"] in "".join(rsp.output)


@pytest.mark.rest_in_test_all
def test_another_watchpoint_there_is_of_the_new_owner(target: Target) -> None:
    """Set anew, when the memory is somebody else's already: there is nothing to name."""
    rsp = watch_memory(target, "object")
    address = target.trigger.memory_address()
    target.trigger.memory("free")
    for packet in (f"z2,{address:x},4", f"Z2,{address:x},4"):
        target.break_in()
        rsp.wait_stop()
        set_and_go_on(target, rsp, packet)
    target.trigger.memory("again")
    assert stops(target, rsp, "store 1") == 1
    assert not rsp.output and not target.kernel_log(NAMED)


def test_perf_is_refused_what_the_entries_use(target: Target) -> None:
    """All that `rig check` has as refused, on the boot CPU; and what lies elsewhere in the same memory is not."""
    rsp = target.attach_rsp()
    offset = per_cpu_offset(target, rsp)
    assert rsp.request("D") == "OK"
    target.back()
    PerfEvent(target.console, (target.kernel.symbol("kernel_cpustat") + offset) % (1 << 64), 4, "rw").close()
    for name, symbol in entry_memory.symbols(target.kernel).items():
        expect_perf_refused(target, name, entry_memory.place(name, symbol, offset))


def test_perf_is_refused_what_nmi_reads(target: Target) -> None:
    """Which CPUs are online, for one: exc_nmi() looks before it disables breakpoints. A write may be watched."""
    rsp = target.attach_rsp()
    offset = per_cpu_offset(target, rsp)
    assert rsp.request("D") == "OK"
    target.back()
    for name, symbol in entry_memory.read_symbols(target.kernel).items():
        place = entry_memory.place(name, symbol, offset)
        expect_perf_refused(target, name, place)
        PerfEvent(target.console, place, 4, "w").close()
