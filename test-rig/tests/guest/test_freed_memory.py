# SPDX-License-Identifier: GPL-2.0-only
"""Watchpoints on memory that is not there any more, and on what the exception entries use, whoever asks."""

from __future__ import annotations

import pytest

from drive import prepare, set_and_go_on, top_of_stack
from kgdbrig.errors import RigError
from kgdbrig.hwbp import PerfEvent
from kgdbrig.target import Target


def test_a_module_that_is_gone(target: Target) -> None:
    """Its watchpoint goes with it, and gdb, which puts it back, is refused with the reason."""
    prepare(target)
    packet = f"2,{target.trigger.address():x},4"
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z{packet}")
    target.expect_armed(1)
    target.console.run("rmmod kgdb_trigger", check=True)
    target.expect_armed(0)
    assert "removed: its memory is freed" in target.kernel_log("KGDB: watchpoint at")

    target.break_in()
    assert rsp.wait_stop().reason is None
    assert rsp.request("qSupported:error-message+") == "error-message+"
    assert rsp.request(f"Z{packet}") == "E.there is no memory at this address any more"
    rsp.send("c")
    target.back()
    target.expect_armed(0)


@pytest.mark.parametrize("name", ["cpu_dr7", "cpu_db_depth", "nmi_state", "nmi_cr2", "nmi_dr7", "x86_spec_ctrl_current",
                                  "top of stack"])
def test_perf_is_refused_what_the_entries_use(target: Target, name: str) -> None:
    """perf is told EINVAL: the access would hit inside an exception's entry."""
    rsp = target.attach_rsp()
    offset = int.from_bytes(rsp.read_memory(target.kernel.symbol("__per_cpu_offset"), 8), "little")
    assert rsp.request("D") == "OK"
    target.back()
    symbol = top_of_stack(target) if name == "top of stack" else target.kernel.symbol(name)
    with pytest.raises(RigError, match="Invalid argument"):
        PerfEvent(target.console, (symbol + offset) % (1 << 64), 4, "rw")
