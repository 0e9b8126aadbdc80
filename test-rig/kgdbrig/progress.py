# SPDX-License-Identifier: GPL-2.0-only
"""One line that says how far a long step is."""

from __future__ import annotations

import time
from typing import TextIO

_TTY_INTERVAL = 0.2
_LOG_INTERVAL = 10.0


class Progress:
    """A status line: rewritten in place on a terminal, repeated every 10 s elsewhere.

    `stream` None means silence.  Times are those since the object was made.
    """

    def __init__(self, label: str, stream: TextIO | None) -> None:
        self._label = label
        self._stream = stream
        self._tty = stream is not None and stream.isatty()
        self._began = time.monotonic()
        self._shown = -_LOG_INTERVAL
        if not self._tty:
            self._print("started")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def update(self, text: str) -> None:
        """Show `text`, unless the last one was shown too short a time ago."""
        if self.seconds - self._shown >= (_TTY_INTERVAL if self._tty else _LOG_INTERVAL):
            self._print(text)

    def done(self, text: str = "done") -> None:
        """Show the last text, and end the line."""
        self._print(text)
        if self._tty and self._stream is not None:
            print(file=self._stream, flush=True)

    def failed(self) -> None:
        self.done("FAILED")

    def _print(self, text: str) -> None:
        self._shown = self.seconds
        if self._stream is None:
            return
        minutes, seconds = divmod(int(self.seconds), 60)
        line = f"rig: {self._label}: {text} [{minutes}:{seconds:02}]"
        if self._tty:
            print(f"\r\033[K{line}", end="", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)
