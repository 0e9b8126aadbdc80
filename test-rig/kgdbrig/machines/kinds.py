# SPDX-License-Identifier: GPL-2.0-only
"""Makes a machine of the kind that somebody describes."""

from __future__ import annotations

from collections.abc import Callable

from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.bochs import Bochs
from kgdbrig.machines.description import REMOTE, Description
from kgdbrig.machines.qemu import Machine
from kgdbrig.machines.remote import Remote

_KINDS: dict[str, Callable[[Description], AnyMachine]] = {"qemu": Machine, "bochs": Bochs, REMOTE: Remote}


def make(described: Description) -> AnyMachine:
    """A machine that is not started."""
    return _KINDS[described.machine](described)
