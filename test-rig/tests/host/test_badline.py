# SPDX-License-Identifier: GPL-2.0-only
"""What a bad line does to bytes, and what it does not."""

from __future__ import annotations

from random import Random

import pytest

from kgdbrig.line import badline
from kgdbrig.line.badline import BadLine, Harm, spoil
from kgdbrig.line.tap import FROM_GDB, FROM_KGDB

ANSWER, REQUEST = b"$T05thread:2f;watch:ffffffffc0004040;#92", b"$Z2,ffffffffc0004040,4#06"
HEX = b"0123456789abcdef"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(badline, "DELAYS", (0,))


@pytest.mark.parametrize(("direction", "raw"), [(FROM_KGDB, ANSWER), (FROM_GDB, REQUEST), (FROM_GDB, b"+"), (FROM_KGDB, b"+")])
def test_one_byte(direction: str, raw: bytes) -> None:
    rng = Random(1)
    for at in range(len(raw)):
        assert list(spoil(direction, raw, at, Harm.DROPPED, rng)) == [raw[:at] + raw[at + 1:]]
        assert list(spoil(direction, raw, at, Harm.DELAYED, rng)) == [raw[:at], raw[at:]]
        doubled, = spoil(direction, raw, at, Harm.DOUBLED, rng)
        assert len(doubled) == len(raw) + 1
        for _ in range(50):
            corrupted, = spoil(direction, raw, at, Harm.CORRUPTED, rng)
            assert [place for place in range(len(raw)) if corrupted[place] != raw[place]] == [at]
            assert corrupted[at] != ord("+")


def test_gdb_gets_a_checksum_of_digits() -> None:
    """It gives its command up otherwise."""
    rng = Random(1)
    for at in range(len(ANSWER)):
        for harm in (Harm.CORRUPTED, Harm.DOUBLED):
            for _ in range(50):
                spoilt, = spoil(FROM_KGDB, ANSWER, at, harm, rng)
                behind = spoilt[1:].partition(b"#")[2]
                assert all(byte in HEX for byte in behind[:2]), (at, spoilt)


def test_three_percent_of_them() -> None:
    line, again, other = BadLine(1), BadLine(1), BadLine(2)
    passed = [[b"".join(each(FROM_GDB, REQUEST)) for _ in range(4000)] for each in (line, again, other)]
    assert passed[0] == passed[1] != passed[2]
    assert set(line.counts) == set(Harm)
    assert 80 < sum(line.counts.values()) < 160
    # One that is late is whole.
    assert sum(each != REQUEST for each in passed[0]) == sum(line.counts.values()) - line.counts[Harm.DELAYED]
