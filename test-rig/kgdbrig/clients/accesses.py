# SPDX-License-Identifier: GPL-2.0-only
"""Who accesses what is watched: gdb's watchpoints, and each of their hits as one thing with types.

gdb does the work, at its prompt; test-rig/in_gdb/access.py runs inside it and
tells of a stop.  Whether an access was a write or a read, the stop reply says
(docs/protocol.md); gdb compares values, and takes a write that changed nothing
for a read where both are watched.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from kgdbrig import paths
from kgdbrig.clients.gdb import Gdb, GdbError
from kgdbrig.clients.modules import flattened
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError
from kgdbrig.line.tap import FROM_KGDB
from kgdbrig.line.wire import Kind

WRITE, READ = "write", "read"

#: What gdb says of a watchpoint that it has set, with its number and its own name for the kind.
_SET = re.compile(r"^(Hardware )?(?:access \(read/write\) |read )?[Ww]atchpoint (\d+): ", re.MULTILINE)
#: The field of a stop reply that says which access it was (gdb manual, E.3).
_FIELD = re.compile(rb"\b(a|r)?watch:([0-9a-f]+);")
#: What it says when the kernel has no slot for one, as it lets the machine go on or after it has said that it does.
_REFUSED = re.compile(r"Could not insert hardware (watchpoint|breakpoint)")
#: How many there are on x86.
_SLOTS = 4
_SEPARATOR = ";;"
#: How long gdb may take to read the symbols of modules, in seconds.
_MODULES_SECONDS = 120.0


class CannotWatch(RigError):
    """What cannot be watched, and why."""


class NotInserted(CannotWatch):
    """The kernel has refused a watchpoint as gdb let the machine go on."""


def unknown(error: CannotWatch) -> str | None:
    """The symbol that gdb does not know, if that is why something cannot be watched."""
    found = re.search(r'No symbol "([^"]+)" in current context', str(error))
    return found[1] if found else None


@dataclasses.dataclass(frozen=True)
class Place:
    """A line of the source in a function; `text` is the line itself, where the source is at hand.

    `inlined` is whether the function is inlined in that of the place behind it, which otherwise has called it.
    """

    function: str
    file: str | None
    line: int | None
    text: str | None
    inlined: bool

    def __str__(self) -> str:
        return self.function if self.file is None else f"{self.function} at {self.file}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Access:
    """One access to what is watched.

    `kind` is WRITE or READ; `old` and `new` are the value as gdb prints it, before
    and after.  `places` are where the instruction `pc` is, the innermost first:
    functions that are inlined there, the one that it is in, and the callers.
    With `exact` unset it may be another instruction.  `context` is "task",
    "softirq", "irq", "nmi", or empty.
    """

    number: int
    expression: str
    kind: str
    old: str
    new: str
    pc: int
    exact: bool
    places: tuple[Place, ...]
    cpu: int
    pid: int
    comm: str
    context: str

    def __str__(self) -> str:
        """For a person: what happened, where, and how it came there."""
        change = f"{self.old} -> {self.new}, written" if self.kind == WRITE else f"{self.new}, read"
        who = f"{self.comm or 'nobody'} ({self.pid}) on CPU {self.cpu}" + (f", {self.context}" if self.context else "")
        own = len(self.functions)
        lines = [f"{self.number}  {self.expression}: {change} by {who}",
                 f"   {'' if self.exact else 'at or before '}{self.place}" +
                 (f": {self.place.text}" if self.place.text else "")]
        if own > 1:
            lines.append(f"   inlined in {', in '.join(self.functions[1:])}")
        if callers := [place.function for place in self.places[own:]]:
            lines.append(f"   called by {', '.join(callers)}")
        return "\n".join(lines) + "\n"

    @property
    def place(self) -> Place:
        return self.places[0]

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that the instruction is in: those that are inlined there, and the one that they are inlined in."""
        own = next((number for number, place in enumerate(self.places, 1) if not place.inlined), len(self.places))
        return tuple(place.function for place in self.places[:own])


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What of an expression is to be told: writes that change it; with `unchanged` the others too; with `reads` reads."""

    expression: str
    writes: bool = True
    unchanged: bool = False
    reads: bool = False


@dataclasses.dataclass
class _Watched:
    wanted: Wanted
    size: int
    value: str
    #: gdb's numbers: that of the `watch`, and that of the other one.
    change: int | None
    access: int | None


class Accesses:
    """The accesses that one gdb sees, on a machine that it has stopped.

    watch() while it is stopped; after each stop of gdb's, those() are what
    it was for.
    """

    def __init__(self, target: Target, gdb: Gdb) -> None:
        self._target = target
        self._gdb = gdb
        self._watched: list[_Watched] = []
        self._count = 0
        #: Where gdb finds modules.
        self._modules = target.machine.directory / "modules"
        #: What is wanted of modules that are not loaded, and gdb's number of the breakpoint where they are.
        self._of_modules: dict[str, list[Wanted]] = {}
        self._loading: int | None = None
        said = gdb.command(f"source {paths.GDB_ACCESS}")
        if said:
            raise GdbError(f"gdb does not take {paths.GDB_ACCESS}:\n{said}")

    def watch(self, wanted: Wanted) -> None:
        """Set gdb's watchpoints for it; CannotWatch where gdb cannot.

        A read is told from a write where both kinds of watchpoint are set: that takes one slot more a piece.
        """
        if not (wanted.writes or wanted.reads):
            raise CannotWatch(f"{wanted.expression}: neither writes nor reads are to be told")
        about = self._ask(f"rig-watch {wanted.expression}")
        change = self._set("watch", wanted.expression) if wanted.writes else None
        access = self._set("awatch" if wanted.writes else "rwatch", wanted.expression) \
            if wanted.reads or wanted.unchanged else None
        self._watched.append(_Watched(wanted, about["size"], about["value"], change, access))

    def watch_in_module(self, wanted: Wanted, module: Path) -> None:
        """Set gdb's watchpoints for a variable of a module (MODULE.ko): now, where it is loaded, else in loads()."""
        flattened(module, self._modules)
        self._read_modules()
        try:
            self.watch(wanted)
        except CannotWatch as error:
            if unknown(error) is None:
                raise
            self._watch_when_loaded(wanted, module.stem.replace("-", "_"))

    def _read_modules(self) -> None:
        """Have gdb know the variables of the modules that are loaded now."""
        self._gdb.command(f"lx-symbols {self._modules}", _MODULES_SECONDS)

    def _watch_when_loaded(self, wanted: Wanted, module: str) -> None:
        """Set gdb's watchpoints for it when a module has been loaded, before its first instruction; see loads()."""
        if self._loading is None:
            said = self._gdb.command("break do_init_module")
            made = re.search(r"^Breakpoint (\d+) at ", said, re.MULTILINE)
            if made is None:
                raise GdbError(f"gdb does not stop where modules are loaded: {said.strip()}")
            self._loading = int(made[1])
        self._of_modules.setdefault(module, []).append(wanted)

    def loads(self) -> bool:
        """Whether this stop is because a module was loaded; what is wanted of it is watched then."""
        if self._loading is None or (name := self._ask("rig-module")["module"]) is None:
            return False
        if wanted := self._of_modules.pop(name, []):
            self._read_modules()
        for each in wanted:
            self.watch(each)
        if not self._of_modules:
            self._gdb.command(f"delete {self._loading}")
            self._loading = None
        return True

    @property
    def not_loaded(self) -> list[str]:
        """The modules that something is wanted of, and that were not loaded."""
        return sorted(self._of_modules)

    def resume(self) -> None:
        """Let the machine go on; NotInserted where gdb says at once that it could not set all."""
        try:
            self._gdb.resume()
        except GdbError as error:
            self.check(str(error))
            raise

    def check(self, said: str) -> None:
        """NotInserted where gdb has come to its prompt because the kernel has refused a watchpoint: it is stopped still."""
        if _REFUSED.search(said):
            sizes = ", ".join(f"{watched.wanted.expression} has {watched.size} bytes" for watched in self._watched)
            raise NotInserted(f"the debug registers do not cover all that is to be watched at once: {sizes}; there are {_SLOTS}, "
                              f"and each covers up to {self._target.word} bytes at a multiple of that, or fewer: watch a part, "
                              "such as a member")

    def those(self, mark: int) -> list[Access] | None:
        """The accesses of the stop that gdb has just told, the line having been at `mark` before; None for another stop.

        The list may be empty: a write that changes nothing is none that everybody wants.
        """
        kind, replied = self._reply(mark)
        if kind is None:
            return None
        told = self._ask("rig-access " + _SEPARATOR.join(watched.wanted.expression for watched in self._watched))
        hit = set(told["breakpoints"])
        found = []
        for watched, (value, changed) in zip(self._watched, told["values"], strict=True):
            if hit & {watched.change, watched.access}:
                old, watched.value = watched.value, value
                if self._is_wanted(watched.wanted, kind, changed):
                    found.append(self._access(watched, kind, old, told))
        if not hit:
            raise RigError(f"KGDB reports a hit ({replied}) that gdb has no watchpoint for; {self._target.report()}")
        return found

    def other(self) -> tuple[Place, ...]:
        """Where the machine is, at a stop that is for no watchpoint."""
        return tuple(Place(**place) for place in self._ask("rig-access")["places"])

    def _set(self, kind: str, expression: str) -> int:
        """The number of a watchpoint in hardware."""
        said = self._gdb.command(f"{kind} {expression}")
        made = _SET.search(said)
        if made is None:
            raise CannotWatch(f"{expression}: gdb says to '{kind}': {said.strip() or 'nothing'}")
        if not made[1]:
            self._gdb.command(f"delete {made[2]}")
            raise CannotWatch(f"{expression} is not in memory, or is not always: gdb would have to step through the kernel")
        return int(made[2])

    def _access(self, watched: _Watched, kind: str, old: str, told: dict[str, Any]) -> Access:
        self._count += 1
        return Access(self._count, watched.wanted.expression, kind, old, watched.value, told["pc"], told["exact"],
                      tuple(Place(**place) for place in told["places"]), told["cpu"], told["pid"], told["comm"],
                      told["context"])

    @staticmethod
    def _is_wanted(wanted: Wanted, kind: str, changed: bool) -> bool:
        if kind == READ:
            return wanted.reads
        return wanted.writes and (changed or wanted.unchanged)

    def _reply(self, mark: int) -> tuple[str | None, str]:
        """What the last stop reply calls the access, and the reply; no kind where it is of no watchpoint."""
        for packet in reversed(self._target.tap.since(mark)):
            if packet.direction == FROM_KGDB and packet.kind is Kind.PACKET and packet.data[:1] in (b"T", b"S"):
                field = _FIELD.search(packet.data)
                if field is None:
                    return None, str(packet)
                return (WRITE if field[1] is None else READ), str(packet)
        return None, "none"

    def _ask(self, command: str) -> dict[str, Any]:
        """What one of access.py's commands tells; CannotWatch with gdb's words where it fails."""
        said = self._gdb.command(command)
        for line in said.splitlines():
            if line.startswith("{"):
                told: dict[str, Any] = json.loads(line)
                return told
        raise CannotWatch(f"gdb: {said.strip() or 'nothing'}")
