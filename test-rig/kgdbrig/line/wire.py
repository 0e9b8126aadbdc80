# SPDX-License-Identifier: GPL-2.0-only
"""The remote serial protocol's framing: bytes on the line to packets and back.

GDB manual, appendix E.1 (Overview): a packet is "$payload#cs", cs being the sum
of the payload's bytes modulo 256 in two hex digits.  "}" escapes a byte (the next
one is XORed with 0x20); a reply may shorten runs, "0* " meaning "0000".  Between
packets there are acknowledgments, "+" and "-", and the interrupt, 0x03.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

#: A frame that has not ended after so many bytes is none (KGDB's own buffer is 2 KiB, gdb's packets stay below 16).
_FRAME_MAX = 65536


class Kind(enum.Enum):
    PACKET = "packet"
    ACK = "ack"
    NAK = "nak"
    INTERRUPT = "interrupt"
    #: Anything else: console text of an early boot on the same line, an unfinished packet.
    NOISE = "noise"


@dataclass(frozen=True)
class Unit:
    """One thing said on the line: exactly the bytes `raw`."""

    kind: Kind
    raw: bytes

    @property
    def body(self) -> bytes:
        """What lies between "$" and "#", as it was sent; of another kind of unit, all of it."""
        return self.raw[1:-3] if self.kind is Kind.PACKET else self.raw

    @property
    def valid(self) -> bool:
        """False for a packet whose checksum is wrong."""
        if self.kind is not Kind.PACKET:
            return True
        try:
            return int(self.raw[-2:], 16) == checksum(self.body)
        except ValueError:
            return False


def checksum(body: bytes) -> int:
    return sum(body) & 0xFF


def frame(payload: bytes) -> bytes:
    """The packet that carries `payload`, escaped where it must be."""
    body = b"".join(bytes([0x7D, byte ^ 0x20]) if byte in b"#$}" else bytes([byte]) for byte in payload)
    return b"$" + body + b"#%02x" % checksum(body)


def decode(body: bytes, *, runs: bool = True) -> bytes:
    """The payload that a packet's body stands for: escapes resolved, runs expanded.

    Only a stub's replies have runs; in a request of gdb's a "*" is a "*".
    """
    payload = bytearray()
    position = 0
    while position < len(body):
        byte = body[position]
        if byte == 0x7D and position + 1 < len(body):
            payload.append(body[position + 1] ^ 0x20)
            position += 2
        elif runs and byte == 0x2A and payload and position + 1 < len(body) and body[position + 1] >= 32:
            payload += payload[-1:] * (body[position + 1] - 29)
            position += 2
        else:
            payload.append(byte)
            position += 1
    return bytes(payload)


class Framer:
    """Cuts one direction of the line into units; joined again they are the bytes fed."""

    def __init__(self) -> None:
        self._pending = b""

    @property
    def pending(self) -> bytes:
        """Bytes that are no whole unit yet."""
        return self._pending

    def feed(self, received: bytes) -> Iterator[Unit]:
        """Add bytes, and take the units that are whole now."""
        self._pending += received
        while self._pending:
            unit = self._next()
            if unit is None:
                return
            self._pending = self._pending[len(unit.raw):]
            yield unit

    def _next(self) -> Unit | None:
        pending = self._pending
        single = {b"+": Kind.ACK, b"-": Kind.NAK, b"\x03": Kind.INTERRUPT}.get(pending[:1])
        if single:
            return Unit(single, pending[:1])
        if pending[:1] != b"$":
            end = min((at for at in map(pending.find, (b"$", b"+", b"-", b"\x03")) if at > 0), default=len(pending))
            return Unit(Kind.NOISE, pending[:end])
        end = pending.find(b"#")
        again = pending.find(b"$", 1, end if end >= 0 else len(pending))
        if again > 0:  # "$" is always escaped inside a packet: the sender began anew
            return Unit(Kind.NOISE, pending[:again])
        if end >= 0 and len(pending) >= end + 3:
            return Unit(Kind.PACKET, pending[:end + 3])
        return Unit(Kind.NOISE, pending) if len(pending) > _FRAME_MAX else None
