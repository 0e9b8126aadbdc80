# SPDX-License-Identifier: GPL-2.0-only
"""Random accesses over random sets of watchpoints, judged by the oracle ('make soak').

The trigger has every CPU of the guest read and write at random, in all its
contexts, while a raw client sets watchpoints at random, takes each stop, and
changes what is set in between.  The oracle, outside the guest, says which
accesses happened.

Everything is chosen by the seed.  What is not is the order in which the CPUs
get to their accesses.

In Bochs, which has no oracle, the trigger's own count says how far it is: on one
CPU, where nothing happens beside.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import TextIO

from kgdbrig.clients import trigger
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import Context
from kgdbrig.errors import RigError
from kgdbrig.judging import klog
from kgdbrig.judging.judge import Judge, Kind, Watch
from kgdbrig.judging.witness import Outside, Within, Witness
from kgdbrig.kernels import build
from kgdbrig.machines.debugregs import LENGTHS, LOADS_AND_STORES, STORES
from kgdbrig.machines.description import Description
from kgdbrig.progress import Progress

#: Virtual CPUs of the guest.
CPUS = 4
#: Hardware slots of a CPU.
SLOTS = 4

#: Accesses of one CPU between two looks at the guest's shell.
_ROUND = 32
#: Accesses lie in so many bytes of the trigger's buffer: few, so that they meet watchpoints.
_REGION = 32
#: One watchpoint in four may begin so far before that, and end so far behind it.
_EDGE = 8
#: The bytes that one CPU accesses in one round.
_SPANS = (16, 24, 32)
#: How often the guest's shell breaks in while the CPUs are at it, each round.
_BREAKS = 2
#: One stop in so many changes what is watched.
_CHANGE_EVERY = 4
#: One change in so many also asks for a watchpoint that does not fit.
_EXCESS_EVERY = 4
#: One change in so many plants or removes a software breakpoint beside, in one of these functions, which nobody calls.
_PLANT_EVERY = 4
_NEVER_CALLED = ("panic", "kernel_halt", "kernel_power_off")
#: Who has one of these may be in the middle of a change of the kernel's text.
_TEXT_LOCKS = ("text_mutex", "jump_label_mutex")
#: The low bits of struct mutex's first word, the owner, are flags.
_MUTEX_FLAGS = 7

_STOP_SECONDS = 60.0

@dataclass(frozen=True)
class Choice:
    """What sets of watchpoints are made of."""

    kinds: tuple[Kind, ...] = ("Z2", "Z3", "Z4")
    #: Any length and alignment, or only what one slot covers.
    ranges: bool = True
    #: Where accesses are made.
    contexts: tuple[Context, ...] = ("task", "softirq", "hardirq", "irqsoff", "nmi", "kprobe", "kretprobe", "ftrace")


def random_watch(rng: Random, choice: Choice, base: int, word: int) -> Watch:
    """A watchpoint about the region, in the buffer at `base`; it may need more slots than there are."""
    kind = rng.choice(choice.kinds)
    room = _REGION
    if rng.randrange(4):
        base += _EDGE
    else:
        room += 2 * _EDGE
    if choice.ranges and rng.random() < 0.5:
        length = rng.randint(1, 3 * word)
        return Watch(kind, base + rng.randrange(room - length + 1), length)
    size = max(1 << rng.randrange(word.bit_length()) for _ in range(2))
    return Watch(kind, base + size * rng.randrange(room // size), size)


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


class Soak:
    """One run on a booted target, which has the oracle, or one CPU; with a client that takes `several` watchpoints in a stop."""

    def __init__(self, target: Target, seed: int, choice: Choice | None = None, *, several: bool = False) -> None:
        self._target = target
        self._seed = seed
        self._several = several
        self._choice = choice or Choice()
        self._word = target.word
        target.trigger.load()
        self._base = target.trigger.address()
        outside = target.machine.oracle is not None
        self._witness: Witness
        if outside:
            self._witness = Outside(target.oracle(), self._base)
        else:
            self._witness = Within(target)
        #: How often the guest's shell breaks in while the accesses are made.
        self._breaks = _BREAKS if outside else 0
        self._cpu_of: dict[str, int | None] = {}
        self._started = False
        #: Where software breakpoints are.
        self._planted: set[int] = set()
        self.judge = Judge(target.word, names_all=not outside, several=several)
        self.accesses = 0
        #: How often what is watched was changed.
        self.sets = 0

    def run(self, accesses: int, progress: TextIO | None = sys.stderr) -> None:
        """Make at least `accesses`; the figures are the judge's.  The machine runs again afterwards, with nothing set."""
        line = Progress(f"soak, seed {self._seed}", progress)
        try:
            rsp = self._target.attach_rsp()
            if self._several and rsp.offer("multi-wp-addr+") != "multi-wp-addr+":
                raise RigError("the stub does not name several watchpoints in a stop reply")
            number = 0
            while self.accesses < accesses:
                number += 1
                self._round(rsp, Random(f"{self._seed} {number}"))
                line.update(f"{self.accesses} of {accesses} accesses, {self.judge.stops} stops")
            self._set(rsp, Random(self._seed), ())
            for place in [*self._planted]:
                self._plant(rsp, place)
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
        self._compare_registers()
        self._cpu_of.clear()  # threads come and go with the lines
        lines = []
        for cpu in range(self._target.smp):
            seed, span = rng.randrange(1, 1 << 32), rng.choice(_SPANS)
            offset = _EDGE + 8 * rng.randrange((_REGION - span) // 8 + 1)
            context = rng.choice(self._choice.contexts)
            self.judge.note(cpu, f"round: {context} on CPU {cpu}")
            lines.append(trigger.random_line(seed, _ROUND, span, offset=offset, cpu=cpu, context=context, mixed=True))
            # What a store stores does not matter here, so what the buffer holds does not.
            self._witness.expect(cpu, trigger.predict(seed, _ROUND, span, offset=offset, word=self._word, mixed=True))
        self._target.trigger.start_lines(*lines, meanwhile="; ".join([BREAK_IN] * self._breaks) or ":",
                                         afterwards=BREAK_IN)
        self._started = True
        breaks = self._breaks + 1
        while breaks:
            stop = rsp.wait_stop(_STOP_SECONDS)
            if rsp.output:
                raise RigError(f"the stub reports trouble: {rsp.output}")
            seen = self._witness.seen(rsp, stop)
            self.accesses += len(seen)
            self.judge.accesses(seen)
            breaks -= self._take(rsp, stop)
            if breaks:
                if rng.randrange(_CHANGE_EVERY) == 0:
                    self._change(rsp, rng)
                self._go_on(rsp)
        self.judge.finish()
        self._witness.finish()

    def _compare_registers(self) -> None:
        """Each CPU has in its registers what is set, while the machine runs."""
        slots = {slot for watch in self.judge.armed for slot in watch.slots(self._word)}
        self._target.expect_registers([[(slot.addr, LOADS_AND_STORES if slot.loads else STORES, LENGTHS[slot.size])
                                        for slot in slots]] * self._target.smp)

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
        self.judge.stop(cpu, rsp.read_pc(), stop.reason, stop.address, *stop.hits[1:])
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
        if rng.randrange(_PLANT_EVERY) == 0:
            self._plant(rsp, self._target.kernel.symbol(rng.choice(_NEVER_CALLED)))
        self.judge.change(wanted)
        self.sets += 1

    def _plant(self, rsp: Rsp, place: int) -> None:
        """Plant a software breakpoint, or remove the one that is there; all stays as it is while the kernel patches its text."""
        patching = any(int.from_bytes(rsp.read_memory(self._target.kernel.symbol(name), self._word), "little") & ~_MUTEX_FLAGS
                       for name in _TEXT_LOCKS)
        if _expect(rsp, f"{'z' if place in self._planted else 'Z'}0,{place:x},1", "OK|E16" if patching else "OK") == "OK":
            self._planted ^= {place}

    def _go_on(self, rsp: Rsp) -> None:
        rsp.send("c")

    def _finish_shell(self) -> None:
        """The command that stopped the machine, or saw to it, comes back."""
        if self._started:
            self._target.trigger.finish()
        else:
            self._target.back()


def _expect(rsp: Rsp, packet: str, answer: str) -> str:
    said = rsp.request(packet)
    if not re.fullmatch(answer, said):
        raise RigError(f"the stub answers {packet} with {said!r}, not {answer!r}")
    return said


def run(version: str, arch: str, accesses: int, seed: int, *, parallel: bool = False, several: bool = False) -> int:
    """Build if need be, boot, and soak; prints the figures, and returns 0 if they pass and the kernel has no complaint."""
    kernel = build.build(version, arch)
    print(f"Linux {kernel.release} {arch} ({kernel.source}), {CPUS} CPUs, seed {seed}", flush=True)
    with Target(Description(kernel, smp=CPUS, oracle=True, parallel=parallel)) as target:
        soak = Soak(target, seed, several=several)
        try:
            soak.run(accesses)
        except RigError as error:
            raise RigError(f"{error}\n{target.report()}\nrig: that was seed {seed}") from error
        complained = klog.complaints(klog.read(target.machine))
    judge = soak.judge
    print(f"{soak.accesses} accesses, {judge.hits} hits, {judge.stops} stops, {soak.sets} sets of watchpoints")
    for finding in judge.findings:
        print(f"  {finding}")
    print(judge.figures, flush=True)
    for text in complained:
        print(f"the kernel complains: {text}", flush=True)
    return 0 if judge.passed and not complained else 1
