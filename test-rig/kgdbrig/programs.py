# SPDX-License-Identifier: GPL-2.0-only
"""Which version of a program there is, and what is in one."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kgdbrig.errors import MissingDependency


def version(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """The first line a program says of its version; MissingDependency where there is no such program."""
    try:
        said = subprocess.run([*command, "--version"], env=os.environ | dict(environment or {}), capture_output=True, text=True,
                              check=False).stdout
    except FileNotFoundError as error:
        raise MissingDependency(command[0]) from error
    return said.partition("\n")[0]


def symbols(path: Path) -> subprocess.CompletedProcess[str]:
    """What nm says of an object file's symbols, by their addresses."""
    try:
        return subprocess.run(["nm", "-n", str(path)], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise MissingDependency("nm") from error


def variables(path: Path) -> set[str]:
    """The names of the variables of an object file, static ones included."""
    return set(re.findall(r"^[0-9a-f]+ [bBdDrRgGsSvVA] ([\w.]+)$", symbols(path).stdout, re.MULTILINE))
