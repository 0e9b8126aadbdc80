# SPDX-License-Identifier: GPL-2.0-only
"""The KUnit suites in the kernel: the pure parts compiled there, and the table on this machine's slots."""

from __future__ import annotations

import pytest

from conftest import Boot
from kgdbrig import ktap
from kgdbrig.target import Target

PURE = {"parse_break", "plan_slot", "format_watch"}
TABLE = {
    "insertion_is_idempotent", "removal_takes_the_one_that_is_named", "equal_slots_are_shared",
    "types_have_slots_of_their_own", "one_too_many_is_refused", "full_table_is_refused", "refusal_changes_nothing",
    "slots_are_kept_over_a_stop", "generation_changes_with_what_is_watched", "remove_all_leaves_nothing",
    "hits_are_reported", "no_hit_no_reason", "stale_hits_are_dropped", "most_specific_hit_is_reported",
    "perf_gets_what_is_left", "kgdb_gets_what_perf_leaves",
}


def expect_passed(target: Target) -> None:
    """All our suites ran, with all their cases, and nothing failed or was skipped."""
    log = target.kernel_log()
    suites = ktap.parse(log)
    cases = {f"{suite.name}/{case.name}" for suite in suites.values() for case in suite.children}
    assert cases == {f"kgdb_watchpoint_pure/{name}" for name in PURE} | \
        {f"kgdb_watchpoint_table/{name}" for name in TABLE}

    leaves = [leaf for suite in suites.values() for leaf in suite.leaves()]
    assert [name for name, result in leaves if not result.passed] == [], log
    assert all(suite.passed for suite in suites.values()), log

    parsed = {case.name: case for case in suites["kgdb_watchpoint_pure"].children}
    assert all(len(parsed[name].children) >= 10 for name in PURE), "a table has lost its rows"
    for word in ("WARNING", "BUG:", "Oops"):
        assert word not in log, log


@pytest.mark.parametrize("smp", [1, 2])
def test_the_suites_pass(boot: Boot, smp: int) -> None:
    """Nothing is armed in the course of it, and no slot stays behind."""
    target = boot(smp=smp, append="kunit.enable=1")
    expect_passed(target)
    target.expect_armed(0)


def test_watchpoints_work_after_the_suites(boot: Boot) -> None:
    """They leave the table as gdb needs it."""
    target = boot(append="kunit.enable=1")
    expect_passed(target)
    gdb = target.attach_gdb()
    for offset in range(4):
        gdb.command(f"watch *(char *)((char *)&panic_timeout + {offset})")
    target.resume(gdb)
    target.expect_armed(4)
    target.console.start("echo 7 > /proc/sys/kernel/panic")
    assert "hit Hardware watchpoint 1: " in gdb.wait_stop()
