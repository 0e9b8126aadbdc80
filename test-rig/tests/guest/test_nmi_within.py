# SPDX-License-Identifier: GPL-2.0-only
"""Another handler's NMI in the midst of #DB, #MC, or a change of the registers: its accesses do not hit there.

#DB has one stack, and what is in the registers is in no record while they change.

CPU 1 is held from outside where the NMI is to come (windows.py). CPU 0 sends it
then: the trigger's file `hold`, whose handler is an ordinary one.
"""

from __future__ import annotations

import pytest

from conftest import Boot, Stride
from drive import BREAKPOINTS_ON
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.stepper import Call, Place
from kgdbrig.clients.trigger import RUN, line
from kgdbrig.errors import RigTimeout
from kgdbrig.wait import Deadline
from test_machine_check import CPU as CPU_MODEL
from test_machine_check import machine_check
from windows import CPU, MASTER, OFF, Bench, Watch, bench

HIT, PERFS = Watch(0), Watch(256)
#: Of struct kgdb_db, in <asm/kgdb_watch.h>, on x86_64: where these fields are.
GENERATION, BUSY = 12, 32
#: Beyond the addresses of user mode.
KERNEL = 1 << 63


class Sender:
    """Has CPU 0 send an NMI to CPU 1, in the middle of what the shell does."""

    def __init__(self, it: Bench) -> None:
        self._it = it
        self._file, self._handler = (it.target.symbol(name) for name in ("hold_write", "hold_nmi"))

    def start(self, command: str) -> None:
        """Begin a command in the background, with a shell that sends the NMI when it is told to."""
        files = RUN.rpartition("/")[0]
        self._it.target.console.start(f"{command} & read go; echo '{CPU} 1000000000' > {files}/hold; "
                                      f"echo 1 > {files}/letgo; wait")

    def send(self) -> int:
        """CPU 1, which is held, gets it at just that instruction, and is held in the handler; what DR7 has there."""
        it = self._it
        pc = it.stepper.register(CPU, "pc")
        it.target.console.press("\n")
        it.stepper.run_to(self._file, cpu=MASTER)
        # It waits for the handler, and so has sent the NMI.
        it.stepper.run_to(it.symbol("__const_udelay"), cpu=MASTER)
        it.stepper.run_to(it.symbol("asm_exc_nmi"), cpu=CPU)
        assert it.return_address() == pc
        it.stepper.run_to(self._handler, cpu=CPU)
        return it.target.machine.debug_registers()[CPU]["DR7"]

    def finish(self) -> None:
        """All go on, to the end of the command and of the handler."""
        self._it.stepper.go()
        self._it.target.console.finish()


def test_in_a_debug_exception(boot: Boot, stride: Stride) -> None:
    """From its first instruction to its last; behind that, the handler hits."""
    with bench(boot, HIT) as it:
        sender = Sender(it)
        with PerfEvent(it.target.console, it.base + PERFS.offset, PERFS.size, cpus=[CPU]) as event:
            it.foreign.append(PERFS)
            path: list[int] = []

            def begin() -> None:
                it.arm(it.symbol("asm_exc_debug"))
                text = line("write", size=PERFS.size, offset=PERFS.offset, value=it.next_value(), cpu=CPU)
                sender.start(f"echo {text} > {RUN}")
                it.arrive()

            begin()
            path += it.path(until=it.return_address())
            behind = len(path) - 1
            it.at(behind, path)
            assert sender.send() & BREAKPOINTS_ON
            sender.finish()
            for count, number in enumerate(stride(behind), 2):
                begin()
                it.stepper.follow(CPU, path, number)
                it.at(number, path)
                assert sender.send() == OFF
                sender.finish()
                assert event.counts() == [count]
            it.expect_registers()
            it.expect_hits()


@pytest.mark.rest_in_test_all
def test_in_a_machine_check(boot: Boot) -> None:
    """Of a program, which it kills."""
    # The CPUs do not wait for each other.
    with bench(boot, HIT, append="mce=0", cpu=CPU_MODEL) as it:
        sender = Sender(it)
        sender.start(f"taskset {1 << CPU:x} sh -c 'echo loop\"\"ing; while :; do :; done'")
        it.target.console.expect("looping")
        deadline = Deadline(20)
        it.stepper.hold()
        while it.stepper.register(CPU, "pc") & KERNEL:
            if deadline.passed():
                raise RigTimeout("CPU in user mode", deadline.seconds, it.target.report())
            it.stepper.go()
            it.stepper.hold()
        machine_check(it.target, CPU)
        it.stepper.run_to(it.symbol("do_machine_check"), cpu=CPU)
        assert sender.send() == OFF
        sender.finish()
        it.expect_registers()
        it.expect_hits()


@pytest.mark.rest_in_test_all
def test_in_a_change(boot: Boot, stride: Stride) -> None:
    """A CPU that the debugger does not hold applies what is settled: the handler hits before and behind, not in its midst."""
    with bench(boot, HIT) as it:
        sender = Sender(it)
        access = it.target.symbol("trigger_perform")

        def begin() -> tuple[Call, int]:
            """CPU 1 has applied nothing yet, and begins to; where its state is."""
            it.arm(access)
            sender.start(f"echo {line('write', size=4, offset=PERFS.offset, value=it.next_value(), cpu=CPU)} > {RUN}")
            it.arrive()
            db = it.per_cpu("kgdb_db")
            it.stepper.write(CPU, db + GENERATION, 4, 0)
            return it.stepper.enter(CPU, it.symbol("kgdb_slots_sync")), db

        def end(call: Call) -> None:
            it.stepper.stop_at(call.behind)
            it.stepper.go()
            assert it.stepper.wait() == Place(CPU, call.behind)
            it.stepper.stop_at()
            it.stepper.leave(call)
            sender.finish()

        call, _ = begin()
        path = it.path(until=call.behind)
        assert sender.send() & BREAKPOINTS_ON
        end(call)
        seen = set()
        for number in stride(len(path) - 1):
            call, db = begin()
            it.stepper.follow(CPU, path, number)
            it.at(number, path)
            busy = it.stepper.read(CPU, db + BUSY, 4) != 0
            seen.add(busy)
            assert bool(sender.send() & BREAKPOINTS_ON) is not busy
            end(call)
        assert seen == {False, True}
        it.expect_registers()
        it.expect_hits()
