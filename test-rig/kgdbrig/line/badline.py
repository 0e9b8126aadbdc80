# SPDX-License-Identifier: GPL-2.0-only
"""A line that spoils bytes: faults for a tap.

A packet is too long for faults byte by byte: one lost byte loses it whole.  So
the choice is which packets and acknowledgments are spoiled, and then one byte
of each.
"""

from __future__ import annotations

import enum
import threading
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

from kgdbrig.line.tap import FROM_GDB, FROM_KGDB

#: For how long a byte is held up, in seconds: less, and more, than a debugger and the stub wait for one.
DELAYS = (0.02, 0.2, 1.2)


class Harm(enum.Enum):
    """What happens to one byte."""

    DROPPED = "dropped"
    CORRUPTED = "corrupted"
    DOUBLED = "doubled"
    DELAYED = "delayed"


def spoil(direction: str, raw: bytes, at: int, harm: Harm, rng: Random) -> Iterator[bytes]:
    """`raw` with the byte `at` spoiled, in the pieces that come one after another.

    Two things are not done.  No byte is changed into "+": that acknowledges what the other end has refused, and no
    protocol can tell.  And where gdb reads the digits of a checksum it gets digits: it gives up its command otherwise.
    """
    if harm is Harm.DOUBLED and raw[at:at + 1] == b"#" and direction == FROM_KGDB:
        at += 1
    before, byte, behind = raw[:at], raw[at:at + 1], raw[at + 1:]
    if harm is Harm.DELAYED:
        yield before
        time.sleep(rng.choice(DELAYS))
        yield byte + behind
    elif harm is Harm.CORRUPTED:
        others = {*range(256)} - {*b"+"}
        if direction == FROM_KGDB and len(raw) > 1:
            others = {*b"0123456789abcdef"} if at >= len(raw) - 2 else others - {*b"#"}
        yield before + bytes([rng.choice(sorted(others - {*byte}))]) + behind
    else:
        yield before + (byte + byte if harm is Harm.DOUBLED else b"") + behind


class BadLine:
    """A tap's fault: one byte in `percent` % of the packets, acknowledgments and interrupts, by a seed.

    The choices of a direction depend on nothing but the seed and what crosses the line there.
    """

    def __init__(self, seed: int, percent: int = 3) -> None:
        self._percent = percent
        self._rngs = {direction: Random(f"{seed} {direction}") for direction in (FROM_GDB, FROM_KGDB)}
        self._lock = threading.Lock()
        #: How many of each kind there were.
        self.counts: Counter[Harm] = Counter()

    def __call__(self, direction: str, raw: bytes) -> Iterator[bytes]:
        rng = self._rngs[direction]
        if rng.randrange(100) >= self._percent:
            return iter([raw])
        at, harm = rng.randrange(len(raw)), rng.choice([*Harm])
        with self._lock:
            self.counts[harm] += 1
        return spoil(direction, raw, at, harm, rng)
