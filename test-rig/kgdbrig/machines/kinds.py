# SPDX-License-Identifier: GPL-2.0-only
"""Makes a machine of the kind that somebody describes."""

from __future__ import annotations

from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.bochs import Bochs
from kgdbrig.machines.description import Description
from kgdbrig.machines.qemu import Machine


def make(described: Description) -> AnyMachine:
    """A machine that is not started."""
    return (Bochs if described.machine == "bochs" else Machine)(described)
