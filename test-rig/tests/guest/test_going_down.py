# SPDX-License-Identifier: GPL-2.0-only
"""An armed machine that goes down: it goes, says what happens, and takes nothing armed with it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from conftest import Boot
from drive import prepare, settle
from kgdbrig.clients.stepper import Stepper
from kgdbrig.clients.target import Target
from windows import CPU, MASTER, Bench, Watch

CPUS = 2

#: What the debugger says on the console.
DROPS_HITS = "KGDB: the panic waits for no debugger: hits are not reported any more"
LET_GO = "KGDB: The system goes down: the debugger has let it go, without breakpoints"
#: What the kernel says last, by command.
LAST = {"reboot": "reboot: Restarting system", "poweroff": "reboot: Power down", "halt": "reboot: System halted"}
#: A function for a breakpoint, executed when the debugger has let go.
LATE = {"reboot": "machine_restart", "poweroff": "machine_power_off", "halt": "machine_halt"}

#: Where to say what the debugger does when the system goes down.
ACTION = "/sys/module/debug_core/parameters/kgdbreboot"


def goes_down(target: Target, command: str) -> str:
    """Give a command; what the console says up to the kernel's last word.  All machines end, except a halted one."""
    target.console.start(f"{command} -f")
    said = target.console.expect(f"(?s).*?{LAST[command]}", 60)[0]
    if command != "halt":
        assert target.machine.wait(60) == 0
    return str(said)


def by_gdb(target: Target, command: str) -> None:
    gdb = target.attach_gdb()
    gdb.command("watch system_state")
    gdb.command(f"break {LATE[command]}")
    target.resume(gdb)


def by_a_gdb_that_died(target: Target, command: str) -> None:
    """Its watchpoint stays armed, and nobody is there to continue."""
    gdb = target.attach_gdb()
    gdb.command("watch system_state")
    target.resume(gdb)
    gdb.close()


def by_kdb(target: Target, command: str) -> None:
    kdb = target.attach_kdb()
    kdb.command("bph system_state dataw 4")
    kdb.command(f"bp {LATE[command]}")
    kdb.go()
    target.back()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("command", list(LAST))
@pytest.mark.parametrize("armed", [by_gdb, pytest.param(by_a_gdb_that_died, marks=pytest.mark.only_in_test_all),
                                   pytest.param(by_kdb, marks=pytest.mark.only_in_test_all)])
def test_it_goes(boot: Boot, armed: Callable[[Target, str], None], command: str) -> None:
    """Nobody is asked what to do at a watched store on the way, or at a breakpoint."""
    target = boot(smp=CPUS)
    armed(target, command)
    target.expect_armed(1)
    assert goes_down(target, command).count(LET_GO) == 1


def test_nothing_is_armed_then(boot: Boot) -> None:
    """Each CPU's DR7, of a machine that is halted: what the next kernel would start with."""
    target = boot(smp=CPUS)
    by_gdb(target, "halt")
    target.expect_armed(1)
    assert LET_GO in goes_down(target, "halt")
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_nothing_of_the_other_debugger_is_armed_then(boot: Boot) -> None:
    """What kdb has set, while gdb's stub has the line."""
    target = boot(smp=CPUS)
    address = target.symbol("panic_timeout")
    kdb = target.attach_kdb()
    kdb.command("bph system_state dataw 4")
    kdb.to_gdb()
    assert kdb.packet("?").startswith("S05")
    assert kdb.packet(f"Z2,{address:x},4") == "OK"
    kdb.send_packet("c")
    target.back()
    target.expect_armed(2)
    assert LET_GO in goes_down(target, "halt")
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_a_debugger_that_was_never_there_does_nothing(boot: Boot) -> None:
    target = boot(smp=CPUS)
    mark = target.tap.mark()
    assert LET_GO not in goes_down(target, "halt")
    assert not target.tap.since(mark)


@pytest.mark.rest_in_test_all
def test_asked_to_do_nothing_it_does_nothing(boot: Boot) -> None:
    """kgdbreboot=-1: gdb is there until the end."""
    target = boot(smp=CPUS)
    target.console.run(f"echo -1 > {ACTION}", check=True)
    gdb = target.attach_gdb()
    gdb.command("break machine_halt")
    gdb.command("watch panic_timeout")
    target.resume(gdb)
    target.console.start("halt -f")
    assert "hit Breakpoint 1, machine_halt" in gdb.wait_stop()
    gdb.resume()
    target.console.expect(LAST["halt"], 60)
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_asked_to_enter_it_enters(boot: Boot) -> None:
    """kgdbreboot=1: gdb has the machine before it goes down, and its breakpoint later on."""
    target = boot(smp=CPUS)
    target.console.run(f"echo 1 > {ACTION}", check=True)
    gdb = target.attach_gdb()
    gdb.command("break machine_halt")
    target.resume(gdb)
    target.console.start("halt -f")
    gdb.wait_stop()
    assert "dbg_notify_reboot" in gdb.command("backtrace")
    gdb.resume()
    assert "hit Breakpoint 1, machine_halt" in gdb.wait_stop()
    gdb.command("delete")
    gdb.resume()
    target.console.expect(LAST["halt"], 60)


@pytest.mark.rest_in_test_all
def test_a_panic_that_waits_for_nobody(boot: Boot) -> None:
    """What it writes itself is watched: the log says that nobody is told, and the machine restarts."""
    target = boot(smp=CPUS)
    target.console.run("echo 1 > /proc/sys/kernel/panic", check=True)
    gdb = target.attach_gdb()
    gdb.command("watch oops_in_progress")
    target.resume(gdb)
    target.expect_armed(1)
    mark = target.tap.mark()
    target.console.start("echo c > /proc/sysrq-trigger")
    said = str(target.console.expect("(?s).*?Rebooting in 1 seconds", 60)[0])
    assert said.count(DROPS_HITS) == 1, said
    assert target.machine.wait(60) == 0
    assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]


@pytest.mark.complains("Call Trace")
def test_a_panic_while_another_cpu_still_hits(boot: Boot) -> None:
    """printk() drops what that CPU says; the one that panics says it none the less, when it hits."""
    target = boot(smp=CPUS, append=f"isolcpus={CPU} irqaffinity={MASTER}")
    prepare(target)
    settle(target)
    target.console.run("echo 60 > /proc/sys/kernel/panic", check=True)
    with Stepper(target.machine) as stepper:
        stepper.go()
        it = Bench(target, stepper)
        others = Watch(0)
        it.set(add=[others, Watch(it.symbol("oops_in_progress") - it.base)])
        it.arm(target.symbol("trigger_perform"))
        it.start_store(others)
        it.arrive()
        # CPU 0 has panic_cpu, and is about to write what is watched.
        target.press_sysrq("c")
        stepper.run_to(it.symbol("bust_spinlocks"), cpu=MASTER)
        # CPU 1 stores, and nobody stops it.
        stepper.run_to(stepper.on_stack(CPU), cpu=CPU)
        stepper.go()
        said = str(target.console.expect("(?s).*?Rebooting in 60 seconds", 60)[0])
        assert said.count(DROPS_HITS) == 1, said


@pytest.mark.rest_in_test_all
def test_a_breakpoint_on_the_way_of_a_panic(boot: Boot) -> None:
    """It stops the machine, though no watchpoint does by then; the machine restarts when it is let go."""
    target = boot(smp=CPUS)
    target.console.run("echo 1 > /proc/sys/kernel/panic", check=True)
    gdb = target.attach_gdb()
    gdb.command("break emergency_restart")
    gdb.command("watch oops_in_progress")
    target.resume(gdb)
    target.console.start("echo c > /proc/sysrq-trigger")
    assert re.search(r"Breakpoint 1(\.\d+)?, emergency_restart ", gdb.wait_stop())
    assert re.search(r" v?panic \(", gdb.command("backtrace"))
    gdb.resume()
    assert target.machine.wait(60) == 0
