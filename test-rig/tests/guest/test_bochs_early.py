# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: what is set at the first stop, early in boot, lasts into user space.  The test is that for QEMU."""

from __future__ import annotations

import functools

import pytest

from conftest import Boot
from test_early import test_system_state_to_the_shell as to_the_shell

#: It boots a machine for itself.
pytestmark = pytest.mark.only_in_test_all


def test_system_state_to_the_shell(boot: Boot) -> None:
    to_the_shell(functools.partial(boot, machine="bochs"), 1)
