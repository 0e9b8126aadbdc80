# SPDX-License-Identifier: GPL-2.0-only
"""A store is reported in whatever context it is made, with its PC and its thread, and the machine goes on."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import go_on, prepare, set_and_go_on, stop_in_gdb, watched
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import Context
from kgdbrig.errors import RigTimeout

#: Each context, and the functions that gdb's backtrace must show, innermost first.
CONTEXTS: dict[Context, tuple[str, ...]] = {
    "task": ("trigger_in_task", "run_write"),
    "softirq": ("tasklet_action_common",),
    "hardirq": ("irq_work_single", "irq_work_run"),
    "irqsoff": ("trigger_in_irqsoff", "run_write"),
    "nmi": ("trigger_nmi", "nmi_handle", "exc_nmi"),
    "kprobe": ("trigger_kprobe_handler", "kprobe_int3_handler", "exc_int3"),
    "kretprobe": ("trigger_kretprobe_handler",),
    "ftrace": ("trigger_ftrace_callback",),
}
#: Long enough for any stop; a store that is missed costs this much once.
STOP_SECONDS = 10


def stop_or_none(rsp: Rsp) -> StopReply | None:
    """The next stop, or None if there is none: the store was missed."""
    try:
        return rsp.wait_stop(STOP_SECONDS)
    except RigTimeout:
        return None


def test_every_context_on_every_cpu(boot: Boot) -> None:
    """The stop has the watchpoint, the instruction behind the store, and the thread on top of which it was made."""
    target = boot(smp=2)
    prepare(target)
    address = target.trigger.address(64)
    low, high = target.symbol("trigger_write_4"), target.symbol("trigger_write_4") + 64
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")

    wrong: list[str] = []
    value = 0
    for context in CONTEXTS:
        for cpu in (0, 1, 0):
            value += 1
            target.trigger.start("write", size=4, offset=64, value=value, cpu=cpu, context=context)
            said = stop_or_none(rsp)
            if said is None:
                wrong.append(f"{context} on CPU {cpu}: missed")
            else:
                pc = rsp.read_pc()
                name = bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()
                stored = int.from_bytes(rsp.read_memory(address, 4), "little")
                seen = (said.reason, said.address, low < pc < high, stored, name)
                # An interrupt may come on top of any task; the others are the running thread's own.
                if context in ("softirq", "hardirq"):
                    seen = (*seen[:-1], f"kgdb_trigger/{cpu}")
                if seen != ("watch", address, True, value, f"kgdb_trigger/{cpu}"):
                    wrong.append(f"{context} on CPU {cpu}: {said.text}, {pc:#x}, {stored}, {name}")
                rsp.send("c")
            target.trigger.finish()
    assert not wrong, "\n".join(wrong)


@pytest.mark.rest_in_test_all
def test_the_backtrace_shows_the_context(target: Target) -> None:
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"lx-symbols {target.kernel.directory / 'modules'}", 60)
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    for value, (context, functions) in enumerate(CONTEXTS.items(), 1):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=0, value=value, context=context)
        assert "hit Hardware watchpoint 1: " in said and f"New value = {value}" in said, context
        trace = gdb.command("backtrace")
        frames = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(", trace, re.MULTILINE)
        assert frames[:2] == ["trigger_write_4", "trigger_access"], trace
        places = [next((at for at, frame in enumerate(frames) if frame.startswith(name)), -1) for name in functions]
        assert -1 not in places and places == sorted(places), f"{context}: {trace}"
        go_on(target, gdb)


@pytest.mark.rest_in_test_all
def test_a_module_s_init(boot: Boot) -> None:
    target = boot(smp=2)
    prepare(target)
    address = target.trigger.address(128)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    for value in (1, 2):
        target.trigger.start_init(value, offset=128)
        said = rsp.wait_stop()
        assert (said.reason, said.address) == ("watch", address)
        assert bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0") == b"insmod"
        assert int.from_bytes(rsp.read_memory(address, 4), "little") == value
        rsp.send("c")
        target.trigger.finish_init()
