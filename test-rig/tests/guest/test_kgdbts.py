# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own test suite of KGDB, drivers/misc/kgdbts.c, run in the guest."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import expect_kgdbts_passes, kgdbts
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines.qemu import INSTRUCTION_NS

pytestmark = pytest.mark.i386


def test_the_suite_passes(boot: Boot) -> None:
    expect_kgdbts_passes(boot(kgdboc="none", smp=2, instruction_ns=INSTRUCTION_NS))


@pytest.mark.one_version
@pytest.mark.only_in_test_all
@pytest.mark.complains("kgdbts: ERROR", "cut here", r"WARNING: .*kgdbts\.c", "Call Trace")
def test_the_suite_fails_on_the_stock_kernel(boot: Boot, stock_kernel: Kernel) -> None:
    """All three hardware tests fail there, so the comparison above is one."""
    target = boot(kernel=stock_kernel, kgdboc="none", smp=2)
    log = kgdbts(target, "V1")
    failed = re.findall(r"kgdbts: ERROR (\w+)_test test failed", log)
    assert set(failed) == {"hw_breakpoint", "hw_write_break", "hw_access_break"}, log
