# SPDX-License-Identifier: GPL-2.0-only
"""A short 'make soak': four CPUs, random watchpoints, and not one stop too few, too many or wrong."""

from __future__ import annotations

import os

import pytest

from conftest import Boot
from kgdbrig.judging.soak import CPUS, Soak

SEED = 20261121
ACCESSES = 2000 if os.environ.get("TEST_ALL") else 1000


@pytest.mark.parametrize("several", [
    pytest.param(False, id="one in a stop"),
    pytest.param(True, id="several in a stop", marks=pytest.mark.only_in_test_all)])
def test_no_stop_is_missed_invented_or_misattributed(boot: Boot, several: bool) -> None:
    """Each access that hit is told by as many stops as it takes, or by one for a client that takes several watchpoints."""
    soak = Soak(boot(smp=CPUS, oracle=True), SEED, several=several)
    soak.run(ACCESSES, None)
    judge = soak.judge
    print(judge.figures)
    assert judge.passed, "\n".join((judge.figures, *judge.findings))
    # ... and it was worth it.
    assert soak.accesses >= ACCESSES and judge.hits > ACCESSES // 5 and soak.sets > ACCESSES // 20
