# SPDX-License-Identifier: GPL-2.0-only
"""The steps that guest tests share: attach, set, let the trigger make an access, look at the stop."""

from __future__ import annotations

from kgdbrig.gdb import Gdb
from kgdbrig.rsp import Rsp, StopReply
from kgdbrig.target import Target
from kgdbrig.trigger import Context, Op

_C_TYPE = {1: "char", 2: "short", 4: "int", 8: "long long"}


def prepare(target: Target) -> None:
    """Load the trigger and learn its address, which takes a running guest."""
    target.trigger.load()
    target.trigger.address()


def watched(target: Target, offset: int, size: int) -> str:
    """The trigger's bytes as an expression for gdb."""
    return f"*(unsigned {_C_TYPE[size]} *){target.trigger.address(offset):#x}"


def stop_in_gdb(target: Target, gdb: Gdb, op: Op, *, size: int, offset: int, value: int | None = None,
                cpu: int | None = None, context: Context = "task") -> str:
    """What gdb says when an access stops the machine.  The machine stays stopped."""
    target.trigger.start(op, size=size, offset=offset, value=value, cpu=cpu, context=context)
    return gdb.wait_stop()


def go_on(target: Target, gdb: Gdb) -> None:
    """Continue from stop_in_gdb(); the access is over when this returns."""
    gdb.resume()
    target.trigger.finish()


def stop_on_wire(target: Target, rsp: Rsp, op: Op, *, size: int, offset: int, value: int | None = None,
                 cpu: int | None = None, context: Context = "task") -> StopReply:
    """The stop reply when an access stops the machine.  The machine stays stopped."""
    target.trigger.start(op, size=size, offset=offset, value=value, cpu=cpu, context=context)
    return rsp.wait_stop()


def go_on_wire(target: Target, rsp: Rsp) -> None:
    """Continue from stop_on_wire(); the access is over when this returns."""
    rsp.send("c")
    target.trigger.finish()
