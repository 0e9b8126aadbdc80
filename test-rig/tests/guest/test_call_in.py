# SPDX-License-Identifier: GPL-2.0-only
"""The debugger's third way in: an NMI handler calls it on one CPU, and brings the other CPUs itself (kgdb_nmicallin())."""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import (
    break_in,
    expect_off,
    expect_on,
    go_on,
    go_on_wire,
    prepare,
    set_and_go_on,
    stop_in_gdb,
    stop_on_wire,
    watched,
)
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError

CPUS = 3
#: What the CPUs touch there: the one that calls writes the first, those that join look at the second, to see whether they are
#: to, and the one that calls at the third, to see whether there is a debugger.
OWN = {"masters_in_kgdb": "2,{:x},4", "dbg_slave_lock": "4,{:x},4", "dbg_io_ops": "4,{:x},{}"}


def call_in(target: Target, cpu: int) -> None:
    target.trigger.start_call_in(cpu, target.kernel.symbol("kgdb_nmicallin"), target.kernel.symbol("kgdb_nmicallback"))


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_watchpoints_are_off_there_and_on_again_afterwards(boot: Boot) -> None:
    """On the CPU that calls as on those that join; with what was set and removed at that stop."""
    target = boot(smp=CPUS)
    prepare(target)
    buffer = target.trigger.address()
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{buffer:x},4",
                  *(f"Z{text.format(target.kernel.symbol(name), target.word)}" for name, text in OWN.items()))
    expect_on(target, 4)
    for cpu in range(CPUS):
        call_in(target, cpu)
        assert rsp.wait_stop().reason is None
        expect_off(target)
        # Moved on by 64 bytes at each of these stops.
        assert rsp.request(f"z2,{buffer + 64 * cpu:x},4") == "OK"
        assert rsp.request(f"Z2,{buffer + 64 * (cpu + 1):x},4") == "OK"
        mark = target.tap.mark()
        go_on_wire(target, rsp)
        expect_on(target, 4)
        assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
        for other in range(CPUS):
            target.trigger.run("write", size=4, offset=64 * cpu, value=16 * cpu + other + 1, cpu=other)
            said = stop_on_wire(target, rsp, "write", size=4, offset=64 * (cpu + 1), value=16 * cpu + other + 1, cpu=other)
            assert (said.reason, said.address) == ("watch", buffer + 64 * (cpu + 1))
            go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_gdb_goes_on_from_there(boot: Boot) -> None:
    """gdb watches from there on, and hits on each CPU."""
    target = boot(smp=CPUS)
    prepare(target)
    gdb = target.attach_gdb()
    target.resume(gdb)
    call_in(target, 1)
    gdb.wait_stop()
    gdb.command(f"watch {watched(target, 0, 4)}")
    go_on(target, gdb)
    target.expect_armed(1)
    for cpu in range(CPUS):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=0, value=cpu + 1, cpu=cpu)
        assert f"New value = {cpu + 1}\n" in said.replace("\r", "")
        go_on(target, gdb)
    break_in(target, gdb)
    gdb.command("delete")
    target.resume(gdb)
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_without_a_debugger_it_is_refused(boot: Boot) -> None:
    """The handler is told so, and no CPU stays behind."""
    target = boot(smp=CPUS, kgdboc="none")
    prepare(target)
    call_in(target, 1)
    with pytest.raises(RigError, match="callin: KGDB does not come"):
        target.trigger.finish()
    target.trigger.run("write", size=4, offset=0, value=1, cpu=1)
