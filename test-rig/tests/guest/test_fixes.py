# SPDX-License-Identifier: GPL-2.0-only
"""An otherwise stock kernel with the fixes of the series: hardware breakpoints stop, in the plain old way.

The stock stub does not say why it stops, so gdb shows a SIGTRAP, and the user looks what has changed.
"""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import expect_kgdbts_passes, prepare, set_and_go_on, sync_stops
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.target import Target
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines.qemu import INSTRUCTION_NS

pytestmark = pytest.mark.rest_in_test_all

WRITE = "echo {} > /proc/sys/kernel/panic"


@pytest.fixture
def fixed(boot: Boot, fixes_kernel: Kernel) -> Target:
    return boot(kernel=fixes_kernel)


def test_it_is_configured_as_stock_is(fixes_kernel: Kernel) -> None:
    assert "CONFIG_KGDB_WATCHPOINT" not in fixes_kernel.config


def test_the_suite_passes(boot: Boot, fixes_kernel: Kernel) -> None:
    expect_kgdbts_passes(boot(kernel=fixes_kernel, kgdboc="none", smp=2, instruction_ns=INSTRUCTION_NS))


def test_a_breakpoint(fixed: Target) -> None:
    """As on any kernel: it stops where gdb says, and the machine goes on, also after gdb has gone."""
    gdb = fixed.attach_gdb()
    gdb.command("break wakeup_flusher_threads")
    fixed.resume(gdb)
    sync_stops(fixed, gdb, "Breakpoint 1, wakeup_flusher_threads")
    fixed.break_in()
    gdb.wait_stop()
    gdb.command("detach")
    fixed.back()
    fixed.console.run("sync", check=True)


def test_watch(fixed: Target) -> None:
    """Each write stops behind the store, with the new value in memory; none does once it is deleted."""
    gdb = fixed.attach_gdb()
    gdb.command("watch panic_timeout")
    fixed.resume(gdb)
    for value in (9, 7):
        fixed.console.start(WRITE.format(value))
        assert "received signal SIGTRAP" in gdb.wait_stop()
        assert gdb.command("print panic_timeout").endswith(f" = {value}")
        assert "proc_dointvec" in gdb.command("backtrace")
        gdb.resume()
        fixed.console.finish()
    fixed.expect_armed(1)

    fixed.break_in()
    gdb.wait_stop()
    gdb.command("delete")
    fixed.resume(gdb)
    fixed.console.run(WRITE.format(0), check=True)
    fixed.expect_armed(0)


def test_hbreak(fixed: Target) -> None:
    """Each time the function is called it stops there, and goes on."""
    gdb = fixed.attach_gdb()
    gdb.command("hbreak wakeup_flusher_threads")
    fixed.resume(gdb)
    sync_stops(fixed, gdb, "Breakpoint 1, wakeup_flusher_threads")
    fixed.expect_armed(1)


def test_set_while_another_is_armed(boot: Boot, fixes_kernel: Kernel) -> None:
    """What is set at a stop is armed on all CPUs, though their #DB and NMI handlers put DR7 back as they return."""
    target = boot(kernel=fixes_kernel, smp=2)
    prepare(target)
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    target.expect_armed(1)
    target.trigger.start("write", size=4, offset=0, value=1)
    assert rsp.wait_stop().reason is None
    assert rsp.request(f"Z2,{address + 64:x},4") == "OK"
    rsp.send("c")
    target.trigger.finish()
    target.expect_armed(2)
    for cpu in range(2):
        target.trigger.start("write", size=4, offset=64, value=cpu + 1, cpu=cpu)
        rsp.wait_stop()
        rsp.send("c")
        target.trigger.finish()


def test_a_hit_is_forgotten(fixed: Target) -> None:
    """What perf counts in the task that was stopped is no hit of the debugger's, which has nothing set any more."""
    gdb = fixed.attach_gdb()
    gdb.command("watch panic_timeout")
    fixed.resume(gdb)
    fixed.console.start(WRITE.format(9))
    assert "received signal SIGTRAP" in gdb.wait_stop()
    gdb.command("delete")
    gdb.resume()
    fixed.console.finish()
    with PerfEvent(fixed.console, fixed.kernel.symbol("panic_timeout"), 4) as event:
        # The shell itself writes, again.
        fixed.console.run(WRITE.format(7), check=True)
        assert event.counts() == [1]


def test_a_cpu_that_stops_as_it_goes_and_comes(boot: Boot, fixes_kernel: Kernel) -> None:
    """At its own store to __cpu_online_mask, which the number of CPUs does not follow yet: the other one is held."""
    target = boot(kernel=fixes_kernel, smp=2, starts_cpus=True)
    held = fixes_kernel.symbol("slaves_in_kgdb")
    mask = fixes_kernel.symbol("__cpu_online_mask")
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{mask:x},8")
    for online in (0, 1):
        target.console.start(f"echo {online} > /sys/devices/system/cpu/cpu1/online")
        rsp.wait_stop()
        assert int.from_bytes(rsp.read_memory(mask, 8), "little") == (1, 3)[online]
        assert int.from_bytes(rsp.read_memory(held, 4), "little") == 1
        rsp.send("c")
        target.console.finish()
    assert target.kernel_log("did not stop") == ""


def test_kdb_says_that_it_switched(boot: Boot, fixes_kernel: Kernel) -> None:
    """Not that a CPU is in an NMI, by which it was stopped, nor that the one which has hit has made a step."""
    target = boot(kernel=fixes_kernel, smp=2)
    kdb = target.attach_kdb()
    kdb.command("bph panic_timeout dataw 4")
    kdb.go()
    target.back()
    target.console.start(WRITE.format(9))
    hit = re.search(r"on processor (\d)", kdb.entered())
    assert hit is not None
    for cpu in (1 - int(hit[1]), int(hit[1])):
        assert re.search(rf"on processor {cpu} due to cpu switch", kdb.command(f"cpu {cpu}"))
    kdb.go()
    target.console.finish()


def test_kdb_says_what_it_cannot_clear(fixed: Target) -> None:
    """Where a task was stopped while it held the lock of perf's accounting, what kdb clears stays armed."""
    kdb = fixed.attach_kdb()
    kdb.command("bp __reserve_bp_slot")
    kdb.command("bph panic_timeout dataw 4")
    kdb.go()
    fixed.back()
    fixed.console.start("hwbp task 1 4")
    kdb.entered()
    assert re.search(r"Breakpoint 1 at 0x[0-9a-f]+ may still be armed", kdb.command("bc 1"))
    kdb.command("bc 0")
    kdb.go()
    fixed.console.finish()
