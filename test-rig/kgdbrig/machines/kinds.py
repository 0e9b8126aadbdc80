# SPDX-License-Identifier: GPL-2.0-only
"""Makes a machine of the kind that somebody names."""

from __future__ import annotations

from typing import Any

from kgdbrig.errors import RigError
from kgdbrig.kernels.build import Kernel
from kgdbrig.machines.anymachine import MACHINES, AnyMachine
from kgdbrig.machines.bochs import Bochs
from kgdbrig.machines.qemu import Machine

#: What QEMU alone can do, with the value that asks for nothing.
_QEMU_ONLY: dict[str, object] = {"oracle": False, "counted": None, "instruction_ns": None, "hypervisor": True, "state": None,
                                 "cpu": None, "next_kernel": False, "disk_mb": 0}


def make(kind: str, kernel: Kernel, **arguments: Any) -> AnyMachine:
    """A machine that is not started; `arguments` are those of its class.

    RigError for a kind there is not, and for what Bochs cannot do.  `parallel` is nothing to Bochs: its CPUs take turns.
    """
    if kind == "qemu":
        return Machine(kernel, **arguments)
    if kind != "bochs":
        raise RigError(f"there is no machine {kind}: there are {' and '.join(MACHINES)}")
    arguments.pop("parallel", None)
    for name, nothing in _QEMU_ONLY.items():
        if arguments.pop(name, nothing) != nothing:
            raise RigError(f"a machine in Bochs has no {name}: QEMU's has")
    return Bochs(kernel, **arguments)
