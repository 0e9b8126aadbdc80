# SPDX-License-Identifier: GPL-2.0-only
"""A CPU that starts while another one settles the table: nobody holds it, and it has the newest when it goes on.

One of the two is held at one instruction after another, and the other one does all that it does meanwhile.
"""

from __future__ import annotations

import itertools

import pytest

from conftest import Boot, Stride
from drive import prepare, set_and_go_on
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.stepper import Stepper
from kgdbrig.clients.target import Target
from kgdbrig.machines.debugregs import LENGTHS, LOADS_AND_STORES, STORES, Register, enabled
from windows import CPU, MASTER, Watch

ONLINE = f"/sys/devices/system/cpu/cpu{CPU}/online"
#: How long the way of either may be, in instructions; to find that its end was missed.
_LONGEST = 5_000
#: What is watched, in turn. A slot differs in its address and its length from one table to the next.
#: They are three: of the two snapshots, the older one is neither what is watched now nor what is next.
TABLES = [[Watch(64 * (3 * table + number), *[(4, "Z2"), (8, "Z4"), (1, "Z2")][(table + number) % 3])
           for number in range(3)] for table in range(3)]


def begin(target: Target, stepper: Stepper) -> int:
    """Have CPU 1 start, and hold it where KGDB is told; where it goes on from there."""
    stepper.hold()
    stepper.stop_at(target.kernel.symbol("kgdb_watch_cpu_starting"))
    stepper.go()
    target.console.start(f"echo 1 > {ONLINE}")
    assert stepper.wait().cpu == CPU
    stepper.stop_at()
    return stepper.on_stack(CPU)


def change_meanwhile(target: Target, stepper: Stepper, rsp: Rsp, place: str, *packets: str) -> None:
    """CPU 0 alone enters the debugger, changes the table, and is held at this function on its way out."""
    target.press_break()
    stepper.go(MASTER)
    assert rsp.wait_stop().reason is None
    for packet in packets:
        assert rsp.request(packet) == "OK"
    stepper.hold()
    stepper.stop_at(target.kernel.symbol(place))
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
            change_meanwhile(target, stepper, rsp, "kgdb_watch_leave", f"Z{other}")
            change_meanwhile(target, stepper, rsp, "kgdb_watch_leave", f"z{other}", *packets(before, then))
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


@pytest.mark.rest_in_test_all
def test_it_starts_in_the_midst_of_settling(boot: Boot, stride: Stride) -> None:
    """CPU 0 is held at each instruction of kgdb_slots_settle(), and CPU 1 does all that it does for KGDB as it starts.

    CPU 1 has all of the old then up to some instruction, and all of the new from there on;
    once CPU 0 has gone on, and CPU 1 is online, it has the new.
    """
    target = boot(smp=2, starts_cpus=True)
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    tables = itertools.cycle(TABLES)
    now = next(tables)

    def packet(watch: Watch) -> str:
        return f"{watch.kind[1]},{address + watch.offset:x},{watch.size}"

    def registers(table: list[Watch]) -> list[Register]:
        return sorted((address + watch.offset, {"Z2": STORES, "Z4": LOADS_AND_STORES}[watch.kind], LENGTHS[watch.size])
                      for watch in table)

    def held() -> list[Register]:
        return enabled(target.machine.debug_registers()[CPU])

    def settle_in_part(stepper: Stepper, number: int | None) -> tuple[int, bool]:
        """CPU 1 starts when CPU 0 has executed so many instructions, or is back at its caller.

        How many these were, and whether CPU 1 has had the new table at once.
        """
        nonlocal now
        before, now = now, next(tables)
        target.console.run(f"echo 0 > {ONLINE}", check=True)
        online = begin(target, stepper)
        change_meanwhile(target, stepper, rsp, "kgdb_slots_settle", *(f"z{packet(watch)}" for watch in before),
                         *(f"Z{packet(watch)}" for watch in now))
        caller = stepper.on_stack(MASTER)
        count = 0
        while count != number and stepper.step(MASTER) != caller:
            count += 1
            assert count < _LONGEST
        print(f"instruction {count}: {stepper.register(MASTER, 'pc'):#x}")
        stepper.run_to(online, cpu=CPU)
        has = held()
        assert has in [registers(before), registers(now)]
        stepper.go()
        target.console.finish()
        target.expect_armed(len(now))
        assert held() == registers(now)
        return count, has == registers(now)

    set_and_go_on(target, rsp, *(f"Z{packet(watch)}" for watch in now))
    with Stepper(target.machine) as stepper:
        stepper.go()
        whole = [settle_in_part(stepper, None) for _ in TABLES]
        assert all(new for _, new in whole)
        length = min(count for count, _ in whole)
        new = [settle_in_part(stepper, number)[1] for number in stride(length)]
        assert not new[0] and new == sorted(new)
