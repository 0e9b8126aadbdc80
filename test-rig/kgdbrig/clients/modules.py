# SPDX-License-Identifier: GPL-2.0-only
"""Modules as gdb can read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kgdbrig.errors import MissingDependency, RigError


def flattened(module: Path, directory: Path) -> Path:
    """A copy in `directory` whose sections all begin at 0.

    The kernel links modules so that .data need not, and gdb 13 then takes
    every section of the file to lie where its text lies.
    """
    directory.mkdir(exist_ok=True)
    flat = directory / module.name
    try:
        done = subprocess.run(["objcopy", "--change-section-address", "*=0", str(module), str(flat)], check=False,
                              capture_output=True, text=True)
    except FileNotFoundError as error:
        raise MissingDependency("objcopy") from error
    if done.returncode:
        raise RigError(f"objcopy {module} failed: {done.stderr.strip()}")
    return flat
