# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own suite on a busy machine; tests/debug has it with a kernel that checks itself."""

from __future__ import annotations

import pytest

from conftest import Boot
from kgdbrig.judging import endurance
from kgdbrig.machines.qemu import INSTRUCTION_NS


@pytest.mark.only_in_test_all
def test_kgdbts(boot: Boot) -> None:
    target = boot(smp=endurance.CPUS, kgdboc="none", append=endurance.APPEND, instruction_ns=INSTRUCTION_NS)
    endurance.endure(target, endurance.SHORT)
    target.expect_armed(0)
