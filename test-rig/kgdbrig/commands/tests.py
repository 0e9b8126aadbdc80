# SPDX-License-Identifier: GPL-2.0-only
"""Other people's tests: runs them ('rig test'), and writes the first one ('rig new-test')."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kgdbrig import paths
from kgdbrig.errors import RigError

_PLUGIN = "kgdbrig.testing.plugin"

#: The first test.
FIRST = '''\
"""Who writes panic_timeout?  docs/testing.md says what else there is."""

from kgdbrig.testing import Guest


def test_{name}(guest: Guest) -> None:
    guest.watch("panic_timeout")
    accesses = guest.accesses("echo 7 > /proc/sys/kernel/panic")
    assert [(access.old, access.new) for access in accesses] == [("0", "7")]
    assert accesses[0].comm == "sh"
    assert "vfs_write" in [place.function for place in accesses[0].places]
'''


def run(folder: Path, options: Mapping[str, object], more: Sequence[str]) -> int:
    """Run the tests of a folder, or of a file, on the kernel of the plugin's `options`; pytest's status."""
    words = [f"--rig-{name}={value}" for name, value in options.items() if value is not None]
    return subprocess.run(_command(folder, [*words, *more]), env=_environment(), check=False).returncode


def captured(folder: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The same, with what pytest prints as text; it names what was skipped."""
    return subprocess.run(_command(folder, [*words, "-rs"]), env=_environment(), check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def _command(folder: Path, words: Sequence[str]) -> list[str]:
    if not folder.exists():
        raise RigError(f"{folder} is not there: 'rig new-test NAME' writes a first test")
    return ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-p", _PLUGIN, *words, str(folder)]


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(paths.RIG), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def new(name: str) -> Path:
    """Write test_NAME.py in this directory; RigError where there is one, or for a name that is none in Python."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise RigError(f"{name!r} is no name for a test: it is of a-z, 0-9 and _")
    path = Path(f"test_{name}.py")
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(FIRST.format(name=name))
    except FileExistsError as error:
        raise RigError(f"{path} is there already") from error
    return path
