# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: steps with watchpoints armed, as on a processor: one #DB with the causes of both.  The tests are those for QEMU."""

from __future__ import annotations

import pytest

from kgdbrig.clients.target import Target
from test_stepping import test_one_instruction_at_a_time, test_the_commands_of_gdb


@pytest.fixture
def target(bochs: Target) -> Target:
    return bochs
