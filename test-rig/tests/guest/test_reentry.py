# SPDX-License-Identifier: GPL-2.0-only
"""A software breakpoint in what the debugger itself executes on its way in, with watchpoints armed.

KGDB takes it out, says so and goes on: the debugger was entered twice on that CPU, and left once more.
"""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import break_in, go_on, prepare, set_and_go_on, stop_in_gdb, watched

pytestmark = pytest.mark.complains("re-enter error: breakpoint removed", "cut here", "WARNING: .* kgdb_reenter_check",
                                   "Call Trace")

CPUS = 2

#: What KGDB's I/O driver does first at each stop, before the breakpoints are taken out.
PLACE = "kgdboc_pre_exp_handler"
#: What the kernel's log has of it.
REMOVED = "KGDB: re-enter error: breakpoint removed"


def test_gdb_breaks_in_the_debuggers_way(boot: Boot) -> None:
    """gdb stops once for each SysRq and each hit, with its reason, and the registers are right afterwards."""
    target = boot(smp=CPUS)
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    gdb.command(f"break {PLACE}")
    target.resume(gdb)
    target.expect_armed(1)
    for cpu in range(CPUS):
        said = stop_in_gdb(target, gdb, "write", size=4, offset=0, value=cpu + 1, cpu=cpu)
        assert f"New value = {cpu + 1}\n" in said.replace("\r", "")
        go_on(target, gdb)
        target.expect_armed(1)
    break_in(target, gdb)
    gdb.command("delete")
    target.resume(gdb)
    target.expect_armed(0)
    assert target.kernel_log(REMOVED).count(REMOVED) == CPUS + 1


@pytest.mark.rest_in_test_all
def test_it_is_gone_then(boot: Boot) -> None:
    """A client that does not set it again meets it once; what was armed hits before and after."""
    target = boot(smp=CPUS)
    prepare(target)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{target.trigger.address():x},4", f"Z0,{target.kernel.symbol(PLACE):x},1")
    for value in (1, 2):
        target.trigger.start("write", size=4, offset=0, value=value, cpu=1)
        said = rsp.wait_stop()
        assert (said.reason, said.address) == ("watch", target.trigger.address())
        rsp.send("c")
        target.trigger.finish()
        target.expect_armed(1)
        assert target.kernel_log(REMOVED).count(REMOVED) == 1
