# SPDX-License-Identifier: GPL-2.0-only
"""A kernel with the series whose option is off: docs/architecture.md says what it does."""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import back_over_int3, kgdbts, prepare, set_and_go_on
from kgdbrig.kernels.kernel import Kernel

pytestmark = pytest.mark.one_version

CPUS = 2


def test_without_the_option_there_are_no_hardware_breakpoints(boot: Boot, kernel_without_watchpoints: Kernel) -> None:
    """Their packets get the empty answer, nothing is armed, and a software breakpoint stops."""
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
    back_over_int3(rsp, place)
    assert rsp.request(f"z0,{place:x},1") == "OK"
    assert rsp.request("D") == "OK"
    target.console.finish()


def test_the_kernels_suite_without_the_option(boot: Boot, kernel_without_watchpoints: Kernel) -> None:
    """It has no hardware tests to run there, and passes."""
    target = boot(kernel=kernel_without_watchpoints, smp=CPUS, kgdboc="none")
    log = kgdbts(target, "V1")
    assert "Unregistered I/O driver kgdbts" in log and "kgdbts:RUN sw breakpoint test" in log
    assert "kgdbts: ERROR" not in log and "hw" not in log and "access write" not in log
