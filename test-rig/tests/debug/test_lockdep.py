# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own suite on a busy machine that checks itself: a short 'make endurance'."""

from __future__ import annotations

import pytest

from conftest import Boot
from kgdbrig.judging import endurance, klog
from kgdbrig.kernels.kernel import Kernel

#: As endurance.TESTS, for about a minute.
TESTS = ("V1F100I100", "V1S500I100")


@pytest.mark.one_version
def test_kgdbts_with_lockdep_and_kasan(boot: Boot, debug_kernel: Kernel) -> None:
    target = boot(kernel=debug_kernel, smp=endurance.CPUS, kgdboc="none", memory_mb=endurance.MEMORY_MB,
                  append=endurance.APPEND)
    endurance.endure(target, TESTS)
    target.expect_armed(0)


@pytest.mark.one_version
def test_what_lockdep_looks_at_all_the_time(boot: Boot, debug_kernel: Kernel) -> None:
    """A stop at each look, and then a machine that is well."""
    target = boot(kernel=debug_kernel, memory_mb=endurance.MEMORY_MB)
    rsp = target.attach_rsp()
    packet = f"4,{target.kernel.symbol('debug_locks'):x},4"
    assert rsp.request(f"Z{packet}") == "OK"
    for _ in range(20):
        rsp.send("c")
        assert rsp.wait_stop().reason == "awatch"
    assert rsp.request(f"z{packet}") == "OK"
    rsp.send("c")
    target.back()
    target.expect_armed(0)
    assert not klog.complaints(target.kernel_log())
