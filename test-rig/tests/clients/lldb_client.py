# SPDX-License-Identifier: GPL-2.0-only
"""A real lldb at its prompt, on KGDB's line."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from types import TracebackType

import pexpect

from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.packages import later
from kgdbrig.wait import TAIL_LINES, Transcript

SUITE = "forky"
_PROMPT = "(lldb-rig) "
#: What it moves the cursor with, whatever TERM says.
_TERMINAL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Lldb:
    """The lldb of a later Debian suite, with the symbols of `vmlinux`; a context manager.  All timeouts are in seconds."""

    def __init__(self, vmlinux: Path) -> None:
        found = later.find("lldb", SUITE, sys.stderr)
        [program] = found.root.glob("usr/lib/llvm-*/bin/lldb")
        command = found.command(str(program.relative_to(found.root)))
        self._said = Transcript()
        self._lldb = pexpect.spawn(command[0], [*command[1:], "--no-lldbinit", "--no-use-colors"], encoding="utf-8",
                                   codec_errors="replace", echo=False, dimensions=(64, 400),
                                   env=os.environ | {"PYTHONHOME": str(found.root / "usr"), "TERM": "dumb", "LC_ALL": "C.UTF-8"})
        self._lldb.logfile_read = self._said
        self._expect(r"\(lldb\) ", 60)
        # A busy host that runs the target in an emulator needs more than lldb's second.
        self.command(f'settings set prompt "{_PROMPT}"')
        self._expect(re.escape(_PROMPT), 30)  # lldb's line editor has shown it once already, as a part of that command
        for setting in ("auto-confirm true", "plugin.process.gdb-remote.packet-timeout 20"):
            self.command(f"settings set {setting}")
        self.command(f"target create --arch x86_64-pc-linux {vmlinux}", 120)
        found_version = re.search(r"^lldb version .*", self.command("version"), re.MULTILINE)
        assert found_version, self._said.tail()
        self.version = found_version[0]

    def __enter__(self) -> Lldb:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # pexpect gives a process a tenth of a second to end after SIGKILL, which on a busy host is not enough.
        if self._lldb.isalive():
            self._lldb.kill(signal.SIGKILL)
            self._lldb.wait()
        self._lldb.close()

    def connect(self, line: Path) -> str:
        """Connect to a stub's socket, and tell lldb that the kernel is where vmlinux says."""
        self._lldb.sendline(f"process connect --plugin gdb-remote unix-connect://{line}")
        self.await_said(r"stop reason = signal SIGTRAP")
        return self.command("target modules load --file vmlinux --slide 0")

    def command(self, command: str, timeout: float = 30) -> str:
        """What lldb prints for a command until its prompt is back."""
        self._lldb.sendline(command)
        return self._expect(re.escape(_PROMPT), timeout)

    def await_said(self, pattern: str, timeout: float = 60) -> str:
        """Wait for something that lldb says by itself; what it has said up to the prompt behind it."""
        said = self._expect(pattern, timeout)
        return said + self._expect(re.escape(_PROMPT), timeout)

    def _expect(self, pattern: str, timeout: float) -> str:
        try:
            self._lldb.expect(pattern, timeout=timeout)
        except pexpect.TIMEOUT:
            raise RigTimeout(f"{pattern!r} of lldb's", timeout, self._said.tail(TAIL_LINES)) from None
        except pexpect.EOF:
            raise RigError(f"no {pattern!r}: lldb ended; its last lines:\n{self._said.tail()}") from None
        return _TERMINAL.sub("", f"{self._lldb.before}{self._lldb.after}").replace("\r", "")
