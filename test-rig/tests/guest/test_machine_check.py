# SPDX-License-Identifier: GPL-2.0-only
"""A machine check in user mode that kills the task: its CPU's breakpoints are enabled afterwards."""

from __future__ import annotations

import re

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigTimeout
from kgdbrig.wait import Deadline

#: IA32_MCi_STATUS: valid, uncorrected, enabled, signalled, no action required (SDM vol. 3B, 16.3.2.2 and 16.6.3).
STATUS = 1 << 63 | 1 << 61 | 1 << 60 | 1 << 56
#: IA32_MCG_STATUS: in progress, the PC is that of the error, and the program cannot go on there (16.3.1.2).
MCG_STATUS = 1 << 2 | 1 << 1
#: One whose machine checks the kernel takes for more than a note; QEMU's default is of another vendor.
CPU = "Nehalem"


def machine_check(target: Target, cpu: int) -> None:
    """Have a CPU take one before its next instruction; the guest is stopped."""
    target.machine.qmp().hmp(f"mce {cpu} 1 {STATUS:#x} {MCG_STATUS:#x} 0 0")


def killed_by_a_machine_check(target: Target) -> None:
    """Have a machine check happen in a program of the guest's, in user mode."""
    qmp = target.machine.qmp()
    # Until it says so, it may be the shell at the prompt that is in user mode.
    target.console.start("""sh -c 'echo loop""ing; while :; do :; done'""")
    target.console.expect("looping")
    deadline = Deadline(20)
    while True:
        qmp.command("stop")
        if re.search(r"\bCPL=3\b", qmp.hmp("info registers")):
            break
        qmp.command("cont")
        if deadline.passed():
            raise RigTimeout("CPU in user mode", deadline.seconds, target.report())
    machine_check(target, 0)
    qmp.command("cont")
    target.console.finish()
    assert target.console.status == 128 + 7, "SIGBUS was due"


def test_perf_hits_afterwards(boot: Boot) -> None:
    target = boot(cpu=CPU)
    prepare(target)
    with PerfEvent(target.console, target.trigger.address(0), 4) as event:
        target.trigger.run("write", size=4, offset=0, value=1)
        killed_by_a_machine_check(target)
        target.trigger.run("write", size=4, offset=0, value=2)
        assert event.counts() == [2]


def test_perf_and_kgdb_hit_afterwards(boot: Boot) -> None:
    target = boot(cpu=CPU)
    prepare(target)
    counted, watched = target.trigger.address(0), target.trigger.address(64)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{watched:x},4")
    with PerfEvent(target.console, counted, 4) as event:
        for value in (1, 2):
            target.trigger.run("write", size=4, offset=0, value=value)
            assert event.counts() == [value]
            said = stop_on_wire(target, rsp, "write", size=4, offset=64, value=value)
            assert (said.reason, said.address) == ("watch", watched)
            go_on_wire(target, rsp)
            if value == 1:
                killed_by_a_machine_check(target)
