# SPDX-License-Identifier: GPL-2.0-only
"""A kernel with all mitigations: what their code in the exception entries touches may not be watched.

The rig's 6.1 has all that there are in that version.
"""

from __future__ import annotations

import pytest

import entry_memory
from conftest import Boot
from drive import expect_perf_refused, per_cpu_offset
from kgdbrig.clients.target import Target
from kgdbrig.kernels.kernel import Kernel

pytestmark = pytest.mark.rest_in_test_all

#: What makes the kernel count calls, and have the entries write the MSR, whatever the processor needs.
HELPED = "retbleed=stuff spectre_v2=ibrs"


@pytest.fixture
def helped(boot: Boot, mitigated_kernel: Kernel) -> Target:
    return boot(kernel=mitigated_kernel, append=HELPED)


def addresses(target: Target, offset: int) -> dict[str, int]:
    """What is refused, on the boot CPU."""
    return {name: entry_memory.place(name, symbol, offset) for name, symbol in entry_memory.symbols(target.kernel).items()}


def expect_refused(target: Target, names: frozenset[str]) -> None:
    """One of these names is that of a variable of this kernel, and perf takes no breakpoint there."""
    rsp = target.attach_rsp()
    offset = per_cpu_offset(target, rsp)
    assert rsp.request("D") == "OK"
    target.back()
    [(name, address)] = [found for found in addresses(target, offset).items() if found[0] in names]
    expect_perf_refused(target, name, address)


@pytest.mark.not_on("6.1")
def test_perf_is_refused_the_call_depth(helped: Target) -> None:
    expect_refused(helped, entry_memory.CALL_DEPTH)


def test_perf_is_refused_the_canary(helped: Target) -> None:
    expect_refused(helped, entry_memory.CANARY)


def test_kgdb_refuses_them_and_goes_on(helped: Target) -> None:
    helped.trigger.load()
    stored = helped.trigger.address()
    rsp = helped.attach_rsp()
    offset = per_cpu_offset(helped, rsp)
    assert "x86_spec_ctrl_current" in addresses(helped, offset)
    for name, address in addresses(helped, offset).items():
        assert rsp.request(f"Z4,{address:x},4") == "E22", name
    assert rsp.request(f"Z2,{stored:x},4") == "OK"
    rsp.send("c")
    helped.back()
    helped.trigger.start("write", size=4, value=1)
    assert rsp.wait_stop().reason == "watch"
    rsp.send("c")
    helped.trigger.finish()
