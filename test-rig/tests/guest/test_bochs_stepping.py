# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: steps with watchpoints armed, as on a processor: one #DB with the causes of both.  The tests are those for QEMU."""

from __future__ import annotations

import re

import pytest

from drive import attach_with_values, go_on_from, stop_at
from in_bochs import target as target
from kgdbrig.clients.target import Target
from test_like_gdbs import FILLED
from test_like_gdbs import test_over_a_breakpoint_onto_a_watchpoint as over_a_breakpoint_onto_a_watchpoint
from test_like_gdbs import test_what_a_function_fills_or_copies as what_a_function_fills_or_copies
from test_stepping import test_one_instruction_at_a_time

pytestmark = pytest.mark.rest_in_test_all


@pytest.mark.parametrize("command", ["continue", "stepi"])
def test_over_a_breakpoint(target: Target, command: str) -> None:
    over_a_breakpoint_onto_a_watchpoint(target, "off", command)


def test_what_memset_stores(target: Target) -> None:
    what_a_function_fills_or_copies(target, "watch", "fill", FILLED)


@pytest.mark.parametrize("stepped", [False, True])
def test_a_load_of_the_stack_segment(target: Target, stepped: bool) -> None:
    """`mov` to SS holds debug exceptions back: the hit, alone or with a step, comes behind the next instruction, once.

    Intel SDM vol. 3A, 6.8.3.
    """
    gdb = attach_with_values(target)
    code = gdb.command("x/4i values_load_selector")
    load, behind = re.findall(r"(0x[0-9a-f]+) .*\t(?:mov|nop)", code)[-3::2]
    gdb.command("rwatch values_selector")
    if stepped:
        gdb.command(f"hbreak *{load}")
    target.resume(gdb)
    for _ in range(2):
        said = stop_at(target, gdb, "selector")
        if stepped:
            assert "hit Breakpoint 2, " in said
            said = gdb.command("stepi")
        assert "Hardware read watchpoint 1: values_selector" in said
        assert gdb.command("output/x $pc") == behind
        if stepped:
            said = gdb.command("stepi")
            assert "watchpoint" not in said
        go_on_from(target, gdb)
