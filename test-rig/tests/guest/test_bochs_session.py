# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: the session a user has, and gdb's values.  The tests are those for QEMU."""

from __future__ import annotations

import os
import signal

import pytest

from in_bochs import target as target
from kgdbrig.clients.target import Target
from test_session import (
    test_a_condition_is_gdb_s_to_check,
    test_hardware_breakpoint,
    test_rwatch_stops_at_reads_alone,
    test_the_demo_session,
)
from test_values import (
    test_a_local_variable,
    test_a_location,
    test_an_expression_through_pointers,
)

pytestmark = pytest.mark.rest_in_test_all


def test_a_look_at_the_registers_too_many(bochs: Target) -> None:
    """A SIGINT that Bochs's debugger did not need stops it once more; the guest goes on all the same."""
    for _ in range(20):
        bochs.machine.debug_registers()
        os.kill(bochs.machine.pid, signal.SIGINT)
        bochs.console.run("true")
