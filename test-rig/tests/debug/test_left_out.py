# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that lack a part of what we add: docs/architecture.md says what they do."""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.build import Kernel
from kgdbrig.rsp import Rsp
from kgdbrig.target import Target
from kgdbrig.trigger import Context

pytestmark = pytest.mark.one_version

CPUS = 2
ELSEWHERE: tuple[Context, ...] = ("task", "softirq", "hardirq", "irqsoff", "kprobe", "ftrace")


def expect_hit(target: Target, rsp: Rsp, value: int, cpu: int, context: Context = "task") -> None:
    said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=value, cpu=cpu, context=context)
    assert (said.reason, said.address) == ("watch", target.trigger.address()), context
    go_on_wire(target, rsp)


def test_without_the_nmi_patch_nothing_hits_in_an_nmi_handler(boot: Boot, kernel_without_nmi: Kernel) -> None:
    """Neither there nor later; in all other contexts as ever, and behind an NMI too."""
    target = boot(kernel=kernel_without_nmi, smp=CPUS)
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{target.trigger.address():x},4")
    value = 0
    for cpu in range(CPUS):
        for context in ELSEWHERE:
            mark = target.tap.mark()
            target.trigger.run("write", size=4, offset=0, value=value + 1, cpu=cpu, context="nmi")
            assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
            target.expect_armed(1)
            expect_hit(target, rsp, value + 2, cpu, context)
            value += 2


def test_without_the_option_there_are_no_hardware_breakpoints(boot: Boot, kernel_without_watchpoints: Kernel) -> None:
    """Their packets get the empty answer, and nothing is armed; a software breakpoint stops, and the kernel's suite passes."""
    target = boot(kernel=kernel_without_watchpoints, smp=CPUS)
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    for kind in (1, 2, 3, 4):
        for operation in "Zz":
            assert rsp.request(f"{operation}{kind},{address:x},4") == ""
    place = target.kernel.symbol("proc_dointvec_minmax")
    set_and_go_on(target, rsp, f"Z0,{place:x},1")
    target.expect_armed(0)
    target.console.start("cat /proc/sys/kernel/panic_on_warn")
    assert rsp.wait_stop().reason is None
    assert rsp.request(f"z0,{place:x},1") == "OK"
    assert rsp.request("D") == "OK"
    target.console.finish()


def test_the_kernels_suite_without_the_option(boot: Boot, kernel_without_watchpoints: Kernel) -> None:
    """It has no hardware tests to run there, and passes."""
    target = boot(kernel=kernel_without_watchpoints, smp=CPUS, kgdboc="none")
    target.console.run("echo kgdbts=V1 > /sys/module/kgdbts/parameters/kgdbts", 120)
    log = target.kernel_log("kgdb")
    assert "Unregistered I/O driver kgdbts" in log and "kgdbts:RUN sw breakpoint test" in log
    assert "kgdbts: ERROR" not in log and "hw" not in log and "access write" not in log
