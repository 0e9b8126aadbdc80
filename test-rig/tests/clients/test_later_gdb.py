# SPDX-License-Identifier: GPL-2.0-only
"""Newer gdbs, from Debian's later suites, do what this machine's does.  The tests are those for that one."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from conftest import CLIENT
from kgdbrig.clients import gdb
from kgdbrig.clients.gdb import Debugger
from test_breakpoint_beside import test_break_beside, test_commands_at_a_stop, test_run_to_a_place
from test_early import test_breakpoints_and_steps, test_system_state_to_the_shell, test_with_kaslr_in_gdb
from test_letting_go import (
    armed,
    test_a_breakpoint_that_was_executed_already,
    test_a_stop_for_another_cause_says_nothing_of_watchpoints,
    test_delete_and_disable,
    test_detach_and_kill,
    test_sigkill_while_it_is_stopped_and_reconnect,
    test_sigkill_while_it_runs_and_reconnect,
)
from test_ranges import test_overlapping_in_gdb
from test_rwatch import test_gdb_with_watch_and_rwatch_of_one_variable, test_in_gdb
from test_session import (
    test_a_condition_is_gdb_s_to_check,
    test_hardware_breakpoint,
    test_rwatch_stops_at_reads_alone,
    test_the_demo_session,
)
from test_smp import test_a_hit_on_each_cpu_with_its_thread
from test_stepping import test_the_commands_of_gdb
from test_thread_list import test_gdb_keeps_its_threads
from test_values import (
    test_a_local_variable,
    test_a_local_variable_s_location,
    test_a_location,
    test_an_expression_through_pointers,
    test_conditions_counts_and_commands,
    test_what_gdb_does_not_send,
)

pytestmark = pytest.mark.one_version

#: The suites with a gdb that is newer than Debian 12's.
SUITES = ("trixie", "forky")


@pytest.fixture(params=SUITES, scope="module")
def debugger(request: pytest.FixtureRequest) -> Debugger:
    """The gdb of a later suite."""
    return gdb.of_suite(request.param, sys.stderr)


def test_it_is_newer(debugger: Debugger, record_property: Callable[[str, object], None]) -> None:
    record_property(CLIENT, debugger.version())
    newer, own = (float(debugger_.version().split()[-1]) for debugger_ in (debugger, Debugger()))
    assert newer > own
