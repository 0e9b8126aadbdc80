# SPDX-License-Identifier: GPL-2.0-only
"""A kernel with all mitigations: what their code in the exception entries touches may not be watched."""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import per_cpu_offset
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError
from kgdbrig.kernels.build import Kernel

pytestmark = [pytest.mark.rest_in_test_all, pytest.mark.not_on("6.1")]

#: What makes the kernel count calls, and have the entries write the MSR, whatever the processor needs.
HELPED = "retbleed=stuff spectre_v2=ibrs"


@pytest.fixture
def helped(boot: Boot, mitigated_kernel: Kernel) -> Target:
    return boot(kernel=mitigated_kernel, append=HELPED)


def addresses(target: Target, offset: int) -> dict[str, int]:
    symbol = target.kernel.symbol
    if target.kernel.version == "6.12":     # in struct pcpu_hot, behind current_task and two ints
        depth, top = symbol("pcpu_hot") + 16, symbol("pcpu_hot") + 24
    else:
        depth, top = symbol("__x86_call_depth"), symbol("cpu_current_top_of_stack")
    return {name: (where + offset) % (1 << 64) for name, where in {
        "the call depth": depth, "the top of the stack": top,
        "x86_spec_ctrl_current": symbol("x86_spec_ctrl_current")}.items()}


def test_perf_is_refused_the_call_depth(helped: Target) -> None:
    rsp = helped.attach_rsp()
    offset = per_cpu_offset(helped, rsp)
    assert rsp.request("D") == "OK"
    helped.back()
    for address in addresses(helped, offset).values():
        with pytest.raises(RigError, match="Invalid argument"):
            PerfEvent(helped.console, address, 8, "rw")


def test_kgdb_refuses_them_and_goes_on(helped: Target) -> None:
    helped.trigger.load()
    stored = helped.trigger.address()
    rsp = helped.attach_rsp()
    offset = per_cpu_offset(helped, rsp)
    for address in addresses(helped, offset).values():
        assert rsp.request(f"Z4,{address:x},8") == "E22"
    assert rsp.request(f"Z2,{stored:x},4") == "OK"
    rsp.send("c")
    helped.back()
    helped.trigger.start("write", size=4, value=1)
    assert rsp.wait_stop().reason == "watch"
    rsp.send("c")
    helped.trigger.finish()
