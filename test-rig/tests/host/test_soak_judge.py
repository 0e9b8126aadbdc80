# SPDX-License-Identifier: GPL-2.0-only
"""The judge of 'make soak', on accesses and stops made up here: each figure counts what it is for, and nothing else."""

from __future__ import annotations

from random import Random

import pytest

from kgdbrig.judging import soak
from kgdbrig.judging.judge import REASONS, Judge, Slot, Watch, may_be_excused
from kgdbrig.judging.soak import Choice
from kgdbrig.machines.oracle import Access

BASE = 0xffffffffc0008000
WRITES, READS, BOTH = Watch("Z2", BASE, 8), Watch("Z3", BASE, 8), Watch("Z4", BASE, 8)
PC = 0xffffffffc0001003


def access(offset: int, size: int = 4, *, store: bool = True, cpu: int = 0) -> Access:
    return Access(0, cpu, 1, PC - 3, PC, BASE + offset, size, store)


def judge(*armed: Watch, names_all: bool = False) -> Judge:
    made = Judge(8, names_all=names_all)
    made.change(armed)
    return made


def figures(made: Judge) -> tuple[int, int, int]:
    made.finish()
    assert made.passed == (not made.findings and made.excused <= may_be_excused(made.hits))
    return made.missed, made.invented, made.misattributed


@pytest.mark.parametrize("watch, store, hits", [
    (WRITES, True, True), (WRITES, False, False), (READS, True, False), (READS, False, True),
    (BOTH, True, True), (BOTH, False, True)])
def test_the_kinds(watch: Watch, store: bool, hits: bool) -> None:
    made = judge(watch)
    made.accesses([access(0, store=store)])
    assert made.hits == hits
    if hits:
        made.stop(0, PC, REASONS[watch.kind], BASE)
    assert figures(made) == (0, 0, 0)


@pytest.mark.parametrize("offset, size, hits", [(-4, 4, False), (-4, 8, True), (7, 1, True), (8, 4, False)])
def test_the_edges(offset: int, size: int, hits: bool) -> None:
    made = judge(BOTH)
    made.accesses([access(offset, size)])
    assert figures(made) == (int(hits), 0, 0)


def test_a_stop_that_does_not_come() -> None:
    """It is missed when its CPU goes on, and when all is over; each access counts once."""
    made = judge(BOTH)
    made.accesses([access(0), access(4), access(64)])
    assert made.missed == 2
    assert figures(made) == (2, 0, 0)


def test_a_stop_from_nowhere() -> None:
    made = judge(BOTH)
    made.accesses([access(64)])
    made.stop(0, PC, "awatch", BASE)
    assert figures(made) == (0, 1, 0)


def test_a_stop_twice() -> None:
    made = judge(BOTH)
    made.accesses([access(0)])
    made.stop(0, PC, "awatch", BASE)
    made.stop(0, PC, "awatch", BASE)
    assert figures(made) == (0, 1, 0)


@pytest.mark.parametrize("pc, reason, address", [
    (PC - 3, "awatch", BASE), (PC, "watch", BASE), (PC, "awatch", BASE + 8), (PC, None, None),
    # Within what is watched, but no slot begins there.
    (PC, "awatch", BASE + 4)])
def test_a_stop_that_says_something_else(pc: int, reason: str | None, address: int | None) -> None:
    made = judge(BOTH)
    made.accesses([access(0)])
    made.stop(0, pc, reason, address)
    assert figures(made) == (0, 0, 1)


def test_a_stop_with_another_cpu() -> None:
    made = judge(BOTH)
    made.accesses([access(0, cpu=1)])
    made.stop(2, PC, "awatch", BASE)
    assert figures(made) == (0, 0, 1)


def test_hits_that_wait() -> None:
    """All CPUs hit; their stops come in any order, and another set is no reason to lose what stays."""
    other = Watch("Z4", BASE + 64, 8)
    made = judge(BOTH, other)
    made.accesses([access(0, cpu=0), access(64, cpu=1), access(4, cpu=2)])
    made.stop(2, PC, "awatch", BASE)
    made.change((BOTH,))
    made.accesses([access(0, cpu=2)])
    made.stop(0, PC, "awatch", BASE)
    made.stop(2, PC, "awatch", BASE)
    assert figures(made) == (0, 0, 0)


def test_a_hit_that_waits_goes_with_its_watchpoint() -> None:
    made = judge(BOTH)
    made.accesses([access(0)])
    made.change((Watch("Z4", BASE + 64, 8),))
    made.stop(0, PC, "awatch", BASE)
    assert figures(made) == (0, 1, 0)


LOW, HIGH = Watch("Z2", BASE, 4), Watch("Z2", BASE + 4, 4)


@pytest.mark.parametrize("names_all", [False, True])
@pytest.mark.parametrize("stops, missed, invented", [
    ((LOW, HIGH), 0, 0), ((LOW,), 1, 0), ((HIGH,), 1, 0), ((LOW, HIGH, LOW), 0, 1), ((LOW, LOW), 1, 1)])
def test_one_access_two_watchpoints_apart(names_all: bool, stops: tuple[Watch, ...], missed: int, invented: int) -> None:
    """Each has its own stop, and a third is too much; who names just one slot is excused."""
    made = judge(LOW, HIGH, names_all=names_all)
    made.accesses([access(0, 8)])
    for watch in stops:
        made.stop(0, PC, "watch", watch.addr)
    made.finish()
    assert (made.missed, made.excused) == ((missed, 0) if names_all else (0, missed))
    assert (made.invented, made.misattributed) == (invented, 0)


@pytest.mark.parametrize("stops, missed, invented, misattributed", [
    ([[LOW, HIGH]], 0, 0, 0), ([[HIGH, LOW]], 0, 0, 0),
    # One by one is what another client is for.
    ([[LOW], [HIGH]], 1, 1, 0), ([[LOW]], 1, 0, 0),
    # Something twice, in a second stop and in one.
    ([[LOW, HIGH], [HIGH]], 0, 1, 0), ([[LOW, HIGH, HIGH]], 0, 0, 1),
    # A third one, which was not hit.
    ([[LOW, HIGH, Watch("Z2", BASE + 8, 4)]], 0, 0, 1)])
def test_two_in_one_stop(stops: list[list[Watch]], missed: int, invented: int, misattributed: int) -> None:
    made = Judge(8, names_all=True, several=True)
    made.change((LOW, HIGH))
    made.accesses([access(0, 8)])
    for first, *others in stops:
        made.stop(0, PC, "watch", first.addr, *(("watch", watch.addr) for watch in others))
    assert figures(made) == (missed, invented, misattributed)


@pytest.mark.parametrize("named, misattributed", [
    (["watch", "awatch"], 0), (["awatch", "watch"], 0), (["watch"], 1), (["awatch"], 1), (["watch", "rwatch"], 1)])
def test_each_kind_in_one_stop(named: list[str], misattributed: int) -> None:
    """Of two that one address lies in, each has its field."""
    made = Judge(8, names_all=True, several=True)
    made.change((WRITES, BOTH))
    made.accesses([access(0, 8)])
    made.stop(0, PC, named[0], BASE, *((name, BASE) for name in named[1:]))
    assert figures(made) == (0, 0, misattributed)


def test_one_of_two_in_one_stop_is_excused() -> None:
    """Where the hardware names just one slot."""
    made = Judge(8, several=True)
    made.change((LOW, HIGH))
    made.accesses([access(0, 8)])
    made.stop(0, PC, "watch", BASE)
    made.finish()
    assert (made.missed, made.excused, made.invented, made.misattributed) == (0, 1, 0, 0)


def test_what_was_removed_is_not_in_the_one_stop() -> None:
    made = Judge(8, names_all=True, several=True)
    made.change((LOW, HIGH))
    made.accesses([access(0, 8)])
    made.change((HIGH,))
    made.stop(0, PC, "watch", BASE + 4)
    assert figures(made) == (0, 0, 0)


def test_none_of_two_is_no_excuse() -> None:
    made = judge(LOW, HIGH)
    made.accesses([access(0, 8)])
    assert figures(made) == (1, 0, 0)
    assert made.excused == 0


def test_one_address_may_tell_of_several() -> None:
    """One that a slot of the one begins with, and that lies within the other."""
    made = judge(WRITES, Watch("Z4", BASE + 4, 4), names_all=True)
    made.accesses([access(0, 8)])
    made.stop(0, PC, "watch", BASE + 4)
    assert figures(made) == (0, 0, 0)


@pytest.mark.parametrize("names_all", [False, True])
@pytest.mark.parametrize("stops", [0, 1])
@pytest.mark.parametrize("before", [(WRITES, BOTH), (READS, BOTH)])
def test_of_the_slots_that_matched_one_goes(before: tuple[Watch, ...], stops: int, names_all: bool) -> None:
    """What stays must be reported; QEMU, which may have named only what went, is excused."""
    made = judge(*before, names_all=names_all)
    made.accesses([access(0, store=before[0] is WRITES)])
    made.change((BOTH,))
    for _ in range(stops):
        made.stop(0, PC, "awatch", BASE)
    made.finish()
    missed = 1 - stops
    assert (made.missed, made.excused) == ((missed, 0) if names_all or before[0] is READS else (0, missed))
    assert (made.invented, made.misattributed) == (0, 0)


def test_all_the_slots_that_matched_go() -> None:
    made = judge(LOW, HIGH, names_all=True)
    made.accesses([access(0, 8)])
    made.change(())
    assert figures(made) == (0, 0, 0)


@pytest.mark.parametrize("hits, most", [(1, 2), (300, 9), (1000, 17), (5000, 49)])
def test_few_may_be_excused(hits: int, most: int) -> None:
    """One hit in two hundred, and what chance adds to so many hits in one of 100,000 runs."""
    for excused, passed in ((most, True), (most + 1, False)):
        made = judge(LOW, HIGH)
        for number in range(max(hits, excused)):
            made.accesses([access(0, 8 if number < excused else 4)])
            made.stop(0, PC, "watch", BASE)
        made.finish()
        assert (made.excused, made.missed, made.passed) == (excused, 0, passed)


def test_what_is_set_after_an_access_was_not_hit_by_it() -> None:
    """Though a slot of what was hit goes on to serve it."""
    made = judge(Watch("Z2", BASE, 12))
    made.accesses([access(0)])
    made.change((WRITES,))
    made.stop(0, PC, "watch", BASE)
    assert figures(made) == (0, 1, 0)


@pytest.mark.parametrize("addr, length, pieces", [
    (0x1000, 8, [(0x1000, 8)]), (0x1000, 32, [(0x1000, 8), (0x1008, 8), (0x1010, 8), (0x1018, 8)]),
    (0x1001, 7, [(0x1001, 1), (0x1002, 2), (0x1004, 4)]), (0x1007, 2, [(0x1007, 1), (0x1008, 1)])])
def test_the_slots_of_a_range(addr: int, length: int, pieces: list[tuple[int, int]]) -> None:
    assert Watch("Z2", addr, length).slots(8) == {Slot(*piece, False) for piece in pieces}
    assert Watch("Z4", addr, length).slots(8) == {Slot(*piece, True) for piece in pieces}
    assert Watch("Z3", addr, length).slots(8) == {Slot(*piece, loads) for piece in pieces for loads in (False, True)}


@pytest.mark.parametrize("choice", [Choice(), Choice(("Z2", "Z4"), ranges=False)])
def test_random_sets_fit(choice: Choice) -> None:
    """Every set fits in the slots, and all kinds and numbers of watchpoints come up."""
    rng = Random(1)
    kinds: set[str] = set()
    counts: set[int] = set()
    lengths: set[int] = set()
    for _ in range(500):
        armed = soak.grow(rng, choice, BASE, 8, ())
        assert 0 <= soak.slots_of(armed, 8) <= soak.SLOTS
        kinds.update(watch.kind for watch in armed)
        counts.add(len(armed))
        lengths.update(watch.length for watch in armed)
    assert kinds == set(choice.kinds) and counts >= {1, 2, 3, 4}
    assert lengths >= set(range(1, 17)) if choice.ranges else lengths == {1, 2, 4, 8}
