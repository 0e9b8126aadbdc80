# SPDX-License-Identifier: GPL-2.0-only
"""'rig report', 'rig demo' and 'rig test' on a machine that they have not booted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgdbrig import paths
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines import kinds
from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.description import Description

pytestmark = [pytest.mark.rest_in_test_all, pytest.mark.only_in_test_all]

EXAMPLES = paths.REPOSITORY / "docs/examples"


@pytest.fixture
def machine(kernel: Kernel) -> Iterator[AnyMachine]:
    with kinds.make(Description(kernel, smp=2, parallel=False)) as made:
        yield made


def rig(directory: Path, machine: AnyMachine, kernel: Kernel, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(paths.RIG / "rig"), *words, "--console", str(machine.console), "--line", str(machine.kgdb),
                           "--vmlinux", str(kernel.vmlinux), "--modules", str(kernel.directory / "modules")],
                          cwd=directory, check=False, capture_output=True, text=True)


def test_a_report(machine: AnyMachine, kernel: Kernel, tmp_path: Path) -> None:
    """All of it passes, what it has tried is in the text, and what cannot be is named."""
    done = rig(tmp_path, machine, kernel, "report", "--tests", str(EXAMPLES))
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert done.returncode == 0, done.stderr + text
    for part in ("the demo", "who writes panic_timeout", "the kernel's own tests (kgdbts)", f"the tests in {EXAMPLES}"):
        assert f"rig: {part}: passed\n" in done.stderr
        assert f"=== {part}: passed ===\n" in text
    assert "(gdb) watch panic_timeout\nHardware watchpoint 1: panic_timeout\n" in text
    for said in (f"kernel: Linux (none) {kernel.release} ", "CPU: ", "CPUs: 2\n", "KGDB's line: ttyS1,", "GNU gdb ",
                 "Old value = 7\nNew value = 8\n", "1  panic_timeout: 0 -> 1, written by sh ", "kgdbts=V1F100",
                 "2 passed, 1 skipped", "a boot of its own: not on a machine that runs already",
                 "the oracle looks at the guest from outside",
                 " kgdb> $T05thread:"):
        assert said in text, text
    assert all(not registers["DR7"] & 0xff for registers in machine.debug_registers())


def test_one_that_fails(machine: AnyMachine, kernel: Kernel, tmp_path: Path) -> None:
    """It ends with 1, the rest is tried all the same, and the machine goes on without a watchpoint."""
    (tmp_path / "test_fails.py").write_text('''
def test_fails(guest):
    guest.watch("panic_timeout")
    for access in guest.each_access("echo 5 > /proc/sys/kernel/panic"):
        assert access.new == "6"

def test_alive(guest):
    assert guest.run("cat /proc/sys/kernel/panic") == "5\\n"
    guest.run("echo 0 > /proc/sys/kernel/panic")
''', encoding="utf-8")
    done = rig(tmp_path, machine, kernel, "report", "--tests", str(tmp_path), "--output", "mine.txt")
    text = (tmp_path / "mine.txt").read_text(encoding="utf-8")
    assert done.returncode == 1 and "=== the demo: passed ===" in text, done.stderr + text
    assert f"=== the tests in {tmp_path}: FAILED ===" in text and "1 failed, 1 passed" in text
    assert all(not registers["DR7"] & 0xff for registers in machine.debug_registers())
