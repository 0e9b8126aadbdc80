# SPDX-License-Identifier: GPL-2.0-only
"""The tests that docs/ shows, as they stand, and the first one of somebody's own: run as he would run them."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from conftest import Platform
from kgdbrig import paths, testing
from kgdbrig.commands import tests

pytestmark = pytest.mark.rest_in_test_all

EXAMPLES = paths.REPOSITORY / "docs/examples"


def rig(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(paths.RIG / "rig"), *words], cwd=directory, check=False, capture_output=True, text=True)


def test_the_examples(platform: Platform, tmp_path: Path) -> None:
    done = rig(tmp_path, "test", "--kernel", platform.version, "--arch", platform.arch, str(EXAMPLES))
    assert done.returncode == 0 and f"{len(list(EXAMPLES.glob('*_test.py')))} passed" in done.stdout, done.stdout + done.stderr


def test_the_names_are_listed() -> None:
    """What kgdbrig.testing offers is in docs/testing.md, and so is the first test."""
    text = (paths.REPOSITORY / "docs/testing.md").read_text(encoding="utf-8")
    names = {*testing.__all__, *(name for name in vars(testing.Guest) if not name.startswith("_")),
             *(field.name for field in dataclasses.fields(testing.Access)),
             *(field.name for field in dataclasses.fields(testing.Place)), *path_names(EXAMPLES)}
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)]
    assert tests.FIRST.format(name="mine") in text


def path_names(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")}


@pytest.mark.only_in_test_all
def test_the_first_of_one_s_own(platform: Platform, tmp_path: Path) -> None:
    """It passes as it is written, is not written twice, and says why when it fails."""
    assert rig(tmp_path, "new-test", "mine").stdout == "test_mine.py\n"
    again = rig(tmp_path, "new-test", "mine")
    assert (again.returncode, "test_mine.py is there already" in again.stderr) == (1, True)
    words = ("test", "--kernel", platform.version, "--arch", platform.arch, ".")
    assert rig(tmp_path, *words).returncode == 0
    test = tmp_path / "test_mine.py"
    test.write_text(test.read_text(encoding="utf-8").replace('"7")]', '"8")]'), encoding="utf-8")
    failed = rig(tmp_path, *words)
    assert failed.returncode == 1
    for end in ("console", "gdb", "wire"):
        assert f"--- end of the {end} ---" in failed.stdout


@pytest.mark.only_in_test_all
def test_what_fails_a_test(platform: Platform, tmp_path: Path) -> None:
    """A complaint of the kernel's that the test does not name, a guest that dies, and gdb asked while the machine runs."""
    (tmp_path / "test_all.py").write_text('''
import pytest
from kgdbrig.testing import Died, Guest

WARN = "echo '<4>WARNING: a planted one' > /dev/kmsg"

def test_complains(guest: Guest) -> None:
    guest.run(WARN)

@pytest.mark.complains("a planted one")
def test_may_complain(guest: Guest) -> None:
    guest.run(WARN)

@pytest.mark.complains(".")
def test_dies(guest: Guest) -> None:
    guest.watch("panic_timeout")
    with pytest.raises(Died):
        guest.accesses("echo c > /proc/sysrq-trigger")

def test_asks_too_early(guest: Guest) -> None:
    guest.gdb("backtrace")

def test_kdb(guest: Guest) -> None:
    with guest.kdb() as kdb:
        assert "sysname" in kdb.command("summary")
    assert guest.run("echo alive") == "alive\\n" and guest.status == 0

def test_at_each(guest: Guest) -> None:
    guest.watch("panic_timeout")
    guest.watch("kptr_restrict", reads=True)
    seen = [guest.gdb("print panic_timeout") for _ in guest.each_access("echo 3 > /proc/sys/kernel/panic")]
    assert len(seen) == 1 and seen[0].endswith("= 3")
    guest.run("echo 4 > /proc/sys/kernel/panic")
    assert [access.new for access in guest.passed] == ["4"]
    assert any("watch:" in line for line in guest.wire())
''', encoding="utf-8")
    done = rig(tmp_path, "test", "--kernel", platform.version, "--arch", platform.arch, str(tmp_path), "--", "-rA")
    wanted = {"complains": "ERROR", "may_complain": "PASSED", "dies": "PASSED", "asks_too_early": "FAILED", "kdb": "PASSED",
              "at_each": "PASSED"}
    for name, outcome in wanted.items():
        assert f"{outcome} test_all.py::test_{name}" in done.stdout, done.stdout
    assert "WARNING: a planted one" in done.stdout
