# SPDX-License-Identifier: GPL-2.0-only
"""A guest, for tests: its shell, what is watched in it, gdb, kdb, and what crossed the line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kgdbrig.clients.accesses import Access, Wanted
from kgdbrig.clients.kdb import Kdb
from kgdbrig.clients.target import Target
from kgdbrig.clients.watching import SHELL_SECONDS, Watching
from kgdbrig.errors import RigError
from kgdbrig.kernels.kernel import Kernel


class Guest:
    """A machine with the kernel under test, which runs, with its shell at the prompt.

    One that boots `from_boot` is stopped in its first lines instead: watch()
    there, and boot() lets it go.  All timeouts are in seconds.
    """

    def __init__(self, target: Target, *, from_boot: bool = False) -> None:
        self._target = target
        self._watching: Watching | None = Watching(target, from_boot=True) if from_boot else None
        self._stopped = from_boot
        #: Accesses that came while nobody asked for any: while gdb set something, or in run().
        self.passed: list[Access] = []
        #: The status of the last command.
        self.status: int | None = 0

    @property
    def kernel(self) -> Kernel:
        return self._target.kernel

    def run(self, command: str, timeout: float = SHELL_SECONDS) -> str:
        """What a command prints in the guest; `status` has how it ended.  Accesses that it makes go to `passed`."""
        self._running()
        if self._watching is None:
            output = self._target.console.run(command, timeout)
            self.status = self._target.console.status
            return output
        self.passed += self._watching.during(command, timeout)
        self.status = self._watching.status
        return self._watching.output

    def watch(self, expression: str, *, reads: bool = False, writes: bool = True, unchanged: bool = False) -> None:
        """Watch a variable from now on, or another expression that gdb takes, also of a module that is loaded later.

        Writes that change it are told; with `unchanged` those too that do not, with `reads` reads.  NoAnswer says why
        it cannot be watched.
        """
        wanted = Wanted(expression, writes=writes, unchanged=unchanged, reads=reads)
        if self._stopped and self._watching is not None:
            self._watching.watch(wanted)
            return
        if self._watching is None:
            self._watching = Watching(self._target)
        else:
            self.passed += self._watching.stop()
        self._watching.watch(wanted)
        self.passed += self._watching.go_on()

    def boot(self) -> list[Access]:
        """Let a guest go that was stopped in its first lines; the accesses until its shell is at the prompt."""
        if self._watching is None or not self._stopped:
            raise RigError("this guest has booted: boot(from_boot=True) gives one that has not")
        self._stopped = False
        return list(self._watching.go_on())

    def accesses(self, command: str, timeout: float = 60) -> list[Access]:
        """What of all that is watched a command accesses; NeverEnds when it does not end in time."""
        return list(self.each_access(command, timeout))

    def each_access(self, command: str, timeout: float = 60) -> Iterator[Access]:
        """The same one by one: the machine is stopped at each, for gdb(), and goes on with the next step."""
        self._running()
        if self._watching is None:
            raise RigError("nothing is watched: watch() something first")
        for access in self._watching.during(command, timeout):
            self._stopped = True
            yield access
            self._stopped = False
        self.status = self._watching.status

    def gdb(self, command: str, timeout: float = 30) -> str:
        """What gdb says to a command, at an access or before boot(): whatever does not let the machine go."""
        if self._watching is None or not self._stopped:
            raise RigError("gdb has the machine at an access of each_access(), and before boot()")
        return self._watching.gdb.command(command, timeout)

    @contextlib.contextmanager
    def kdb(self) -> Iterator[Kdb]:
        """kdb at its prompt, the machine stopped; it goes on at the end.  Not beside watch(), which has gdb on that line."""
        if self._watching is not None:
            raise RigError("gdb has the line: kdb() is for a guest in which nothing is watched")
        kdb = self._target.attach_kdb()
        yield kdb
        kdb.go()
        self._target.back()

    def wire(self) -> list[str]:
        """All that crossed the line between gdb and KGDB, a packet each, with the time in seconds."""
        return [str(packet) for packet in self._target.tap.packets]

    def log(self) -> str:
        """The kernel's messages."""
        return self.run("dmesg")

    def report(self) -> str:
        """The end of the console, of gdb and of the wire, for whoever finds that something is wrong."""
        return self._target.report()

    def _close(self) -> None:
        """Let the machine go on without a watchpoint: one that goes on behind the test."""
        watching, self._watching = self._watching, None
        if watching is None:
            return
        if not self._stopped:
            self.passed += watching.stop()
        watching.leave()
        self._target.back()

    def _running(self) -> None:
        if self._stopped:
            raise RigError("the machine is stopped: at an access of each_access(), or before boot()")
