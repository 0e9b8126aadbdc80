# SPDX-License-Identifier: GPL-2.0-only
"""The demo as a user runs it: what it shows, how it ends, and that it notices when gdb does not stop."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from kgdbrig import paths
from kgdbrig.kernels.kernel import Kernel

pytestmark = pytest.mark.i386

#: What gdb says of threads in front of a stop: whether it does depends on what else runs on the target.
THREADS = re.compile(r"^\[(?:New|Switching to) Thread \d+\]\n+", re.MULTILINE)

#: In this order, each a line (or more) of gdb's own words, or of the target's, behind what was typed.
SHOWN = (
    r"^\(gdb\) watch panic_timeout\nHardware watchpoint 1: panic_timeout\n",
    r"^target# echo 7 > /proc/sys/kernel/panic\n",
    r"^Thread \d+ hit Hardware watchpoint 1: panic_timeout\n\nOld value = 0\nNew value = 7\n.* at sysctl\.c:\d+\n\d+\t",
    r"^\(gdb\) backtrace .*\n#0 .*\n#1 ",
    r"^target# echo 7 > /proc/sys/kernel/panic\n\[It comes back: ",
    r"^target# echo 8 > /proc/sys/kernel/panic\nThread \d+ hit Hardware watchpoint 1: panic_timeout\n\n"
    r"Old value = 7\nNew value = 8\n",
    r"^\(gdb\) awatch panic_timeout\nHardware access \(read/write\) watchpoint 2: panic_timeout\n",
    r"^target# cat /proc/sys/kernel/panic\n",
    r"^Thread \d+ hit Hardware access \(read/write\) watchpoint 2: panic_timeout\n\nValue = 8\n",
    r"^\(gdb\) info watchpoints\n",
    r"\tbreakpoint already hit 2 times\n",
    r"\tbreakpoint already hit 1 time\n",
    r"^\(gdb\) delete\n\(gdb\) detach\n",
    r"^target# cat /proc/sys/kernel/panic\n9\ntarget# echo 0 > /proc/sys/kernel/panic\n\[No debug register is armed",
)


def demo(kernel: Kernel, *options: str) -> subprocess.CompletedProcess[str]:
    """Run 'rig demo' for the version and architecture of a kernel that is built."""
    return subprocess.run([str(paths.RIG / "rig"), "demo", "--kernel", kernel.version, "--arch", kernel.arch, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.rest_in_test_all
def test_it_passes_and_shows_gdb_s_words(kernel: Kernel) -> None:
    done = demo(kernel)
    assert done.returncode == 0, done.stdout + done.stderr

    first, *_, last = done.stdout.splitlines()
    assert re.fullmatch(rf"Linux {re.escape(kernel.release)} {kernel.arch} \(.*with our patches\), GNU gdb .*, "
                        "QEMU emulator version .*", first)
    assert re.fullmatch(r"Demo passed in \d+ s: .*", last)

    at = 0
    said = THREADS.sub("", done.stdout)
    for pattern in SHOWN:
        found = re.compile(pattern, re.MULTILINE).search(said, at)
        assert found, f"{pattern!r} is missing behind:\n{said[:at]}\nand in:\n{said[at:]}"
        at = found.end()


@pytest.mark.one_version
@pytest.mark.only_in_test_all
def test_it_fails_on_the_stock_kernel_and_says_where(stock_kernel: Kernel) -> None:
    """There gdb never stops: the same session ends in one line, with the step and the logs."""
    done = demo(stock_kernel, "--stock")
    assert done.returncode == 1
    said = re.fullmatch(r"rig: demo: step \"watch panic_timeout\" failed: gdb did not stop: 'echo 7 > "
                        r"/proc/sys/kernel/panic' came back on the target; all logs are in (.*)\n", done.stderr)
    assert said, done.stderr
    assert "stock, without our patches" in done.stdout.splitlines()[0]
    assert "Demo passed" not in done.stdout

    logs = Path(said[1])
    assert (logs / "session.txt").read_text(encoding="utf-8") == done.stdout
    for name, line in (("gdb.log", "Hardware watchpoint 1: panic_timeout"), ("console.log", "sysrq: DEBUG"),
                       ("wire.log", "$Z2,"), ("failure.txt", "watch panic_timeout")):
        assert line in (logs / name).read_text(encoding="utf-8"), name
