# SPDX-License-Identifier: GPL-2.0-only
"""gdb's stops against the oracle's log: 1,000 random accesses, none missed, invented or misplaced.

gdb runs a script that continues, and writes down each stop as it sees it: the
PC and which watchpoints it says were hit. The oracle, a QEMU plugin, writes
down each access outside the guest and outside gdb.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import Boot
from drive import prepare, watched
from kgdbrig.clients import trigger
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.target import Target

ACCESSES = 1000
SEED = 20261121
SPAN = 64
#: The two watched places in the span: offset and size, in bytes.
WATCH, AWATCH = (8, 4), (40, 8)

_RECORDER = """
import gdb, json
stops = []
def note(event):
    numbers = [b.number for b in getattr(event, "breakpoints", [])]
    stops.append({"pc": int(gdb.parse_and_eval("$pc")) & (1 << 64) - 1, "numbers": numbers})
gdb.events.stop.connect(note)
"""


@dataclass(frozen=True)
class Stop:
    pc: int
    numbers: frozenset[int]


def record(target: Target, tmp_path: Path, start: str) -> list[Stop]:
    """Let gdb take every stop while the trigger performs one line; the end is a stop by SysRq-g."""
    script = tmp_path / "record.py"
    script.write_text(_RECORDER, encoding="utf-8")
    result = tmp_path / "stops.json"
    gdb = target.attach_gdb()
    gdb.command(f"source {script}")
    gdb.command(f"watch {watched(target, *WATCH)}")
    gdb.command(f"awatch {watched(target, *AWATCH)}")
    target.resume(gdb)
    target.console.start(f"echo '{start}' > {trigger.RUN}; {BREAK_IN}")
    gdb.wait_stop()
    # "continue" until the stop that names no watchpoint: that of SysRq-g.
    gdb.command("python\nwhile stops[-1]['numbers']: gdb.execute('continue', to_string=True)\nend", 900)
    gdb.command(f"python open('{result}', 'w').write(json.dumps(stops))")
    gdb.command("delete")
    gdb.resume()
    target.console.finish()
    assert target.console.status == 0
    *stops, end = json.loads(result.read_text(encoding="utf-8"))
    assert end["numbers"] == []
    return [Stop(stop["pc"], frozenset(stop["numbers"])) for stop in stops]


def overlaps(offset: int, size: int, place: tuple[int, int]) -> bool:
    return offset < place[0] + place[1] and place[0] < offset + size


@pytest.mark.rest_in_test_all
def test_stops_equal_the_oracle_s_log(boot: Boot, tmp_path: Path) -> None:
    target = boot(oracle=True)
    prepare(target)
    base = target.trigger.address()
    low, high = target.symbol("trigger_read_1"), target.symbol("trigger_rmw_8") + 64
    witness = target.oracle()
    for offset, size in (WATCH, AWATCH):
        witness.watch(base + offset, size)

    stops = record(target, tmp_path, trigger.random_line(SEED, ACCESSES, SPAN))
    # gdb and KGDB read the watched bytes as well; only the trigger's own accesses count.
    seen = [access for access in witness.drain() if low <= access.pc < high]
    expected = trigger.predict(SEED, ACCESSES, SPAN)

    # The oracle saw just what the trigger was asked for ...
    asked = [(access.offset, access.size, access.op == "write") for access in expected
             if overlaps(access.offset, access.size, WATCH) or overlaps(access.offset, access.size, AWATCH)]
    assert [(access.addr - base, access.size, access.store) for access in seen] == asked

    # ... and gdb stopped after each access it was to stop at, on the watchpoint it belongs to. Every
    # store of a random run changes its target, so that gdb has no reason to go on by itself.
    due = []
    for access in seen:
        at_watch, at_awatch = (overlaps(access.addr - base, access.size, place) for place in (WATCH, AWATCH))
        if at_awatch or (at_watch and access.store):
            due.append(Stop(access.next_pc, frozenset({1 if at_watch else 2})))
    assert len(due) > ACCESSES // 10
    assert stops == due



def test_stores_only(boot: Boot) -> None:
    """Where just stores are asked for, no load is in the log; beside it everything is."""
    target = boot(oracle=True)
    prepare(target)
    base = target.trigger.address()
    witness = target.oracle()
    witness.watch_stores(base + WATCH[0], WATCH[1])
    witness.watch(base + AWATCH[0], AWATCH[1])
    target.trigger.run_lines(trigger.random_line(SEED, ACCESSES, SPAN))
    asked = [(access.offset, access.size, access.op == "write") for access in trigger.predict(SEED, ACCESSES, SPAN)
             if overlaps(access.offset, access.size, AWATCH) or
             (access.op == "write" and overlaps(access.offset, access.size, WATCH))]
    assert [(access.addr - base, access.size, access.store) for access in witness.drain()] == asked
