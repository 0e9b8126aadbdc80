# SPDX-License-Identifier: GPL-2.0-only
"""Builds what gdbstub/tests/ has for the host, outside of the checkout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kgdbrig import paths

SOURCES = paths.GDBSTUB / "tests"
#: Seconds; a build or a run takes a few on an idle machine.
LIMIT = 300


def build(target: str, directory: Path) -> Path:
    """Make one of gdbstub/tests/Makefile's programs in `directory`; its path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(["make", "--no-print-directory", f"--directory={SOURCES}", f"OUT={directory}", target],
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=LIMIT)
    assert made.returncode == 0, made.stdout
    return directory / target


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in `directory`, where it may leave files; its output and errors in one."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}
    environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
    return subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=LIMIT)
