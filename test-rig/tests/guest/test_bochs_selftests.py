# SPDX-License-Identifier: GPL-2.0-only
"""In Bochs: the kernel's own breakpoint_test, which has ptrace set each debug register of a child, beside KGDB; and an icebp.

QEMU 7.2 stands still at the first icebp.
"""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients.patched import Patched
from kgdbrig.clients.target import Target
from kgdbrig.judging import klog
from kgdbrig.kernels.kernel import Kernel

#: What breakpoint_test does on x86_64: instructions, stores and loads, each by local and by global enabling, an icebp, an int3.
CASES = 12 + 48 + 48 + 2
REGISTERS = 4

pytestmark = pytest.mark.only_in_test_all


def passed(target: Target) -> tuple[int, str]:
    """How many of its cases pass, and what it prints."""
    said = target.console.run("breakpoint_test", 60)
    return len(re.findall(r"^ok \d+ ", said, re.MULTILINE)), said


def expect_all_pass(target: Target) -> None:
    found, said = passed(target)
    assert found == CASES and target.console.status == 0 and "not ok" not in said, said


def test_the_kernel_s_own_beside_kgdb(boot: Boot) -> None:
    """With no slot of KGDB's all pass; else it gets the registers that are left, is told so at the first that is not, and ends.

    KGDB is not entered for any of them, and its watchpoints hit afterwards.
    """
    target = boot(machine="bochs", selftests=True)
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp)
    mark = target.tap.mark()
    expect_all_pass(target)
    assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
    for held in range(1, REGISTERS + 1):
        target.break_in()
        assert rsp.wait_stop().reason is None
        set_and_go_on(target, rsp, f"Z2,{target.trigger.address(64 * (held - 1)):x},4")
        mark = target.tap.mark()
        found, said = passed(target)
        assert found == REGISTERS - held and target.console.status, said
        assert "not ok" not in said and "Bail out! Can't set breakpoint addr: No space left on device" in said
        assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
        target.expect_armed(held)
        for slot in range(held):
            stop = stop_on_wire(target, rsp, "write", size=4, offset=64 * slot, value=held)
            assert (stop.reason, stop.address) == ("watch", target.trigger.address(64 * slot))
            go_on_wire(target, rsp)
    target.let_go()
    target.expect_armed(0)
    expect_all_pass(target)
    assert not klog.complaints(target.kernel_log())


@pytest.mark.one_version
@pytest.mark.only_in_test_all
def test_on_the_stock_kernel(boot: Boot, stock_kernel: Kernel) -> None:
    """All pass there as well, and the kernel takes no notice of an icebp of its own."""
    target = boot(machine="bochs", kernel=stock_kernel, selftests=True)
    expect_all_pass(target)
    prepare(target)
    patched = Patched(target.console)
    patched.do("icebp")
    assert patched.count("passed") == 1


def test_an_icebp_in_the_kernel(bochs: Target) -> None:
    """Nobody stops for it, whatever is armed, and what is armed hits before it and after it."""
    prepare(bochs)
    patched = Patched(bochs.console)
    address = bochs.trigger.address()
    rsp = bochs.attach_rsp()
    set_and_go_on(bochs, rsp, f"Z2,{address:x},4", f"Z4,{address + 64:x},8")
    for times in (1, 2):
        mark = bochs.tap.mark()
        patched.do("icebp")
        assert patched.count("passed") == times
        assert not [packet for packet in bochs.tap.since(mark) if packet.data.startswith(b"T")]
        bochs.expect_armed(2)
        said = stop_on_wire(bochs, rsp, "write", size=4, offset=0, value=times)
        assert (said.reason, said.address) == ("watch", address)
        go_on_wire(bochs, rsp)
