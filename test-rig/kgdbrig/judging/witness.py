# SPDX-License-Identifier: GPL-2.0-only
"""Who knows which accesses the guest has made: the oracle outside of it, or the trigger within."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from kgdbrig.clients import trigger
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError
from kgdbrig.judging.judge import words
from kgdbrig.machines.oracle import Access, Oracle

#: No function with an access is longer, in bytes.
_FUNCTION_MAX = 16
#: What follows the access, which is the function's last instruction but one: ret, or jmp to a return thunk.
_RETURNS = (b"\xc3", b"\xe9")


class Witness(Protocol):
    """Tells what each CPU has done of what it was asked to do."""

    def expect(self, cpu: int, accesses: Iterable[trigger.Access]) -> None:
        """A CPU is about to make these, in this order."""

    def seen(self, rsp: Rsp, stop: StopReply) -> list[Access]:
        """What was done since this was asked last; the machine is at a stop.  RigError for what was not expected."""

    def finish(self) -> None:
        """RigError if something was not done."""


class Outside:
    """The oracle: it sees what really happened in the trigger's buffer, which begins at `base`.

    An addition is a load and a store of one instruction; it counts as the store.
    """

    def __init__(self, oracle: Oracle, base: int) -> None:
        self._oracle = oracle
        self._base = base
        self._expected: dict[int, deque[trigger.Access]] = {}
        #: CPUs that have made the load of an addition.
        self._adding: set[int] = set()
        oracle.watch(base, trigger.BUFFER_SIZE)

    def expect(self, cpu: int, accesses: Iterable[trigger.Access]) -> None:
        self._expected[cpu] = deque(accesses)

    def seen(self, rsp: Rsp, stop: StopReply) -> list[Access]:
        return [access for access in self._oracle.drain() if self._is_whole(access)]

    def _is_whole(self, access: Access) -> bool:
        """Whether it is all of what was asked for next, and not the load of an addition."""
        left = self._expected.get(access.vcpu)
        expected = left[0] if left else None
        first = expected is not None and expected.op == "add" and access.vcpu not in self._adding
        if expected is None or (self._base + expected.offset, expected.size, expected.op != "read" and not first) != \
                (access.addr, access.size, access.store):
            raise RigError(f"the oracle saw a {words(access)}, where {expected} was asked for")
        if first:
            self._adding.add(access.vcpu)
            return False
        self._adding.discard(access.vcpu)
        self._expected[access.vcpu].popleft()
        return True

    def finish(self) -> None:
        missing = {cpu: len(accesses) for cpu, accesses in self._expected.items() if accesses}
        if missing:
            raise RigError(f"the oracle did not see {missing} accesses (by CPU) of those that were made")


class Within:
    """The trigger: on one CPU, its count says how far it is in what it was asked to do.

    An access that is reported has been made, and is not counted yet.  The PC of such a
    stop has to be at the return from the function that makes this access.
    """

    def __init__(self, target: Target) -> None:
        if target.smp != 1:
            raise RigError("the trigger's count tells what was done on one CPU, not on several")
        self._base = target.trigger.address()
        self._count_at = target.symbol("trigger_count")
        self._word = target.word
        # A string, not an expression, for the guest to look for: see Target.symbol().
        found = re.findall(r"^([0-9a-f]+) \S (trigger_(?:read|write|add)_\d)\b",
                           target.console.run("grep -F ' trigger_' /proc/kallsyms"), re.MULTILINE)
        self._functions = {name: int(address, 16) for address, name in found}
        self._expected: deque[trigger.Access] = deque()
        self._done = target.trigger.count()

    def expect(self, cpu: int, accesses: Iterable[trigger.Access]) -> None:
        assert cpu == 0
        self._expected.extend(accesses)

    def seen(self, rsp: Rsp, stop: StopReply) -> list[Access]:
        count = int.from_bytes(rsp.read_memory(self._count_at, self._word), "little") + (stop.reason is not None)
        pc = rsp.read_pc()
        found = []
        while self._done < count:
            if not self._expected:
                raise RigError(f"the trigger has made {count - self._done} accesses that nobody asked for")
            asked = self._expected.popleft()
            self._done += 1
            start = self._functions[f"trigger_{asked.op}_{asked.size}"]
            ours = self._done == count and start < pc < start + _FUNCTION_MAX and rsp.read_memory(pc, 1) in _RETURNS
            found.append(Access(self._done, 0, self._done, start, pc if ours else 0, self._base + asked.offset, asked.size,
                                asked.op != "read"))
        return found

    def finish(self) -> None:
        if self._expected:
            raise RigError(f"the trigger has not made {len(self._expected)} accesses of those that it was asked for")
