# SPDX-License-Identifier: GPL-2.0-only
"""What 'rig who' has found: as a table, as JSON, and as JUnit's XML for a CI."""

from __future__ import annotations

import collections
import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from kgdbrig.clients.accesses import Access, Wanted
from kgdbrig.judging.expect import Expectation

_CONTROL = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd]")


@dataclasses.dataclass
class Told:
    """The accesses in their order, what was asked, and of what.

    `status` and `output` are the command's in the guest, where there was one that ended.
    `complaints` are the lines of the kernel's log that no kernel should write, and
    `wire` is what crossed the line, a packet each.
    """

    wanted: Sequence[Wanted]
    expected: Sequence[Expectation]
    kernel: str = ""
    gdb: str = ""
    machine: str = ""
    accesses: list[Access] = dataclasses.field(default_factory=list)
    status: int | None = None
    output: str = ""
    complaints: Sequence[str] = ()
    wire: Sequence[str] = ()

    def missed(self) -> list[tuple[Expectation, str]]:
        """The expectations that are not met, each with what is otherwise."""
        return [(expectation, missed) for expectation in self.expected if (missed := expectation.missed(self.accesses))]

    def table(self) -> str:
        """By place, how many accesses there were, the most first."""
        counts = collections.Counter((access.kind, access.expression, str(access.place)) for access in self.accesses)
        rows = [("count", "access", "of", "at"),
                *((str(count), *what) for what, count in counts.most_common())]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{row[0]:>{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:{widths[2]}}  {row[3]}".rstrip() for row in rows]
        return "\n".join(lines) if counts else "no access"

    def json(self) -> str:
        """All of it, as one object."""
        return json.dumps({
            "kernel": self.kernel, "gdb": self.gdb, "machine": self.machine,
            "wanted": [dataclasses.asdict(wanted) for wanted in self.wanted],
            "accesses": [dataclasses.asdict(access) for access in self.accesses],
            "status": self.status, "output": self.output, "complaints": list(self.complaints),
            "expected": [{"what": expectation.words, "missed": expectation.missed(self.accesses) or None}
                         for expectation in self.expected]}, indent=1) + "\n"

    def write_junit(self, path: Path, error: Exception | None) -> None:
        """A test case for each expectation; `error` is why there is no answer."""
        cases = [(expectation.words, expectation.missed(self.accesses)) for expectation in self.expected] or [("accesses", "")]
        name = " ".join(wanted.expression for wanted in self.wanted)
        suite = ElementTree.Element("testsuite", name=f"rig who {name}", tests=str(len(cases)),
                                    failures=str(0 if error else sum(bool(missed) for _, missed in cases)),
                                    errors=str(len(cases) if error else 0))
        for words, missed in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=words)
            if error is not None:
                ElementTree.SubElement(case, "error", message=type(error).__name__).text = str(error)
            elif missed:
                ElementTree.SubElement(case, "failure", message=missed).text = "\n".join(map(str, self.accesses))
        ElementTree.SubElement(suite, "system-out").text = "\n".join([*map(str, self.accesses), self.table()])
        for element in suite.iter():
            if element.text:
                # XML has no control characters, and a console says some.
                element.text = _CONTROL.sub("", element.text)
        ElementTree.indent(suite)
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
