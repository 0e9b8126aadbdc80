# SPDX-License-Identifier: GPL-2.0-only
"""Software breakpoints on text that the kernel patches while it runs, and int3 that are not KGDB's."""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import prepare
from kgdbrig.clients.patched import Count, Line, Patched, Place
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.wait import Deadline
from test_probed_store import set_optimised

TRACING = "/sys/kernel/tracing"
#: Why KGDB does not write to text now, and may a moment later.
PATCHING = "E.the kernel is in the middle of patching its text"


def resume(target: Target, rsp: Rsp) -> None:
    rsp.send("c")
    target.back()


def break_in(target: Target, rsp: Rsp) -> None:
    target.break_in()
    assert rsp.wait_stop().reason is None


@pytest.mark.parametrize("place,switch,counted,why", [
    ("key", "key=1", "on", "a static key patches the instruction there"),
    ("call", "call=1", "second", "a static call patches the instruction there"),
])
def test_no_breakpoint_where_the_kernel_patches(target: Target, place: Place, switch: Line, counted: Count,
                                                why: str) -> None:
    """Refused with the reason; a machine that takes one dies where the key or the call is switched."""
    prepare(target)
    patched = Patched(target.console)
    address = patched.address(place)
    rsp = target.attach_rsp()
    rsp.request("qSupported:error-message+")
    answer = rsp.request(f"Z0,{address:x},1")
    resume(target, rsp)
    patched.do(switch)
    patched.do("run")
    assert patched.count(counted) == 1
    # The fixes alone tell only the log why.
    assert answer.startswith("E") if target.kernel.series == "fixes" else answer == f"E.{why}"
    assert why in target.kernel_log("No breakpoint at")

    # What is behind it is nobody's.
    break_in(target, rsp)
    assert rsp.request(f"Z0,{address + 5:x},1") == "OK"
    assert rsp.request(f"z0,{address + 5:x},1") == "OK"
    resume(target, rsp)
    assert "kernel BUG at" not in target.kernel_log()


def test_no_breakpoint_on_a_kprobe(target: Target) -> None:
    """The probe's own instruction is refused while the probe is there."""
    prepare(target)
    store, _ = target.trigger.store()
    target.trigger.probe(True)
    rsp = target.attach_rsp()
    rsp.request("qSupported:error-message+")
    assert rsp.request(f"Z0,{store:x},1") == "E.a kprobe has replaced the instruction there"
    resume(target, rsp)
    target.trigger.run("probed", size=4, value=1)
    assert target.trigger.probe_counts() == (1, 1)

    target.trigger.probe(False)
    break_in(target, rsp)
    assert rsp.request(f"Z0,{store:x},1") == "OK"
    assert rsp.request(f"z0,{store:x},1") == "OK"
    resume(target, rsp)
    target.trigger.run("probed", size=4, value=2)


def test_no_breakpoint_within_an_optimised_kprobe(target: Target) -> None:
    """What its jump has replaced, and what is not an instruction any more."""
    prepare(target)
    store, _behind = target.trigger.store()
    set_optimised(target)
    rsp = target.attach_rsp()
    rsp.request("qSupported:error-message+")
    for address in range(store, store + 5):
        assert rsp.request(f"Z0,{address:x},1") == "E.a kprobe has replaced the instruction there", hex(address)
    # The optimiser may have been stopped with text_mutex.
    deadline = Deadline(30)
    while (answer := rsp.request(f"Z0,{store + 5:x},1")) == PATCHING and not deadline.passed():
        resume(target, rsp)
        break_in(target, rsp)
    assert answer == "OK"
    assert rsp.request(f"z0,{store + 5:x},1") == "OK"
    resume(target, rsp)
    target.trigger.run("probed", size=4, value=1)
    assert target.trigger.count() == 1


def test_what_was_written_over_a_breakpoint_stays(target: Target) -> None:
    """KGDB puts a breakpoint wherever it can write: here on data, which the kernel then changes."""
    prepare(target)
    address = target.trigger.address(64)
    rsp = target.attach_rsp()
    assert rsp.request(f"Z0,{address:x},1") == "OK"
    resume(target, rsp)
    target.trigger.run("write", size=4, offset=64, value=0x11223344)

    break_in(target, rsp)
    assert rsp.read_memory(address, 4) == bytes.fromhex("44332211")
    # gdb takes it out in its own time; nothing is to be done.
    assert rsp.request(f"z0,{address:x},1") == "OK"
    assert rsp.read_memory(address, 4) == bytes.fromhex("44332211")
    resume(target, rsp)
    assert f"({address:x}) is gone" in target.kernel_log("The breakpoint at")
    break_in(target, rsp)
    assert rsp.read_memory(address, 4) == bytes.fromhex("44332211")
    resume(target, rsp)


def test_ftrace_patches_under_a_breakpoint(target: Target) -> None:
    """Tracing is switched on and off under a function's breakpoint: the one traces, the other hits, each time."""
    prepare(target)
    patched = Patched(target.console)
    entry = target.symbol("patched_run")
    gdb = target.attach_gdb()
    gdb.command(f"break *{entry:#x}")
    target.resume(gdb)

    def run_and_stop() -> None:
        patched.start("run")
        assert "Breakpoint 1, " in gdb.wait_stop()
        gdb.resume()
        patched.finish()

    run_and_stop()
    target.console.run(f"echo patched_run > {TRACING}/set_ftrace_filter", check=True)
    for _ in range(2):
        target.console.run(f"echo function > {TRACING}/current_tracer", check=True)
        run_and_stop()
        traced = target.console.run(f"grep -c ' patched_run <-' {TRACING}/trace")
        assert traced.strip() == "1"
        target.console.run(f"echo nop > {TRACING}/current_tracer", check=True)
        run_and_stop()
    assert patched.count("off") == 5
    log = target.kernel_log()
    assert "ftrace bug" not in log and "WARNING" not in log


def test_a_breakpoint_from_before_ftrace(boot: Boot) -> None:
    """Set early in boot, when text can be written; hit after ftrace has seen it, and after it became read-only."""
    target = boot(kgdboc="early")
    gdb = target.reattach_gdb()
    gdb.command("break wakeup_flusher_threads")
    gdb.resume()
    target.booted()
    for tracer in ("nop", "function"):
        target.console.run(f"echo wakeup_flusher_threads > {TRACING}/set_ftrace_filter; "
                           f"echo {tracer} > {TRACING}/current_tracer", check=True)
        for _ in range(2):
            target.console.start("sync")
            assert "Breakpoint 1, wakeup_flusher_threads" in gdb.wait_stop()
            gdb.resume()
            target.console.finish()
    assert target.console.run(f"grep -c ' wakeup_flusher_threads <-' {TRACING}/trace").strip() == "2"
    log = target.kernel_log()
    assert "ftrace bug" not in log and "WARNING" not in log


def test_a_compiled_in_int3_is_for_the_debugger(target: Target) -> None:
    """As on a stock kernel; the machine goes on behind it."""
    prepare(target)
    patched = Patched(target.console)
    address = patched.address("int3")
    rsp = target.attach_rsp()
    resume(target, rsp)
    for times in (1, 2):
        patched.start("int3")
        said = rsp.wait_stop()
        assert said.signal == 5 and said.reason is None
        assert rsp.read_pc() == address + 1
        rsp.send("c")
        patched.finish()
        assert patched.count("behind") == times


def test_mmiotrace_after_a_step(target: Target) -> None:
    """mmiotrace steps over each access, and must get its steps, whatever the debugger has stepped before."""
    prepare(target)
    patched = Patched(target.console)
    rsp = target.attach_rsp()
    for _ in range(2):
        rsp.send("s")
        assert rsp.wait_stop().signal == 5
    resume(target, rsp)

    target.console.run(f"echo mmiotrace > {TRACING}/current_tracer", check=True)
    patched.do("mmio")
    traced = target.console.run(f"grep '^R 4 ' {TRACING}/trace")
    target.console.run(f"echo nop > {TRACING}/current_tracer", check=True)
    assert len(traced.splitlines()) == 4, traced
    # And the debugger gets its own again.
    break_in(target, rsp)
    rsp.send("s")
    assert rsp.wait_stop().signal == 5
    resume(target, rsp)
