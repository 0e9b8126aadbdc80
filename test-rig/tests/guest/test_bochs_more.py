# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: what takes long there and is tested in QEMU each time.  The tests are those."""

from __future__ import annotations

import pytest

from drive import prepare
from in_bochs import target as target
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import Op
from test_attribution import test_a_read_modify_write_is_a_write, test_four_at_once_and_no_fifth
from test_bochs_sharing import shared as shared
from test_breakpoint_beside import test_break_beside
from test_contexts import test_the_backtrace_shows_the_context
from test_each_register import test_an_instruction_in_each_register, test_each_length_in_each_register
from test_other_users import test_all_is_given_back
from test_ranges import test_overlapping_watchpoints, test_what_gdb_asks_for, walk
from test_several import test_what_a_stop_names as test_what_a_stop_names
from test_stepping import test_the_commands_of_gdb
from test_values import test_conditions_counts_and_commands
from test_widths import KINDS, access_all

pytestmark = pytest.mark.only_in_test_all


def test_each_byte_and_no_other(target: Target) -> None:
    """Every length that one to four slots can cover from an odd address on; QEMU's test has the other offsets as well."""
    prepare(target)
    rsp = target.attach_rsp()
    rsp.send("c")
    target.back()
    walk(target, rsp, 3, None)


@pytest.mark.parametrize("op, kind, reason", KINDS)
def test_each_width_at_each_offset(target: Target, op: Op, kind: str, reason: str) -> None:
    """Of a region that one slot covers, and one at an odd address; QEMU's test has more of them."""
    prepare(target)
    access_all(target, [(4, 2), (3, 2 if kind == "3" else 4)], op, kind, reason)
