# SPDX-License-Identifier: GPL-2.0-only
"""mypy finds nothing to complain of in the rig and its tests, and would find a planted mistake."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kgdbrig import paths

RIG = paths.REPOSITORY / "test-rig"


def mypy(cache: Path, *files: str) -> str:
    """What it says of `files`, or of those that mypy.ini names."""
    done = subprocess.run(["/usr/bin/python3", "-m", "mypy", f"--cache-dir={cache}", *files], cwd=RIG, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode in (0, 1), done.stdout
    return done.stdout


def test_types(tmp_path: Path) -> None:
    said = mypy(tmp_path / "cache")
    assert said.startswith("Success: no issues found"), said
    planted = tmp_path / "planted.py"
    planted.write_text("from kgdbrig.wait import Deadline\nDeadline('soon')\n", encoding="utf-8")
    assert 'incompatible type "str"; expected "float"' in mypy(tmp_path / "cache", str(planted))
