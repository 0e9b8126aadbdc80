# SPDX-License-Identifier: GPL-2.0-only
"""One access to several watchpoints: gdb 17 and later show one stop with all of them, older ones a stop for each address."""

from __future__ import annotations

import re

import pytest

from drive import prepare, watched
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.gdb import Debugger, Gdb
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, Op, line
from test_frontends import GDBS, of_suite
from test_values import hits

pytestmark = pytest.mark.one_version

HERE = 64
#: gdb's command for what it offers as multi-wp-addr.
PACKET = "remote multiple-watchpoint-addresses-packet"

#: What one stop shows: values, by the number of the watchpoint.
Shown = dict[int, str]


@pytest.fixture(params=GDBS, scope="module")
def debugger(request: pytest.FixtureRequest) -> Debugger:
    return of_suite(request.param)


def offers(debugger: Debugger) -> bool:
    return float(debugger.version().split()[-1]) >= 17


def shown(said: str) -> Shown:
    parts = re.split(r"^(?:Thread .* hit )?Hardware (?:access \(read/write\) |read )?watchpoint (\d+): .*$", said,
                     flags=re.MULTILINE)
    return {int(number): ", ".join(re.findall(r"^((?:Old value|New value|Value) = .*)$", text, re.MULTILINE))
            for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def stops(target: Target, gdb: Gdb, op: Op, value: int | None = None) -> list[Shown]:
    """The stops of an access of 4 bytes at HERE, up to one that is the shell's, at which the machine is left."""
    target.console.start(f"echo '{line(op, size=4, offset=HERE, value=value)}' > {RUN}; {BREAK_IN}")
    found = []
    while said := shown(gdb.wait_stop()):
        found.append(said)
        gdb.resume()
    return found


def expect(target: Target, gdb: Gdb, at_once: bool) -> None:
    """Each access is shown as a gdb does that takes all watchpoints `at_once`, or one by one."""
    for kind, offset, size in (("watch", 0, 2), ("watch", 2, 2), ("awatch", 0, 4)):
        gdb.command(f"{kind} {watched(target, HERE + offset, size)}")
    target.resume(gdb)
    # Both halves change.
    said = stops(target, gdb, "write", 0x10002)
    whole = "Old value = 0, New value = 65538"
    low, high = "Old value = 0, New value = 2", "Old value = 0, New value = 1"
    assert said == ([{1: low, 2: high, 3: whole}] if at_once else [{1: low, 3: whole}, {2: high, 3: "Value = 65538"}])
    target.resume(gdb)
    # One does, and the other is stored to.
    said = stops(target, gdb, "write", 0x10003)
    low, whole = "Old value = 2, New value = 3", "Old value = 65538, New value = 65539"
    assert said == ([{1: low, 3: whole}] if at_once else [{1: low, 3: whole}, {3: "Value = 65539"}])
    target.resume(gdb)
    assert stops(target, gdb, "read") == [{3: "Value = 65539"}]
    target.resume(gdb)
    assert stops(target, gdb, "write", 0x10003) == [{3: "Value = 65539"}] * (1 if at_once else 2)
    assert [hits(gdb, number) for number in (1, 2, 3)] == [2, 1, 4 if at_once else 7]

    gdb.command("delete")
    for kind, offset in (("rwatch", 0), ("awatch", 2)):
        gdb.command(f"{kind} {watched(target, HERE + offset, 2)}")
    target.resume(gdb)
    both = {4: "Value = 3", 5: "Value = 1"}
    assert stops(target, gdb, "read") == ([both] if at_once else [{4: both[4]}, {5: both[5]}])
    target.resume(gdb)
    assert stops(target, gdb, "write", 0x10003) == [{5: "Value = 1"}]
    assert [hits(gdb, number) for number in (4, 5)] == [1, 2]
    gdb.command("delete")
    target.resume(gdb)
    target.expect_armed(0)


def test_one_access_to_several(target: Target, debugger: Debugger) -> None:
    """The values are right in either case, and each watchpoint is shown where its value has changed, once.

    A gdb that is told one address at a time shows an access watchpoint with both in at both stops, and counts it twice.
    """
    prepare(target)
    gdb = target.attach_gdb()
    expect(target, gdb, offers(debugger))


def test_a_gdb_that_is_told_not_to(target: Target, debugger: Debugger) -> None:
    """Where its user has switched it off, gdb 18 does what older ones do."""
    prepare(target)
    with Gdb(target.kernel.vmlinux, debugger=debugger) as gdb:
        assert ("Undefined" in gdb.command(f"set {PACKET} off")) != offers(debugger)
        target.break_in()
        gdb.connect(target.line)
        expect(target, gdb, False)
