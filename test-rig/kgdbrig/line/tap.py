# SPDX-License-Identifier: GPL-2.0-only
"""The tap on the kgdb line: passes everything on, and records every packet with its time.

It can make the line as slow as a real one, and spoil what crosses it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.line.wire import Framer, Kind, Unit, decode
from kgdbrig.wait import TAIL_LINES, Deadline, connect

#: Directions: what gdb says, and what the stub says.
FROM_GDB = "gdb>"
FROM_KGDB = "kgdb>"

#: Start bit, eight data bits, stop bit.
_BITS_PER_BYTE = 10
#: A throttled line passes on what fits in this many seconds at a time.
_SLICE_SECONDS = 0.005

#: Gets a direction and the bytes of one packet, acknowledgment or interrupt; gives what to pass on in its place, piece by
#: piece: it may take its time between two.
Fault = Callable[[str, bytes], Iterable[bytes]]


@dataclass(frozen=True)
class Packet:
    """One thing said on the line: a packet, an acknowledgment, an interrupt, or noise."""

    #: time.monotonic() when its last byte was passed on.  It is in the record before the other side can have it.
    time: float
    #: FROM_GDB or FROM_KGDB.
    direction: str
    #: A packet's payload, decoded; of anything else, the bytes.
    data: bytes
    #: The bytes as their sender sent them.
    raw: bytes
    kind: Kind
    #: Whether a packet's checksum was right.
    valid: bool
    #: What the other side got: `raw`, unless a fault changed it or there was no client.
    passed: bytes

    def __str__(self) -> str:
        text = self.raw.decode("latin-1") if self.kind is Kind.PACKET else repr(self.raw)[1:]
        notes = ["" if self.valid else " (bad checksum)", "" if self.passed == self.raw else f" -> {self.passed!r}"]
        return f"{self.time:.4f} {self.direction:5} {text}{''.join(notes)}"


class Tap:
    """Stands between QEMU's kgdb socket and one client at a time, from start() to stop().

    The client connects to `listen`.  When it goes the next may come: the line
    to the target stays up, as a serial line would, and what the target says
    with no client there is recorded and lost.

    `baud` and `fault` may be changed at any time.  `baud` makes each direction
    as slow as a serial line of that speed (8N1); None does not slow it.  While
    `fault` is set, a packet is passed on when it is whole; it is called from
    the tap's threads.
    """

    def __init__(self, target: Path, listen: Path, *, baud: int | None = None, fault: Fault | None = None) -> None:
        self._target_path = target
        self.listen = listen
        self.baud = baud
        self.fault = fault
        self._changed = threading.Condition()
        self._packets: list[Packet] = []
        self._target_gone = False
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._target: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None
        self._clients = 0

    def __enter__(self) -> Tap:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Connect to the target and listen; RigError when either fails."""
        if self._threads:
            raise RigError("this tap was started already")
        self._target = connect(self._target_path, "the kgdb line")
        self._target.settimeout(None)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(self.listen))
            self._listener.listen(4)
        except OSError as error:
            self._listener.close()
            self._target.close()
            raise RigError(f"the tap cannot listen at {self.listen}: {error}") from error
        for work in (self._serve_clients, self._serve_target):
            thread = threading.Thread(target=work, name=f"tap {work.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Close the line and end the threads; the record stays.  Does nothing the second time."""
        self._stopping.set()
        with self._changed:
            ends = [self._target, self._listener, self._client]
        for end in ends:
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in ends:
            if end is not None:
                end.close()
        if self._threads:
            self.listen.unlink(missing_ok=True)

    @property
    def packets(self) -> list[Packet]:
        """All that crossed the line so far."""
        return self.since(0)

    def mark(self) -> int:
        """A point in the record, for since() and wait_packet()."""
        with self._changed:
            return len(self._packets)

    def since(self, mark: int) -> list[Packet]:
        """What crossed the line after the mark."""
        with self._changed:
            return self._packets[mark:]

    def wait_packet(self, predicate: Callable[[Packet], bool], timeout: float = 10, *, since: int = 0,
                    awaited: str = "such packet on the kgdb line") -> Packet:
        """The first packet after the mark `since` that the predicate holds for.

        RigTimeout after `timeout` seconds; RigError when the target closes the line first.
        """
        deadline = Deadline(timeout)
        with self._changed:
            looked = since
            while True:
                for packet in self._packets[looked:]:
                    if predicate(packet):
                        return packet
                looked = max(looked, len(self._packets))
                if self._target_gone:
                    raise RigError(f"no {awaited}: the target closed it; last seen:\n{self.tail()}")
                if not self._changed.wait(deadline.left()) and deadline.passed():
                    raise RigTimeout(awaited, timeout, self.tail())

    def wait_text(self, text: bytes, timeout: float = 30, *, since: int = 0) -> None:
        """Return when the target has said `text` after the mark `since`, outside of packets: a console's output.

        RigTimeout after `timeout` seconds; RigError when the target closes the line first.
        """
        deadline = Deadline(timeout)
        awaited = f"{text!r} on the kgdb line"
        with self._changed:
            while text not in b"".join(packet.raw for packet in self._packets[since:]
                                       if packet.direction == FROM_KGDB and packet.kind is Kind.NOISE):
                if self._target_gone:
                    raise RigError(f"no {awaited}: the target closed it; last seen:\n{self.tail()}")
                if not self._changed.wait(deadline.left()) and deadline.passed():
                    raise RigTimeout(awaited, timeout, self.tail())

    def cut(self) -> None:
        """Cut the client off, as a line that is pulled out: it gets nothing more, and the target nothing of it."""
        with self._changed:
            if self._client is not None:
                with contextlib.suppress(OSError):
                    self._client.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def expecting_client(self, timeout: float = 10) -> Iterator[None]:
        """At the end of the block, which connects a client, wait until that gets what the target says.

        A client that speaks first need not care; RigTimeout after `timeout` seconds.
        """
        before = self._clients
        yield
        with self._changed:
            if not self._changed.wait_for(lambda: self._clients > before, timeout):
                raise RigTimeout("client of the tap (is there another one still?)", timeout, self.tail())

    @property
    def has_client(self) -> bool:
        """Whether a client is connected."""
        with self._changed:
            return self._client is not None

    def wait_client_gone(self, timeout: float = 10) -> None:
        """Return when there is no client; RigTimeout after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._client is None, timeout):
                raise RigTimeout("end of the tap's client", timeout, self.tail())

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last packets, one a line."""
        with self._changed:
            return "\n".join(str(packet) for packet in self._packets[-lines:])

    def _serve_clients(self) -> None:
        assert self._listener is not None
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._client = client
                self._clients += 1
                self._changed.notify_all()
            self._relay(FROM_GDB, client)
            with self._changed:
                self._client = None
                self._changed.notify_all()
            client.close()

    def _serve_target(self) -> None:
        assert self._target is not None
        self._relay(FROM_KGDB, self._target)
        with self._changed:
            self._target_gone = True
            self._changed.notify_all()
            if self._client is not None:
                with contextlib.suppress(OSError):
                    self._client.shutdown(socket.SHUT_RDWR)

    def _relay(self, direction: str, source: socket.socket) -> None:
        """Pass on and record what comes from `source` until it ends."""
        relay = _Relay(self, direction)
        while not self._stopping.is_set():
            try:
                received = source.recv(65536)
            except OSError:
                break
            if not received:
                break
            relay.take(received)
        relay.end()

    def _receiver(self, direction: str) -> socket.socket | None:
        with self._changed:
            return self._target if direction == FROM_GDB else self._client

    def _record(self, direction: str, unit: Unit, passed: bytes) -> None:
        data = decode(unit.body, runs=direction == FROM_KGDB) if unit.kind is Kind.PACKET else unit.raw
        packet = Packet(time.monotonic(), direction, data, unit.raw, unit.kind, unit.valid, passed)
        with self._changed:
            self._packets.append(packet)
            self._changed.notify_all()


class _Relay:
    """One direction of a tap, for as long as its source lasts."""

    def __init__(self, tap: Tap, direction: str) -> None:
        self._tap = tap
        self._direction = direction
        self._framer = Framer()
        #: How many bytes of the framer's unfinished unit were passed on already.
        self._sent = 0
        #: When the line has room for the next byte, time.monotonic().
        self._free_at = 0.0

    def take(self, received: bytes) -> None:
        """Pass on what was received, a slice at a time on a slow line, so that each packet has its time."""
        while received:
            baud = self._tap.baud
            step = max(int(baud / _BITS_PER_BYTE * _SLICE_SECONDS), 1) if baud else len(received)
            piece, received = received[:step], received[step:]
            fault = self._tap.fault
            if fault is None:
                self._pass_on(piece)
            else:
                self._spoil(piece, fault)

    def end(self) -> None:
        """The source has ended; a unit it left unfinished goes into the record."""
        rest = self._framer.pending
        if rest:
            self._tap._record(self._direction, Unit(Kind.NOISE, rest), rest[:self._sent])

    def _pass_on(self, piece: bytes) -> None:
        data = (self._framer.pending + piece)[self._sent:]
        units = [(unit, unit.raw) for unit in self._framer.feed(piece)]
        self._sent = len(self._framer.pending)
        self._send(data, units)

    def _spoil(self, piece: bytes, fault: Fault) -> None:
        for unit in self._framer.feed(piece):
            # What began to go out before the fault was set goes out whole.
            begun = min(self._sent, len(unit.raw))
            self._sent -= begun
            passed = last = b""
            for piece in [unit.raw[begun:]] if begun else fault(self._direction, unit.raw):
                self._send(last, [])
                passed, last = passed + piece, piece
            self._send(last, [(unit, unit.raw[:begun] + passed)])

    def _send(self, data: bytes, units: list[tuple[Unit, bytes]]) -> None:
        """Send bytes, which end those units, when the line has had the time for them."""
        baud = self._tap.baud
        if baud:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + len(data) * _BITS_PER_BYTE / baud
            self._tap._stopping.wait(self._free_at - now)
        receiver = self._tap._receiver(self._direction)
        for unit, passed in units:
            self._tap._record(self._direction, unit, passed if receiver else b"")
        if receiver:
            with contextlib.suppress(OSError):
                receiver.sendall(data)
