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
from drive import set_and_go_on
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.target import Target
from kgdbrig.line.tap import FROM_KGDB
from kgdbrig.line.wire import Kind

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


@pytest.mark.rest_in_test_all
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


#: What the kernel log says of it.
DROPPED = "KGDB: the kernel is locked down: gdb"
#: Where a kernel that runs is told.
LOCKDOWN = "/sys/kernel/security/lockdown"


def lock_down(target: Target, level: str) -> None:
    """From now on, as Secure Boot's keys do late in boot, or whoever runs the machine."""
    target.console.run(f"mount -t securityfs none /sys/kernel/security; echo {level} > {LOCKDOWN}", check=True)
    assert f"[{level}]" in target.console.run(f"cat {LOCKDOWN}")


def test_what_gdb_has_set_goes_at_the_next_hit(target: Target, level: str) -> None:
    """Nobody stops for it, since gdb is not served; the store is made, and the machine goes on."""
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address(target)},4")
    target.expect_armed(1)
    lock_down(target, level)
    target.console.run("echo 7 > /proc/sys/kernel/panic", check=True)
    assert target.console.run("cat /proc/sys/kernel/panic").strip() == "7"
    target.expect_armed(0)
    assert target.kernel_log(DROPPED).count(DROPPED) == 1


@pytest.mark.rest_in_test_all
def test_what_gdb_has_set_goes_at_another_stop(target: Target, level: str) -> None:
    """What kdb has set stays: it is kdb that is served now."""
    kdb = target.attach_kdb()
    kdb.command(f"bph 0x{target.kernel.symbol('panic_on_oops'):x} dataw 4")
    kdb.to_gdb()
    assert kdb.packet("?").startswith("S05")
    assert kdb.packet(f"Z2,{address(target)},4") == "OK"
    kdb.send_packet("c")
    target.back()
    target.expect_armed(2)
    lock_down(target, level)
    target.console.start(BREAK_IN)
    kdb.entered()
    kdb.go()
    target.back()
    target.expect_armed(1)
    assert target.kernel_log(DROPPED).count(DROPPED) == 1
