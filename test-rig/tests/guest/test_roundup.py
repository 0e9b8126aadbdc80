# SPDX-License-Identifier: GPL-2.0-only
"""A CPU that does not stop with the others: the user is told which, and its watchpoints are right afterwards.

The trigger keeps CPU 1 in an NMI handler. The machine is booted so that
nothing which is to go on meanwhile needs it: no task runs there, no device's
interrupt goes there, and the clock is not changed for a better one, for which
the kernel stops all CPUs a second or two after boot.
"""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, settle, stop_on_wire
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.hwbp import event_once_there_is_room, hits, watch_own_variable
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError
from kgdbrig.machines.qemu import INSTRUCTION_NS

HELD = 1
#: Beyond the second for which KGDB waits.
BREAK_IN_SECONDS = 30

pytestmark = pytest.mark.complains("Timed out waiting for secondary CPUs", f"KGDB: CPU {HELD} did not stop")


@pytest.fixture
def isolated(boot: Boot) -> Target:
    target = boot(smp=3, append=f"isolcpus={HELD} irqaffinity=0,2 clocksource=hpet", instruction_ns=INSTRUCTION_NS)
    prepare(target)
    settle(target)
    return target


def break_in_while_held(target: Target, rsp: Rsp) -> str:
    """Stop the machine but for one CPU; what KGDB tells the debugger of it."""
    target.trigger.hold(HELD)
    rsp.output.clear()
    # Not break_in(): what KGDB says before the stop reply waits to be acknowledged.
    target.console.start(BREAK_IN)
    assert rsp.wait_stop(BREAK_IN_SECONDS).reason is None
    return "".join(rsp.output)


@pytest.mark.rest_in_test_all
def test_the_cpu_that_did_not_stop_is_named(isolated: Target) -> None:
    """To a debugger that is connected, before the stop reply, and in the kernel log; the others are not named."""
    rsp = isolated.attach_rsp()
    rsp.send("c")
    isolated.back()
    told = break_in_while_held(isolated, rsp)
    rsp.send("c")
    isolated.back()
    isolated.trigger.let_go()
    assert re.findall(r"CPU (\d+) did not stop", told) == [str(HELD)], told
    assert set(re.findall(r"KGDB: CPU (\d+) did not stop", isolated.kernel_log("KGDB: "))) == {str(HELD)}

    # Let go, it stops with the others again, and nobody is named.
    rsp.output.clear()
    isolated.break_in()
    assert rsp.wait_stop().reason is None
    assert not rsp.output
    rsp.send("c")
    isolated.back()


@pytest.mark.rest_in_test_all
def test_what_is_set_meanwhile_is_armed_once_it_is_let_go(isolated: Target) -> None:
    target = isolated
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    rsp.send("c")
    target.back()
    break_in_while_held(target, rsp)
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    assert target.breakpoints_armed()[HELD] == 0, "it was not held"
    target.trigger.let_go()
    target.expect_armed(1)
    for value, cpu in enumerate((HELD, 0, 2, HELD), 1):
        said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=value, cpu=cpu)
        assert (said.reason, said.address) == ("watch", address)
        assert bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode() == \
            f"kgdb_trigger/{cpu}"
        go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_what_is_removed_meanwhile_is_disarmed_once_it_is_let_go(isolated: Target) -> None:
    """Its register is armed for as long as it is held; no hit of it is reported, nor blamed on what came instead."""
    target = isolated
    address = target.trigger.address(0)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    target.expect_armed(1)
    break_in_while_held(target, rsp)
    set_and_go_on(target, rsp, f"z2,{address:x},4", f"Z2,{address + 64:x},8")
    target.trigger.let_go()
    target.expect_armed(1)
    for cpu in (HELD, 0, 2):
        target.trigger.run("write", size=4, offset=0, value=cpu + 1, cpu=cpu)
        said = stop_on_wire(target, rsp, "write", size=8, offset=64, value=cpu + 1, cpu=cpu)
        assert (said.reason, said.address) == ("watch", address + 64)
        go_on_wire(target, rsp)


@pytest.mark.rest_in_test_all
def test_perf_gets_what_is_removed_meanwhile_once_it_is_let_go(isolated: Target) -> None:
    """Not before: its register has the old watchpoint still.  And then without another stop."""
    target = isolated
    packets = [f"2,{target.trigger.address(64 * number):x},4" for number in range(4)]
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *(f"Z{packet}" for packet in packets))
    target.expect_armed(4)
    break_in_while_held(target, rsp)
    set_and_go_on(target, rsp, f"z{packets[0]}")
    # A task's own: for one on a CPU, perf waits for all CPUs before it looks whether there is a register.
    with pytest.raises(RigError, match="No space left on device"):
        hits(target.console.run(watch_own_variable("task", 1)))
    mark = target.tap.mark()
    target.trigger.let_go()
    with event_once_there_is_room(target.console, target.trigger.address(256), 4) as event:
        for cpu in (HELD, 0, 2):
            target.trigger.run("write", size=4, offset=256, value=cpu + 1, cpu=cpu)
        assert event.counts() == [1, 1, 1]
    assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
