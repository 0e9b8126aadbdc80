# SPDX-License-Identifier: GPL-2.0-only
"""A real gdb, driven at its prompt as a person would."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

import pexpect

from kgdbrig import paths, programs
from kgdbrig.errors import MissingDependency, RigError, RigTimeout
from kgdbrig.packages import later
from kgdbrig.wait import TAIL_LINES, Transcript

PROMPT = "(kgdb-rig) "
#: gdb reads vmlinux's symbols, hundreds of megabytes with debug information.
_START_SECONDS = 120.0

#: Before anything is read, and so as -iex.
_EARLY_SETTINGS = ("set pagination off", "set confirm off", "set width 0", "set height 0", "set style enabled off",
                   "set debuginfod enabled off", "set editing off", "set history save off")


@dataclass(frozen=True)
class Debugger:
    """A gdb: how it is started, in what environment, and what its index of symbols is kept as."""

    command: tuple[str, ...] = ("gdb-multiarch",)
    environment: tuple[tuple[str, str], ...] = ()
    index: str = "gdb-index"

    def version(self) -> str:
        """The first line that it says of itself."""
        return programs.version(self.command, dict(self.environment))

    def arguments(self, vmlinux: Path) -> list[str]:
        """The command that starts it with nothing of the user's, set up to load `vmlinux` and its scripts."""
        # gdb makes an index of the symbols, which takes it a second, and finds it again by the build's id.
        settings = (*_EARLY_SETTINGS, f"set index-cache directory {vmlinux.parent / self.index}", "set index-cache enabled on",
                    f"add-auto-load-safe-path {vmlinux.parent}")
        return [*self.command, "-nx", "-q", *(word for setting in settings for word in ("-iex", setting))]


def of_suite(suite: str, progress: TextIO | None) -> Debugger:
    """The gdb-multiarch of a later Debian suite, with its own Python."""
    found = later.find("gdb-multiarch", suite, progress)
    return Debugger((*found.command("usr/bin/gdb-multiarch"), "--data-directory", str(found.root / "usr/share/gdb")),
                    (("PYTHONHOME", str(found.root / "usr")), ("PYTHONDONTWRITEBYTECODE", "1")), f"gdb-index-{suite}")


class GdbError(RigError):
    """gdb ended, or did not do what it was told."""


class Gdb:
    """gdb at its prompt, with gdbinit/kgdb-watch.gdb and the symbols of `vmlinux`.

    It is the machine's, or another `debugger`.  A context manager.  All timeouts are in seconds; errors show gdb's last
    lines.  `log` gets all that gdb prints.
    """

    def __init__(self, vmlinux: Path, *, log: Path | None = None, debugger: Debugger | None = None) -> None:
        self._transcript = Transcript(log)
        debugger = debugger or Debugger()
        arguments = [*debugger.arguments(vmlinux), "-ex", f"set prompt {PROMPT}"]
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("GDBHISTFILE", "COLUMNS", "LINES")}
        try:
            self._gdb = pexpect.spawn(arguments[0], arguments[1:], encoding="utf-8", codec_errors="replace", echo=False,
                                      dimensions=(64, 4096), env=environment | dict(debugger.environment) |
                                      {"TERM": "dumb", "LC_ALL": "C.UTF-8"})
        except pexpect.ExceptionPexpect as error:
            raise MissingDependency(arguments[0]) from error
        self._gdb.logfile_read = self._transcript
        self._gdb.delaybeforesend = None
        try:
            self._until_prompt(_START_SECONDS, "gdb prompt")
            self._source(paths.GDBINIT)
            self._load(vmlinux)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Gdb:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """gdb's process."""
        pid: int = self._gdb.pid
        return pid

    def fileno(self) -> int:
        """Where it can be waited for that gdb says something."""
        descriptor: int = self._gdb.fileno()
        return descriptor

    def command(self, command: str, timeout: float = 30) -> str:
        """What gdb prints for a command until its prompt is back."""
        self._send(command)
        return self._until_prompt(timeout, f"end of gdb's {command!r}")

    def connect(self, path: Path, timeout: float = 30) -> str:
        """Connect to a stub's socket with the user's command, kgdb-connect; what gdb printed."""
        said = self.command(f"kgdb-connect {path}", timeout)
        if not re.search(r"^Connected to ", said, re.MULTILINE):
            raise GdbError(f"gdb did not connect to {path}:\n{said}")
        return said

    def resume(self, command: str = "continue", timeout: float = 30) -> None:
        """Let the target run; returns when gdb says so, and wait_stop() is for its stop.

        GdbError when gdb refuses.
        """
        self._send(command)
        if self._await([r"Continuing\.\r?\n", re.escape(PROMPT)], timeout, f"effect of gdb's {command!r}") == 1:
            raise GdbError(f"gdb does not {command}: {self._before()}")

    def wait_stop(self, timeout: float = 60) -> str:
        """All that gdb says about the target's stop, up to its prompt."""
        return self._until_prompt(timeout, "stop of the target in gdb")

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Send gdb a signal; after SIGKILL, return when it is gone."""
        os.kill(self.pid, sig)
        if sig == signal.SIGKILL:
            self._gdb.wait()

    def close(self) -> None:
        """End gdb without a word to the target; detach first to let that go on."""
        if not self._gdb.closed:
            # pexpect gives a process a tenth of a second to end after SIGKILL, which on a busy host is not enough.
            if self._gdb.isalive():
                self.kill()
            self._gdb.close()
        self._transcript.close()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines gdb printed."""
        return self._transcript.tail(lines)

    def _source(self, script: Path) -> None:
        said = self.command(f"source {script}")
        if f"{script}:" in said or "No such file" in said:
            raise GdbError(f"gdb does not take {script}:\n{said}")

    def _load(self, vmlinux: Path) -> None:
        said = self.command(f"file {vmlinux}", _START_SECONDS)
        if "Reading symbols" not in said or "not in executable format" in said or "No such file" in said:
            raise GdbError(f"gdb does not take {vmlinux}:\n{said}")

    def _send(self, command: str) -> None:
        try:
            self._gdb.sendline(command)
        except OSError as error:
            raise GdbError(f"gdb is gone, cannot tell it {command!r}: {error}; its last lines:\n{self.tail()}") \
                from error

    def _until_prompt(self, timeout: float, awaited: str) -> str:
        self._await([re.escape(PROMPT)], timeout, awaited)
        return self._before()

    def _before(self) -> str:
        before: str = self._gdb.before
        return before.replace("\r", "").strip("\n")

    def _await(self, patterns: list[str], timeout: float, awaited: str) -> int:
        """The index of the pattern that came."""
        try:
            found: int = self._gdb.expect(patterns, timeout=timeout)
        except pexpect.TIMEOUT:
            raise RigTimeout(awaited, timeout, self.tail()) from None
        except pexpect.EOF:
            raise GdbError(f"no {awaited}: gdb ended; its last lines:\n{self.tail()}") from None
        return found
