# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs with two CPUs: each CPU's debug registers are armed, and LOCKed instructions hit, as they do not in QEMU."""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients.trigger import Op

HERE = 64

#: It boots a machine for itself.
pytestmark = pytest.mark.only_in_test_all


def test_each_cpu(boot: Boot) -> None:
    target = boot(machine="bochs", smp=2)
    prepare(target)
    address = target.trigger.address(HERE)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z4,{address:x},4")
    target.expect_armed(1)
    ops: dict[Op, int | None] = {"write": 1, "rmw": 1, "read": None}
    for cpu in (0, 1, 0, 1):
        for op, value in ops.items():
            said = stop_on_wire(target, rsp, op, size=4, offset=HERE, value=value, cpu=cpu)
            assert (said.reason, said.address) == ("awatch", address), (cpu, op)
            name = bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()
            assert name == f"kgdb_trigger/{cpu}"
            go_on_wire(target, rsp)
    target.let_go()
    target.expect_armed(0)
