# SPDX-License-Identifier: GPL-2.0-only
"""Suspend to RAM: QEMU resets the processor, its debug registers included, and the guest wakes up as if nothing had been."""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import back_over_int3, go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.target import Target
from test_stepping import step_to_a_hit


def suspend_and_wake(target: Target) -> None:
    qmp = target.machine.qmp()
    target.console.start("echo mem > /sys/power/state")
    qmp.wait_event("SUSPEND")
    qmp.command("system_wakeup")
    target.console.finish()
    assert target.console.status == 0, target.report()


def armed(target: Target) -> list[dict[str, int]]:
    """What each CPU is armed with: its debug registers without DR6, which says what has hit."""
    return [{name: value for name, value in registers.items() if name != "DR6"}
            for registers in target.machine.debug_registers()]


@pytest.mark.rest_in_test_all
def test_perf_counts_what_resume_does(target: Target) -> None:
    """Before the tasks go on: where these are thawed a static key is switched, and that happens to restore all.

    suspend_enter() writes system_state before the processor is reset, and after it.
    """
    with PerfEvent(target.console, target.kernel.symbol("system_state"), 4) as event:
        assert event.counts() == [0]
        suspend_and_wake(target)
        assert event.counts() == [2]
        suspend_and_wake(target)
        assert event.counts() == [4]


def test_perf_counts_after_resume(target: Target) -> None:
    prepare(target)
    address = target.trigger.address(0)
    with PerfEvent(target.console, address, 4) as event:
        target.trigger.run("write", size=4, offset=0, value=1)
        assert event.counts() == [1]
        before = armed(target)
        suspend_and_wake(target)
        target.trigger.run("write", size=4, offset=0, value=2)
        assert event.counts() == [2]
        assert armed(target) == before


@pytest.mark.rest_in_test_all
def test_a_watchpoint_hits_after_resume(target: Target) -> None:
    prepare(target)
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    for value in (1, 2):
        said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=value)
        assert (said.reason, said.address) == ("watch", address)
        go_on_wire(target, rsp)
        suspend_and_wake(target)


def test_every_cpu_is_armed_after_resume(boot: Boot) -> None:
    """Before the debugger is entered again: the registers of each CPU are as they were, and each CPU hits.

    Each is the first to hit once: its hit rounds the other one up, which makes that one look at the table again.
    """
    target = boot(smp=2, starts_cpus=True)
    prepare(target)
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4", f"Z4,{address + 64:x},8")
    target.expect_armed(2)
    before = armed(target)
    assert before[0] == before[1]
    for order in (0, 1), (1, 0):
        suspend_and_wake(target)
        target.expect_armed(2)
        assert armed(target) == before
        for cpu in order:
            said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=1 + cpu, cpu=cpu)
            assert (said.reason, said.address) == ("watch", address)
            thread = bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()
            assert thread == f"kgdb_trigger/{cpu}"
            go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_steps_after_resume(boot: Boot) -> None:
    """On each CPU, from a breakpoint in a register, and from one in the text, onto a watched store and past it.

    As the kernel's step_after_suspend_test.c has it for programs: the processor has forgotten that somebody steps.
    """
    target = boot(smp=2, starts_cpus=True)
    prepare(target)
    address = target.trigger.address(0)
    code = {size: target.symbol(f"trigger_write_{size}") for size in (2, 4)}
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4", f"Z1,{code[4]:x},1", f"Z0,{code[2]:x},1")
    for turn in range(2):
        suspend_and_wake(target)
        for cpu in range(target.smp):
            for size, start in code.items():
                value = 1 + turn + 0x10 * cpu
                said = stop_on_wire(target, rsp, "write", size=size, offset=0, value=value, cpu=cpu)
                assert said.reason is None and rsp.read_pc() == start + (size == 2)
                if size == 2:
                    # gdb lifts a breakpoint for the step that begins there.
                    back_over_int3(rsp, start)
                    assert rsp.request(f"z0,{start:x},1") == "OK"
                _, behind = step_to_a_hit(rsp, start)
                assert int.from_bytes(rsp.read_memory(address, 4), "little") == value
                rsp.send("s")
                assert rsp.wait_stop().reason is None and rsp.read_pc() != behind
                if size == 2:
                    assert rsp.request(f"Z0,{start:x},1") == "OK"
                go_on_wire(target, rsp)
    target.expect_armed(2)
