# SPDX-License-Identifier: GPL-2.0-only
"""Who writes a variable: boots a kernel, watches, and tells of each access who made it ('rig who')."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kgdbrig import programs
from kgdbrig.clients.accesses import Accesses, CannotWatch, NotInserted, Place, Wanted, unknown
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.gdb import Debugger, Gdb
from kgdbrig.clients.target import Target
from kgdbrig.commands.told import Told
from kgdbrig.errors import BuildError, MachineError, RigError, RigTimeout, SourceError
from kgdbrig.judging import klog
from kgdbrig.judging.expect import Expectation
from kgdbrig.kernels.given import NotOurs
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines.description import Description
from kgdbrig.wait import Deadline

#: How long the guest's shell may take to answer, in seconds.
_SHELL_SECONDS = 30.0
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
#: And when it was given another kernel's symbols; how many lines it says about that.
_ANOTHER = "this vmlinux is not the kernel that runs"
_ABOUT_CONNECT = 12
#: And when the kernel did something that no kernel may.
_FAULT = re.compile(r"received signal SIG(SEGV|BUS|ILL|FPE|ABRT)")
#: Functions that a machine goes through which does not go on.
_DEAD = re.compile(r"^(v?panic|oops_end|__?die|nmi_panic)$")
#: What it stops in when somebody has asked for the debugger.
_ASKED = "kgdb_breakpoint"


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked: of which expressions, from when on, and until when.

    `run` is a command for the guest's shell, which ends it; without one it is
    over after `seconds`.  A command may take `seconds` as well.
    """

    wanted: tuple[Wanted, ...]
    run: str | None = None
    seconds: float = 60.0
    from_boot: bool = False
    expected: tuple[Expectation, ...] = ()


class NoAnswer(RigError):
    """The question cannot be answered; the classes below say why.

    git bisect takes 125 for "skip this one", and ends at a status from 128 on: what is no answer is not taken for one.
    docs/who.md lists the statuses.
    """

    status = 200


class NotHere(NoAnswer):
    """This kernel does not build or boot."""

    status = 125


class NoSymbol(NoAnswer):
    """There is no such variable."""

    status = 201


class NotInMemory(NoAnswer):
    """It is not in memory, or gdb does not know where."""

    status = 202


class TooLong(NoAnswer):
    """The debug registers do not cover it."""

    status = 203


class NeverEnds(NoAnswer):
    """The command did not end in time; the machine lives."""

    status = 204


class Died(NoAnswer):
    """The guest panicked, or had an oops."""

    status = 205


class WentDown(NoAnswer):
    """The guest rebooted or powered off."""

    status = 206


class Hangs(NoAnswer):
    """The guest does not answer."""

    status = 207


class NoPatches(NoAnswer):
    """The kernel has no watchpoints in KGDB."""

    status = 208


def run(question: Question, build: Callable[[], Kernel], describe: Callable[[Kernel], Description], *,
        json: Path | None = None, junit: Path | None = None) -> int:
    """Ask, and say each access as it comes, and at the end, however that comes, the table; 1 where something else was expected.

    NoAnswer where the question could not be asked to the end.  The files are
    written in any case; what would be said goes to standard error where the
    JSON is for standard output ("-").
    """
    told = Told(question.wanted, question.expected)
    to_stdout = json == Path("-")

    def say(text: str) -> None:
        print(text, file=sys.stderr if to_stdout else sys.stdout, flush=True)

    failure: RigError | None = None
    try:
        _ask(question, told, build, describe, say)
    except RigError as error:
        failure = error
        raise
    finally:
        if junit is not None:
            told.write_junit(junit, failure)
        if to_stdout:
            print(told.json(), end="")
        elif json is not None:
            json.write_text(told.json(), encoding="utf-8")
    for expectation, missed in told.missed():
        say(f"rig: not as expected ({expectation.words}): {missed}")
    return 1 if told.missed() else 0


def _ask(question: Question, told: Told, build: Callable[[], Kernel], describe: Callable[[Kernel], Description],
         say: Callable[[str], None]) -> None:
    try:
        kernel = build()
    except (BuildError, SourceError) as error:
        raise NotHere(str(error)) from error
    except NotOurs as error:
        raise NoPatches(str(error)) from error
    described = describe(kernel)
    told.kernel, told.gdb = f"Linux {kernel.release} {kernel.arch} ({kernel.source})", Debugger().version()
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(Target(described))
        except (MachineError, RigTimeout) as error:
            if described.lines is not None:
                raise
            raise NotHere(f"this kernel does not boot: {error}") from error
        seen = 0 if target.machine.owned else int(target.console.run("dmesg | wc -l", _SHELL_SECONDS))
        gdb = target.reattach_gdb() if question.from_boot else target.attach_gdb()
        if _ANOTHER in gdb.tail(_ABOUT_CONNECT):
            raise NoAnswer(f"{kernel.vmlinux} is not the kernel that runs:\n{gdb.tail(_ABOUT_CONNECT)}")
        told.machine = target.machine.name
        session = _Session(question, target, gdb, told, say, seen)
        session.watch()
        try:
            session.play()
        finally:
            say(told.table())
            if told.status:
                say(f"rig: {question.run!r} ended with status {told.status}, having said:\n{told.output.strip()}")
            for complaint in told.complaints:
                say(f"rig: the kernel complains: {complaint}")


class _Session:
    """One question, asked of one machine, which gdb has stopped."""

    def __init__(self, question: Question, target: Target, gdb: Gdb, told: Told, say: Callable[[str], None],
                 seen: int) -> None:
        self._question = question
        self._target = target
        self._gdb = gdb
        self._told = told
        self._say = say
        self._accesses = Accesses(target, gdb)
        self._mark = 0
        #: How many lines of the kernel's log, and how many bytes of the console's, are of before.
        self._seen = seen
        self._said = 0

    def watch(self) -> None:
        for wanted in self._question.wanted:
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

    def play(self) -> None:
        """Go on, until it is over; the machine then goes on without gdb."""
        try:
            self._boot()
            self._wait_for_the_end()
        except NeverEnds:
            self._stop()
            self._leave()
            raise
        except KeyboardInterrupt:
            # A machine of the rig's ends with it.
            if not self._target.machine.owned:
                self._stop()
                self._leave()
            raise
        except NotInserted as error:
            self._leave()
            raise TooLong(str(error)) from error
        except Died:
            self._leave()
            raise
        self._stop()
        self._leave()
        if modules := self._accesses.not_loaded:
            raise NotInMemory(f"{', '.join(modules)}: no such module was loaded, and what is in it was not watched")
        self._target.console.finish()
        self._told.complaints = klog.complaints(self._target.console.run(f"dmesg | tail -n +{self._seen + 1}", _SHELL_SECONDS))

    def _boot(self) -> None:
        """From where gdb has stopped it to the shell's prompt."""
        console = self._target.console
        self._said = self._target.machine.console_log.stat().st_size
        self._say(f"rig: {self._told.kernel}, {self._told.gdb}, in {self._told.machine}\n")
        self._resume()
        if self._question.from_boot:
            self._until(console.wait_for_shell, self._target.machine.boot_seconds * _SLOWER, "end of the boot")
            # As Target.booted() does: messages would come into the midst of what the shell says.
            self._until(self._started("dmesg -n 1"), _SHELL_SECONDS, "answer of the guest's shell")
        else:
            self._until(console.finish, _SHELL_SECONDS, "answer of the guest's shell")

    def _wait_for_the_end(self) -> None:
        question, console = self._question, self._target.console
        if question.run is not None:
            printed: list[str] = []
            # In a shell of its own, which it may end.
            finish = self._started(f"sh -c {shlex.quote(question.run)}")
            self._until(lambda timeout: printed.append(finish(timeout)), question.seconds,
                        f"end of {question.run!r} in the guest")
            self._told.status, self._told.output = console.status, printed[-1]
        elif question.seconds:
            with contextlib.suppress(NeverEnds):
                self._until(_never, question.seconds, "")

    def _started(self, command: str) -> Callable[[float], str]:
        """What waits for the end of a command that begins now."""
        self._target.console.start(command)
        return self._target.console.finish

    def _until(self, ended: Callable[[float], object], seconds: float, awaited: str) -> None:
        """Tell the accesses until something on the console has ended."""
        deadline = Deadline(seconds)
        while (said := self._next(ended, deadline, awaited)) is not None:
            self._accesses.check(said)
            if not self._accesses.loads() and not self._tell():
                self._judge(said, self._accesses.other())
            self._resume()

    def _next(self, ended: Callable[[float], object], deadline: Deadline, awaited: str) -> str | None:
        """What gdb says at the next stop; None when something on the console has ended before."""
        try:
            said = self._target.stop_or(self._gdb, ended, deadline.left())
        except RigTimeout as error:
            if self._booted_again():
                raise self._went_down() from error
            raise NeverEnds(f"no {awaited} within {deadline.seconds:g} s; its last words:\n"
                            f"{self._target.machine.tail()}") from error
        except RigError as error:
            if not self._has_ended():
                raise
            raise self._went_down() from error
        if said is not None and _GONE.search(said):
            raise self._went_down()
        return said

    def _tell(self) -> bool:
        """Say the accesses of this stop; False when it is for another reason."""
        found = self._accesses.those(self._mark)
        if found is None:
            return False
        for access in found:
            self._told.accesses.append(access)
            self._say(str(access))
        return True

    def _judge(self, said: str, places: Sequence[Place]) -> None:
        """A stop that is no access: nothing when somebody asked for the debugger, else NoAnswer."""
        functions = [place.function for place in places]
        if _FAULT.search(said) or any(_DEAD.search(function) for function in functions):
            where = "\n".join(f"  {place}" for place in places)
            raise Died(f"the guest died; gdb says:\n{said.strip()}\n{where}\nand the console, last:\n"
                       f"{self._target.machine.tail()}")
        if _ASKED not in functions:
            raise NoAnswer(f"the machine stopped, and not for an access:\n{said.strip()}")

    def _resume(self) -> None:
        self._mark = self._target.tap.mark()
        self._accesses.resume()

    def _stop(self) -> None:
        """Stop the machine once more, and tell what was under way."""
        console = self._target.console
        if console.busy:
            try:
                self._until(console.interrupt(), _SHELL_SECONDS, "prompt of the shell after Ctrl-C")
            except NeverEnds as error:
                raise Hangs(str(error)) from error
        console.start(BREAK_IN)
        deadline = Deadline(_SHELL_SECONDS)
        while True:
            try:
                said = self._next(_never, deadline, "stop in the debugger")
            except NeverEnds as error:
                raise Hangs(str(error)) from error
            if not self._accesses.loads() and not self._tell():
                self._judge(said or "", self._accesses.other())
                return
            self._resume()

    def _leave(self) -> None:
        """The stopped machine goes on, without a watchpoint and without gdb."""
        self._gdb.command("delete")
        self._gdb.command("detach")

    def _has_ended(self) -> bool:
        """Whether the machine is gone, or is just going."""
        machine = self._target.machine
        if not machine.owned:
            return not machine.alive()
        with contextlib.suppress(MachineError):
            machine.wait(_END_SECONDS)
        return not machine.alive()

    def _booted_again(self) -> bool:
        """Whether the console has had the beginning of a boot that nobody asked for."""
        with self._target.machine.console_log.open("rb") as log:
            log.seek(self._said)
            return log.read().count(_BOOTS) > self._question.from_boot

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
