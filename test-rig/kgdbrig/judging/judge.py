# SPDX-License-Identifier: GPL-2.0-only
"""Compares stops with the accesses that really happened.

A CPU that made an access which it has to report makes no other until it has:
so each stop is judged at once, by the last access of that CPU.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from kgdbrig.machines.oracle import Access

#: How many findings are kept in words.
_KEPT_FINDINGS = 20
#: A finding comes with what had happened before to its CPU and to the set of watchpoints: so many events at most,
#: out of so many of all.
_SHOWN_EVENTS = 16
_KEPT_EVENTS = 500
#: Of a thousand hits so many may be excused, and in one run of so many there may be more by chance.
_EXCUSED_PER_MILLE = 5
_BY_CHANCE = 100_000

Kind = Literal["Z2", "Z3", "Z4"]

#: What a stop reply calls a hit of each kind.
REASONS: dict[Kind, str] = {"Z2": "watch", "Z3": "rwatch", "Z4": "awatch"}


@dataclass(frozen=True)
class Slot:
    """What one debug register watches: stores alone, or loads as well."""

    addr: int
    size: int
    loads: bool

    def matches(self, access: Access) -> bool:
        return _meets(self.addr, self.size, access) and (access.store or self.loads)


@dataclass(frozen=True)
class Watch:
    """A watchpoint, as in the packet KIND,ADDR,LENGTH."""

    kind: Kind
    addr: int
    length: int

    @property
    def packet(self) -> str:
        """Behind the 'Z' or 'z'."""
        return f"{self.kind[1]},{self.addr:x},{self.length:x}"

    def __str__(self) -> str:
        return f"{REASONS[self.kind]} {self.addr:#x}+{self.length}"

    def __contains__(self, address: int) -> bool:
        return self.addr <= address < self.addr + self.length

    def is_hit_by(self, access: Access) -> bool:
        """Whether it has to be reported: its bytes were touched, in the direction that it is for."""
        return _meets(self.addr, self.length, access) and \
            {"Z2": access.store, "Z3": not access.store, "Z4": True}[self.kind]

    def slots(self, word: int) -> set[Slot]:
        """The slots that cover it, each naturally aligned and of at most `word` bytes."""
        pieces = []
        addr, left = self.addr, self.length
        while left:
            size = min(word, addr & -addr or word, 1 << left.bit_length() - 1)
            pieces.append((addr, size))
            addr, left = addr + size, left - size
        directions = {"Z2": (False,), "Z3": (False, True), "Z4": (True,)}[self.kind]
        return {Slot(addr, size, loads) for addr, size in pieces for loads in directions}


def _meets(addr: int, length: int, access: Access) -> bool:
    return access.addr < addr + length and addr < access.addr + access.size


def may_be_excused(hits: int) -> int:
    """How many of these may be: few happen in a short run, and so their number varies much (Poisson's distribution)."""
    mean = hits * _EXCUSED_PER_MILLE / 1000
    number, probability = 0, math.exp(-mean)
    more = 1 - probability
    while more * _BY_CHANCE > 1:
        number += 1
        probability *= mean / number
        more -= probability
    return number


class _Owed:
    """An access that hit, until all of it has been reported."""

    def __init__(self, access: Access, hit: tuple[Watch, ...], slots: set[Slot]) -> None:
        self.access = access
        #: What must still be reported of it: all that one address of a stop does not name takes a stop of its own.
        self.hit = hit
        #: The slots that matched, as far as they are armed still.
        self.slots = slots
        #: Whether who names just one of the slots that match knows of nothing more: that one is reported, or gone.
        self.in_part = False

    def told(self, reason: str | None, address: int | None) -> list[Watch]:
        """What a stop for it says was hit, by an address that a slot begins with which matched."""
        if address not in {slot.addr for slot in self.slots}:
            return []
        return [watch for watch in self.hit if REASONS[watch.kind] == reason and address in watch]

    def unnamed(self, named: Sequence[tuple[str | None, int | None]]) -> list[Watch]:
        """What one of these addresses lies in, though none of its kind does."""
        return [watch for watch in self.hit if any(at is not None and at in watch for _, at in named) and
                not any(at is not None and at in watch and reason == REASONS[watch.kind] for reason, at in named)]

    def change(self, armed: tuple[Watch, ...], slots: set[Slot]) -> None:
        """Other watchpoints are set, with these slots, while it waits to be reported."""
        self.in_part |= not self.slots <= slots
        self.hit = tuple(watch for watch in self.hit if watch in armed)
        self.slots &= slots


class Judge:
    """Compares stops with accesses, as both come in; three figures, which are to be 0, and one that QEMU causes.

    missed         accesses that hit a watchpoint, and no stop told of it
    invented       stops that no access accounts for
    misattributed  stops for an access, with another CPU, PC, kind or address
    excused        as missed, but of an access that hit several slots, one of which was told, or went while it
                   waited: a processor names all slots that match, QEMU 7.2 just one.  Not with `names_all`

    With `several`, one stop has to name all that an access hit, each by its kind.
    """

    def __init__(self, word: int, *, names_all: bool = False, several: bool = False) -> None:
        self._names_all = names_all
        self._several = several
        self.excused = 0
        self.missed = 0
        self.invented = 0
        self.misattributed = 0
        self.stops = 0
        self.hits = 0
        #: The first findings, in words.
        self.findings: list[str] = []
        self.armed: tuple[Watch, ...] = ()
        self._word = word
        self._owed: dict[int, _Owed] = {}
        #: CPU and event, in order; None for what concerns all.
        self._history: deque[tuple[int | None, str]] = deque(maxlen=_KEPT_EVENTS)

    @property
    def passed(self) -> bool:
        """Whether the figures are 0, and few hits were excused."""
        return not self.missed + self.invented + self.misattributed and \
            self.excused <= may_be_excused(self.hits)

    @property
    def figures(self) -> str:
        """All of them, a line each."""
        return f"excused {self.excused}\nmissed {self.missed}\ninvented {self.invented}\nmisattributed {self.misattributed}"

    def note(self, cpu: int, what: str) -> None:
        """Something that a finding about this CPU should tell."""
        self._history.append((cpu, what))

    def accesses(self, seen: Iterable[Access]) -> None:
        """What the CPUs have done since, in order, all of it with the same watchpoints armed."""
        for access in seen:
            self._settle(access.vcpu)
            hit = tuple(watch for watch in self.armed if watch.is_hit_by(access))
            self._history.append((access.vcpu, f"{'hit' if hit else 'access'}: {words(access)}"))
            if hit:
                self.hits += 1
                slots = {slot for watch in self.armed for slot in watch.slots(self._word) if slot.matches(access)}
                self._owed[access.vcpu] = _Owed(access, hit, slots)

    def stop(self, cpu: int | None, pc: int, reason: str | None, address: int | None, *also: tuple[str, int]) -> None:
        """A stop that was not asked for; `cpu` None when its thread is none of the trigger's.

        `also` is what it names besides, as reason and address.
        """
        self.stops += 1
        named = [(reason, address), *also]
        said = f"stop on CPU {'?' if cpu is None else cpu}, " \
            f"{' and '.join(f'{name} {at or 0:#x}' for name, at in named)}, pc {pc:#x}"
        self._history.append((cpu, said))

        def fits(owed: _Owed | None) -> bool:
            return owed is not None and owed.access.next_pc == pc and all(owed.told(*each) for each in named) and \
                len(set(named)) == len(named) and not (self._several and self._names_all and owed.unnamed(named))

        owed = self._owed.get(cpu) if cpu is not None else None
        if owed is not None and cpu is not None and (fits(owed) or not owed.in_part):
            if not fits(owed):
                self.misattributed += 1
                self._find("misattributed", cpu, f"{said}: by {words(owed.access)}, which hit "
                           f"{', '.join(map(str, owed.hit))}")
            owed.hit = tuple(watch for watch in owed.hit if not any(at is not None and at in watch for _, at in named))
            owed.in_part = True
            if not owed.hit:
                del self._owed[cpu]
            elif self._several:
                self._settle(cpu)
            return
        for other, owed in self._owed.items():
            if fits(owed):
                self.misattributed += 1
                self._find("misattributed", other, f"{said}: it was CPU {other}'s {words(owed.access)}")
                del self._owed[other]
                return
        self.invented += 1
        self._find("invented", cpu, said)

    def change(self, armed: tuple[Watch, ...]) -> None:
        """Other watchpoints are set, with all CPUs held: hits that wait lose what is removed."""
        self._history.append((None, f"set: {', '.join(map(str, armed))}"))
        slots = {slot for watch in armed for slot in watch.slots(self._word)}
        for cpu, owed in list(self._owed.items()):
            owed.change(armed, slots)
            if not owed.hit:
                self._history.append((cpu, f"dropped: what waits on CPU {cpu}"))
                del self._owed[cpu]
        self.armed = armed

    def finish(self) -> None:
        """Nothing is under way any more: what has not been reported never will be."""
        for cpu in list(self._owed):
            self._settle(cpu)

    def _settle(self, cpu: int) -> None:
        """This CPU went on."""
        owed = self._owed.pop(cpu, None)
        if owed is None:
            return
        if owed.in_part and not self._names_all:
            self.excused += 1
        else:
            self.missed += 1
            self._find("missed", cpu, f"{words(owed.access)}, which hit {', '.join(map(str, owed.hit))}")

    def _find(self, figure: str, cpu: int | None, text: str) -> None:
        if len(self.findings) < _KEPT_FINDINGS:
            before = [event for whose, event in self._history if whose in (cpu, None)]
            self.findings.append("\n      ".join((f"{figure}: {text}", *before[-_SHOWN_EVENTS:])))


def words(access: Access) -> str:
    """An access, for people."""
    return f"{'store' if access.store else 'load'} of {access.size} at {access.addr:#x} by CPU {access.vcpu}, " \
        f"pc {access.pc:#x} (access {access.index})"
