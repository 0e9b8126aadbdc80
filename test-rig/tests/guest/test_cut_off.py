# SPDX-License-Identifier: GPL-2.0-only
"""A debugger whose line is cut at any moment: the next one finds the machine, and each slot is free or what it set.

A session has packets of each type. In one round after another it is cut within
one of them, before the stub's "+" to it, before the client's "+" to the answer,
while the machine runs, or at a hit.
"""

from __future__ import annotations

import collections
import re
import threading
from dataclasses import dataclass
from random import Random

import pytest

from conftest import Boot, Stride
from drive import prepare
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.rsp import Rsp, RspError
from kgdbrig.clients.target import Target
from kgdbrig.line.tap import FROM_GDB, FROM_KGDB
from kgdbrig.line.wire import Kind
from kgdbrig.machines.debugregs import LENGTHS, STORES

SEED = 1
ROUNDS = 1000
#: Of each type of packet, and in each phase, so many where all rounds are made; else each type comes once in each phase.
EACH = 50
#: How long the tap may take to cut the line, in seconds.
CUT_SECONDS = 10
CPUS = 2

WITHIN, BEFORE_ITS_ACK, BEFORE_OUR_ACK, RUNNING, AT_A_HIT = PHASES = (
    "within a packet", "before the + to it", "before the + to the answer", "running", "at a hit")
#: The phases of a packet, which take turns.
IN_TURN = PHASES[:3]
#: Where watchpoints are, in the trigger's buffer: of the session, and of the next debugger.
MINE, NEXT = 0, 256


@dataclass(frozen=True)
class Session:
    """What a debugger says: before it lets the machine run, and at the hit.  It continues after each, and detaches at the end."""

    before: tuple[str, ...]
    at_hit: tuple[str, ...]

    @property
    def packets(self) -> tuple[str, ...]:
        return (*self.before, "c", *self.at_hit, "c", "D")


def session(base: int) -> Session:
    """One with a packet of each type, for the trigger's buffer at an address."""
    return Session(("qSupported:swbreak+;hwbreak+", "?", "Hg0", "qfThreadInfo", "qsThreadInfo", "qC", "g", f"m{base:x},10", "p10",
                    f"Z2,{base + MINE:x},4", f"Z3,{base + 64:x},4", f"Z4,{base + 128:x},8", f"z3,{base + 64:x},4", "s"),
                   ("g", f"z2,{base + MINE:x},4", f"z4,{base + 128:x},8", f"Z2,{base + MINE:x},4"))


def kind(payload: str) -> str:
    """The type of a packet."""
    found = re.match(r"q\w+|[Zz]\d|\?|\w", payload)
    assert found, payload
    return found[0]


class Cut:
    """What the tap does to the line: cuts the client off at the `at`th packet of its, in a phase."""

    def __init__(self, target: Target, at: int, phase: str, rng: Random) -> None:
        self._target = target
        self._at = at
        self._phase = phase
        self._rng = rng
        self._seen = 0
        self._answered = False
        #: Set when the line is cut, and where in the tap's record that was.
        self.done = threading.Event()
        self.mark = 0
        #: Whether it was told to let it go, which it does when its answer to that is acknowledged.
        self.leaving = False
        #: Whether the stub has something to say that nobody hears.
        self.due = False
        #: Whether the stub was told to let the machine run, and has not said since that it stopped.
        self.running = False

    def __call__(self, direction: str, raw: bytes) -> list[bytes]:
        packet = raw.startswith(b"$")
        if direction != FROM_GDB:
            self._answered |= packet
            self.running &= not raw.startswith(b"$T")
            return [raw]
        if self.done.is_set():
            return []
        if packet:
            self._seen += 1
            self._answered = False
        if self._seen == self._at and packet and self._phase == WITHIN:
            return self._cut(raw[:self._rng.randrange(1, len(raw))])
        if packet:
            self.running |= raw.startswith(b"$c#")
            self.leaving = raw.startswith(b"$D#")
        if self._seen == self._at and packet and self._phase == BEFORE_ITS_ACK:
            self.due = not raw.startswith(b"$c#")
            return self._cut(raw)
        if self._seen == self._at and self._answered and not packet and self._phase == BEFORE_OUR_ACK:
            return self._cut(b"")
        return [raw]

    def _cut(self, passed: bytes) -> list[bytes]:
        self.mark = self._target.tap.mark()
        self._target.tap.cut()
        self.done.set()
        return [passed]


def play(target: Target, rsp: Rsp, said: Session, phase: str) -> None:
    """The session; RspError where the line is cut, unless that is behind the last answer."""
    for payload in said.before:
        rsp.request(payload)
    rsp.send("c")
    target.back()
    if phase == RUNNING:
        raise RspError("cut off")
    target.trigger.start("write", size=4, offset=MINE, value=1)
    assert rsp.wait_stop().reason == "watch"
    if phase == AT_A_HIT:
        raise RspError("cut off")
    for payload in said.at_hit:
        rsp.request(payload)
    rsp.send("c")
    target.trigger.finish()
    target.console.start(BREAK_IN)
    rsp.wait_stop()
    assert rsp.request(said.packets[-1]) == "OK"


def next_debugger(target: Target, cut: Cut, sets: bool) -> None:
    """The machine is there for the next one, which has it go on: with nothing armed, or first with just what it `sets`."""
    target.tap.wait_client_gone()
    target.tap.fault = None
    if cut.due:
        # The protocol numbers nothing: an answer that comes late, the next one would take for its own.
        target.tap.wait_packet(lambda packet: packet.direction == FROM_KGDB and packet.kind is Kind.PACKET, since=cut.mark)
    if cut.leaving:
        with Rsp(target.line):  # its first word is a "+"
            target.back()
        target.tap.wait_client_gone()
    if cut.running and target.console.busy:
        target.back()
    if not target.console.busy:
        target.break_in()
    with Rsp(target.line) as rsp:
        rsp.synchronize()
        if sets:
            rsp.request("?")
            where = target.trigger.address(NEXT)
            assert rsp.request(f"Z2,{where:x},4") == "OK"
            rsp.send("c")
            target.back()
            target.expect_registers([[(where, STORES, LENGTHS[4])]] * CPUS)
            target.console.start(BREAK_IN)
            assert rsp.wait_stop().reason is None
        assert rsp.request("D") == "OK"
    target.back()
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_at_any_moment(boot: Boot, stride: Stride) -> None:
    target = boot(smp=CPUS)
    prepare(target)
    said = session(target.trigger.address())
    sent = [kind(payload) for payload in said.packets]
    whats = [RUNNING, AT_A_HIT, *dict.fromkeys(sent)]
    whole = len(stride(ROUNDS)) == ROUNDS
    done: collections.Counter[str] = collections.Counter()
    for number in range(ROUNDS if whole else len(IN_TURN) * len(whats)):
        rng = Random(f"{SEED} {number}")
        turn, at_what = divmod(number, len(whats))
        what = phase = whats[at_what]
        at = 0
        if what in sent:
            phase = IN_TURN[(turn + at_what) % len(IN_TURN)]
            at = 1 + rng.choice([place for place, name in enumerate(sent) if name == what])
            if phase == BEFORE_OUR_ACK and what == "c":
                phase = WITHIN  # its answer is the stop that comes some time
            done[what] += 1
        done[phase] += 1
        print(f"round {number}: {phase}, packet {at} ({what})")
        target.break_in()
        cut = Cut(target, at, phase, rng)
        with Rsp(target.line) as rsp:
            target.tap.fault = cut
            try:
                play(target, rsp, said, phase)
            except RspError:
                pass
            else:
                # The "+" that is lost is the last thing of all.
                assert (phase, at) == (BEFORE_OUR_ACK, len(sent)), "the line was not cut"
            assert phase == what or cut.done.wait(CUT_SECONDS), "the line is not cut"
        next_debugger(target, cut, sets=rng.random() < 0.5)
    print("\n".join(f"{name}: {count}" for name, count in sorted(done.items())))
    assert all(done[name] >= (EACH if whole else len(IN_TURN)) for name in (*whats, *PHASES)), done
