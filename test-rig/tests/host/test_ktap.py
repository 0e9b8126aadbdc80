# SPDX-License-Identifier: GPL-2.0-only
"""The reader of KUnit's results: it must not take a log that lost something for one where all passed."""

from __future__ import annotations

import pytest

from kgdbrig.errors import RigError
from kgdbrig.judging import ktap

#: As Linux 6.12 prints it: no plan for parameters, other messages in between.
LOG = """\
[    0.301174] KTAP version 1
[    0.301200] 1..2
[    0.301400]     KTAP version 1
[    0.301500]     # Subtest: texts
[    0.301600]     # module: kunit
[    0.301700]     1..2
[    0.301800]         KTAP version 1
[    0.301900]         # Subtest: parse
[    0.302000]         ok 1 'Z2,1000,4'
[    0.302100] KGDB: watchpoint at 0x1000, length 4, refused: no reason
[    0.302200]         ok 2 ''
[    0.302300]     # parse: pass:2 fail:0 skip:0 total:2
[    0.302400]     ok 1 parse
[    0.302500]     ok 2 format
[    0.302600] # texts: pass:2 fail:0 skip:0 total:2
[    0.302700] # Totals: pass:3 fail:0 skip:0 total:3
[    0.302800] ok 1 texts
[    0.302900]     KTAP version 1
[    0.303000]     # Subtest: table
[    0.303100]     1..1
[    0.303200]     ok 1 - slots
[    0.303300] ok 2 table
[    0.400000] Run /init as init process
"""


def without(line: str) -> str:
    assert LOG.count(line) == 1
    return "".join(kept for kept in LOG.splitlines(keepends=True) if line not in kept)


def test_results_are_nested() -> None:
    suites = ktap.parse(LOG)
    assert list(suites) == ["texts", "table"]
    assert [name for name, _ in suites["texts"].leaves()] == ["texts/parse/'Z2,1000,4'", "texts/parse/''", "texts/format"]
    assert [case.name for case in suites["table"].children] == ["slots"]
    assert all(suite.passed for suite in suites.values())


def test_the_prefix_may_name_the_caller_or_be_missing() -> None:
    bare = [line[len("[    0.301174] "):] for line in LOG.splitlines()]
    assert ktap.parse("\n".join(bare)) == ktap.parse(LOG)
    assert ktap.parse("\n".join(f"[   10.301174][    T1] {line}" for line in bare)) == ktap.parse(LOG)


@pytest.mark.parametrize("old, new, failed", [
    ("ok 1 'Z2,1000,4'", "not ok 1 'Z2,1000,4'", ["texts/parse/'Z2,1000,4'"]),
    ("ok 2 format", "not ok 2 format", ["texts/format"]),
    ("ok 2 format", "ok 2 format # SKIP no slots", ["texts/format"]),
    ("ok 2 format", "ok 2 format # SKIP", ["texts/format"]),
])
def test_failed_and_skipped_are_not_passed(old: str, new: str, failed: list[str]) -> None:
    suites = ktap.parse(LOG.replace(old, new))
    assert [name for name, result in suites["texts"].leaves() if not result.passed] == failed
    assert not suites["texts"].passed
    assert suites["table"].passed


def test_a_suite_that_failed_over_results_that_passed() -> None:
    assert not ktap.parse(LOG.replace("ok 2 table", "not ok 2 table"))["table"].passed


def test_the_reason_of_a_skip() -> None:
    skipped = ktap.parse(LOG.replace("ok 2 format", "ok 2 format # SKIP no slots"))["texts"].children[1]
    assert (skipped.name, skipped.skipped) == ("format", "no slots")


@pytest.mark.parametrize("log", ["", "[    0.400000] Run /init as init process\n", "ok 1 alone\n",
                                 "KTAP version 1\n1..0\n", "KTAP version 1\n"])
def test_nothing_ran(log: str) -> None:
    with pytest.raises(RigError, match="no test ran"):
        ktap.parse(log)


@pytest.mark.parametrize("line, complaint", [
    ("ok 1 'Z2,1000,4'", r"result 2 \(''\) of parse follows result 0"),
    ("ok 2 format", "texts has 1 results of the 2 it planned"),
    ("ok 1 parse", "parse began and format ended"),
    ("ok 1 texts", "texts has not ended where another test begins"),
    ("ok 1 - slots", "table has 0 results of the 1 it planned"),
    ("ok 2 table", "the log ends in the middle of table"),
])
def test_a_lost_line_is_noticed(line: str, complaint: str) -> None:
    with pytest.raises(RigError, match=complaint):
        ktap.parse(without(line))


def test_a_missing_suite_is_noticed() -> None:
    with pytest.raises(RigError, match="the log has 1 results of the 2 it planned"):
        ktap.parse(LOG[:LOG.index("[    0.302900]")])


@pytest.mark.parametrize("end", ["ok 2 ''", "ok 1 parse", "ok 2 format", "ok 1 - slots"])
def test_a_log_that_ends_early_is_noticed(end: str) -> None:
    with pytest.raises(RigError):
        ktap.parse(LOG[:LOG.index(end)])
