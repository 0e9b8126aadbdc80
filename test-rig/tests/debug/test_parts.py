# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that have the series up to a part: what comes later can be left out, and docs/architecture.md says what then is not.

These know nothing of QEMU, in which they run: there is one watchpoint at a time, which is hit by a plain store.
"""

from __future__ import annotations

import pytest

from conftest import Boot, Build, Platform
from drive import expect_kgdbts_passes, go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.kernels.kernel import Kernel

pytestmark = pytest.mark.one_version

CPUS = 2


@pytest.fixture(params=["feature", "kdb"])
def kernel_upto(request: pytest.FixtureRequest, platform: Platform, built: Build) -> Kernel:
    """The patched kernel up to a part of the series, and no further."""
    return built(platform.version, platform.arch, series=request.param)


def test_a_watchpoint_stops_and_an_nmi_handler_does_not_hit(boot: Boot, kernel_upto: Kernel) -> None:
    """In a handler of an NMI there is no hit without the part `extra`: what it has stored is seen at the next one."""
    target = boot(kernel=kernel_upto, smp=CPUS)
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{address:x},4")
    target.expect_armed(1)
    for cpu in range(CPUS):
        stored = 0x01020300 + 0x10 * cpu
        target.trigger.run("write", size=4, offset=0, value=stored, cpu=cpu, context="nmi")
        said = stop_on_wire(target, rsp, "write", size=1, offset=0, value=cpu + 1, cpu=cpu)
        assert (said.reason, said.address) == ("watch", address)
        assert int.from_bytes(rsp.read_memory(address, 4), "little") == stored & ~0xff | cpu + 1
        go_on_wire(target, rsp)
    target.break_in()
    assert rsp.wait_stop().reason is None
    assert rsp.request("D") == "OK"
    target.back()
    target.expect_armed(0)


def test_the_kernel_s_suite(boot: Boot, kernel_upto: Kernel) -> None:
    expect_kgdbts_passes(boot(kernel=kernel_upto, smp=CPUS, kgdboc="none"))


def test_kdb_s_breakpoints(boot: Boot, kernel_upto: Kernel) -> None:
    """They stop without the part `kdb` as well, which has kdb say more of them."""
    target = boot(kernel=kernel_upto, smp=CPUS)
    kdb = target.attach_kdb()
    kdb.command("bph panic_timeout dataw 4")
    kdb.go()
    target.back()
    target.expect_armed(1)
    target.console.start("echo 9 > /proc/sys/kernel/panic")
    kdb.entered()
    kdb.command("bc 0")
    kdb.go()
    target.console.finish()
    target.expect_armed(0)
