# SPDX-License-Identifier: GPL-2.0-only
"""Random accesses over random sets of watchpoints, judged by the oracle ('make soak').

The trigger has every CPU of the guest read and write at random, in all its
contexts, while a raw client sets watchpoints at random, takes each stop, and
changes what is set in between.  The oracle, outside the guest, says which
accesses happened.  A CPU that made an access which it has to report makes no
other until it has: so each stop is judged at once, by the last access in the
oracle's log of that CPU.

Everything is chosen by the seed.  What is not is the order in which the CPUs
get to their accesses.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal, TextIO

from kgdbrig.clients import trigger
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import Context
from kgdbrig.errors import RigError
from kgdbrig.judging import klog
from kgdbrig.kernels import build
from kgdbrig.machines.description import Description
from kgdbrig.machines.oracle import Access
from kgdbrig.progress import Progress

#: Virtual CPUs of the guest.
CPUS = 4
#: Hardware slots of a CPU.
SLOTS = 4

#: Accesses of one CPU between two looks at the guest's shell.
_ROUND = 32
#: Accesses and watchpoints lie in so many bytes of the trigger's buffer: few, so that they meet.
_REGION = 32
#: The bytes that one CPU accesses in one round.
_SPANS = (16, 24, 32)
#: How often the guest's shell breaks in while the CPUs are at it, each round.
_BREAKS = 2
#: One stop in so many changes what is watched.
_CHANGE_EVERY = 4
#: One change in so many also asks for a watchpoint that does not fit.
_EXCESS_EVERY = 4
#: How many findings are kept in words.
_KEPT_FINDINGS = 20
#: A finding comes with what had happened before to its CPU and to the set of watchpoints: so many events at most,
#: out of so many of all.
_SHOWN_EVENTS = 16
_KEPT_EVENTS = 500

_STOP_SECONDS = 60.0

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


@dataclass(frozen=True)
class Choice:
    """What sets of watchpoints are made of."""

    kinds: tuple[Kind, ...] = ("Z2", "Z3", "Z4")
    #: Any length and alignment, or only what one slot covers.
    ranges: bool = True
    #: Where accesses are made.
    contexts: tuple[Context, ...] = ("task", "softirq", "hardirq", "irqsoff", "nmi")


def random_watch(rng: Random, choice: Choice, base: int, word: int) -> Watch:
    """A watchpoint in the region at `base`; it may need more slots than there are."""
    kind = rng.choice(choice.kinds)
    if choice.ranges and rng.random() < 0.5:
        length = rng.randint(1, 3 * word)
        return Watch(kind, base + rng.randrange(_REGION - length + 1), length)
    size = max(1 << rng.randrange(word.bit_length()) for _ in range(2))
    return Watch(kind, base + size * rng.randrange(_REGION // size), size)


def grow(rng: Random, choice: Choice, base: int, word: int, kept: tuple[Watch, ...]) -> tuple[Watch, ...]:
    """`kept`, and others behind it, for as long as the slots suffice."""
    found = list(kept)
    wanted = max(rng.randint(1, SLOTS) for _ in range(2))
    for _ in range(4 * SLOTS):
        more = random_watch(rng, choice, base, word)
        if more not in found and slots_of([*found, more], word) <= wanted:
            found.append(more)
    return tuple(found)


def slots_of(watches: Iterable[Watch], word: int) -> int:
    """How many slots a set takes; equal ones are shared."""
    return len({slot for watch in watches for slot in watch.slots(word)})


class _Owed:
    """An access that hit, until it has been reported."""

    def __init__(self, access: Access, hit: tuple[Watch, ...], slots: set[Slot]) -> None:
        self.access = access
        #: What may be reported of it.
        self.hit = hit
        #: The slots that matched, as far as they are armed still.
        self.slots = slots
        #: Whether it must be reported.  It need not where a slot that matched is armed no more: a processor names
        #: all slots that match, but QEMU 7.2 just one.
        self.due = True

    def change(self, armed: tuple[Watch, ...], slots: set[Slot]) -> None:
        """Other watchpoints are set, with these slots, while it waits to be reported."""
        self.due = self.due and self.slots <= slots
        self.hit = tuple(watch for watch in self.hit if watch in armed)
        self.slots &= slots


class Judge:
    """Compares stops with accesses, as both come in; three figures, which are to be 0.

    missed         accesses that hit a watchpoint, and no stop told of it
    invented       stops that no access accounts for
    misattributed  stops for an access, with another CPU, PC, kind or address
    """

    def __init__(self, word: int) -> None:
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
        return not self.missed + self.invented + self.misattributed

    def note(self, cpu: int, what: str) -> None:
        """Something that a finding about this CPU should tell."""
        self._history.append((cpu, what))

    def accesses(self, seen: Iterable[Access]) -> None:
        """What the CPUs have done since, in order, all of it with the same watchpoints armed."""
        for access in seen:
            self._settle(access.vcpu)
            hit = tuple(watch for watch in self.armed if watch.is_hit_by(access))
            self._history.append((access.vcpu, f"{'hit' if hit else 'access'}: {_words(access)}"))
            if hit:
                self.hits += 1
                slots = {slot for watch in self.armed for slot in watch.slots(self._word) if slot.matches(access)}
                self._owed[access.vcpu] = _Owed(access, hit, slots)

    def stop(self, cpu: int | None, pc: int, reason: str | None, address: int | None) -> None:
        """A stop that was not asked for; `cpu` None when its thread is none of the trigger's."""
        self.stops += 1
        said = f"stop on CPU {'?' if cpu is None else cpu}, {reason} {address or 0:#x}, pc {pc:#x}"
        self._history.append((cpu, said))

        def fits(owed: _Owed | None) -> list[Watch]:
            return [watch for watch in owed.hit if REASONS[watch.kind] == reason and address is not None
                    and address in watch] if owed and owed.access.next_pc == pc else []

        owed = self._owed.get(cpu) if cpu is not None else None
        if owed is not None and cpu is not None and (owed.due or fits(owed)):
            if not fits(owed):
                self.misattributed += 1
                self._find("misattributed", cpu, f"{said}: by {_words(owed.access)}, which hit "
                           f"{', '.join(map(str, owed.hit))}")
            # What it also hit, elsewhere, may have a stop of its own.
            owed.hit = tuple(watch for watch in owed.hit if address is None or address not in watch)
            owed.due = False
            if not owed.hit:
                del self._owed[cpu]
            return
        for other, owed in self._owed.items():
            if fits(owed):
                self.misattributed += 1
                self._find("misattributed", other, f"{said}: it was CPU {other}'s {_words(owed.access)}")
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
        if owed is not None and owed.due:
            self.missed += 1
            self._find("missed", cpu, f"{_words(owed.access)}, which hit {', '.join(map(str, owed.hit))}")

    def _find(self, figure: str, cpu: int | None, text: str) -> None:
        if len(self.findings) < _KEPT_FINDINGS:
            before = [event for whose, event in self._history if whose in (cpu, None)]
            self.findings.append("\n      ".join((f"{figure}: {text}", *before[-_SHOWN_EVENTS:])))


def _words(access: Access) -> str:
    return f"{'store' if access.store else 'load'} of {access.size} at {access.addr:#x} by CPU {access.vcpu}, " \
        f"pc {access.pc:#x} (access {access.index})"


class Soak:
    """One run on a booted target, which has the oracle."""

    def __init__(self, target: Target, seed: int, choice: Choice | None = None) -> None:
        self._target = target
        self._seed = seed
        self._choice = choice or Choice()
        self._word = target.word
        target.trigger.load()
        self._base = target.trigger.address()
        self._witness = target.oracle()
        self._witness.watch(self._base, _REGION)
        self._cpu_of: dict[str, int | None] = {}
        self._seen: dict[int, deque[trigger.Access]] = {}
        self.judge = Judge(target.word)
        self.accesses = 0
        #: How often what is watched was changed.
        self.sets = 0

    def run(self, accesses: int, progress: TextIO | None = sys.stderr) -> None:
        """Make at least `accesses`; the figures are the judge's.  The machine runs again afterwards, with nothing set."""
        line = Progress(f"soak, seed {self._seed}", progress)
        try:
            rsp = self._target.attach_rsp()
            number = 0
            while self.accesses < accesses:
                number += 1
                self._round(rsp, Random(f"{self._seed} {number}"))
                line.update(f"{self.accesses} of {accesses} accesses, {self.judge.stops} stops")
            self._set(rsp, Random(self._seed), ())
            self._go_on(rsp)
            self._finish_shell()
        except BaseException:
            line.failed()
            raise
        line.done(f"{self.accesses} accesses, {self.judge.stops} stops")

    def _round(self, rsp: Rsp, rng: Random) -> None:
        """Each CPU makes its accesses; begins and ends with the machine stopped by its own shell."""
        self._set(rsp, rng, grow(rng, self._choice, self._base, self._word, ()))
        self._go_on(rsp)
        self._finish_shell()
        self._cpu_of.clear()  # threads come and go with the lines
        lines, self._seen = [], {}
        for cpu in range(self._target.smp):
            seed, span = rng.randrange(1, 1 << 32), rng.choice(_SPANS)
            offset = 8 * rng.randrange((_REGION - span) // 8 + 1)
            context = rng.choice(self._choice.contexts)
            self.judge.note(cpu, f"round: {context} on CPU {cpu}")
            lines.append(trigger.random_line(seed, _ROUND, span, offset=offset, cpu=cpu, context=context))
            # What a store stores does not matter here, so what the buffer holds does not.
            self._seen[cpu] = deque(trigger.predict(seed, _ROUND, span, offset=offset, word=self._word))
        self._target.trigger.start_lines(*lines, meanwhile=f"for i in {'x ' * _BREAKS}; do {BREAK_IN}; done",
                                         afterwards=BREAK_IN)
        breaks = _BREAKS + 1
        while breaks:
            stop = rsp.wait_stop(_STOP_SECONDS)
            if rsp.output:
                raise RigError(f"the stub reports trouble: {rsp.output}")
            self._look()
            breaks -= self._take(rsp, stop)
            if breaks:
                if rng.randrange(_CHANGE_EVERY) == 0:
                    self._change(rsp, rng)
                self._go_on(rsp)
        self.judge.finish()
        left = {cpu: len(accesses) for cpu, accesses in self._seen.items() if accesses}
        if left:
            raise RigError(f"the oracle did not see {left} accesses (by CPU) of those that were made")

    def _look(self) -> None:
        """Hand the judge what happened since the last look; the machine is stopped."""
        seen = self._witness.drain()
        for access in seen:
            accesses = self._seen.get(access.vcpu)
            expected = accesses.popleft() if accesses else None
            if expected is None or (self._base + expected.offset, expected.size, expected.op == "write") != \
                    (access.addr, access.size, access.store):
                raise RigError(f"the oracle saw a {_words(access)}, where {expected} was asked for")
        self.accesses += len(seen)
        self.judge.accesses(seen)

    def _take(self, rsp: Rsp, stop: StopReply) -> bool:
        """Judge a stop; whether it is the one that the guest's shell asked for."""
        assert stop.thread is not None, stop.text
        if stop.thread not in self._cpu_of:
            name = bytes.fromhex(rsp.request(f"qThreadExtraInfo,{stop.thread}")).rstrip(b"\0").decode()
            found = re.fullmatch(r"(?:kgdb_trigger|ksoftirqd)/(\d+)", name)
            self._cpu_of[stop.thread] = int(found[1]) if found else None
        cpu = self._cpu_of[stop.thread]
        if stop.reason is None and cpu is None:
            return True
        self.judge.stop(cpu, rsp.read_pc(), stop.reason, stop.address)
        return False

    def _change(self, rsp: Rsp, rng: Random) -> None:
        """Keep some watchpoints, and add others."""
        kept = tuple(watch for watch in self.judge.armed if rng.random() < 0.6)
        self._set(rsp, rng, grow(rng, self._choice, self._base, self._word, kept))

    def _set(self, rsp: Rsp, rng: Random, wanted: tuple[Watch, ...]) -> None:
        """Bring the stub from what is armed to what is wanted, and have it refuse what is too much."""
        armed = self.judge.armed
        if rng.random() < 0.5:
            # As gdb does it: everything out, and back in the order in which it was set.
            removed, inserted = armed, wanted
        else:
            removed = tuple(watch for watch in armed if watch not in wanted)
            inserted = tuple(watch for watch in wanted if watch not in armed)
        for watch in removed:
            _expect(rsp, f"z{watch.packet}", "OK")
        for watch in inserted:
            _expect(rsp, f"Z{watch.packet}", "OK")
        if rng.randrange(_EXCESS_EVERY) == 0:
            more = random_watch(rng, self._choice, self._base, self._word)
            if slots_of([*wanted, more], self._word) > SLOTS:
                _expect(rsp, f"Z{more.packet}", "E\\d\\d")
        self.judge.change(wanted)
        self.sets += 1

    def _go_on(self, rsp: Rsp) -> None:
        rsp.send("c")

    def _finish_shell(self) -> None:
        """The command that stopped the machine, or saw to it, comes back."""
        if self._seen:
            self._target.trigger.finish()
        else:
            self._target.back()


def _expect(rsp: Rsp, packet: str, answer: str) -> None:
    said = rsp.request(packet)
    if not re.fullmatch(answer, said):
        raise RigError(f"the stub answers {packet} with {said!r}, not {answer!r}")


def run(version: str, arch: str, accesses: int, seed: int, *, parallel: bool = False) -> int:
    """Build if need be, boot, and soak; prints the three figures, and returns 0 when all are 0."""
    kernel = build.build(version, arch)
    print(f"Linux {kernel.release} {arch} ({kernel.source}), {CPUS} CPUs, seed {seed}", flush=True)
    with Target(Description(kernel, smp=CPUS, oracle=True, parallel=parallel)) as target:
        soak = Soak(target, seed)
        try:
            soak.run(accesses)
        except RigError as error:
            raise RigError(f"{error}\n{target.report()}\nrig: that was seed {seed}") from error
        complained = klog.complaints(klog.read(target.machine))
    judge = soak.judge
    print(f"{soak.accesses} accesses, {judge.hits} hits, {judge.stops} stops, {soak.sets} sets of watchpoints")
    for finding in judge.findings:
        print(f"  {finding}")
    print(f"missed {judge.missed}\ninvented {judge.invented}\nmisattributed {judge.misattributed}", flush=True)
    for text in complained:
        print(f"the kernel complains: {text}", flush=True)
    return 0 if judge.passed and not complained else 1
