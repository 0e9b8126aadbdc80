# SPDX-License-Identifier: GPL-2.0-only
"""What somebody expects of the accesses to a variable ('rig who --expect')."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from kgdbrig.clients.accesses import Access
from kgdbrig.errors import RigError

#: What parse() takes, for messages.
FORMS = "none, a number of accesses, =VALUE (what the last one leaves), or 'in FUNCTION' (all of them, and one at least)"


@dataclasses.dataclass(frozen=True)
class Expectation:
    """One thing that is expected, in the words that it was given in."""

    words: str
    _judge: Callable[[Sequence[Access]], str]

    def missed(self, accesses: Sequence[Access]) -> str:
        """What is otherwise, in a sentence; empty where all is as it should be."""
        return self._judge(accesses)


def parse(words: str) -> Expectation:
    """One of FORMS; RigError for anything else."""
    if words == "none":
        return Expectation(words, lambda accesses: _number(accesses, 0))
    if words.isdecimal():
        return Expectation(words, lambda accesses: _number(accesses, int(words)))
    if words.startswith("=") and (value := words[1:].strip()):
        return Expectation(words, lambda accesses: _last(accesses, value))
    if found := re.fullmatch(r"in\s+([\w.]+)", words):
        function = found[1]
        return Expectation(words, lambda accesses: _in(accesses, function))
    raise RigError(f"nothing can be expected as {words!r}: it is {FORMS}")


def _number(accesses: Sequence[Access], number: int) -> str:
    if len(accesses) == number:
        return ""
    return f"there were {len(accesses)} accesses, not {number or 'none'}"


def _last(accesses: Sequence[Access], value: str) -> str:
    if not accesses:
        return f"there was no access, and none that left {value}"
    last = accesses[-1]
    return "" if last.new == value else f"access {last.number} left {last.expression} = {last.new}, not {value}"


def _in(accesses: Sequence[Access], function: str) -> str:
    if not accesses:
        return f"there was no access, and none in {function}"
    for access in accesses:
        if function not in access.functions:
            return f"access {access.number} is in {' in '.join(access.functions)}, not in {function}"
    return ""
