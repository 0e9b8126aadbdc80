# SPDX-License-Identifier: GPL-2.0-only
"""The guest's shell, on its console socket."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pexpect
from pexpect import fdpexpect

from kgdbrig.clients.login import LogIn
from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.machines.description import Login
from kgdbrig.wait import TAIL_LINES, Transcript, connect

#: What the guest's /init sets as PS1.
PROMPT = "rig# "
_STAMP = r"\[ *\d+\.\d{6}\] "
#: A message of the kernel, which Linux 7.3 prints from a thread: anywhere in what the shell says, between the two
#: characters that end a line as well.  (SysRq's are printed whatever the console's level.)
_MESSAGE = rf"(?:{_STAMP}[^\n]*\n)*"
#: SysRq's for a break-in.
_BREAK_IN_MESSAGE = re.compile(rf"{_STAMP}sysrq: DEBUG\r?\n")
#: busybox's line editor silently drops what is longer (CONFIG_FEATURE_EDITING_MAX_LEN, less one).
_LINE_MAX = 1023


def _interrupted(text: str) -> str:
    """A regular expression for a text with messages of the kernel in it."""
    return "".join(re.escape(character) + _MESSAGE for character in text)


def end_of_command(mark: str) -> str:
    """A regular expression for a command's end: `mark`, the exit status (its group), and the prompt."""
    return rf"{_interrupted(mark + '=')}(\d+)\r?{_MESSAGE}\r?\n.*?{_interrupted(PROMPT)}"


def printed(before: str, mark: str) -> str:
    """What a command has printed, from what the console has `before` its end: without the shell's echo of the line.

    Nor is there what the kernel says of a break-in, wherever it comes.
    """
    echo, _, output = _BREAK_IN_MESSAGE.sub("", before).rpartition(f"{mark}=$?")
    return (output or echo).replace("\r", "").lstrip("\n")


#: How long a shell that has answered may take to its prompt, in seconds.
_PROMPT_SECONDS = 10.0

#: Has the guest's shell enter KGDB, by SysRq-g.
BREAK_IN = "echo g > /proc/sysrq-trigger"


class Console:
    """Runs one command at a time in the guest's shell; a context manager.

    All timeouts are in seconds; errors show the console's last lines.  `log`
    gets all that is received.
    """

    def __init__(self, path: Path, log: Path | None = None) -> None:
        self._socket = connect(path, "the console")
        self._socket.settimeout(None)
        self._transcript = Transcript(log)
        self._shell = fdpexpect.fdspawn(self._socket, encoding="utf-8", codec_errors="replace")
        self._shell.logfile_read = self._transcript
        self._commands = 0
        self._running: str | None = None
        #: The exit status of the last command that finished.
        self.status = 0

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def wait_for_shell(self, timeout: float = 60) -> None:
        """Return when the shell of a guest that boots is at its prompt, which must not have come before we did.

        It is not asked for: "What QEMU's clock does differently" in docs/rig.md.
        """
        self._await(_interrupted(PROMPT), timeout, "shell prompt on the console")

    def logging_in(self, login: Login) -> Callable[[float], None]:
        """What waits for a shell on a console that has a login, or a shell, and gives that our prompt; see LogIn."""
        log_in = LogIn(self._shell, self._send, self.tail, login, PROMPT)

        def ended(timeout: float) -> None:
            log_in(timeout)
            self._await(_interrupted(PROMPT), _PROMPT_SECONDS, "prompt of the shell on the console")

        return ended

    def wait_for_next_kernel(self, timeout: float = 120) -> None:
        """Return when the shell of a kernel that took over is at its prompt; what ran before is gone."""
        self.wait_for_shell(timeout)
        self._running = None

    def run(self, command: str, timeout: float = 30, *, check: bool = False) -> str:
        """What a command prints until it ends, with its lines ended by "\\n"; see printed().

        RigTimeout when it does not end; with `check`, RigError when it fails.
        """
        self.start(command)
        output = self.finish(timeout)
        if check and self.status:
            raise RigError(f"{command!r} in the guest failed with status {self.status}:\n{output}")
        return output

    def start(self, command: str) -> None:
        """Send a command, one line, that need not end now; finish() is for its end."""
        if "\n" in command:
            raise RigError(f"a guest command is one line: {command!r}")
        if self._running is not None:
            raise RigError(f"{self._running!r} still runs in the guest: finish() it before {command!r}")
        self._commands += 1
        between = " " if command.rstrip().endswith("&") else "; "
        line = f"{command}{between}echo {self._mark}=$?"
        if len(line.encode()) > _LINE_MAX:
            raise RigError(f"a guest command is at most {_LINE_MAX - 40} bytes: {command[:60]!r}...")
        self._running = command
        self._send(f"{line}\n")

    def finish(self, timeout: float = 30) -> str:
        """Wait until the command of the last start() has ended; what it printed.

        After a RigTimeout it may be called again.
        """
        if self._running is None:
            raise RigError("no command runs in the guest: start() one first")
        match, before = self._await(end_of_command(self._mark), timeout, f"end of {self._running!r} in the guest")
        self._running = None
        self.status = int(match[1])
        return printed(before, self._mark)

    def interrupt(self) -> Callable[[float], None]:
        """Have the shell end what it runs, by Ctrl-C; what waits for its prompt, which may be asked more than once."""
        self._send("\x03")

        def ended(timeout: float) -> None:
            self._await(_interrupted(PROMPT), timeout, "prompt of the guest's shell after Ctrl-C")
            self._running = None

        return ended

    def fileno(self) -> int:
        """Where it can be waited for that the guest says something."""
        return self._socket.fileno()

    def press(self, text: str) -> None:
        """Type something beside what the shell is told, for the kernel to take."""
        self._send(text)

    def expect(self, pattern: str, timeout: float = 30) -> re.Match[str]:
        """Wait for a regular expression in what is not yet consumed, and consume up to its end."""
        return self._await(pattern, timeout, f"{pattern!r} on the console")[0]

    @property
    def busy(self) -> bool:
        """Whether a command was started whose end nobody has seen yet."""
        return self._running is not None

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines the guest wrote."""
        return self._transcript.tail(lines)

    def close(self) -> None:
        self._socket.close()
        self._transcript.close()

    @property
    def _mark(self) -> str:
        return f"rig-status-{self._commands}"

    def _send(self, text: str) -> None:
        try:
            self._socket.sendall(text.encode())
        except OSError as error:
            raise RigError(f"the console is gone: {error}; its last lines:\n{self.tail()}") from error

    def _await(self, pattern: str, timeout: float, awaited: str) -> tuple[re.Match[str], str]:
        """The match, and what came before it."""
        try:
            self._shell.expect(pattern, timeout=timeout)
        except pexpect.TIMEOUT:
            raise RigTimeout(awaited, timeout, self.tail()) from None
        except (pexpect.EOF, OSError):
            raise RigError(f"no {awaited}: the console was closed; its last lines:\n{self.tail()}") from None
        return self._shell.match, self._shell.before
