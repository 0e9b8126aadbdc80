# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: by type, by address, by size, by register, and regions of one to four slots.  The tests are those for QEMU."""

from __future__ import annotations

import pytest

from in_bochs import target as target
from kgdbrig.clients.target import Target
from test_attribution import (
    test_an_access_that_only_overlaps,
    test_every_size_and_direction,
    test_two_types_on_one_address,
    test_two_types_on_one_address_by_slot,
)
from test_ranges import test_overlapping_in_gdb
from test_rwatch import (
    test_gdb_with_watch_and_rwatch_of_one_variable,
    test_in_gdb,
    test_part_of_the_bytes,
    test_too_few_slots,
    test_with_others_on_the_same_bytes,
)

pytestmark = pytest.mark.rest_in_test_all
