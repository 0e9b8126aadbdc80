# SPDX-License-Identifier: GPL-2.0-only
"""Reads KUnit's results from a kernel log.

The format is KTAP, Documentation/dev-tools/ktap.rst in the kernel tree: a
version line and a plan, then one line for each result; what is nested is
indented by four spaces and comes before the result that sums it up.  Other
lines of the log may lie in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kgdbrig.errors import RigError

_INDENT = 4
#: "[    1.234567] ", with the caller's "[    T1] " where the kernel is told to print it.
_PREFIX = re.compile(r"(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ")
_LINE = re.compile(r"(?P<indent> *)(?:"
                   r"(?P<version>KTAP version \d+)"
                   r"|1\.\.(?P<plan>\d+)"
                   r"|# Subtest: (?P<subtest>.*)"
                   r"|(?P<not>not )?ok (?P<number>\d+)(?: -)?(?: (?P<name>.*?))?"
                   r"(?: # (?P<directive>SKIP|TODO)\b ?(?P<reason>.*))?"
                   r")\s*")


@dataclass(frozen=True)
class Result:
    """One result line with what is nested under it.

    `skipped` holds the reason when the test did not run ("" when it gives none).
    """

    name: str
    ok: bool
    skipped: str | None = None
    children: tuple[Result, ...] = ()

    @property
    def passed(self) -> bool:
        """It ran, all under it ran, and nothing failed."""
        return self.ok and self.skipped is None and all(child.passed for child in self.children)

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, Result]]:
        """The results that sum up no others, by full name, such as "suite/case/parameter"."""
        path = f"{prefix}/{self.name}" if prefix else self.name
        if not self.children:
            yield path, self
        for child in self.children:
            yield from child.leaves(path)


@dataclass
class _Section:
    """The results at one level, from the version line on."""

    name: str = "the log"
    plan: int | None = None
    results: list[Result] = field(default_factory=list)

    def add(self, number: int, result: Result) -> None:
        if number != len(self.results) + 1:
            raise RigError(f"KTAP: result {number} ({result.name}) of {self.name} follows result {len(self.results)}: "
                           "a line of the kernel log is missing")
        self.results.append(result)

    def close(self) -> tuple[Result, ...]:
        if self.plan is not None and self.plan != len(self.results):
            raise RigError(f"KTAP: {self.name} has {len(self.results)} results of the {self.plan} it planned")
        return tuple(self.results)


def parse(log: str) -> dict[str, Result]:
    """The suites in a kernel log by name.

    Raises RigError when none ran, when there are not as many results as the
    plan says, or when a line is missing in between.
    """
    suites: dict[str, Result] = {}
    open_: list[_Section] = []

    def finish() -> None:
        if len(open_) > 1:
            raise RigError(f"KTAP: the log ends in the middle of {open_[-1].name}")
        for suite in open_.pop().close() if open_ else ():
            if suite.name in suites:
                raise RigError(f"KTAP: two suites are called {suite.name}")
            suites[suite.name] = suite

    for line in log.splitlines():
        match = _LINE.fullmatch(_PREFIX.sub("", line, count=1))
        if match is None:
            continue
        depth, rest = divmod(len(match["indent"]), _INDENT)
        if match["version"] and not rest:
            if depth == 0:
                finish()
            elif depth != len(open_):
                raise RigError(f"KTAP: {open_[-1].name if open_ else 'nothing'} has not ended where another test begins: "
                               "a line of the kernel log is missing")
            open_.append(_Section(f"a test in {open_[-1].name}" if open_ else "the log"))
        elif rest or depth >= len(open_):
            continue  # looks like KTAP, and is no part of it
        elif match["plan"]:
            open_[depth].plan = int(match["plan"])
        elif match["subtest"]:
            open_[depth].name = match["subtest"]
        else:
            children: tuple[Result, ...] = ()
            name = match["name"] or ""
            if depth + 2 < len(open_):
                raise RigError(f"KTAP: {name} ends in the middle of {open_[-1].name}")
            if depth + 2 == len(open_):
                nested = open_.pop()
                if nested.name != name:
                    raise RigError(f"KTAP: {nested.name} began and {name} ended: a line of the kernel log is missing")
                children = nested.close()
            skipped = (match["reason"] or "") if match["directive"] == "SKIP" else None
            open_[depth].add(int(match["number"]), Result(name, not match["not"], skipped, children))
    finish()
    if not suites:
        raise RigError("KTAP: no test ran: the kernel log has no results")
    return suites
