# SPDX-License-Identifier: GPL-2.0-only
"""'rig compare': the stock kernel's cells show the failure, the patched kernel's that it is gone."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from conftest import Platform
from kgdbrig import paths
from kgdbrig.judging import compare
from kgdbrig.kernels.kernel import Kernel


@pytest.mark.one_version
@pytest.mark.only_in_test_all
def test_the_table_tells_the_kernels_apart(platform: Platform, kernel: Kernel, stock_kernel: Kernel) -> None:
    result = subprocess.run([sys.executable, paths.REPOSITORY / "test-rig/rig", "compare", "--kernel", platform.version,
                             "--arch", platform.arch], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    head, columns, *rows = table(result.stdout)
    assert head[0].startswith(f"Linux {kernel.release} ")
    assert columns == ["what a user tries", "stock", "patched"]
    assert [row[0] for row in rows] == [scenario.title for scenario in compare.SCENARIOS]

    watch, kgdbts, rwatch, reply, attribution, early, _cpus, checks = (row[1:] for row in rows)
    assert watch[0].startswith("gdb never stops") and "hit Hardware watchpoint 1" in watch[1]
    assert kgdbts[0].startswith("fails: ") and kgdbts[1] == "no ERROR line"
    assert "Could not insert" in rwatch[0] and "hit Hardware read watchpoint 1" in rwatch[1]
    assert "watch:" not in reply[0] and reply[1].count(";watch:") == 2
    assert attribution == ["not reported", "reported as awatch"]
    assert "boots to its shell" not in early[0] and early[1].endswith("then the guest boots to its shell")
    assert "cpu_entry_area: OK" in checks[0] and checks[1] == "length 3: OK; unaligned: OK; user space: E22; cpu_entry_area: E22"


def table(text: str) -> list[list[str]]:
    """The rows of what was printed, each a list of its cells."""
    rows = []
    for block in re.sub(r"^-+$", "", text, flags=re.MULTILINE).split("\n\n"):
        lines = [compare.cells(line) for line in block.splitlines() if line.strip()]
        if lines:
            rows.append([" ".join(filter(None, column)) for column in zip(*lines, strict=False)])
    return rows
