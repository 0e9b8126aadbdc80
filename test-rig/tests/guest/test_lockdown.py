# SPDX-License-Identifier: GPL-2.0-only
"""Under kernel lockdown KGDB gives way to kdb, and kdb to almost nothing: watchpoints change none of that.

What a stock kernel does: before it serves gdb's packets, kgdb_cpu_enter() asks
security_locked_down(LOCKDOWN_DBG_WRITE_KERNEL), and goes (back) to kdb if so;
and kdb_check_for_lockdown() takes away the commands that control the flow of
execution, as breakpoints do, and those that write, and, with confidentiality,
those that read memory and registers.
"""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from kgdbrig.tap import FROM_KGDB
from kgdbrig.target import Target
from kgdbrig.wire import Kind

LEVELS = ("integrity", "confidentiality")
#: One of the kernel's own: its address is known while the guest stands in the debugger.
VARIABLE = "panic_timeout"

#: Each leads a stock kernel that is not locked down to gdb's stub.
PACKETS = ("qSupported:error-message+", "?", "Z2,{},4", "Z3,{},4", "Z4,{},4", "Z1,{},1", "Z0,{},1", "z2,{},4", "m{},4",
           "M{},4:01000000", "g", "s", "c", "D")

#: What kdb does not do any more: control the flow of execution, and write.
DENIED = ("bph {} dataw 4", "bpha {} dataw 4", "bph {} datar 4", "bph {}", "bp {}", "bl", "bc 0", "bd 0", "be 0", "ss",
          "mm {} 1", "rm ip 0", "kgdb")
#: What it does not do with confidentiality, but with integrity.
READING = ("md {} 1", "rd")


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def locked(level: str, boot: Boot) -> Target:
    target = boot(smp=2, append=f"lockdown={level}")
    assert "Kernel is locked down from command line" in target.kernel_log("locked down")
    return target


def address(target: Target) -> str:
    """Where VARIABLE is, in hex."""
    return f"{target.kernel.symbol(VARIABLE):x}"


def answers(target: Target, mark: int) -> list[bytes]:
    """The packets that came from KGDB; kdb's echo of what was sent to it is none."""
    sent = {packet.format(address(target)).encode() for packet in PACKETS}
    return [packet.data for packet in target.tap.since(mark)
            if packet.direction == FROM_KGDB and packet.kind is Kind.PACKET and packet.valid and packet.data not in sent]


def test_neither_gdb_nor_kdb_sets_anything(locked: Target, level: str) -> None:
    """No packet gets anywhere; kdb denies breakpoints and watchpoints, and what it reads is as the level has it."""
    where = address(locked)
    mark = locked.tap.mark()
    kdb = locked.attach_kdb()
    for packet in PACKETS:
        said = kdb.keeps_packet(packet.format(where))
        assert "Permission denied" in said or re.search(r"Unknown kdb command: '\$", said), (packet, said)
    assert answers(locked, mark) == []

    for command in DENIED:
        said = kdb.command(command.format(f"0x{where}"))
        assert "Permission denied" in said, (command, said)
    for command in READING:
        denied = "Permission denied" in kdb.command(command.format(f"0x{where}"))
        assert denied == (level == "confidentiality"), command
    assert "KDB current process is" in kdb.command("pid"), "this goes on working"
    kdb.go()
    locked.back()
    locked.expect_armed(0)
    assert "refused" not in locked.kernel_log("refused"), "a packet has got as far as the table"
