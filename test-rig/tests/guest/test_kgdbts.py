# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own test suite of KGDB, drivers/misc/kgdbts.c, run in the guest."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import kgdbts
from kgdbrig.build import Kernel
from kgdbrig.machine import INSTRUCTION_NS

pytestmark = pytest.mark.i386

HARDWARE_TESTS = ("hw breakpoint test", "hw write breakpoint test", "access write breakpoint test")


def test_the_suite_passes(boot: Boot) -> None:
    target = boot(kgdboc="none", smp=2, instruction_ns=INSTRUCTION_NS)
    log = kgdbts(target, "V1")
    for name in HARDWARE_TESTS:
        assert f"kgdbts:RUN {name}" in log
    assert "ERROR" not in log and "WARNING" not in log
    assert "Unregistered I/O driver kgdbts" in log
    target.expect_armed(0)


@pytest.mark.one_version
@pytest.mark.complains("kgdbts: ERROR", "cut here", r"WARNING: .*kgdbts\.c", "Call Trace")
def test_the_suite_fails_on_the_stock_kernel(boot: Boot, stock_kernel: Kernel) -> None:
    """All three hardware tests fail there, so the comparison above is one."""
    target = boot(kernel=stock_kernel, kgdboc="none", smp=2)
    log = kgdbts(target, "V1")
    failed = re.findall(r"kgdbts: ERROR (\w+)_test test failed", log)
    assert set(failed) == {"hw_breakpoint", "hw_write_break", "hw_access_break"}, log
