# SPDX-License-Identifier: GPL-2.0-only
"""What every wait of the rig is made of: a deadline, a socket, and a record of what was seen."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from kgdbrig.errors import RigError

#: How many lines of console, gdb or wire an error shows, and how much of each.
TAIL_LINES = 30
_TAIL_COLUMNS = 400
_TERMINAL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Deadline:
    """A point in time, `seconds` from now, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, never negative."""
        return max(self._at - time.monotonic(), 0.0)

    def passed(self) -> bool:
        return self.left() == 0


class Transcript:
    """Text as it was received, in order; all of it in a file when one is given.

    Has the write() and flush() that pexpect wants of its logfile_read.  Keeps
    the last `keep` characters in memory.
    """

    def __init__(self, log: Path | None = None, keep: int = 1 << 18) -> None:
        self._keep = keep
        self._text = ""
        self._log = log.open("a", encoding="utf-8", errors="replace") if log else None

    def write(self, text: str) -> None:
        self._text = (self._text + text)[-self._keep:]
        if self._log:
            self._log.write(text)

    def flush(self) -> None:
        if self._log:
            self._log.flush()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines received."""
        last = _TERMINAL_SEQUENCE.sub("", self._text.replace("\r", "")).splitlines()[-lines:]
        return "\n".join(line[:_TAIL_COLUMNS] for line in last)

    def close(self) -> None:
        if self._log:
            self._log.close()
            self._log = None


def connect(path: Path, what: str, timeout: float = 10) -> socket.socket:
    """A connection to the unix socket at `path`; `timeout`, in seconds, stays set on it.

    RigError names `what` should be there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise RigError(f"cannot connect to {what} at {path}: {error}; does its machine run?") from error
    return connection


def readable(descriptors: Iterable[int], timeout: float) -> bool:
    """Wait until something can be read from one of them, or it has ended; False after `timeout` seconds."""
    return bool(poll(dict.fromkeys(descriptors, select.POLLIN), timeout))


def poll(wanted: Mapping[int, int], timeout: float | None = None) -> dict[int, int]:
    """The events of those descriptors that have some (poll(2)); none after `timeout` seconds."""
    waits = select.poll()
    for descriptor, events in wanted.items():
        waits.register(descriptor, events)
    return dict(waits.poll(None if timeout is None else timeout * 1000))
