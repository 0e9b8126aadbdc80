# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: a short 'make soak' on one CPU, where the debug registers name all slots that match: no hit is excused."""

from __future__ import annotations

import pytest

from kgdbrig.clients.target import Target
from kgdbrig.judging.soak import Soak

SEED = 20261128
ACCESSES = 600

#: More than a minute each.
pytestmark = pytest.mark.only_in_test_all


@pytest.mark.parametrize("several", [False, True], ids=["one in a stop", "several in a stop"])
def test_no_stop_is_missed_invented_or_misattributed(bochs: Target, several: bool) -> None:
    """Each access that hit is told by as many stops as it takes, or by one for a client that takes several watchpoints."""
    soak = Soak(bochs, SEED, several=several)
    soak.run(ACCESSES, None)
    judge = soak.judge
    print(f"{soak.accesses} accesses, {judge.hits} hits, {judge.stops} stops\n{judge.figures}")
    assert judge.passed, "\n".join(judge.findings)
    # ... and it was worth it.
    assert soak.accesses >= ACCESSES
    assert judge.hits > ACCESSES // 5
    assert soak.sets > ACCESSES // 20
