# SPDX-License-Identifier: GPL-2.0-only
"""Each width of access at each offset, against watchpoints of each length: a stop where a byte is shared, and none elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from conftest import Stride
from drive import prepare, stops_of_commands
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, Op
from test_ranges import BASE, insert, pieces, remove

#: For the accesses: any value that fits in one byte, since each access is reported, whatever it changes.
VALUE = 0x5a
#: What a vector instruction accesses.
WIDE = 16
#: What is accessed by, what is watched for, and what a stop then says.
KINDS: tuple[tuple[Op, str, str], ...] = (("write", "2", "watch"), ("add", "2", "watch"), ("add", "4", "awatch"),
                                          ("read", "4", "awatch"), ("read", "3", "rwatch"))


def regions(word: int, kind: str) -> list[tuple[int, int]]:
    """The regions of up to a word that begin at some offset of a word, as far as the slots reach; rwatch takes two for each."""
    slots = 2 if kind == "3" else 4
    return [(begin, length) for length in range(1, word + 1) for begin in range(word)
            if len(pieces(begin, length, word)) <= slots]


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("op, kind, reason", KINDS)
def test_each_width_at_each_offset(target: Target, stride: Stride, op: Op, kind: str, reason: str) -> None:
    prepare(target)
    found = regions(target.word, kind)
    access_all(target, [found[number] for number in stride(len(found))], op, kind, reason)


def access_all(target: Target, wanted: Iterable[tuple[int, int]], op: Op, kind: str, reason: str) -> None:
    """For each region, all accesses that touch it, or the byte before or behind it."""
    rsp = target.attach_rsp()
    rsp.send("c")
    target.back()
    value = "" if op == "read" else f" value={VALUE:x}"
    widths = [1 << bit for bit in range(target.word.bit_length())]
    if target.kernel.arch == "x86_64" and op in ("read", "write"):
        widths.append(WIDE)
    for begin, length in wanted:
        region = range(BASE + begin, BASE + begin + length)
        target.break_in()
        rsp.wait_stop()
        insert(rsp, target, (kind, region.start, length))
        rsp.send("c")
        target.back()
        loop = " ".join(f"{width}:{offset}" for width in widths for offset in range(region.start - width, region.stop + 1))
        stops = stops_of_commands(
            target, rsp, f"for a in {loop}; do echo op={op} size=${{a%:*}} offset=${{a#*:}}{value} > {RUN}; done")
        remove(rsp, target, (kind, region.start, length))
        rsp.send("c")
        target.back()
        found = [(stop.reason, (stop.address or 0) - target.trigger.address()) for stop in stops]
        starts = [(BASE + start, BASE + start + size) for start, size in pieces(begin, length, target.word)]
        # The first slot that is touched, of the one watchpoint that there is.
        expected = [(reason, next(first for first, end in starts if first < offset + width and offset < end))
                    for width in widths for offset in range(region.start - width + 1, region.stop)]
        assert found == expected, f"{op} of {region}"
