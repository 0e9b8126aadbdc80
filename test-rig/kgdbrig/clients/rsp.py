# SPDX-License-Identifier: GPL-2.0-only
"""A raw client of the remote serial protocol, for packets gdb would not send.

GDB manual, appendix E.  Every packet is acknowledged in both directions (E.13);
KGDB has no QStartNoAckMode.
"""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.line.wire import Framer, Kind, Unit, decode, frame
from kgdbrig.wait import TAIL_LINES, Deadline, connect

#: The registers of a 'g' reply in order, with their sizes in bytes: gdb's order, and KGDB's dbg_reg_def.
_REGISTERS: dict[str, list[tuple[str, int]]] = {
    "x86_64": [(name, 8) for name in ("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip").split()]
    + [(name, 4) for name in "eflags cs ss ds es fs gs".split()],
    "i386": [(name, 4) for name in "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs".split()],
    "arm64": [(f"x{number}", 8) for number in range(31)] + [("sp", 8), ("pc", 8), ("cpsr", 4)],
}
#: What they call the PC.
_PC = ("rip", "eip", "pc")

_CONSOLE_OUTPUT = re.compile(r"O([0-9a-fA-F]{2})+")
#: What a stop reply's fields for watchpoints are called.
_REASONS = ("watch", "rwatch", "awatch")
_SENDS_MAX = 5
_ACK_SECONDS = 10.0


class RspError(RigError):
    """The stub refused a request or answered it with something that is no answer to it."""


@dataclass(frozen=True)
class StopReply:
    """A stop reply packet (E.3).  The reasons of appendix E that name a watchpoint have fields of their own."""

    #: The packet's payload as it was.
    text: str
    signal: int
    #: The "name:value" pairs of a T packet, by name; the first of each.
    fields: dict[str, str] = field(default_factory=dict)
    #: The value of "thread".
    thread: str | None = None
    #: "watch", "rwatch" or "awatch", with the data address that the stub names: the first of them, if it names several.
    reason: str | None = None
    address: int | None = None
    #: All of them, in their order.
    hits: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str, *, several: bool = False) -> StopReply:
        """RspError when `text` is neither "Tnn..." nor "Snn", or says more than once what it may say once.

        With `several` watchpoints taken, that is not a reason, but a reason with an address.
        """
        match = re.fullmatch(r"(?:S([0-9a-fA-F]{2})|T([0-9a-fA-F]{2})((?:[^:;]+:[^;]*;)*))", text)
        if not match:
            raise RspError(f"not a stop reply: {text!r}")
        pairs = [pair.split(":", 1) for pair in (match[3] or "").split(";") if pair]
        try:
            hits = tuple((name, int(value, 16)) for name, value in pairs if name in _REASONS)
        except ValueError as error:
            raise RspError(f"a stop reply without an address: {text!r}") from error
        if len(hits) > 1 and not several:
            raise RspError(f"a stop reply with more than one reason: {text!r}")
        others = [name for name, _ in pairs if name not in _REASONS]
        if len({*others, *hits}) != len(pairs):
            raise RspError(f"a stop reply that says something twice: {text!r}")
        fields = dict(reversed(pairs))
        reason, address = hits[0] if hits else (None, None)
        return cls(text, int(match[1] or match[2], 16), fields, fields.get("thread"), reason, address, hits)


class Rsp:
    """A connection to a stub, by way of a tap or directly; a context manager.

    Payloads are str, one character a byte (latin-1), without "$" and checksum,
    escapes and runs resolved.  All timeouts are in seconds; RigTimeout shows
    the last packets.

    What comes is taken from the socket at once, by a thread, whether or not
    anybody waits for it: early in boot the line is a console as well, and a
    guest that cannot write to that stands still.
    """

    def __init__(self, path: Path, arch: str = "x86_64") -> None:
        if arch not in _REGISTERS:
            raise RigError(f"no register layout for {arch}: known are {', '.join(_REGISTERS)}")
        self._arch = arch
        self._socket: socket.socket = connect(path, "the kgdb line")
        self._socket.settimeout(None)
        self._received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="rsp", daemon=True)
        self._reader.start()
        self._framer = Framer()
        self._several = False
        self._units: deque[Unit] = deque()
        self._replies: deque[str] = deque()
        self._seen: deque[str] = deque(maxlen=1000)
        #: What "O" packets said, decoded, in order.
        self.output: list[str] = []
        # A stub that said something with nobody there may still wait for this.
        self.send_raw(b"+")

    def __enter__(self) -> Rsp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # which ends the thread
        self._reader.join()
        self._socket.close()

    def send_raw(self, data: bytes) -> None:
        """Put bytes on the line as they are."""
        self._seen.append(f"> {data!r}")
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise RspError(f"cannot send {data!r}: {error}; last seen:\n{self.tail()}") from error

    def interrupt(self) -> None:
        """Send 0x03 (E.8), which a stub takes as a request to stop."""
        self.send_raw(b"\x03")

    def send(self, payload: str | bytes, timeout: float = _ACK_SECONDS) -> None:
        """Send a packet and wait until it is acknowledged; again when the stub says "-".

        A packet that comes before is acknowledged and dropped, as gdb does: it is the last answer, sent again by a
        stub that has waited long for its acknowledgment.  Console output goes to `output`.
        """
        for stale in self._send(payload, timeout):
            self._keep_output(stale)

    def _send(self, payload: str | bytes, timeout: float) -> list[str]:
        """What send() does; the packets that came before the acknowledgment."""
        packet = frame(payload.encode("latin-1") if isinstance(payload, str) else payload)
        deadline = Deadline(timeout)
        for _ in range(_SENDS_MAX):
            self.send_raw(packet)
            while True:
                unit = self._unit(deadline, f"acknowledgment of {packet!r}")
                if unit.kind is Kind.ACK:
                    before = list(self._replies)
                    self._replies.clear()
                    return before
                if unit.kind is Kind.NAK:
                    break
                self._take(unit)
        raise RspError(f"{packet!r} was refused {_SENDS_MAX} times; last seen:\n{self.tail()}")

    def receive(self, timeout: float = 10, awaited: str = "packet from the stub") -> str:
        """The payload of the next packet, acknowledged; one with a bad checksum is asked for again."""
        deadline = Deadline(timeout)
        while not self._replies:
            self._take(self._unit(deadline, awaited))
        return self._replies.popleft()

    def synchronize(self, timeout: float = 30) -> list[str]:
        """Get in step with a stub that may just be saying something; returns what it was.

        KGDB reports its stops to whoever is there, from a debugger's first
        packet until "D" or "k".  If that debugger went away without, the report
        of the next stop may come to a new client before its first answer does.
        Nothing but an unknown query is answered with an empty packet (E.1).
        This one is short enough for a serial port to keep until KGDB looks there.
        """
        deadline = Deadline(timeout)
        before = self._send("qRig", timeout)
        while True:
            payload = self.receive(deadline.left(), "answer to an unknown query")
            if not payload:
                return before
            before.append(payload)

    def request(self, payload: str | bytes, timeout: float = 10) -> str:
        """Send a packet and return the answer; console output in between goes to `output`."""
        self.send(payload, timeout)
        return self._receive_answer(timeout, f"answer to {payload!r}")

    def offer(self, *features: str) -> str:
        """Say what this client takes (E.6, "qSupported"); what the stub accepts of it."""
        self._several = "multi-wp-addr+" in features
        return self.request(f"qSupported:{';'.join(features)}")

    def wait_stop(self, timeout: float = 30) -> StopReply:
        """The next stop reply; console output before it goes to `output`.  RspError for any other packet."""
        return StopReply.parse(self._receive_answer(timeout, "stop reply"), several=self._several)

    def read_memory(self, address: int, length: int) -> bytes:
        """`length` bytes of guest memory (E.2, "m"); RspError when the stub refuses."""
        data = self._hex(f"m{address:x},{length:x}")
        if len(data) != length:
            raise RspError(f"{len(data)} bytes at {address:#x} instead of {length}")
        return data

    def read_registers(self) -> dict[str, int]:
        """The registers of the current thread by name (E.2, "g").

        Those that the stub says are unavailable ("xx") are left out, and so
        are those after the reply's end: KGDB's ends before fs on x86_64.
        """
        answer = self.request("g")
        if not re.fullmatch(r"(?:[0-9a-fA-F]{2}|xx)+", answer):
            raise RspError(f"the stub answers 'g' with {answer!r}")
        registers = {}
        for name, size in _REGISTERS[self._arch]:
            value, answer = answer[:2 * size], answer[2 * size:]
            if value and len(value) != 2 * size:
                raise RspError(f"the reply to 'g' ends within {name}; last seen:\n{self.tail()}")
            if value and "x" not in value:
                registers[name] = int.from_bytes(bytes.fromhex(value), "little")
        return registers

    def read_pc(self) -> int:
        """The PC of the current thread."""
        registers = self.read_registers()
        return next(registers[name] for name in _PC if name in registers)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """What was last sent (">") and received ("<")."""
        return "\n".join(list(self._seen)[-lines:])

    def _hex(self, request: str) -> bytes:
        answer = self.request(request)
        try:
            return bytes.fromhex(answer)
        except ValueError as error:
            raise RspError(f"the stub answers {request!r} with {answer!r}") from error

    def _receive_answer(self, timeout: float, awaited: str) -> str:
        deadline = Deadline(timeout)
        while True:
            payload = self.receive(deadline.left(), awaited)
            if not self._keep_output(payload):
                return payload

    def _keep_output(self, payload: str) -> bool:
        """Append what an "O" packet says to `output`; False for any other packet."""
        if not _CONSOLE_OUTPUT.fullmatch(payload):
            return False
        self.output.append(bytes.fromhex(payload[1:]).decode("utf-8", "replace"))
        return True

    def _take(self, unit: Unit) -> None:
        """Acknowledge and keep a packet; anything else that is not expected now is dropped."""
        if unit.kind is not Kind.PACKET:
            return
        self.send_raw(b"+" if unit.valid else b"-")
        if unit.valid:
            self._replies.append(decode(unit.body).decode("latin-1"))

    def _read(self) -> None:
        """Move what comes to where _unit() finds it, and b"" at the end."""
        with contextlib.suppress(OSError):
            while received := self._socket.recv(65536):
                self._received.put(received)
        self._received.put(b"")

    def _unit(self, deadline: Deadline, awaited: str) -> Unit:
        while not self._units:
            try:
                received = self._received.get(timeout=max(deadline.left(), 0.001))
            except queue.Empty as error:
                raise RigTimeout(awaited, deadline.seconds, self.tail()) from error
            if not received:
                self._received.put(b"")
                raise RspError(f"no {awaited}: the line was closed; last seen:\n{self.tail()}")
            for unit in self._framer.feed(received):
                self._seen.append(f"< {unit.raw!r}")
                self._units.append(unit)
        return self._units.popleft()
