# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: a short 'make soak' on one CPU, where the debug registers name all slots that match: no hit is excused."""

from __future__ import annotations

from kgdbrig.clients.target import Target
from kgdbrig.judging.soak import Soak

SEED = 20261128
ACCESSES = 600


def test_no_stop_is_missed_invented_or_misattributed(bochs: Target) -> None:
    soak = Soak(bochs, SEED)
    soak.run(ACCESSES, None)
    judge = soak.judge
    print(f"{soak.accesses} accesses, {judge.hits} hits, {judge.stops} stops\n{judge.figures}")
    assert judge.passed, "\n".join(judge.findings)
    # ... and it was worth it.
    assert soak.accesses >= ACCESSES
    assert judge.hits > ACCESSES // 5
    assert soak.sets > ACCESSES // 20
