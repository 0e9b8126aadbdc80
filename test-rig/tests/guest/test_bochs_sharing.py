# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: perf and ptrace beside KGDB, each with its own hits.  The tests are those for QEMU, on one CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drive import prepare
from kgdbrig.clients.target import Target
from test_other_users import (
    test_a_watchpoint_of_a_task_s_own,
    test_what_ptrace_holds_counts_as_well,
)
from test_sharing import (
    test_a_register_that_perf_holds_is_no_reason_to_stop,
    test_perf_gets_what_is_left_and_all_of_it_back,
)

pytestmark = pytest.mark.rest_in_test_all


@pytest.fixture
def shared(bochs: Target) -> Iterator[Target]:
    """The machine is given back without the kernel's sample, which prints a stack for each of its hits."""
    prepare(bochs)
    yield bochs
    bochs.let_go()
    bochs.console.run("! test -d /sys/module/data_breakpoint || rmmod data_breakpoint; dmesg -c > /dev/null", check=True)
