# SPDX-License-Identifier: GPL-2.0-only
"""Who writes a variable: boots a kernel, watches, and tells of each access who made it ('rig who')."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from kgdbrig.clients.accesses import Access, Wanted
from kgdbrig.clients.gdb import Debugger
from kgdbrig.clients.noanswer import Died, NeverEnds, NoPatches, NotHere, NotInMemory, TooLong
from kgdbrig.clients.target import Target
from kgdbrig.clients.watching import Watching
from kgdbrig.commands.told import Told
from kgdbrig.errors import BuildError, MachineError, RigError, RigTimeout, SourceError
from kgdbrig.judging import klog
from kgdbrig.judging.expect import Expectation
from kgdbrig.kernels.given import NotOurs
from kgdbrig.machines.description import Description


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


def run(question: Question, describe: Callable[[], Description], *, json: Path | None = None,
        junit: Path | None = None) -> int:
    """Ask a machine that `describe` gives, with a kernel that it may have to build; 1 where something else was expected.

    Each access is said as it comes, and at the end, however that comes, the table.

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
        ask(question, told, describe, say)
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


def ask(question: Question, told: Told, describe: Callable[[], Description], say: Callable[[str], None]) -> None:
    """What becomes of a question is in `told`, and said; NoAnswer where it could not be asked to the end."""
    try:
        described = describe()
    except (BuildError, SourceError) as error:
        raise NotHere(str(error)) from error
    except NotOurs as error:
        raise NoPatches(str(error)) from error
    kernel = described.kernel
    told.kernel, told.gdb = f"Linux {kernel.release} {kernel.arch} ({kernel.source})", Debugger().version()
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(Target(described))
        except (MachineError, RigTimeout) as error:
            if described.lines is not None:
                raise
            raise NotHere(f"this kernel does not boot: {error}") from error
        told.machine = target.machine.name
        watching = Watching(target, from_boot=question.from_boot)
        for wanted in question.wanted:
            watching.watch(wanted)
        say(f"rig: {told.kernel}, {told.gdb}, in {told.machine}\n")
        try:
            _play(question, watching, told, say, owned=target.machine.owned)
        finally:
            told.wire = [str(packet) for packet in target.tap.packets]
            say(told.table())
            if told.status:
                say(f"rig: {question.run!r} ended with status {told.status}, having said:\n{told.output.strip()}")
            for complaint in told.complaints:
                say(f"rig: the kernel complains: {complaint}")


def _play(question: Question, watching: Watching, told: Told, say: Callable[[str], None], *, owned: bool) -> None:
    """From the first stop to the last one; the machine then goes on without gdb."""
    def tell(accesses: Iterable[Access]) -> None:
        for access in accesses:
            told.accesses.append(access)
            say(str(access))

    def end() -> None:
        tell(watching.stop())
        watching.leave()

    try:
        tell(watching.go_on())
        if question.run is not None:
            tell(watching.during(question.run, question.seconds))
            told.status, told.output = watching.status, watching.output
        elif question.seconds:
            tell(watching.for_seconds(question.seconds))
    except NeverEnds:
        end()
        raise
    except KeyboardInterrupt:
        # A machine of the rig's ends with it.
        if not owned:
            end()
        raise
    except (TooLong, Died):
        watching.leave()
        raise
    end()
    if watching.not_loaded:
        raise NotInMemory(f"{', '.join(watching.not_loaded)}: no such module was loaded, and what is in it was not watched")
    told.complaints = klog.complaints(watching.log())
