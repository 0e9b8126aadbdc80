# SPDX-License-Identifier: GPL-2.0-only
"""The KUnit suites in the kernel: the pure parts, the table on this machine's slots and on others, instructions."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from kgdbrig.clients.target import Target
from kgdbrig.judging import ktap

#: Cases that go through a table, each row of which is a result of its own.
TABLES = {
    "kgdb_watchpoint_pure": {"parse_break", "plan_slots", "match_access", "format_watch"},
}
#: Cases that run on two machines.
MACHINES = {"the slots of this machine", "slots that are made up"}
TWICE = {
    "kgdb_watchpoint_table": {
        "insertion_is_idempotent", "removal_takes_the_one_that_is_named", "nothing_is_settled_before_the_end",
        "equal_slots_are_shared", "types_have_slots_of_their_own", "remove_all_leaves_nothing", "one_too_many_is_refused",
        "full_table_is_refused", "refusal_changes_nothing", "slots_are_kept_over_a_stop", "slots_stay_when_others_change",
        "ids_are_used_once",
    },
}
#: Cases of instructions that only a 64-bit kernel has.
LONG_MODE = {"addresses", "address_of_this_cpu", "repeated_instruction", "registers_that_change", "padded_with_int3"}
SINGLE = {
    "kgdb_watchpoint_x86": {
        "stores", "loads", "not_understood", *LONG_MODE, "nothing_accessed", "probed_instruction",
    },
    "kgdb_watchpoint_pieces": {
        "regions_are_split", "reads_have_pairs_of_slots", "overlapping_watchpoints_share_slots", "refusal_is_as_a_whole",
    },
    "kgdb_watchpoint_hit": {
        "hits_are_reported", "no_hit_no_reason", "the_address_is_that_of_the_piece", "writes_are_not_reads",
        "stale_hits_are_dropped", "hits_count_over_a_stop", "most_specific_hit_is_reported", "two_stops_for_one_access",
        "second_stop_is_dropped_with_its_watchpoint",
    },
    "kgdb_watchpoint_perf": {
        "perf_gets_what_is_left", "kgdb_gets_what_perf_leaves", "refusals_count_what_perf_holds",
    },
    "kgdb_watchpoint_arch": {
        "slots_select_bytes", "reads_have_slots_of_their_own", "kinds_are_counted_apart", "the_architecture_refuses",
        "stale_hits_are_stepped_over",
    },
}


def expect_passed(target: Target) -> None:
    """All our suites ran, with all their cases, and nothing failed or was skipped."""
    log = target.kernel_log()
    suites = ktap.parse(log)
    cases = {suite.name: {case.name for case in suite.children} for suite in suites.values()}
    expected = TABLES | TWICE | SINGLE
    if target.word == 4:
        expected["kgdb_watchpoint_x86"] = expected["kgdb_watchpoint_x86"] - LONG_MODE
    assert cases == expected

    leaves = [leaf for suite in suites.values() for leaf in suite.leaves()]
    assert [name for name, result in leaves if not result.passed] == [], log
    assert all(suite.passed for suite in suites.values()), log

    # Linux 6.1 says so of a row in its totals only.
    assert not re.findall(r"skip:[1-9]", log), log

    for name, tables in TABLES.items():
        rows = {case.name: len(case.children) for case in suites[name].children}
        assert all(rows[table] >= 10 for table in tables), "a table has lost its rows"
    for name in TWICE:
        assert all({row.name for row in case.children} == MACHINES for case in suites[name].children)
    for word in ("WARNING", "BUG:", "Oops"):
        assert word not in log, log


@pytest.mark.i386
@pytest.mark.parametrize("smp", [1, 2])
def test_the_suites_pass(boot: Boot, smp: int) -> None:
    """Nothing is armed in the course of it, and no slot stays behind."""
    target = boot(smp=smp, append="kunit.enable=1")
    expect_passed(target)
    target.expect_armed(0)


@pytest.mark.i386
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
