# SPDX-License-Identifier: GPL-2.0-only
"""What the debugger itself writes and reads on its way in and out may be watched, and its own accesses do not hit."""

from __future__ import annotations

import re

import pytest

import entry_memory
from conftest import Boot
from drive import DEAD, back_over_int3, go_on_to, go_on_wire, prepare, set_and_go_on, stop_on_wire, sync_stops
from kgdbrig.clients.target import Target
from test_danger import per_cpu

ROUNDS = 5
#: In steps: a handler's way.
_LONGEST = 2000


@pytest.mark.rest_in_test_all
def test_the_watchdogs_are_touched_before_it_is_armed(target: Target) -> None:
    """The debugger resets RCU's stall timer as it leaves: RCU's own stores hit, and that one does not."""
    gdb = target.attach_gdb()
    gdb.command("watch rcu_state.jiffies_stall")
    # RCU stores when it likes: gdb goes on by itself, and what the shell does comes to its end.
    gdb.command("commands 1\nbacktrace 6\ncontinue\nend")
    said = ""
    for _ in range(ROUNDS):
        mark = target.tap.mark()
        target.resume(gdb)
        # What a process leaves is RCU's to free.
        target.console.run("(true)", check=True)
        target.tap.wait_packet(lambda packet: b"watch:" in packet.data, 30, since=mark, awaited="hit of RCU's store")
        target.break_in()
        said += gdb.wait_stop()
    assert "record_gp_stall_check_time" in said
    # By the functions' names: the path of the source may have "kgdb" in it.
    assert not re.search(r"^#\d+ .*\b(?:rcu_cpu_stall_reset|\w*kgdb_\w*) \(", said, re.MULTILINE), said
    gdb.command("delete")
    target.resume(gdb)


@pytest.mark.rest_in_test_all
def test_tracing_is_switched_off_and_on(target: Target) -> None:
    """KGDB stops the ring buffer while it has the machine, also at an int3; the user's own switch hits."""
    gdb = target.attach_gdb()
    gdb.command("awatch global_trace.buffer_disabled")
    gdb.command("break wakeup_flusher_threads")
    target.resume(gdb)
    sync_stops(target, gdb, "Breakpoint 2, ")
    target.console.run("mkdir -p /tmp/tracing && mount -t tracefs nodev /tmp/tracing", check=True)
    target.console.start("echo 0 > /tmp/tracing/tracing_on")
    assert "watchpoint 1: global_trace.buffer_disabled" in gdb.wait_stop()
    gdb.resume()
    target.console.finish()
    assert DEAD not in target.kernel_log()


@pytest.mark.rest_in_test_all
def test_what_every_cpu_uses_beside_another(boot: Boot) -> None:
    """A stop at nearly each instruction, beside a watchpoint that is hit afterwards."""
    target = boot(smp=2)
    prepare(target)
    rsp = target.attach_rsp()
    often, stored = f"4,{per_cpu('this_cpu_off')(target, rsp):x},8", f"2,{target.trigger.address():x},4"
    if "this_cpu_off" in entry_memory.read_symbols(target.kernel):
        assert rsp.request(f"Z{often}") == "E22"
        often = f"4,{per_cpu('current_task')(target, rsp):x},8"
    for packet in (often, stored):
        assert rsp.request(f"Z{packet}") == "OK"
    for _ in range(20):
        rsp.send("c")
        assert rsp.wait_stop().reason == "awatch"
    assert rsp.request(f"z{often}") == "OK"
    rsp.send("c")
    target.back()
    target.expect_armed(1)
    for cpu in range(2):
        assert stop_on_wire(target, rsp, "write", size=4, offset=0, value=cpu, cpu=cpu).reason == "watch"
        rsp.send("c")
        target.trigger.finish()
    assert DEAD not in target.kernel_log()


def test_its_nmi_handler(boot: Boot) -> None:
    """What it looks at in each NMI, to see whether that is its own, beside a store of another handler, which hits."""
    target = boot(smp=2)
    prepare(target)
    rsp = target.attach_rsp()
    watched = target.trigger.address()
    asked = per_cpu("asked_by_nmi")(target, rsp)
    set_and_go_on(target, rsp, f"Z4,{asked:x},1", f"Z4,{target.kernel.symbol('kgdb_active'):x},4", f"Z2,{watched:x},4")
    for value in range(1, 4):
        mark = target.tap.mark()
        said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=value, cpu=0, context="nmi")
        assert (said.reason, said.address) == ("watch", watched)
        go_on_wire(target, rsp)
        assert len([packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]) == 1


@pytest.mark.rest_in_test_all
def test_a_step_through_its_nmi_handler(target: Target) -> None:
    """Each step is a #DB within the NMI, behind which nothing is armed up to the end of the handler; another one's then hits."""
    prepare(target)
    rsp = target.attach_rsp()
    watched, handler = target.trigger.address(), target.kernel.symbol("kgdb_nmi_handler")
    set_and_go_on(target, rsp, f"Z4,{per_cpu('asked_by_nmi')(target, rsp):x},1", f"Z2,{watched:x},4", f"Z0,{handler:x},1")
    target.trigger.start("write", size=4, offset=0, value=1, context="nmi")
    assert rsp.wait_stop().reason is None
    back_over_int3(rsp, handler)
    assert rsp.request(f"z0,{handler:x},1") == "OK"
    behind = int.from_bytes(rsp.read_memory(rsp.read_registers()["rsp"], 8), "little")
    for _ in range(_LONGEST):
        rsp.send("s")
        said = rsp.wait_stop()
        assert said.reason is None, f"{said.text} at {rsp.read_pc():#x}"
        if rsp.read_pc() == behind:
            break
    else:
        pytest.fail(f"no way out of the handler in {_LONGEST} steps")
    assert go_on_to(rsp).address == watched
    go_on_wire(target, rsp)
