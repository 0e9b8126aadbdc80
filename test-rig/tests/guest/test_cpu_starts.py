# SPDX-License-Identifier: GPL-2.0-only
"""A CPU that starts while another one settles the table: nobody holds it, and it has the newest when it goes on."""

from __future__ import annotations

import pytest

from conftest import Boot, Stride
from drive import prepare, set_and_go_on
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.stepper import Stepper
from kgdbrig.clients.target import Target
from kgdbrig.machines.debugregs import LENGTHS, enabled
from windows import CPU, MASTER

ONLINE = f"/sys/devices/system/cpu/cpu{CPU}/online"
#: How long its way may be, in instructions; to find that its end was missed.
_LONGEST = 5_000


def begin(target: Target, stepper: Stepper) -> int:
    """Have CPU 1 start, and hold it where KGDB is told; where it goes on from there."""
    stepper.hold()
    stepper.stop_at(target.kernel.symbol("kgdb_watch_cpu_starting"))
    stepper.go()
    target.console.start(f"echo 1 > {ONLINE}")
    assert stepper.wait().cpu == CPU
    stepper.stop_at()
    return stepper.on_stack(CPU)


def settle_meanwhile(target: Target, stepper: Stepper, rsp: Rsp, *packets: str) -> None:
    """CPU 0 alone enters the debugger, changes the table, and goes on up to where that is settled."""
    target.press_break()
    stepper.go(MASTER)
    assert rsp.wait_stop().reason is None
    for packet in packets:
        assert rsp.request(packet) == "OK"
    stepper.hold()
    stepper.stop_at(target.kernel.symbol("kgdb_watch_leave"))
    stepper.go(MASTER)
    rsp.send("c")
    assert stepper.wait().cpu == MASTER
    stepper.stop_at()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("sizes", [(4, 8), (0, 8), (4, 0)], ids=["replaced", "set", "removed"])
def test_what_is_settled_meanwhile_counts(boot: Boot, stride: Stride, sizes: tuple[int, int]) -> None:
    """At each instruction of what the CPU does for KGDB as it starts.

    It goes on from there with all of the old or all of the new, which is the new if
    that was there from the beginning; once it is online it has the new.
    """
    target = boot(smp=2, starts_cpus=True)
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    before, then = sizes
    other = f"2,{address + 128:x},4"

    def packets(now: int, next_: int) -> list[str]:
        return [f"{operation}2,{address:x},{size}" for operation, size in (("z", now), ("Z", next_)) if size]

    def registers(size: int) -> list[tuple[int, int, int]]:
        return [(at, 1, LENGTHS[length]) for at, length in ((address, size), (address + 64, 4)) if length]

    def held() -> list[tuple[int, int, int]]:
        return enabled(target.machine.debug_registers()[CPU])

    # One that stays: a table that nobody has ever used is another way.
    set_and_go_on(target, rsp, f"Z2,{address + 64:x},4", *packets(0, before))
    target.console.run(f"echo 0 > {ONLINE}", check=True)
    with Stepper(target.machine) as stepper:
        stepper.go()
        behind = begin(target, stepper)
        length = 0
        while stepper.step(CPU) != behind:
            length += 1
            assert length < _LONGEST
        stepper.go()
        target.console.finish()
        for number in stride(length):
            target.console.run(f"echo 0 > {ONLINE}", check=True)
            begin(target, stepper)
            for _ in range(number):
                assert stepper.step(CPU) != behind
            print(f"instruction {number} of {length}: {stepper.register(CPU, 'pc'):#x}")
            # Twice: there are two copies of what is settled, and it may read the older one.
            settle_meanwhile(target, stepper, rsp, f"Z{other}")
            settle_meanwhile(target, stepper, rsp, f"z{other}", *packets(before, then))
            stepper.run_to(behind, cpu=CPU)
            assert held() in ([registers(then)] if number == 0 else [registers(before), registers(then)])
            stepper.go()
            target.console.finish()
            target.expect_armed(len(registers(then)))
            assert held() == registers(then)

            target.break_in()
            assert rsp.wait_stop().reason is None
            set_and_go_on(target, rsp, *packets(then, before))
            target.expect_armed(len(registers(before)))
