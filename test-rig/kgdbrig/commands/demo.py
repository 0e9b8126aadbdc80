# SPDX-License-Identifier: GPL-2.0-only
"""A session with watchpoints, played and checked ('make demo').

The real gdb, at its prompt, on a real kernel in QEMU: what is shown after
"(gdb)" and "target#" is what a person would type there, and what follows is
what gdb and the target answered.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from kgdbrig import arches, paths, programs
from kgdbrig.clients.gdb import Debugger, Gdb
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.judging import klog
from kgdbrig.line.tap import FROM_KGDB
from kgdbrig.machines.description import Description

_SET = "echo {} > /proc/sys/kernel/panic"
_GET = "cat /proc/sys/kernel/panic"

#: How long gdb may take to stop.  A write that comes back first ends the wait at once.
_STOP_SECONDS = 60.0
#: Logs of runs that are kept; the oldest go first.
_KEPT = 8


class DemoError(RigError):
    """A step of the demo failed; the message, one line, names the step and the directory of its logs."""


class _Unexpected(RigError):
    """gdb or the target said something else than it should have."""


def run(described: Description) -> int:
    """Boot, and play the session on standard output; 0, or DemoError.

    On a stock kernel, without our patches, it ends in DemoError at the first watchpoint.
    """
    directory = _log_directory()
    with (directory / "session.txt").open("w", encoding="utf-8") as transcript:
        session = _Session(described, directory, transcript)
        try:
            session.play()
        except RigError as error:
            (directory / "failure.txt").write_text(f"{session.step}\n\n{error}\n\n{session.report}\n", encoding="utf-8")
            reason = re.sub(r"(; (last seen|its last lines))?:$", "", str(error).partition("\n")[0])
            raise DemoError(f"demo: step \"{session.step}\" failed: {reason}; all logs are in {directory}") from error
    return 0


class _Session:
    """One person at gdb's prompt and at the target's: types, shows what comes, and checks it."""

    def __init__(self, described: Description, logs: Path, transcript: TextIO) -> None:
        self._described = described
        self._kernel = described.kernel
        self._logs = logs
        self._transcript = transcript
        self._began = time.monotonic()
        #: What the user would call what is being done.
        self.step = "start"
        #: The end of the console, of gdb and of the wire, when the session is over.
        self.report = ""

    def play(self) -> None:
        """All steps, in order; RigError from the one that fails."""
        self._show(_versions(self._described))
        self._begin("boot the target" if self._described.lines is None else "log in")
        with Target(self._described) as self._target, self._kept(), \
                Gdb(self._kernel.vmlinux, log=self._logs / "gdb.log") as self._gdb:
            self._connect()
            self._watch()
            self._same_value()
            self._other_value()
            self._awatch()
            self._counts()
            self._let_go()
        self._show("")
        self._show(f"Logs of gdb, of the console and of the wire: {self._logs}")
        self._show(f"Demo passed in {time.monotonic() - self._began:.0f} s: gdb stopped at each access it should have, "
                   "and the target runs on.")

    def _connect(self) -> None:
        self._before = self._target.console.run(_GET, check=True).strip()
        if self._before != "0":
            self._run(_SET.format(0))
        self._begin("connect gdb")
        self._tell("set filename-display basename")
        self._show("target# echo g > /proc/sysrq-trigger")
        self._target.break_in()
        self._tell(f"kgdb-connect {self._target.line}", rf"Connected to .*: Linux version {self._kernel.release}\b")

    def _watch(self) -> None:
        self._begin("watch panic_timeout")
        self._tell("watch panic_timeout", r"^Hardware watchpoint 1: panic_timeout$")
        self._continue(None)  # the console has kdb's words, printed when SysRq-g entered it
        self._stops(_SET.format(7), r"hit Hardware watchpoint 1: panic_timeout$", r"^Old value = 0\nNew value = 7$",
                    r"^\d+\t.*;")
        # The processor reports a store when it has been done: gdb names the line that comes next.
        self._tell("list *($pc - 1)", r"^\d+\t\s*WRITE_ONCE\(\*\w+, ")
        self._tell("backtrace -frame-arguments presence 9", r"^#0 .* at \w+\.c:\d+$", r"\bproc_sys_call_handler\b",
                   r"\bksys_write\b")
        self._continue()

    def _same_value(self) -> None:
        self._begin("the same write again")
        mark = self._target.tap.mark()
        if self._run_or_stop(_SET.format(7)) is not None:
            raise _Unexpected("gdb stopped, though the value is the same")
        stops = [packet for packet in self._target.tap.since(mark)
                 if packet.direction == FROM_KGDB and packet.data.startswith(b"T")]
        if len(stops) != 1 or b";watch:" not in stops[0].data:
            raise _Unexpected(f"the store was to be reported once on the wire, not as {[str(stop) for stop in stops]}")
        self._show("[It comes back: the kernel reported the store, gdb saw no change and let it go on.]")

    def _other_value(self) -> None:
        self._begin("another value")
        self._stops(_SET.format(8), r"hit Hardware watchpoint 1: panic_timeout$", r"^Old value = 7\nNew value = 8$")

    def _awatch(self) -> None:
        self._begin("awatch panic_timeout")
        self._tell("awatch panic_timeout", r"^Hardware access \(read/write\) watchpoint 2: panic_timeout$")
        self._continue()
        said = self._stops(_GET, r"hit Hardware access \(read/write\) watchpoint 2: panic_timeout$", r"^Value = 8$")
        if "watchpoint 1" in said:
            raise _Unexpected("gdb blamed the read on the write watchpoint as well")

    def _counts(self) -> None:
        self._begin("info watchpoints")
        self._tell("info watchpoints", r"^1 +hw watchpoint .* panic_timeout\n\s+breakpoint already hit 2 times$",
                   r"^2 +acc watchpoint .* panic_timeout\n\s+breakpoint already hit 1 time$")

    def _let_go(self) -> None:
        self._begin("delete, detach")
        self._tell("delete")
        self._tell("detach", r"^\[Inferior 1 \(.*\) detached\]$")
        self._show("[cat comes back on the target:]")
        self._finish("8")
        self._run(_SET.format(9))
        self._run(_GET, "9")
        # With any other value the machine restarts at a panic, and KGDB does not stop there.
        self._run(_SET.format(self._before))
        if complained := klog.complaints(self._target.new_log()):
            raise _Unexpected(f"the kernel complains: {complained}")
        if not self._target.machine.owned:
            self._show("[Nobody can see from outside whether a debug register is armed.]")
            return
        if any(self._target.breakpoints_armed()):
            raise _Unexpected("debug registers are still armed after detach: by QEMU, "
                              f"{self._target.breakpoints_armed()} on the CPUs")
        self._show("[No debug register is armed any more: DR7 as QEMU sees it.]")

    def _begin(self, step: str) -> None:
        self.step = step
        self._show(f"\n=== {step} ===")

    def _tell(self, command: str, *patterns: str) -> str:
        """A command at gdb's prompt."""
        self._show(f"(gdb) {command}")
        return self._said(self._gdb.command(command), f"gdb's answer to '{command}'", patterns)

    def _continue(self, expected: str | None = "") -> None:
        """'continue', and the command on the target that was stopped comes back, as for _finish()."""
        self._show("(gdb) continue")
        self._gdb.resume()
        self._show("Continuing.")
        self._finish(expected)

    def _run(self, command: str, expected: str = "") -> None:
        """A command on the target that comes back, and what it is to print."""
        self._show(f"target# {command}")
        self._target.console.start(command)
        self._finish(expected)

    def _stops(self, command: str, *patterns: str) -> str:
        """A command on the target at which gdb stops; it has not come back then."""
        said = self._run_or_stop(command)
        if said is None:
            raise _Unexpected(f"gdb did not stop: '{command}' came back on the target")
        return self._said(said, f"gdb's stop at '{command}'", patterns)

    def _run_or_stop(self, command: str) -> str | None:
        """A command on the target: what gdb says when it stops, or None when it came back and gdb did not."""
        self._show(f"target# {command}")
        self._target.console.start(command)
        said = self._target.stop_or(self._gdb, self._target.console.finish, _STOP_SECONDS)
        if said is None:
            with contextlib.suppress(RigTimeout):
                return self._gdb.wait_stop(0)
        return said

    def _finish(self, expected: str | None = "") -> None:
        """The target's command that is under way comes back, having printed just `expected`; None: whatever."""
        printed = self._target.console.finish().strip()
        if expected is None:
            return
        if printed:
            self._show(printed)
        if self._target.console.status or printed != expected:
            raise _Unexpected(f"the target's command printed {printed!r}, not {expected!r}, and ended with status "
                              f"{self._target.console.status}")

    def _said(self, said: str, what: str, patterns: tuple[str, ...]) -> str:
        said = said.strip("\n")
        if said:
            self._show(said)
        for pattern in patterns:
            if not re.search(pattern, said, re.MULTILINE):
                raise _Unexpected(f"{what} does not match {pattern!r}")
        return said

    def _show(self, text: str) -> None:
        print(text, flush=True)
        print(text, file=self._transcript, flush=True)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Keep what is gone with the machine, however the block ends."""
        try:
            yield
        finally:
            self.report = self._target.report()
            (self._logs / "wire.log").write_text(
                "".join(f"{packet}\n" for packet in self._target.tap.packets), encoding="utf-8")
            with contextlib.suppress(OSError):
                shutil.copyfile(self._target.machine.console_log, self._logs / "console.log")


def _versions(described: Description) -> str:
    kernel = described.kernel
    kind = "stock, without our patches" if kernel.stock else "with our patches"
    where = programs.version([arches.find(kernel.arch).qemu]) if described.lines is None else \
        f"on the machine at {described.lines.console.name}"
    return f"Linux {kernel.release} {kernel.arch} ({kernel.source}, {kind}), {Debugger().version()}, {where}"


def _log_directory() -> Path:
    """A new directory for the logs of one run; old ones are removed."""
    parent = paths.cache_dir("demo")
    for old in sorted(parent.iterdir())[:1 - _KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=parent))
