# SPDX-License-Identifier: GPL-2.0-only
"""'rig compare': the stock kernel's cells show the failure, the patched kernel's that it is gone."""

from __future__ import annotations

import re
import subprocess
import sys

from conftest import Platform
from kgdbrig import compare, paths
from kgdbrig.build import Kernel


def test_the_scenarios_tell_the_kernels_apart(kernel: Kernel, stock_kernel: Kernel) -> None:
    seen = {scenario.title: (scenario.run(stock_kernel), scenario.run(kernel)) for scenario in compare.SCENARIOS
            if not scenario.title.startswith(("`echo kgdbts", "`earlycon"))}
    watch, rwatch, reply, attribution, _cpus, checks = seen.values()
    assert watch[0].startswith("gdb never stops") and "hit Hardware watchpoint 1" in watch[1]
    assert "Could not insert" in rwatch[0] and "hit Hardware read watchpoint 1" in rwatch[1]
    assert "watch:" not in reply[0] and reply[1].count(";watch:") == 2
    assert attribution == ("not reported", "reported as awatch")
    assert "cpu_entry_area: OK" in checks[0] and len(re.findall(r": E22", checks[1])) == 4


def test_the_command_prints_a_table(platform: Platform) -> None:
    result = subprocess.run([sys.executable, paths.REPOSITORY / "test-rig/rig", "compare", "--kernel", platform.version,
                             "--arch", platform.arch], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    head, *rest = result.stdout.splitlines()
    assert head.startswith(f"Linux {platform.version}")
    for scenario in compare.SCENARIOS:
        assert any(line.startswith(scenario.title[:12]) for line in rest), scenario.title
