# SPDX-License-Identifier: GPL-2.0-only
"""Hibernation: the machine is reset, another kernel boots, and puts the memory of the first one back from the disk."""

from __future__ import annotations

import pytest

from conftest import Boot
from kgdbrig.build import Kernel
from kgdbrig.hwbp import PerfEvent
from kgdbrig.target import Target

pytestmark = pytest.mark.one_version

CPUS = 2
#: The disk has room for all memory.
DISK_MB = 1024


@pytest.fixture
def hibernating(boot: Boot, hibernating_kernel: Kernel) -> Target:
    target = boot(kernel=hibernating_kernel, smp=CPUS, disk_mb=DISK_MB, append="resume=/dev/vda")
    target.console.run("mkswap /dev/vda && swapon /dev/vda && echo reboot > /sys/power/disk", check=True)
    target.trigger.load()
    return target


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


def test_perf_counts_afterwards(hibernating: Target) -> None:
    with PerfEvent(hibernating.console, hibernating.trigger.address(0), 4) as event:
        before = registers(hibernating)
        hibernate(hibernating)
        assert registers(hibernating) == before
        for cpu in range(CPUS):
            hibernating.trigger.run("write", size=4, offset=0, value=cpu, cpu=cpu)
        assert sum(event.counts()) == CPUS


def test_every_cpu_hits_afterwards(hibernating: Target) -> None:
    """Before any of them has been in the debugger again."""
    address = hibernating.trigger.address(0)
    rsp = hibernating.attach_rsp()
    assert rsp.request(f"Z2,{address:x},4") == "OK"
    rsp.send("c")
    hibernating.back()
    hibernating.expect_armed(1)
    for times in (1, 2):
        before = registers(hibernating)
        hibernate(hibernating)
        assert registers(hibernating) == before, times
        for cpu in range(CPUS):
            hibernating.trigger.start("write", size=4, offset=0, value=cpu, cpu=cpu)
            said = rsp.wait_stop()
            assert (said.reason, said.address) == ("watch", address)
            rsp.send("c")
            hibernating.trigger.finish()
