# SPDX-License-Identifier: GPL-2.0-only
"""The other users of the debug registers in a guest: its program hwbp, test-rig/guest/user/hwbp.c."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Literal

from kgdbrig.clients.console import Console
from kgdbrig.clients.trigger import RUN
from kgdbrig.errors import RigError
from kgdbrig.wait import Deadline

_numbers = itertools.count()


class PerfEvent:
    """A perf event on each CPU, or on some, that counts the accesses to a kernel address; a context manager.

    RigError when perf refuses it: the message ends with perf's reason.
    """

    def __init__(self, console: Console, address: int, length: int, kind: Literal["r", "w", "rw", "x"] = "w",
                 cpus: Sequence[int] = ()) -> None:
        self._console = console
        where = "".join(f" {cpu}" for cpu in cpus)
        self._ask, self._answer = (f"/tmp/hwbp-{next(_numbers)}.{end}" for end in ("in", "out"))
        # Both ends of both fifos stay open on the program's side: nobody waits for the other to open his. One that
        # failed keeps its last word there until a line comes.  One line: nothing is typed while the event is made.
        said = self._said(
            f"mkfifo {self._ask} {self._answer}; "
            f"( {{ hwbp perf {address:#x} {length} {kind}{where} || read x; }} 0<>{self._ask} 1<>{self._answer} & ); "
            f"read l < {self._answer}; echo \"$l\"")
        if said != "ready":
            console.run(f"echo > {self._ask}; rm {self._ask} {self._answer}")
            raise RigError(f"no perf event at {address:#x}: {said}")

    def __enter__(self) -> PerfEvent:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if error is None:  # otherwise the guest may not answer, and the first error is the one to see
            self.close()

    def counts(self) -> list[int]:
        """The accesses so far, CPU by CPU."""
        return [int(count) for count in self._request("count").split()]

    def close(self) -> None:
        """Give the debug registers back; they are free when this returns."""
        said = self._request("end")
        if said != "closed":
            raise RigError(f"hwbp did not end, but said {said!r}")
        self._console.run(f"rm {self._ask} {self._answer}")

    def _request(self, line: str) -> str:
        # Opened before it is asked: after its last answer the program may be gone, and the answer with it.
        return self._said(f"{{ echo {line} > {self._ask}; read l; }} < {self._answer}; echo \"$l\"")

    def _said(self, command: str) -> str:
        """The program's answer: the last line, since the kernel may have said more while the shell waited for it."""
        return self._console.run(command, check=True).strip().rpartition("\n")[2]


def event_once_there_is_room(console: Console, address: int, length: int) -> PerfEvent:
    """One that counts stores on each CPU, as soon as there is a register for it: KGDB gives them back in its own time."""
    deadline = Deadline(10)
    while True:
        try:
            return PerfEvent(console, address, length)
        except RigError as error:
            if "No space left on device" not in str(error) or deadline.passed():
                raise


def watch_own_variable(user: Literal["task", "ptrace"], stores: int, *, length: int = 4, then: str = "") -> str:
    """The shell command for `stores` stores that perf, or a ptrace parent, watches; hits() reads what it prints.

    `then` is a line for the trigger, whose accesses the same task makes after each of its own stores.
    """
    also = f" {RUN} '{then}'" if then else ""
    return f"hwbp {user} {stores} {length}{also}"


def hits(printed: str) -> int:
    """How many of the stores hit, from what watch_own_variable() printed; RigError when it could not watch."""
    found = re.search(r"^stores \d+ hits (\d+)\s*$", printed, re.MULTILINE)
    if found is None:
        raise RigError(f"no watchpoint of a task's own: {printed.strip()}")
    return int(found[1])
