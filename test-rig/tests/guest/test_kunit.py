# SPDX-License-Identifier: GPL-2.0-only
"""The KUnit suites in the kernel: the pure parts, the table on this machine's slots and on others, what is in flight on a CPU,
instructions; and perf's own of how it counts breakpoints.
"""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from kgdbrig.clients.target import Target
from kgdbrig.judging import ktap

#: Cases that go through a table, each row of which is a result of its own.
TABLES = {
    "kgdb_watchpoint_pure": {"parse_break", "plan_slots", "match_access", "format_watch", "offers"},
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
LONG_MODE = {
    "addresses", "address_of_this_cpu", "repeated_instruction", "registers_that_change", "padded_with_int3",
    "nmi_on_the_stack_of_db",
}
#: Cases with FRED's frames, where the kernel is built with FRED.
FRED = {
    "nmi_at_the_entry_of_db", "nmi_after_db_has_read", "nmi_at_the_entry_of_db_from_user_mode", "nmi_elsewhere",
    "nmi_within_others", "nmi_is_counted_by_kgdb",
}
SINGLE = {
    "kgdb_watchpoint_x86": {
        "stores", "loads", "not_understood", "addresses", "address_of_this_cpu", "repeated_instruction",
        "registers_that_change", "padded_with_int3", "nothing_accessed", "probed_instruction",
    },
    "kgdb_watchpoint_state": {"dr6_tells_what_is_in_flight", "what_was_read_is_in_flight", *FRED},
    "kgdb_watchpoint_nmi": {"nmi_is_alone", "nmi_with_fred", "nmi_on_the_stack_of_db", "nmi_during_others"},
    "kgdb_watchpoint_pieces": {
        "regions_are_split", "reads_have_pairs_of_slots", "overlapping_watchpoints_share_slots", "refusal_is_as_a_whole",
    },
    "kgdb_watchpoint_hit": {
        "hits_are_reported", "no_hit_no_reason", "the_address_is_that_of_the_piece", "writes_are_not_reads",
        "stale_hits_are_dropped", "hits_count_over_a_stop", "most_specific_hit_is_reported", "two_stops_for_one_access",
        "second_stop_is_dropped_with_its_watchpoint", "one_stop_names_all", "one_stop_without_what_was_removed",
        "what_is_kdbs_alone_is_not_named",
    },
    "kgdb_watchpoint_perf": {
        "perf_gets_what_is_left", "kgdb_gets_what_perf_leaves", "refusals_count_what_perf_holds",
    },
    "kgdb_watchpoint_arch": {
        "slots_select_bytes", "reads_have_slots_of_their_own", "kinds_are_counted_apart", "the_architecture_refuses",
        "stale_hits_are_stepped_over",
    },
}


#: Perf's suite, kernel/events/hw_breakpoint_test.c. It wants two CPUs, and that nobody has a breakpoint.
PERF = "hw_breakpoint"
PERFS_CASES = {
    "test_one_cpu", "test_many_cpus", "test_one_task_on_all_cpus", "test_two_tasks_on_all_cpus", "test_one_task_on_one_cpu",
    "test_one_task_mixed", "test_two_tasks_on_one_cpu", "test_two_tasks_on_one_all_cpus", "test_task_on_all_and_one_cpu",
}


def expected_cases(target: Target) -> dict[str, set[str]]:
    """The cases of our suites that this kernel has."""
    lacks: set[str] = set()
    if target.word == 4:
        lacks |= LONG_MODE
    if target.kernel.config.get("CONFIG_X86_FRED") != "y":
        assert target.word == 4 or target.kernel.version == "6.1", "the kernel could have FRED, and is built without"
        lacks |= FRED
    return {suite: cases - lacks for suite, cases in (TABLES | TWICE | SINGLE).items()}


def expect_passed(target: Target, *, perf: bool) -> None:
    """All our suites ran, and perf's where it is to, with all their cases, and nothing failed or was skipped."""
    log = target.kernel_log()
    suites = ktap.parse(log)
    cases = {suite.name: {case.name for case in suite.children} for suite in suites.values()}
    assert cases == expected_cases(target) | ({PERF: PERFS_CASES} if perf else {})

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


#: Has the kernel run our suites only: with one CPU perf's skips all it has.
OURS = "kunit.enable=1 kunit.filter_glob=kgdb_watchpoint_*"
ALL = "kunit.enable=1"


@pytest.mark.i386
@pytest.mark.parametrize(("smp", "append"), [(1, OURS), (2, ALL)])
def test_the_suites_pass(boot: Boot, smp: int, append: str) -> None:
    """Nothing is armed in the course of it, and no slot stays behind."""
    target = boot(smp=smp, append=append)
    expect_passed(target, perf=append == ALL)
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_watchpoints_work_after_the_suites(boot: Boot) -> None:
    """They leave the table as gdb needs it, and perf's accounting with all slots free."""
    target = boot(smp=2, append=ALL)
    expect_passed(target, perf=True)
    gdb = target.attach_gdb()
    for offset in range(4):
        gdb.command(f"watch *(char *)((char *)&panic_timeout + {offset})")
    target.resume(gdb)
    target.expect_armed(4)
    target.console.start("echo 7 > /proc/sys/kernel/panic")
    assert "hit Hardware watchpoint 1: " in gdb.wait_stop()


def test_perfs_suite_finds_kgdbs_slot(boot: Boot) -> None:
    """It does not run then: each case says that a breakpoint is in use, and nothing else. The watchpoint is not harmed."""
    target = boot(smp=2, kgdboc="early", append=f"kunit.enable=1 kunit.filter_glob={PERF}")
    gdb = target.reattach_gdb()
    gdb.command("watch panic_timeout")
    gdb.resume()
    target.booted()
    log = target.kernel_log()
    suites = ktap.parse(log)
    assert suites.keys() == {PERF}, log
    # Each is skipped as it begins, and what looks at the end whether all slots are free makes a failure of that.
    assert {case.name: case.ok for case in suites[PERF].children} == dict.fromkeys(PERFS_CASES, False), log
    assert sorted(re.findall(r"# (\w+): EXPECTATION FAILED", log)) == sorted(PERFS_CASES), log
    assert log.count("Expected hw_breakpoint_is_used() to be false, but is true") == len(PERFS_CASES), log
    target.expect_armed(1)
    target.console.start("echo 7 > /proc/sys/kernel/panic")
    assert "hit Hardware watchpoint 1: panic_timeout" in gdb.wait_stop()
