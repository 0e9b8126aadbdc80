# SPDX-License-Identifier: GPL-2.0-only
"""Lets one rig find the machine another one runs ('rig console' that of 'rig gdb')."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from kgdbrig import paths
from kgdbrig.errors import RigError
from kgdbrig.machines.anymachine import AnyMachine


@contextlib.contextmanager
def announced(machine: AnyMachine) -> Iterator[None]:
    """Have `machine` found by others while the block runs."""
    path = paths.runtime_dir() / f"{machine.pid}.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(machine.sockets() | {"pid": machine.pid}), encoding="utf-8")
    temporary.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def newest_console() -> Path:
    """The console socket of the machine started last; RigError when none runs."""
    found = []
    for path in paths.runtime_dir().glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # its machine ended just now
            pid = int(path.stem)
            console = Path(json.loads(path.read_text(encoding="utf-8"))["console"])
            if _runs(pid) and console.exists():
                found.append((path.stat().st_mtime_ns, console))
            else:
                path.unlink()  # left by a rig that was killed
    if not found:
        raise RigError("no machine is running: start one with 'make gdb' or 'test-rig/rig boot'")
    return max(found)[1]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
