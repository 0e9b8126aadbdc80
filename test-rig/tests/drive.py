# SPDX-License-Identifier: GPL-2.0-only
"""The steps that guest tests share: attach, set, let the trigger make an access, look at the stop."""

from __future__ import annotations

import os

import pytest

from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, Context, Op, forever, line
from kgdbrig.errors import RigError
from kgdbrig.wait import Deadline

#: DR6's BS: the debug exception was raised by a single step (SDM vol. 3B, 18.2.3).
DR6_STEP = 1 << 14

#: DR7's bits that enable registers, and the one that is always set (SDM vol. 3B, 18.2.4).
BREAKPOINTS_ON, ALWAYS_SET = 0xff, 1 << 10

#: What KGDB says when it is entered on a CPU that has the debugger already, and cannot go on.
DEAD = "Recursive entry to debugger"

#: The tests of kgdbts that need debug registers, as its lines name them.
HARDWARE_TESTS = ("hw breakpoint test", "hw write breakpoint test", "access write breakpoint test")

_C_TYPE = {1: "char", 2: "short", 4: "int", 8: "long long"}


def prepare(target: Target) -> None:
    """Load the trigger and learn its address, which takes a running guest."""
    target.trigger.load()
    target.trigger.address()


def settle(target: Target) -> None:
    """Wait until the kernel needs no answer from each CPU any more: for a test that holds one while another runs.

    About a second after it has booted, the kernel changes from the clock that it has used so far, "tsc-early", to its
    last one, and has all CPUs stop for that (stop_machine()). Linux 7.3 switches a static key as well, and KGDB sets no
    software breakpoint meanwhile. By then it has also freed what prepare() leaves to be freed, for which it flushes
    their TLBs.
    """
    target.await_random_numbers()
    clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    target.console.run(f"while grep -q early {clock}; do sleep 0.1; done", check=True)


def kgdbts(target: Target, tests: str) -> str:
    """Run the kernel's own suite, drivers/misc/kgdbts.c; its lines in the kernel log."""
    target.console.run("dmesg -c > /dev/null")
    target.console.run(f"echo kgdbts={tests} > /sys/module/kgdbts/parameters/kgdbts", 120)
    return target.kernel_log()


def expect_kgdbts_passes(target: Target) -> None:
    """The kernel's own suite runs its hardware tests as well, has nothing to say, and leaves nothing armed."""
    settle(target)
    # Its test of single steps has 1000 of them, which take most of its time.
    log = kgdbts(target, "V1" if os.environ.get("TEST_ALL") else "V1I100")
    for name in HARDWARE_TESTS:
        assert f"kgdbts:RUN {name}" in log
    assert "ERROR" not in log and "WARNING" not in log
    assert "Unregistered I/O driver kgdbts" in log
    target.expect_armed(0)


def per_cpu_offset(target: Target, rsp: Rsp, cpu: int = 0) -> int:
    """What to add to the symbol of a per-CPU variable, modulo 1 << 64, for where it is on a CPU; at a stop, on x86_64."""
    return int.from_bytes(rsp.read_memory(target.kernel.symbol("__per_cpu_offset") + 8 * cpu, 8), "little")


def peek(target: Target, address: int, size: int) -> int:
    """What is in the guest's memory at an address of the kernel, looked at from outside, whatever the guest does; QEMU only.

    QEMU looks through CPU 0's page tables: not while that runs a program, where the kernel has the two apart.
    """
    deadline = Deadline(10)
    while "Cannot access" in (shown := target.machine.qmp().hmp(f"x /1x{'g' if size == 8 else 'w'} {address:#x}")):
        assert not deadline.passed(), shown
    return int(shown.split(":")[1], 16)


def on_cpu(target: Target, name: str, cpu: int) -> int:
    """The address of a CPU's own variable; QEMU only."""
    offset = peek(target, target.kernel.symbol("__per_cpu_offset") + target.word * cpu, target.word)
    return (target.kernel.symbol(name) + offset) % (1 << 8 * target.word)


def cpu_dr7(target: Target) -> list[int]:
    """What perf's code takes each CPU's DR7 for (hw_breakpoint_active()), and writes there when it restores it."""
    return [peek(target, on_cpu(target, "cpu_dr7", cpu), target.word) for cpu in range(target.smp)]


def expect_off(target: Target) -> None:
    """At a stop: no CPU has a debug register enabled, and perf's code does not believe that one has."""
    armed, believed = target.breakpoints_armed(), cpu_dr7(target)
    assert armed == [0] * target.smp, f"as many registers are enabled, CPU by CPU: {armed}"
    assert believed == [0] * target.smp, f"cpu_dr7 is {believed}"


def expect_on(target: Target, count: int) -> None:
    """Wait until each CPU has `count` debug registers enabled, and just those that perf's code believes are.

    Those of a running CPU may be off for a moment: see Target.expect_armed().
    """
    target.expect_armed(count)
    deadline = Deadline(10)
    while (dr7 := [registers["DR7"] & ~ALWAYS_SET for registers in target.machine.debug_registers()]) != \
            (said := [value & ~ALWAYS_SET for value in cpu_dr7(target)]):
        assert not deadline.passed(), f"DR7 is {dr7}, and cpu_dr7 is {said}"
    assert [bin(value & BREAKPOINTS_ON).count("1") for value in said] == [count] * target.smp, f"cpu_dr7 is {said}"


def attach_with_values(target: Target) -> Gdb:
    """A gdb on a stopped machine that knows the variables and functions of kgdb_values."""
    target.values.load()
    gdb = target.attach_gdb()
    target.values.symbols(gdb)
    return gdb


def stop_at(target: Target, gdb: Gdb, action: str, number: int = 0) -> str:
    """What gdb says when an action of kgdb_values stops the machine.  The machine stays stopped."""
    target.values.start(action, number)
    return gdb.wait_stop()


def go_on_from(target: Target, gdb: Gdb) -> None:
    """Continue from stop_at(); the action is over when this returns."""
    gdb.resume()
    target.values.finish()


def break_in(target: Target, gdb: Gdb) -> None:
    """Have gdb's prompt back on a machine that runs."""
    target.break_in()
    gdb.wait_stop()


def sync_stops(target: Target, gdb: Gdb, said: str) -> None:
    """Twice: the shell's `sync` stops at a breakpoint, of which gdb says this, and goes on to its end."""
    for _ in range(2):
        target.console.start("sync")
        assert said in gdb.wait_stop()
        gdb.resume()
        target.console.finish()


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


def set_and_go_on(target: Target, rsp: Rsp, *packets: str) -> None:
    """Set and remove breakpoints, by their packets, at a stop that break_in() made, and continue from it."""
    for packet in packets:
        assert rsp.request(packet) == "OK", packet
    rsp.send("c")
    target.back()


def store_all_the_time(target: Target) -> None:
    """Have each CPU store 4 bytes of its own (at 64 times its number) in the background, until stop_storing()."""
    for cpu in range(target.smp):
        # Over and over: one line's accesses come to an end, sooner on one machine than on another.
        text = line("write", size=4, offset=64 * cpu, value=1, cpu=cpu, count=1_000_000)
        target.console.run(f"{forever(text)} &")


def stop_storing(target: Target) -> None:
    target.console.run("kill $(jobs -p); wait")


def back_over_int3(rsp: Rsp, address: int) -> None:
    """Set the PC to a breakpoint's address, as gdb does where an x86_64 stops behind the int3."""
    registers = bytearray.fromhex(rsp.request("g"))
    registers[16 * 8:17 * 8] = address.to_bytes(8, "little")
    assert rsp.request(f"G{registers.hex()}") == "OK"


def stop_on_wire(target: Target, rsp: Rsp, op: Op, *, size: int, offset: int, value: int | None = None,
                 cpu: int | None = None, context: Context = "task") -> StopReply:
    """The stop reply when an access stops the machine.  The machine stays stopped."""
    target.trigger.start(op, size=size, offset=offset, value=value, cpu=cpu, context=context)
    return rsp.wait_stop()


def go_on_wire(target: Target, rsp: Rsp) -> None:
    """Continue from stop_on_wire(); the access is over when this returns."""
    rsp.send("c")
    target.trigger.finish()


def stops_on_wire(target: Target, rsp: Rsp, *lines: str) -> list[StopReply]:
    """The stop replies of the trigger's lines, one after another; back() is for what comes behind."""
    return stops_of_commands(target, rsp, *(f"echo {text} > {RUN}" for text in lines))


def reasons(target: Target, stops: list[StopReply]) -> list[tuple[str | None, int | None]]:
    """Each stop's reason, and the offset in the trigger's buffer that it names."""
    base = target.trigger.address()
    return [(stop.reason, stop.address and stop.address - base) for stop in stops]


def stops_of_commands(target: Target, rsp: Rsp, *commands: str) -> list[StopReply]:
    """The stop replies of what the guest's shell does.

    Then it breaks in: its stop, at which the machine is left, ends the list.
    """
    target.console.start("; ".join([*commands, BREAK_IN]))
    stops = []
    while (said := rsp.wait_stop()).reason:
        stops.append(said)
        rsp.send("c")
    return stops


def watch(rsp: Rsp, address: int, length: int, kind: int = 2) -> str:
    """Set a watchpoint; the packet's text behind Z and z."""
    packet = f"{kind},{address:x},{length}"
    assert rsp.request(f"Z{packet}") == "OK"
    return packet


def continued(rsp: Rsp) -> StopReply:
    """Continue to the next stop, whatever its reason."""
    rsp.send("c")
    return rsp.wait_stop()


def go_on_to(rsp: Rsp, reason: str | None = "watch") -> StopReply:
    """Continue to the next stop, which has to be for this reason."""
    said = continued(rsp)
    assert (said.signal, said.reason) == (5, reason), said.text
    return said


def run_to(target: Target, rsp: Rsp, function: str) -> None:
    """Continue to a function's first instruction, by a breakpoint that is gone then."""
    address = target.kernel.symbol(function)
    assert rsp.request(f"Z0,{address:x},1") == "OK"
    while (said := continued(rsp)).reason:
        pass
    assert said.signal == 5
    assert rsp.request(f"z0,{address:x},1") == "OK"
    back_over_int3(rsp, address)


def expect_perf_refused(target: Target, name: str, address: int) -> None:
    """perf is told EINVAL: the access would hit inside an exception's entry."""
    print(f"{name} at {address:#x}")   # the last one is what perf takes, if it takes one and the machine hangs
    with pytest.raises(RigError, match="Invalid argument"):
        PerfEvent(target.console, address, 4, "rw")
