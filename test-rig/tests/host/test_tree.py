# SPDX-License-Identifier: GPL-2.0-only
"""What holds for every file of our own code: it is short enough to be read at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kgdbrig import paths

#: How many lines a file may have.
MOST_LINES = 500
#: Where all code is ours, whether git tracks it yet or not, and what counts as code by the end of its name.
FOLDERS = ("gdbstub", "arch", "test-rig", "gdbinit")
ENDINGS = (".c", ".h", ".py", ".sh")


def code(top: Path) -> list[Path]:
    """The files of code below `top`, by their paths in it; git is asked for those outside of FOLDERS, if it has any."""
    tracked = subprocess.run(["git", "-C", str(top), "ls-files", "-z"], capture_output=True, text=True, check=False)
    found = {Path(name) for name in tracked.stdout.split("\0") if name}
    found.update(path.relative_to(top) for folder in FOLDERS for path in (top / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in ENDINGS and (top / path).is_file())


def too_long(top: Path) -> list[str]:
    """"FILE has NUMBER lines" for each that has too many."""
    found = []
    for path in code(top):
        count = len((top / path).read_bytes().splitlines())
        if count > MOST_LINES:
            found.append(f"{path} has {count} lines")
    return found


def test_no_file_is_too_long() -> None:
    assert {path.parts[0] for path in code(paths.REPOSITORY)} >= {"gdbstub", "arch", "test-rig"}
    assert not too_long(paths.REPOSITORY), f"split it by what its parts do: {MOST_LINES} lines are the most"


@pytest.mark.parametrize("name", ["gdbstub/a.h", "gdbstub/tests/b.c", "arch/x86/include/asm/c.h", "test-rig/kgdbrig/line/d.py",
                                  "test-rig/guest/e.sh", "gdbinit/f.py"])
def test_one_that_is_too_long_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("x\n" * MOST_LINES)
    assert too_long(tmp_path) == []
    path.write_text("x\n" * MOST_LINES + "no newline")
    assert too_long(tmp_path) == [f"{name} has {MOST_LINES + 1} lines"]
    path.rename(path.with_suffix(".md"))
    assert too_long(tmp_path) == []


def test_one_that_git_tracks_elsewhere_is_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "tools").mkdir()
    for name in ("tracked.sh", "left.sh"):
        (tmp_path / "tools" / name).write_text("x\n" * (MOST_LINES + 1))
    subprocess.run(["git", "-C", str(tmp_path), "add", "tools/tracked.sh"], check=True)
    assert too_long(tmp_path) == [f"tools/tracked.sh has {MOST_LINES + 1} lines"]
