# SPDX-License-Identifier: GPL-2.0-only
"""Hibernation: the machine is reset, another kernel boots, and puts the memory of the first one back from the disk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conftest import Boot
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.target import Target
from kgdbrig.kernels.kernel import Kernel

pytestmark = pytest.mark.one_version

CPUS = 2
#: The disk has room for all memory.
DISK_MB = 1024


Hibernating = Callable[[int], Target]


@pytest.fixture
def hibernating(boot: Boot, hibernating_kernel: Kernel) -> Hibernating:
    """A machine with so many CPUs that can hibernate."""
    def start(smp: int) -> Target:
        target = boot(kernel=hibernating_kernel, smp=smp, disk_mb=DISK_MB, append="resume=/dev/vda")
        target.console.run("mkswap /dev/vda && swapon /dev/vda && echo reboot > /sys/power/disk", check=True)
        target.trigger.load()
        return target
    return start


def hibernate(target: Target) -> None:
    """Off and on again; the shell that had the machine hibernate goes on."""
    resets = target.machine.qmp()
    target.console.start("echo disk > /sys/power/state")
    resets.wait_event("RESET")
    target.console.finish(2 * target.machine.boot_seconds)
    assert target.console.status == 0, target.report()


def registers(target: Target) -> list[dict[str, int]]:
    """What each CPU's debug registers hold; DR6 apart, which says what was."""
    found = target.machine.debug_registers()
    for each in found:
        del each["DR6"]
    return found


def test_perf_counts_what_resume_does(hibernating: Hibernating) -> None:
    """Before the tasks go on, as in test_suspend.py: create_image() writes system_state before the image, and after it."""
    target = hibernating(1)
    with PerfEvent(target.console, target.kernel.symbol("system_state"), 4) as event:
        assert event.counts() == [0]
        hibernate(target)
        assert event.counts() == [2]


def test_perf_counts_afterwards(hibernating: Hibernating) -> None:
    """On the CPU that does it all; on one that goes offline meanwhile, perf gives up its event, as ever."""
    target = hibernating(1)
    with PerfEvent(target.console, target.trigger.address(0), 4) as event:
        before = registers(target)
        hibernate(target)
        assert registers(target) == before
        target.trigger.run("write", size=4, offset=0, value=1)
        assert event.counts() == [1]


def test_every_cpu_hits_afterwards(hibernating: Hibernating) -> None:
    """Before any of them has been in the debugger again, which was told that the first kernel has exited."""
    target = hibernating(CPUS)
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    assert rsp.request(f"Z2,{address:x},4") == "OK"
    rsp.send("c")
    target.back()
    target.expect_armed(1)
    for times in (1, 2):
        before = registers(target)
        hibernate(target)
        assert rsp.receive() == "W01", times
        assert registers(target) == before, times
        for cpu in range(CPUS):
            target.trigger.start("write", size=4, offset=0, value=cpu, cpu=cpu)
            said = rsp.wait_stop()
            assert (said.reason, said.address) == ("watch", address)
            rsp.send("c")
            target.trigger.finish()
