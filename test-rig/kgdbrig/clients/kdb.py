# SPDX-License-Identifier: GPL-2.0-only
"""kdb's prompt, on the kgdb line: what a person with a terminal there types and reads."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType

import pexpect
from pexpect import fdpexpect

from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.line.wire import decode, frame
from kgdbrig.wait import TAIL_LINES, Transcript, connect

_PROMPT = r"\[\d+\]kdb> "
#: What it asks at the end of a page.
_MORE = r"more> "
#: What kdb says as it gives the line to gdb's stub.
_TO_GDB = r"Entering please attach debugger or use \$D#44\+ or \$3#33\s"


class Kdb:
    """A terminal on the kgdb line, from which packets can be typed as well; a context manager.

    All timeouts are in seconds.
    """

    def __init__(self, path: Path) -> None:
        self._socket = connect(path, "the kgdb line")
        self._socket.settimeout(None)
        self._transcript = Transcript()
        self._line = fdpexpect.fdspawn(self._socket.fileno(), encoding="latin-1")
        self._line.logfile_read = self._transcript
        self._line.delaybeforesend = None
        self._kept = 0

    def __enter__(self) -> Kdb:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()
        self._transcript.close()

    def entered(self, timeout: float = 30) -> str:
        """Wait for kdb's prompt; what it said on the way, "Entering kdb ... due to ..." first."""
        return self._until(_PROMPT, timeout, "kdb's prompt")

    def command(self, command: str, timeout: float = 30) -> str:
        """What kdb prints for a command until its prompt is back, all pages of it."""
        self._line.send(f"{command}\r")
        said = ""
        while True:
            said += self._until(f"{_PROMPT}|{_MORE}", timeout, "kdb's prompt")
            if re.fullmatch(_PROMPT, self._line.match[0]):
                break
            self._line.send(" ")
        echo, _, output = said.partition("\n")
        if echo.strip() != command:
            raise RigError(f"kdb did not echo {command!r}; last seen:\n{self.tail()}")
        return output.strip("\n")

    def go(self) -> None:
        """Have the machine go on."""
        self._line.send("go\r")
        self._until(r"go\r?\n", 10, "echo of go")

    def to_gdb(self) -> None:
        """Give the line to gdb's stub, which then answers packets."""
        self._line.send("kgdb\r")
        self._until(_TO_GDB, 10, "word of kdb that gdb's stub has the line")

    def packet(self, payload: str) -> str:
        """The stub's answer to a packet, acknowledged.  kdb takes one at its prompt, and goes over to the stub."""
        self.send_packet(payload)
        return self.receive_packet()

    def send_packet(self, payload: str) -> None:
        """Send a packet and wait for its acknowledgment: "c", say, which is not answered."""
        self._line.send(frame(payload.encode("latin-1")).decode("latin-1"))
        self._until(r"\+", 10, f"acknowledgment of {payload!r}")

    def keeps_packet(self, payload: str) -> str:
        """What kdb says to a packet that it does not hand to the stub, up to its prompt."""
        self._kept += 1
        end = f"no-command-{self._kept}"
        # Some packets end their line themselves, others do not; what is no command has an answer of its own.
        self._line.send(f"{frame(payload.encode('latin-1')).decode('latin-1')}\r{end}\r")
        said = self._until(f"Unknown kdb command: '{end}'", 30, f"end of what kdb says to {payload!r}")
        self.entered()
        return said

    def receive_packet(self, timeout: float = 30) -> str:
        """The next packet that the stub sends."""
        self._until(r"\$([^#]*)#[0-9a-f]{2}", timeout, "packet from the stub")
        self._line.send("+")
        return decode(self._line.match[1].encode("latin-1")).decode("latin-1")

    def to_kdb(self) -> str:
        """Give the line back to kdb ("$3#33"); what that says when it enters."""
        self.send_packet("3")
        return self.entered()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines on the line."""
        return self._transcript.tail(lines)

    def _until(self, pattern: str, timeout: float, awaited: str) -> str:
        """What came before the pattern."""
        try:
            self._line.expect(pattern, timeout=timeout)
        except pexpect.TIMEOUT:
            raise RigTimeout(awaited, timeout, self.tail()) from None
        except (pexpect.EOF, OSError):
            raise RigError(f"no {awaited}: the kgdb line was closed; last seen:\n{self.tail()}") from None
        return re.sub(r"\r", "", self._line.before)
