# SPDX-License-Identifier: GPL-2.0-only
"""A CPU whose debug registers hold somebody else's values is stopped: they stay, and only the records change.

So it is with a KVM host between a guest's exit and the restore of the host's
registers: DR0 to DR3 and DR6 are the guest's, and DR7 has nothing enabled, while cpu_dr7 says
what the host wants. A hit in that DR6 is the guest's, and is not waited for. While a temporary mm
is in use, DR0 to DR3 and DR7 are 0. Either is put there from
outside; hw_breakpoint_restore() is what their owners call in the end. Where only DR7 has been
cleared yet, it stays so, and DR0 to DR3 may change.
"""

from __future__ import annotations

import pytest

from conftest import Boot
from kgdbrig.machines.debugregs import enabled
from windows import CPU, OFF, Bench, Watch, bench

HIT, OTHER = Watch(0), Watch(64)
#: What a guest might have: an address of its user space, one of its kernel's, and two that are in no use.
GUESTS = [0x7ffd_1234_5678, 0xffff_ffff_8123_4560, 0, 0x40]
#: DR6 that tells nothing, and one that tells of a hit of each register (SDM vol. 3B, 18.2.3).
NO_HIT, ALL_HIT = 0xffff_0ff0, 0xffff_0fff
#: What the owners have in which registers, besides DR7; in the others is what was there.
OWNERS: dict[str, dict[int, int]] = {
    "kvm": {**dict(enumerate(GUESTS)), 6: ALL_HIT}, "mm": dict.fromkeys(range(4), 0), "begun": {}}


def records(it: Bench) -> dict[str, int]:
    """What the kernel wants in the registers of CPU 1, under their names."""
    wanted = {f"DR{number}": it.stepper.read(CPU, it.per_cpu("cpu_debugreg") + 8 * number, 8) for number in range(4)}
    return {**wanted, "DR7": it.stepper.read(CPU, it.per_cpu("cpu_dr7"), 8)}


def held_registers(it: Bench) -> dict[str, int]:
    """What CPU 1 has in all of them."""
    return it.target.machine.debug_registers()[CPU]


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("hypervisor", [pytest.param(False, id="processor"),
                                        pytest.param(True, id="hypervisor", marks=pytest.mark.only_in_test_all)])
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("table", [(OTHER,), (HIT, OTHER), ()], ids=["another", "more", "none"])
def test_they_stay(boot: Boot, owner: str, table: tuple[Watch, ...], hypervisor: bool) -> None:
    with bench(boot, HIT, hypervisor=hypervisor) as it:
        place = it.target.symbol("trigger_perform")
        it.arm(place)
        it.start_store(HIT)
        it.arrive()
        it.stepper.set_debug_register(CPU, 7, OFF)
        for number, value in OWNERS[owner].items():
            it.stepper.set_debug_register(CPU, number, value)
        foreign = held_registers(it)
        assert {number: foreign[f"DR{number}"] for number in OWNERS[owner]} == OWNERS[owner]

        assert it.round_up()
        it.arm(place)
        it.change(remove=[watch for watch in it.watched if watch not in table],
                  add=[watch for watch in table if watch not in it.watched])
        it.proceed()
        assert it.arrive() == place

        now, wanted = held_registers(it), records(it)
        assert now["DR7"] == OFF
        if OWNERS[owner]:
            assert now == foreign
        assert enabled(wanted) == sorted(map(it.register, table))

        # As the owner would, who asks hw_breakpoint_active().
        if wanted["DR7"]:
            it.stepper.call(CPU, it.symbol("hw_breakpoint_restore"))
            assert held_registers(it) == {**wanted, "DR6": NO_HIT, "DR7": wanted["DR7"] | OFF}
        it.stepper.go()
        if HIT in table:
            it.expect_hit(HIT, it.rsp.wait_stop())
            it.proceed()
        it.target.trigger.finish()
        it.expect_registers()
        it.expect_hits()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("hypervisor", [pytest.param(False, id="processor"),
                                        pytest.param(True, id="hypervisor", marks=pytest.mark.only_in_test_all)])
def test_what_a_guest_has_left(boot: Boot, hypervisor: bool) -> None:
    """Where the host had none in use, nobody restores: what is set then, and what comes instead later, is armed."""
    with bench(boot, hypervisor=hypervisor) as it:
        it.arm(it.target.symbol("trigger_perform"))
        it.start_store(HIT)
        it.arrive()
        for number, value in OWNERS["kvm"].items():
            it.stepper.set_debug_register(CPU, number, value)
        it.stepper.go()
        it.target.trigger.finish()
        it.set(add=[HIT])
        it.expect_registers()
        it.set(add=[OTHER], remove=[HIT])
        it.expect_registers()
        it.expect_hits(HIT)
