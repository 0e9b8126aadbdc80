# SPDX-License-Identifier: GPL-2.0-only
"""What a processor says in DR6 and QEMU does not: several registers at once, and the end of a step with them.

#DB is raised by an instruction that accesses nothing, with a DR6 that the trigger has written.
"""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import DR6_STEP, prepare, reasons, set_and_go_on, stops_of_commands
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RegisterType
from kgdbrig.judging.klog import complaints

#: The R/W bits of DR7 (SDM vol. 3B, 18.2.4).
TYPES: dict[RegisterType, int] = {"x": 0, "w": 1, "rw": 3}

pytestmark = pytest.mark.i386

HERE, THERE = 64, 128


def watch(target: Target, *specs: tuple[int, int]) -> list[str]:
    """Packets that set 4-byte watchpoints: Z2, Z3 or Z4, by number, at offsets in the buffer."""
    return [f"Z{kind},{target.trigger.address(offset):x},4" for kind, offset in specs]


def hit(target: Target, address: int, kind: RegisterType) -> int:
    """The bit of DR6 for the register that is armed there for these accesses."""
    [registers] = target.machine.debug_registers()
    [number] = [number for number in range(4)
                if registers[f"DR{number}"] == address
                and registers["DR7"] >> 16 + 4 * number & 3 == TYPES[kind]]
    return 1 << number


def heard(target: Target, rsp: Rsp, dr6: int) -> list[tuple[str | None, int | None]]:
    """The stops that one #DB makes; the machine runs again."""
    stops = stops_of_commands(target, rsp, target.trigger.raise_command(dr6))
    rsp.send("c")
    target.back()
    return reasons(target, stops)


def test_several_registers(target: Target) -> None:
    """A write to what is watched for reads names two and is none; two watchpoints apart need two stops.

    The end of a step that nobody asked for is no reason to stop, nor for the
    kernel to complain.
    """
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *watch(target, (3, HERE), (4, THERE)))
    target.expect_armed(3)
    here, there = target.trigger.address(HERE), target.trigger.address(THERE)
    write, access, other = hit(target, here, "w"), hit(target, here, "rw"), hit(target, there, "rw")
    assert heard(target, rsp, write | access) == []
    assert heard(target, rsp, access) == [("rwatch", HERE)]
    assert heard(target, rsp, other) == [("awatch", THERE)]
    assert heard(target, rsp, access | other) == [("rwatch", HERE), ("awatch", THERE)]
    assert heard(target, rsp, write | access | other) == [("awatch", THERE)]
    # All three kinds of watchpoint in two registers.
    target.break_in()
    rsp.wait_stop()
    set_and_go_on(target, rsp, *watch(target, (2, HERE), (4, HERE)))
    assert heard(target, rsp, write | access) == [("watch", HERE)]
    assert heard(target, rsp, access) == [("rwatch", HERE)]
    assert heard(target, rsp, DR6_STEP | access) == [("rwatch", HERE)]
    target.expect_armed(3)
    assert not complaints(target.kernel_log())


def step_over(target: Target, rsp: Rsp, dr6: int) -> StopReply:
    """Raise #DB while gdb makes a step, which that ends."""
    behind = target.trigger.raised()[1]
    target.console.start(target.trigger.raise_command(dr6))
    assert rsp.wait_stop().reason is None
    rsp.send("s")
    said = rsp.wait_stop()
    assert rsp.read_pc() == behind
    return said


@pytest.mark.parametrize("hypervisor", [True, False], ids=["in QEMU", "on a processor"])
def test_a_step_with_them(boot: Boot, hypervisor: bool) -> None:
    """What was hit is reported, and the step otherwise; once, and the next step goes on.

    In a kernel that makes up for QEMU's debug registers, and in one that takes
    them for a processor's and has them armed in the step.
    """
    target = boot(hypervisor=hypervisor)
    prepare(target)
    start, behind = target.trigger.raised()
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, *watch(target, (3, HERE), (2, THERE)), f"Z1,{start:x},1")
    target.expect_armed(4)
    here, there = target.trigger.address(HERE), target.trigger.address(THERE)
    write, access, other = hit(target, here, "w"), hit(target, here, "rw"), hit(target, there, "w")
    rows: list[tuple[int, list[tuple[str | None, int | None]]]] = [
        (0, []),
        (other, [("watch", THERE)]),
        (access, [("rwatch", HERE)]),
        (access | other, [("rwatch", HERE), ("watch", THERE)]),
        (write | access, []),
        # Of an instruction: that of the next one, which is executed first.
        (hit(target, start, "x"), []),
    ]
    for dr6, expected in rows:
        stops = [step_over(target, rsp, DR6_STEP | dr6)]
        for _ in expected[1:]:
            # What is still to be said of the first access comes before the second step.
            rsp.send("s")
            stops.append(rsp.wait_stop())
            assert rsp.read_pc() == behind
        assert reasons(target, stops) == (expected or [(None, None)]), f"DR6 {dr6:x}"
        rsp.send("s")
        assert reasons(target, [rsp.wait_stop()]) == [(None, None)]
        assert rsp.read_pc() != behind
        # The int3 was stepped over: the step behind it is not gdb's any more.
        rsp.send("c")
        target.back()
    target.expect_armed(4)
    assert not complaints(target.kernel_log())
