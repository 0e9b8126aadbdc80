# SPDX-License-Identifier: GPL-2.0-only
"""The oracle: builds the QEMU plugin that sees every access, and asks it what it saw."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kgdbrig import compiler, paths, programs
from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.wait import connect

_FLAGS = ("-std=gnu11", "-shared", "-fPIC", "-pthread", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror")
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class Access:
    """A load or a store that overlapped a watched range.

    The accesses with the same (vcpu, instruction, pc) are those of one
    execution of one instruction; `executions()` groups them.
    """

    #: Of all accesses since QEMU started.
    index: int
    vcpu: int
    #: How many instructions all vCPUs had begun, this one included; where each has a thread of QEMU's own, this vCPU alone,
    #: up to the end of its block.
    instruction: int
    pc: int
    #: Address of the instruction that follows this one in memory.
    next_pc: int
    #: Virtual.
    addr: int
    #: In bytes.
    size: int
    store: bool


def executions(accesses: list[Access]) -> list[list[Access]]:
    """The accesses grouped by the execution of an instruction that made them, in order of its first."""
    groups: dict[tuple[int, int, int], list[Access]] = {}
    for access in accesses:
        groups.setdefault((access.vcpu, access.instruction, access.pc), []).append(access)
    return list(groups.values())


def build_plugin(qemu: str) -> Path:
    """The compiled plugin for this QEMU, a program, from the cache when nothing in it changed."""
    return compiled(interface(programs.version([qemu])))


def compiled(version: int) -> Path:
    """As build_plugin(), by the version of the plugins' interface."""
    return compiler.compiled("compiling the oracle plugin", "oracle.so", sorted(paths.ORACLE.glob("*.c")),
                             (*_FLAGS, f"-DQEMU_PLUGIN_VERSION={version}"), paths.cache_dir("oracle"),
                             headers=sorted(paths.ORACLE.glob("*.h")))


def interface(said: str) -> int:
    """The version of the plugins' interface to use, by what QEMU says of its own: 1, or 3 since QEMU 9.1."""
    found = re.search(r"version (\d+)\.(\d+)", said)
    if found is None:
        raise RigError(f"QEMU does not say its version: {said!r}")
    return 3 if (int(found[1]), int(found[2])) >= (9, 1) else 1


class Oracle:
    """A client of the plugin's control socket, Machine.oracle; a context manager."""

    def __init__(self, path: Path) -> None:
        self._socket = connect(path, "the oracle", _ANSWER_SECONDS)
        self._file = self._socket.makefile("r", encoding="ascii", newline="\n")
        self._ask("ping")

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; what is watched stays watched."""
        self._file.close()
        self._socket.close()

    def watch(self, addr: int, length: int) -> None:
        """Log accesses to `length` bytes at a virtual address from now on, besides what is watched already."""
        self._ask(f"watch {addr:x} {length}")

    def watch_stores(self, addr: int, length: int) -> None:
        """As watch(), of stores only: a kernel that checks itself may load a variable a million times while it boots."""
        self._ask(f"stores {addr:x} {length}")

    def clear(self) -> None:
        """Watch nothing; what is in the log stays there."""
        self._ask("clear")

    def drain(self) -> list[Access]:
        """The log, in the order of the accesses, emptied; RigError when some did not fit in it."""
        entries, lost = self._ask("drain").split()
        accesses = [self._access(self._line("drain")) for _ in range(int(entries))]
        if self._line("drain") != "end":
            raise RigError("the oracle's log has no end")
        if int(lost):
            raise RigError(f"the oracle's log overflowed and {lost} accesses are not in it: drain it more often")
        return accesses

    def instructions(self) -> int:
        """Guest instructions so far, all vCPUs."""
        return int(self._ask("count"))

    def debug_register_writes(self) -> int:
        """How many instructions so far wrote a debug register, all vCPUs."""
        return int(self._ask("debugreg"))

    def visits(self, pc: int) -> int:
        """How often an instruction was executed since this was asked first, which must be before it is."""
        return int(self._ask(f"visits {pc:x}"))

    @staticmethod
    def _access(line: str) -> Access:
        index, vcpu, instruction, pc, next_pc, addr, size, direction = line.split()
        if int(vcpu) < 0:
            raise RigError(f"the oracle cannot tell which vCPU made the {direction} at {addr}, instruction {pc}: "
                           "none that it could be has returned from an interrupt")
        return Access(int(index), int(vcpu), int(instruction), int(pc, 16), int(next_pc, 16), int(addr, 16),
                      int(size), direction == "store")

    def _ask(self, command: str) -> str:
        """What follows "ok" in the answer."""
        try:
            self._socket.sendall(f"{command}\n".encode("ascii"))
        except OSError as error:
            raise RigError(f"the oracle is gone, cannot ask it to {command!r}: {error}") from error
        answer = self._line(command)
        verdict, _, rest = answer.partition(" ")
        if verdict != "ok":
            raise RigError(f"the oracle refuses {command!r}: {rest or answer}")
        return rest

    def _line(self, command: str) -> str:
        try:
            line = self._file.readline()
        except TimeoutError as error:
            raise RigTimeout(f"answer of the oracle to {command!r}", _ANSWER_SECONDS) from error
        except OSError as error:
            raise RigError(f"the oracle is gone: no answer to {command!r} ({error})") from error
        if not line.endswith("\n"):
            raise RigError(f"the oracle is gone: no answer to {command!r}")
        return line[:-1]
