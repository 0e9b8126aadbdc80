# SPDX-License-Identifier: GPL-2.0-only
"""The debug registers are shared with the perf layer: neither side takes the other's.

The other side is the kernel's own samples/hw_breakpoint, which watches one
exported variable on all CPUs and logs each access.
"""

from __future__ import annotations

import contextlib

import pytest

from conftest import Boot
from drive import back_over_int3, go_on_wire, prepare, stop_on_wire
from kgdbrig.clients.hwbp import event_once_there_is_room
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target

INSERT = "insmod /lib/modules/$(uname -r)/data_breakpoint.ko ksym=panic_timeout"
REMOVE = "rmmod data_breakpoint"
TOUCH = "echo 3 > /proc/sys/kernel/panic"
#: What gives slots back that the debugger could not.
WORK = "release_later"
TRACING = "/sys/kernel/tracing"
SAMPLE_SAW_IT = "panic_timeout value is changed"
#: Then it shows where that was.
PRINTS_A_STACK = pytest.mark.complains("Call Trace")


@pytest.fixture
def shared(boot: Boot) -> Target:
    target = boot(smp=2)
    prepare(target)
    return target


def set_and_go_on(target: Target, rsp: Rsp, *slots: int, expect: str = "OK") -> None:
    for slot in slots:
        assert rsp.request(f"Z2,{target.trigger.address(64 * slot):x},4") == expect
    rsp.send("c")
    target.back()


def break_in(target: Target, rsp: Rsp) -> None:
    target.break_in()
    assert rsp.wait_stop().reason is None


def assert_hits(target: Target, rsp: Rsp, *slots: int, value: int) -> None:
    for slot in slots:
        for cpu in range(target.smp):
            said = stop_on_wire(target, rsp, "write", size=4, offset=64 * slot, value=value + cpu, cpu=cpu)
            assert (said.reason, said.address) == ("watch", target.trigger.address(64 * slot))
            go_on_wire(target, rsp)


@PRINTS_A_STACK
def test_perf_gets_what_is_left_and_all_of_it_back(shared: Target) -> None:
    rsp = shared.attach_rsp()
    set_and_go_on(shared, rsp, 0, 1, 2, 3)
    assert "No space left on device" in shared.console.run(INSERT)
    assert_hits(shared, rsp, 0, 1, 2, 3, value=1)

    break_in(shared, rsp)
    assert rsp.request(f"z2,{shared.trigger.address(64):x},4") == "OK"
    set_and_go_on(shared, rsp)
    shared.console.run(INSERT, check=True)
    shared.console.run(TOUCH, check=True)
    assert SAMPLE_SAW_IT in shared.kernel_log(SAMPLE_SAW_IT)
    assert_hits(shared, rsp, 0, 2, 3, value=11)
    shared.trigger.run("write", size=4, offset=64, value=9)

    # The sample holds the fourth register now: it is not taken from it, and ours stay.
    break_in(shared, rsp)
    set_and_go_on(shared, rsp, 1, expect="E28")
    assert "refused: needs 1 slot, 0 free: the debugger holds 3, perf holds 1" in shared.kernel_log("KGDB: ")
    assert_hits(shared, rsp, 0, 2, 3, value=21)
    shared.console.run("dmesg -c > /dev/null")
    shared.console.run(TOUCH, check=True)
    assert SAMPLE_SAW_IT in shared.kernel_log(SAMPLE_SAW_IT)

    shared.console.run(REMOVE, check=True)
    break_in(shared, rsp)
    set_and_go_on(shared, rsp, 1)
    assert_hits(shared, rsp, 0, 1, 2, 3, value=31)

    break_in(shared, rsp)
    rsp.request("D")
    shared.back()
    shared.expect_armed(0)
    shared.console.run(INSERT, check=True)
    shared.console.run(REMOVE, check=True)


@PRINTS_A_STACK
def test_a_register_that_perf_holds_is_no_reason_to_stop(shared: Target) -> None:
    """The sample's own hits never enter the debugger, and do not delay ours."""
    shared.console.run(INSERT, check=True)
    rsp = shared.attach_rsp()
    set_and_go_on(shared, rsp, 0, 1, 2)
    mark = shared.tap.mark()
    for _ in range(3):
        shared.console.run(TOUCH, check=True)
    assert not [packet for packet in shared.tap.since(mark) if packet.data.startswith(b"T")]
    assert shared.kernel_log(SAMPLE_SAW_IT).count(SAMPLE_SAW_IT) == 3
    assert_hits(shared, rsp, 0, 1, 2, value=1)


def test_a_slot_that_was_in_use_goes_back_later(shared: Target) -> None:
    """The machine was stopped in perf's accounting as a watchpoint was removed: perf gets its slot without another stop."""
    shared.console.run(f"echo {WORK} > {TRACING}/set_ftrace_filter; echo function > {TRACING}/current_tracer", check=True)
    rsp = shared.attach_rsp()
    set_and_go_on(shared, rsp, 0)
    entry = shared.kernel.symbol("__reserve_bp_slot")
    break_in(shared, rsp)
    assert rsp.request(f"Z0,{entry:x},1") == "OK"
    rsp.send("c")
    shared.back()
    shared.console.start("hwbp task 1 4")
    assert rsp.wait_stop().reason is None
    back_over_int3(rsp, entry)
    assert rsp.request(f"z0,{entry:x},1") == "OK"
    assert rsp.request(f"z2,{shared.trigger.address():x},4") == "OK"
    mark = shared.tap.mark()
    rsp.send("c")
    shared.console.finish()
    with contextlib.ExitStack() as events:
        for number in range(4):
            events.enter_context(event_once_there_is_room(shared.console, shared.trigger.address(64 * number), 4))
    assert not [packet for packet in shared.tap.since(mark) if packet.data.startswith(b"T")]
    # Nobody needs it for a slot that the debugger could give back.
    assert int(shared.console.run(f"grep -c ' {WORK} <-' {TRACING}/trace")) >= 1
