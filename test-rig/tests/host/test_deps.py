# SPDX-License-Identifier: GPL-2.0-only
"""install-deps.sh: what it hands to apt-get, and what it says where it cannot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kgdbrig import paths

SCRIPT = paths.RIG / "install-deps.sh"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """What the script finds first: nobody is root, nothing is installed, and sudo keeps nothing of the environment."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, text in {
            "id": "echo 1000",
            "dpkg-query": "exit 1",
            "apt-cache": 'echo "Package: $2"',
            "sudo": f'echo "sudo $*" >> {tmp_path}/said; exec env -i PATH="$PATH" "$@"',
            "apt-get": f'echo "proxy ${{http_proxy-none}} ${{https_proxy-none}} $*" >> {tmp_path}/said'}.items():
        (place / name).write_text(f"#!/bin/sh\n{text}\n")
        (place / name).chmod(0o755)
    return place


def run(programs: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run([SCRIPT, *arguments], text=True, capture_output=True, check=False,
                          env=kept | environment | {"PATH": f"{programs}:{os.environ['PATH']}"})


@pytest.mark.parametrize(("environment", "seen"), [
    ({}, "proxy none none "),
    ({"http_proxy": "http://proxy.example:3128", "https_proxy": "http://other.example:1"},
     "proxy http://proxy.example:3128 http://other.example:1 ")])
def test_a_proxy_reaches_apt_through_sudo(programs: Path, environment: dict[str, str], seen: str) -> None:
    run(programs, **environment)
    said = (programs.parent / "said").read_text().splitlines()
    assert [line for line in said if line.startswith("proxy ") and not line.startswith(seen)] == []
    assert any(line.startswith(seen) and " update" in line for line in said), said
    assert any(line.startswith(seen) and " install " in line for line in said), said


def test_without_sudo_the_command_is_said(programs: Path) -> None:
    (programs / "sudo").unlink()
    done = subprocess.run(["/bin/sh", SCRIPT], text=True, capture_output=True, check=False,
                          env={"PATH": str(programs)})
    assert done.returncode == 1
    assert "not root, and there is no sudo; as root run: apt-get install " in done.stderr


def test_what_a_tree_of_one_s_own_needs(programs: Path) -> None:
    """No source package is installed that nobody asked for."""
    run(programs, "linux-source-6.1")
    installed = next(line for line in (programs.parent / "said").read_text().splitlines()
                     if line.startswith("proxy ") and " install " in line).split()
    assert [name for name in installed if name.startswith("linux-source")] == ["linux-source-6.1"]
    for text, expected in (("KERNEL_SRC=/somewhere", []), ("KVER=6.12", ["linux-source-6.12"]), ("KVER=7.3", [])):
        done = subprocess.run(["make", "--no-print-directory", "--dry-run", "-C", paths.REPOSITORY, "demo", text], text=True,
                              capture_output=True, check=True, env={"PATH": os.environ["PATH"]})
        line = next(line for line in done.stdout.splitlines() if "install-deps.sh" in line)
        assert line.split()[1:] == expected


def test_a_source_that_this_debian_does_not_have(programs: Path) -> None:
    """apt-cache finds another one by its name, which is a pattern to it."""
    (programs / "apt-cache").write_text('#!/bin/sh\necho "Package: $2" | sed "s/source-6.1$/source-6.12/"\n')
    run(programs, "linux-source-6.1")
    assert "linux-source" not in (programs.parent / "said").read_text()
