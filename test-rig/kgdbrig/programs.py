# SPDX-License-Identifier: GPL-2.0-only
"""Which version of a program there is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from kgdbrig.errors import MissingDependency


def version(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """The first line a program says of its version; MissingDependency where there is no such program."""
    try:
        said = subprocess.run([*command, "--version"], env=os.environ | dict(environment or {}), capture_output=True, text=True,
                              check=False).stdout
    except FileNotFoundError as error:
        raise MissingDependency(command[0]) from error
    return said.partition("\n")[0]
