# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own suite on a busy machine that checks itself: a short 'make endurance'."""

from __future__ import annotations

import pytest

from conftest import Boot
from kgdbrig import endurance
from kgdbrig.build import Kernel


@pytest.mark.one_version
def test_kgdbts_with_lockdep_and_kasan(boot: Boot, debug_kernel: Kernel) -> None:
    target = boot(kernel=debug_kernel, smp=endurance.CPUS, kgdboc="none", memory_mb=endurance.MEMORY_MB)
    endurance.endure(target, endurance.SHORT)
    target.expect_armed(0)
