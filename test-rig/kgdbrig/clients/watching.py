# SPDX-License-Identifier: GPL-2.0-only
"""Watches variables while the guest does something, and tells each access as it comes."""

from __future__ import annotations

import contextlib
import difflib
import re
import shlex
from collections.abc import Callable, Iterator, Sequence

from kgdbrig import programs
from kgdbrig.clients.accesses import Access, Accesses, CannotWatch, NotInserted, Place, Wanted, unknown
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.noanswer import Died, Hangs, NeverEnds, NoAnswer, NoSymbol, NotInMemory, TooLong, WentDown
from kgdbrig.clients.target import Target
from kgdbrig.errors import MachineError, RigError, RigTimeout
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.wait import Deadline

#: How long the guest's shell may take to answer, in seconds.
SHELL_SECONDS = 30.0
#: How much longer a boot may take in which each access makes a stop.
_SLOWER = 10
#: How long an emulator may take to end that has closed its lines, in seconds.
_END_SECONDS = 10.0
#: How many names like an unknown one are told.
_LIKE = 5
#: What gdb says when the emulator has ended, or the kernel has let the debugger go, as it does on its way down.
_GONE = re.compile(r"Remote (connection closed|communication error)|The program is not being run|\[Inferior 1 .*exited")
#: What a kernel that boots says first.
_BOOTS = b"] Linux version "
#: What gdb says when it was given another kernel's symbols; how many lines it says about that.
_ANOTHER = "this vmlinux is not the kernel that runs"
_ABOUT_CONNECT = 12
#: And when the kernel did something that no kernel may.
_FAULT = re.compile(r"received signal SIG(SEGV|BUS|ILL|FPE|ABRT)")
#: Functions that a machine goes through which does not go on.
_DEAD = re.compile(r"^(v?panic|oops_end|__?die|nmi_panic)$")
#: What it stops in when somebody has asked for the debugger.
_ASKED = "kgdb_breakpoint"


class Watching:
    """One gdb's watch over one machine, which it has stopped as this is made, and after stop().

    What tells accesses is an iterator: the machine is stopped at each access
    while the caller has it, and goes on with the next step.  NoAnswer where that
    does not go to its end; the machine is where it was then.
    """

    def __init__(self, target: Target, *, from_boot: bool = False) -> None:
        self._target = target
        self._from_boot = from_boot
        self.gdb: Gdb = target.reattach_gdb() if from_boot else target.attach_gdb()
        if _ANOTHER in self.gdb.tail(_ABOUT_CONNECT):
            raise NoAnswer(f"{target.kernel.vmlinux} is not the kernel that runs:\n{self.gdb.tail(_ABOUT_CONNECT)}")
        #: How many bytes of the console's log are of before.
        self._said = target.machine.console_log.stat().st_size
        self._accesses = Accesses(target, self.gdb)
        self._mark = 0
        #: What the last command printed, and its status; None before one has ended.
        self.output = ""
        self.status: int | None = None

    def watch(self, wanted: Wanted) -> None:
        """Set gdb's watchpoints for it, on the stopped machine; in a module that is not loaded, as soon as it is."""
        try:
            self._accesses.watch(wanted)
        except CannotWatch as error:
            name = unknown(error)
            if name is None:
                raise NotInMemory(str(error)) from error
            modules = sorted((self._target.kernel.directory / "modules").glob("*.ko"))
            having = next((module for module in modules if name in programs.variables(module)), None)
            if having is None:
                raise NoSymbol(_unknown(name, self._target.kernel)) from error
            self._accesses.watch_in_module(wanted, having)

    def go_on(self) -> Iterator[Access]:
        """From the stop on, until the shell is at its prompt: after a boot, or as it was before the stop."""
        console = self._target.console
        self._resume()
        if not self._from_boot:
            yield from self._until(console.finish, SHELL_SECONDS, "answer of the guest's shell")
            return
        self._from_boot = False
        yield from self._until(self._target.reaching_shell(), self._target.machine.boot_seconds * _SLOWER, "end of the boot")
        # As Target.booted() does: messages would come into the midst of what the shell says.
        yield from self._until(self._started("dmesg -n 1"), SHELL_SECONDS, "answer of the guest's shell")

    def during(self, command: str, seconds: float) -> Iterator[Access]:
        """While the guest runs a command, in a shell of its own; `output` and `status` are what came of it."""
        printed: list[str] = []
        finish = self._started(f"sh -c {shlex.quote(command)}")
        yield from self._until(lambda timeout: printed.append(finish(timeout)), seconds, f"end of {command!r} in the guest")
        self.status, self.output = self._target.console.status, printed[-1]

    def for_seconds(self, seconds: float) -> Iterator[Access]:
        """While the guest is left alone."""
        with contextlib.suppress(NeverEnds):
            yield from self._until(_never, seconds, "")

    def stop(self) -> Iterator[Access]:
        """Stop the machine once more, and tell what was under way.  A command that has not ended is ended."""
        console = self._target.console
        try:
            if console.busy:
                yield from self._until(console.interrupt(), SHELL_SECONDS, "prompt of the shell after Ctrl-C")
            console.start(BREAK_IN)
            yield from self._until(_never, SHELL_SECONDS, "stop in the debugger", stopped=True)
        except NeverEnds as error:
            raise Hangs(str(error)) from error

    def leave(self) -> None:
        """The stopped machine goes on, without a watchpoint and without gdb."""
        self.gdb.command("delete")
        self.gdb.command("detach")

    def log(self) -> str:
        """The kernel's messages since the beginning, when gdb has left."""
        if self._target.console.busy:
            self._target.back()
        return self._target.new_log()

    @property
    def not_loaded(self) -> list[str]:
        """The modules that something is wanted of, and that were not loaded."""
        return self._accesses.not_loaded

    def _started(self, command: str) -> Callable[[float], str]:
        """What waits for the end of a command that begins now."""
        self._target.console.start(command)
        return self._target.console.finish

    def _until(self, ended: Callable[[float], object], seconds: float, awaited: str, *,
               stopped: bool = False) -> Iterator[Access]:
        """The accesses until something on the console has ended; with `stopped`, or the debugger was asked for, which has it."""
        deadline = Deadline(seconds)
        while (said := self._next(ended, deadline, awaited)) is not None:
            try:
                self._accesses.check(said)
            except NotInserted as error:
                raise TooLong(str(error)) from error
            if not self._accesses.loads():
                found = self._accesses.those(self._mark)
                if found is None:
                    self._judge(said, self._accesses.other())
                    if stopped:
                        return
                yield from found or ()
            self._resume()

    def _next(self, ended: Callable[[float], object], deadline: Deadline, awaited: str) -> str | None:
        """What gdb says at the next stop; None when something on the console has ended before."""
        try:
            said = self._target.stop_or(self.gdb, ended, deadline.left())
        except RigTimeout as error:
            if self._booted_again():
                raise self._went_down() from error
            raise NeverEnds(f"no {awaited} within {deadline.seconds:g} s; its last words:\n{self._target.machine.tail()}") \
                from error
        except RigError as error:
            if not self._has_ended():
                raise
            raise self._went_down() from error
        if said is not None and _GONE.search(said):
            raise self._went_down()
        return said

    def _resume(self) -> None:
        self._mark = self._target.tap.mark()
        try:
            self._accesses.resume()
        except NotInserted as error:
            raise TooLong(str(error)) from error

    def _judge(self, said: str, places: Sequence[Place]) -> None:
        """A stop that is no access: nothing when somebody asked for the debugger, else NoAnswer."""
        functions = [place.function for place in places]
        if _FAULT.search(said) or any(_DEAD.search(function) for function in functions):
            where = "\n".join(f"  {place}" for place in places)
            raise Died(f"the guest died; gdb says:\n{said.strip()}\n{where}\nand the console, last:\n"
                       f"{self._target.machine.tail()}")
        if _ASKED not in functions:
            raise NoAnswer(f"the machine stopped, and not for an access:\n{said.strip()}")

    def _has_ended(self) -> bool:
        """Whether the machine is gone, or is just going."""
        machine = self._target.machine
        if machine.owned:
            try:
                machine.wait(_END_SECONDS)
            except MachineError:
                return False
        return not machine.alive()

    def _booted_again(self) -> bool:
        """Whether the console has had the beginning of a boot that nobody asked for."""
        with self._target.machine.console_log.open("rb") as log:
            log.seek(self._said)
            return log.read().count(_BOOTS) > self._from_boot

    def _went_down(self) -> WentDown:
        return WentDown(f"the guest has rebooted, or powered off; its last words:\n{self._target.machine.tail()}")


def _never(seconds: float) -> None:
    """What nothing on the console ends."""
    raise RigTimeout("end", seconds)


def _unknown(name: str, kernel: Kernel) -> str:
    """That there is no such symbol, and which there are."""
    known = [variable for variable in programs.variables(kernel.vmlinux) if not variable.startswith("__k")]
    like = difflib.get_close_matches(name, known, _LIKE)
    names = f": is it {', '.join(like)}?" if like else ""
    return f"{kernel.source} has no variable {name}{names}"
