# SPDX-License-Identifier: GPL-2.0-only
"""What the checks say, one line for each and what is wrong below it; and how they run programs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kgdbrig.errors import MissingDependency

#: Prints one line of the report.
Say = Callable[[str], None]

_TAIL_LINES = 30


@dataclass
class Report:
    """Prints one line for each check, and keeps count."""

    say: Say
    checks: int = 0
    failed: list[str] = field(default_factory=list)

    def result(self, check: str, findings: Iterable[str], note: str = "") -> None:
        """`check` is passed if there are no findings."""
        found = list(findings)
        self.checks += 1
        self.say(f"{'FAIL' if found else 'ok  '}  {check}{f' ({note})' if note else ''}")
        for finding in found:
            self.say("      " + finding.replace("\n", "\n      "))
        if found:
            self.failed.append(check)


def program(command: list[str], directory: Path, package: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise MissingDependency(command[0], package) from error


def failure(said: str) -> str:
    """What make says of an error, without its own echo at every level."""
    lines = [line for line in said.splitlines() if not re.match(r"make(\[\d+\])?: |  [A-Z]+ +\S+$", line)]
    return "\n".join(lines[-_TAIL_LINES:]) or said[-2000:]
