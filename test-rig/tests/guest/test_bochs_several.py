# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: one stop for all watchpoints that one access hit, by what a processor's DR6 says.  Most tests are those for QEMU."""

from __future__ import annotations

import pytest

from drive import prepare, set_and_go_on, stops_on_wire
from in_bochs import target as target
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import line
from test_several import HERE, OFFERS, connect, packets, told
from test_several import test_the_reason_again as test_the_reason_again

pytestmark = pytest.mark.rest_in_test_all


def test_wide_and_unaligned_accesses(target: Target) -> None:
    """Four watchpoints side by side, and accesses of 8 or 16 bytes: one stop, with those that it touches."""
    prepare(target)
    four = [(2, 0, 1), (4, 2, 2), (2, 4, 2), (4, 7, 1)]
    names = {2: "watch", 4: "awatch"}
    with connect(target, *OFFERS) as rsp:
        set_and_go_on(target, rsp, *(f"Z{spec}" for spec in packets(target, four)))
        for size, offset in ((8, -3), (8, 0), (8, 1), (8, 5), (16, -8), (16, -1), (16, 7)):
            hit = [(names[kind], at) for kind, at, length in four if offset < at + length and at < offset + size]
            stops = stops_on_wire(target, rsp, line("write", size=size, offset=HERE + offset, value=offset & 0xff),
                                  line("read", size=size, offset=HERE + offset))
            rsp.send("c")
            target.back()
            expected = [hit, [each for each in hit if each[0] == "awatch"]]
            assert [told(target, stop) for stop in stops] == [each for each in expected if each], (size, offset)
