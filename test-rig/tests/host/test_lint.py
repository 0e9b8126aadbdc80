# SPDX-License-Identifier: GPL-2.0-only
"""ruff finds nothing to complain of in the rig and its tests, and would find a planted mistake (ruff.toml)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kgdbrig import paths
from kgdbrig.packages import later

#: The oldest suite that has it.
SUITE = "forky"


def ruff(*files: str) -> subprocess.CompletedProcess[str]:
    """What it says of `files`, by the rules for the tests."""
    command = [*later.find("ruff", SUITE, sys.stderr).command("usr/bin/ruff"), "check", "--no-cache", "--config", "ruff.toml",
               "--output-format", "concise", *files]
    return subprocess.run(command, cwd=paths.RIG, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_lint(tmp_path: Path) -> None:
    done = ruff("kgdbrig", "tests", "in_gdb", "rig", "../docs/examples")
    assert done.returncode == 0, done.stdout
    planted = tmp_path / "planted.py"
    planted.write_text("import os\n\n\ndef f(x=[]):\n    return x\n", encoding="utf-8")
    done = ruff(str(planted))
    assert done.returncode == 1
    assert "F401" in done.stdout
    assert "B006" in done.stdout
