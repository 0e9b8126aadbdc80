# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own suite on a busy machine that checks itself: a short 'make endurance'."""

from __future__ import annotations

import pytest

from conftest import Boot
from kgdbrig import endurance
from kgdbrig.build import Kernel


#: As endurance.TESTS, for about a minute.
TESTS = ("V1F100I100", "V1S500I100")


@pytest.mark.one_version
def test_kgdbts_with_lockdep_and_kasan(boot: Boot, debug_kernel: Kernel) -> None:
    target = boot(kernel=debug_kernel, smp=endurance.CPUS, kgdboc="none", memory_mb=endurance.MEMORY_MB)
    endurance.endure(target, TESTS)
    target.expect_armed(0)
