# SPDX-License-Identifier: GPL-2.0-only
"""A kernel with all mitigations: what their code in the exception entries touches may not be watched."""

from __future__ import annotations

import pytest

import entry_memory
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
    """What is refused, on the boot CPU; the call depth is among it."""
    found = {name: (symbol + (0 if name in entry_memory.OF_ALL_CPUS else offset)) % (1 << 64)
             for name, symbol in entry_memory.symbols(target.kernel).items()}
    assert found.keys() & entry_memory.CALL_DEPTH
    return found


def test_perf_is_refused_the_call_depth(helped: Target) -> None:
    rsp = helped.attach_rsp()
    offset = per_cpu_offset(helped, rsp)
    assert rsp.request("D") == "OK"
    helped.back()
    for name, address in addresses(helped, offset).items():
        print(f"{name} at {address:#x}")    # the last one is what perf takes, if it takes one
        with pytest.raises(RigError, match="Invalid argument"):
            PerfEvent(helped.console, address, 4, "rw")


def test_kgdb_refuses_them_and_goes_on(helped: Target) -> None:
    helped.trigger.load()
    stored = helped.trigger.address()
    rsp = helped.attach_rsp()
    offset = per_cpu_offset(helped, rsp)
    for name, address in addresses(helped, offset).items():
        assert rsp.request(f"Z4,{address:x},4") == "E22", name
    assert rsp.request(f"Z2,{stored:x},4") == "OK"
    rsp.send("c")
    helped.back()
    helped.trigger.start("write", size=4, value=1)
    assert rsp.wait_stop().reason == "watch"
    rsp.send("c")
    helped.trigger.finish()
