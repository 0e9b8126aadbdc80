# SPDX-License-Identifier: GPL-2.0-only
"""A line that spoils bytes: each hit is reported once all the same, and what is armed is what gdb believes."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterable
from random import Random

import pytest

from conftest import Boot
from drive import prepare, watched
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target
from kgdbrig.line.badline import BadLine, Harm, spoil
from kgdbrig.line.tap import FROM_GDB, FROM_KGDB, Packet
from kgdbrig.line.wire import Kind
from kgdbrig.machines.debugregs import LENGTHS, STORES, Register
from kgdbrig.wait import Deadline

SEED = 20261128
STOPS = 1000 if os.environ.get("TEST_ALL") else 20
CPUS = 2
#: Where the watched word is in the trigger's buffer, and its size.
OFFSET, SIZE = 64, 4
#: gdb waits so long for an answer, in seconds: as short as it can be told.
PATIENCE = "set remotetimeout 1"
#: How often gdb sends a packet that is not acknowledged, and how long all that may take, in seconds.
SENDS, SENDS_SECONDS = 4, 30
#: What a cycle of ours is made of, in its order: who says it, and how it begins.
PARTS = {"Z2": (FROM_GDB, b"$Z2"), "its OK": (FROM_KGDB, b"$OK"), "c": (FROM_GDB, b"$c#"), "stop reply": (FROM_KGDB, b"$T05"),
         "its +": (FROM_GDB, b"+")}


class OneByte:
    """Spoils one byte of one part of the next cycle."""

    def __init__(self, part: str, at: int, harm: Harm, rng: Random) -> None:
        self._part = part
        self._at = at
        self._harm = harm
        self._rng = rng
        self._expected = list(PARTS)
        self.done = threading.Event()

    def __call__(self, direction: str, raw: bytes) -> Iterable[bytes]:
        if self.done.is_set() or PARTS[self._expected[0]][0] != direction or not raw.startswith(PARTS[self._expected[0]][1]):
            return [raw]
        if self._expected.pop(0) != self._part:
            return [raw]
        self.done.set()
        return spoil(direction, raw, self._at, self._harm, self._rng)


class Session:
    """A gdb whose watchpoint on one word of the trigger's is hit again and again, each time with the next number."""

    def __init__(self, target: Target) -> None:
        prepare(target)
        self.target = target
        self._where = target.trigger.address(OFFSET)
        #: What gdb sends and gets, and when it has waited in vain.
        self._log = target.machine.directory / "gdb.remote"
        self.gdb: Gdb = target.attach_gdb(PATIENCE, "set remote interrupt-sequence Ctrl-C", f"set remotelogfile {self._log}")
        self.gdb.command(f"watch {watched(target, OFFSET, SIZE)}")
        #: What else is armed.
        self.also: list[Register] = []
        self.hits = 0
        #: The last one that gdb has seen.
        self._known = 0
        self._finish = target.back

    def go_on(self) -> None:
        """Continue from where gdb is; the stop before is over, the machine runs, and gdb waits for it, when this returns."""
        mark = self.target.tap.mark()
        self.gdb.resume()
        if not self.acknowledged(mark):
            self.expect_given_up()
        self.expect_running()

    def acknowledged(self, mark: int) -> bool:
        """Wait until gdb's "c" after the mark is acknowledged, or was sent for the last time; whether it is."""
        sent = acknowledged = 0

        def settled(packet: Packet) -> bool:
            nonlocal sent, acknowledged
            sent += packet.direction == FROM_GDB and packet.data == b"c"
            acknowledged += bool(sent) and packet.direction == FROM_KGDB and b"+" in packet.passed and packet.kind is Kind.ACK
            return bool(acknowledged) or sent == SENDS

        self.target.tap.wait_packet(settled, SENDS_SECONDS, since=mark, awaited='"+" to a "c"')
        return bool(acknowledged)

    def expect_given_up(self) -> None:
        """Wait until gdb waits no more for what acknowledges its last "c"."""
        deadline = Deadline(SENDS_SECONDS)
        while "Timeout" not in self._log.read_text(encoding="latin-1").rpartition("$c#63")[2]:
            assert not deadline.passed(), self._log.read_text(encoding="latin-1")[-1000:]

    def expect_running(self) -> None:
        """The stop before is over, and what is armed is what gdb believes."""
        self._finish()
        self.target.expect_registers([[(self._where, STORES, LENGTHS[SIZE]), *self.also]] * CPUS)

    def store(self) -> None:
        """Begin the next access."""
        self.hits += 1
        self.target.trigger.start("write", size=SIZE, offset=OFFSET, value=self.hits, cpu=self.hits % CPUS)
        self._finish = self.target.trigger.finish

    def stop(self, said: str = "") -> None:
        """gdb says that it has stopped at that, if it has not `said` so already."""
        said = said or self.gdb.wait_stop()
        assert re.search(rf"Old value = {self._known}\s+New value = {self.hits}\b", said), said
        self._known = self.hits

    def hit(self) -> None:
        self.go_on()
        self.store()
        self.stop()

    def expect_counted(self, missed: int = 0) -> None:
        """gdb has counted every hit but those that it `missed`."""
        assert f"already hit {self.hits - missed} time" in self.gdb.command("info breakpoints")


class First:
    """Has something else come in place of a packet of the stub's that begins so: of the first of them."""

    def __init__(self, begins: bytes, instead: Callable[[bytes], list[bytes]]) -> None:
        self._begins = begins
        self._instead = instead
        self.done = threading.Event()

    def __call__(self, direction: str, raw: bytes) -> list[bytes]:
        if direction != FROM_KGDB or not raw.startswith(self._begins) or self.done.is_set():
            return [raw]
        self.done.set()
        return self._instead(raw)


def lost(_raw: bytes) -> list[bytes]:
    return []


def no_number(raw: bytes) -> list[bytes]:
    """The last digit of its checksum is none."""
    return [raw[:-1] + b"z"]


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("begins", [b"$T", b"$QC", b"$m"], ids=["stop reply", "answer", "thread list"])
def test_a_stop_reply_is_sent_again(target: Target, begins: bytes) -> None:
    """And so is any other packet, to a client that never sends its own a second time."""
    rsp = target.attach_rsp()
    rsp.send("c")
    target.back()
    fault = target.tap.fault = First(begins, lost)
    target.console.start(BREAK_IN)
    assert rsp.wait_stop().signal == 5
    assert rsp.request("qC").startswith("QC")
    assert rsp.request("qfThreadInfo").startswith("m")
    assert fault.done.is_set()
    rsp.send("c")
    target.back()


def test_a_start_that_is_none(target: Target) -> None:
    """A spoilt "+" may look like "$".  What gdb says between packets, and the next packet, are heard all the same."""
    rsp = target.attach_rsp()
    stop, thread = rsp.request("?"), rsp.request("qC")
    for start, answer in ((b"$-", thread), (b"$+-", thread), (b"$\3", "T05"), (b"$\0g", "T05"), (b"$-", "T05")):
        rsp.send_raw(start)
        assert rsp.receive(awaited=f"answer to {start!r}").startswith(answer)
    for start in (b"$", b"$qC", b"$qC#"):
        rsp.send_raw(start)
        assert rsp.request("?") == stop
    rsp.send("c")
    target.back()


def lengths(target: Target) -> dict[str, int]:
    """How many bytes each part of a cycle has: those of the last one."""
    return {name: next(len(packet.raw) for packet in reversed(target.tap.packets)
                       if packet.direction == direction and packet.raw.startswith(begins))
            for name, (direction, begins) in PARTS.items()}


@pytest.fixture
def session(boot: Boot) -> Session:
    return Session(boot(smp=CPUS))


@pytest.mark.only_in_test_all
def test_each_byte(session: Session) -> None:
    """Of each part of a cycle, in each way."""
    target = session.target
    session.hit()
    rng = Random(SEED)
    for part, length in lengths(target).items():
        for at in range(length):
            for harm in Harm:
                print(f"byte {at} of {length} of {part} {harm.value}")
                fault = OneByte(part, at, harm, rng)
                target.tap.fault = fault
                session.hit()
                target.tap.fault = None
                assert fault.done.is_set()
    session.expect_counted()


@pytest.mark.rest_in_test_all
def test_three_percent(session: Session) -> None:
    target = session.target
    session.hit()
    fault = target.tap.fault = BadLine(SEED)
    for number in range(STOPS):
        print(f"stop {number}")
        session.hit()
    target.tap.fault = None
    print(f"seed {SEED}, {STOPS} stops:", ", ".join(f"{fault.counts[harm]} bytes {harm.value}" for harm in Harm))
    session.expect_counted()
    assert all(fault.counts[harm] >= STOPS // 20 for harm in Harm), fault.counts


class Unacknowledged:
    """Drops what acknowledges a request, "c" or another, so many times."""

    def __init__(self, times: int, request: bytes = b"$c#") -> None:
        self._left = times
        self._request = request
        self._asked = False

    def __call__(self, direction: str, raw: bytes) -> list[bytes]:
        if direction == FROM_GDB:
            self._asked = raw.startswith(self._request)
        elif raw == b"+" and self._asked and self._left:
            self._asked = False
            self._left -= 1
            return []
        return [raw]


@pytest.mark.rest_in_test_all
def test_a_continue_that_nobody_acknowledges(session: Session) -> None:
    """gdb sends it again, to a machine that runs: what waits in the port then does not end the next stop."""
    target = session.target
    session.hit()
    for _ in range(2):
        mark = target.tap.mark()
        target.tap.fault = Unacknowledged(1)
        session.hit()
        target.tap.fault = None
        assert [packet.data for packet in target.tap.since(mark)].count(b"c") == SENDS
        session.hit()
    session.expect_counted()


@pytest.mark.rest_in_test_all
def test_a_hit_before_continue_is_acknowledged(session: Session) -> None:
    """Packets have no numbers: gdb discards the stop reply, and has the machine go on.  The next hit is as ever."""
    target = session.target
    session.gdb.command("set remotetimeout 5")
    session.hit()
    mark = target.tap.mark()
    target.tap.fault = Unacknowledged(1)
    session.gdb.resume()
    target.tap.wait_packet(lambda packet: packet.direction == FROM_KGDB and packet.raw == b"+" and not packet.passed, since=mark)
    session.expect_running()
    session.store()
    assert session.acknowledged(mark)
    session.expect_running()
    assert sum(packet.data.startswith(b"T05") for packet in target.tap.since(mark)) == 1
    session.store()
    session.stop()
    session.expect_counted(missed=1)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("asks", [pytest.param("Ctrl-C", marks=pytest.mark.only_in_test_all), "BREAK-g"])
def test_a_hit_that_gdb_does_not_know_of(session: Session, asks: str) -> None:
    """As above, after gdb's last try: both wait, until gdb asks the machine to stop, and is told of the hit."""
    target = session.target
    session.hit()
    mark = target.tap.mark()
    target.tap.fault = Unacknowledged(SENDS)
    session.gdb.resume()
    assert not session.acknowledged(mark)
    session.expect_running()
    session.store()
    target.tap.wait_packet(lambda packet: packet.data.startswith(b"T05"), since=mark)
    session.expect_given_up()
    if asks == "BREAK-g":
        # What a serial port makes of a BREAK; gdb sends one to serial devices only.
        target.tap.fault = lambda _, raw: [b"\0g" if raw == b"\3" else raw]
    os.kill(session.gdb.pid, signal.SIGINT)
    session.stop()
    session.hit()
    session.expect_counted()


@pytest.mark.rest_in_test_all
def test_a_checksum_that_is_no_number(session: Session) -> None:
    """gdb gives up the command, which can be typed again, and shows a stop when the stub sends it again."""
    target = session.target
    session.hit()
    word = watched(target, OFFSET, SIZE)
    target.tap.fault = First(b"$01000000#", no_number)
    assert session.gdb.command(f"print {word} + 1") == "Invalid hex digit 122"
    assert session.gdb.command(f"print {word} + 1").endswith("= 2")
    target.tap.fault = First(b"$T05", no_number)
    session.go_on()
    session.store()
    assert session.gdb.wait_stop() == "Invalid hex digit 122"
    shown = target.tap.mark()
    target.tap.wait_packet(lambda packet: packet.direction == FROM_GDB and packet.data.startswith(b"m"), 60, since=shown)
    session.stop(session.gdb.command("info program"))
    session.hit()
    session.expect_counted()


@pytest.mark.rest_in_test_all
def test_a_removal_that_comes_twice(session: Session) -> None:
    """The second is no error, or gdb would believe that the breakpoint is still there, and not set it again."""
    target = session.target
    session.gdb.command("hbreak ksys_sync")
    session.also = [(target.kernel.symbol("ksys_sync"), 0, LENGTHS[1])]
    session.go_on()
    session.store()
    target.tap.fault = Unacknowledged(1, b"$z1,")
    session.stop()
    target.tap.fault = None
    session.hit()
    session.expect_counted()
    session.go_on()
    target.console.start("sync")
    assert "Breakpoint 2, ksys_sync" in session.gdb.wait_stop()
