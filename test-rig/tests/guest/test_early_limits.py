# SPDX-License-Identifier: GPL-2.0-only
"""Early boot: what may not be watched at the first stop, what does not stay watched, and what perf makes of the rest."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import continued, go_on_to, per_cpu_offset, run_to, set_and_go_on, watch


def test_what_is_refused_does_no_harm(boot: Boot) -> None:
    """Where the debugger, the exceptions and the processor itself would be hit; and user space."""
    target = boot(kgdboc="early")
    rsp = target.reattach_rsp()
    symbol = target.kernel.symbol
    places = {f"2,{symbol('idt_table') + 16:x},8": "interrupt descriptor table",
              f"2,{symbol('__per_cpu_offset'):x},8": "exception entry",
              "2,fffffe0000000000,8": "exception entry",
              "2,1000,4": "user space",
              "2,8000000000000000,4": "not canonical",
              f"1,{symbol('exc_debug'):x},1": "stop the debugger itself",
              f"1,{symbol('kgdb_cpu_enter'):x},1": "stop the debugger itself",
              f"1,{symbol('asm_exc_int3'):x},1": "stop the debugger itself"}
    for packet in places:
        assert rsp.request(f"Z{packet}") == "E22", packet
    rsp.send("c")
    target.booted()
    target.expect_armed(0)
    log = target.kernel_log()
    reasons = re.findall(r"KGDB: .* refused: (.*)", log)
    assert len(reasons) == len(places)
    for reason, part in zip(reasons, places.values(), strict=True):
        assert part in reason


def test_memory_that_the_exception_entry_gets(boot: Boot) -> None:
    """What nobody had at the first stop becomes a per-CPU area: a watchpoint that would kill the machine then is dropped.

    The kernel allocates the same memory each time it boots.
    """
    target = boot(kgdboc="early", smp=2)
    rsp = target.reattach_rsp()
    rsp.send("c")
    target.booted()
    target.break_in()
    rsp.wait_stop()
    offsets = target.kernel.symbol("__per_cpu_offset")
    areas = [int.from_bytes(rsp.read_memory(offsets + 8 * cpu, 8), "little") for cpu in range(2)]
    rsp.send("c")
    target.back()
    taken, harmless = [[area + target.kernel.symbol(name) & (1 << 64) - 1 for area in areas]
                       for name in ("kgdb_db", "kernel_cpustat")]

    target = boot(kgdboc="early", smp=2)
    rsp = target.reattach_rsp()
    for address in taken:
        watch(rsp, address, 4, kind=4)
    watch(rsp, harmless[1], 8)
    state = target.kernel.symbol("system_state")
    packet = watch(rsp, state, 4)
    # The areas are cleared and filled; what is done there later is done by the scheduler.
    while (said := continued(rsp)).address != state:
        assert said.address in (*taken, harmless[1])
    assert rsp.request(f"z{packet}") == "OK"
    assert rsp.request(f"z2,{harmless[1]:x},8") == "OK"
    for address in taken:
        assert rsp.request(f"z4,{address:x},4") == "OK"
    rsp.send("c")
    target.booted()
    target.expect_armed(0)
    log = target.kernel_log("KGDB: ")
    for reason in ("removed: the exception entry code uses this memory", "not removed: there is none"):
        found = re.findall(rf"KGDB: access watchpoint at 0x([0-9a-f]+), length 4, {reason}$", log, re.MULTILINE)
        assert found == [f"{address:x}" for address in taken], reason


@pytest.mark.rest_in_test_all
def test_init_memory_is_freed(boot: Boot) -> None:
    """A watchpoint there is dropped with a line; others stay; it cannot be set again, and gdb may remove it.

    The oracle's log is of the time behind start_kernel(), with the watchpoint still there at its beginning.
    """
    target = boot(kgdboc="early", smp=2, oracle=True)
    witness = target.oracle()
    rsp = target.reattach_rsp()
    address, kept = target.kernel.symbol("boot_command_line"), target.kernel.symbol("panic_timeout")
    packet = watch(rsp, address, 8, 4)
    other = watch(rsp, kept, 4)
    run_to(target, rsp, "kernel_init_freeable")
    witness.watch(address, 8)
    rsp.send("c")
    target.booted()
    assert witness.drain() == []
    line = f"KGDB: access watchpoint at {address:#x}, length 8, removed: its memory is freed"
    assert line in target.kernel_log()
    target.expect_armed(1)
    target.break_in()
    assert rsp.wait_stop().reason is None
    assert rsp.request(f"z{packet}") == "OK"
    assert rsp.request(f"Z{packet}").startswith("E")
    rsp.send("c")
    target.back()
    assert "refused: the kernel has freed this memory" in target.kernel_log("KGDB: ")
    target.console.start("echo 5 > /proc/sys/kernel/panic")
    assert rsp.wait_stop().address == kept
    assert rsp.request(f"z{other}") == "OK"
    rsp.send("c")
    target.console.finish()
    # Perf has all of them again.
    target.console.run("insmod /lib/modules/$(uname -r)/data_breakpoint.ko ksym=panic_timeout", check=True)


@pytest.mark.rest_in_test_all
def test_perf_refuses(boot: Boot) -> None:
    """What perf does not account for stays armed, on all CPUs, and the user hears of it."""
    target = boot(kgdboc="early", smp=2)
    rsp = target.reattach_rsp()
    state = target.kernel.symbol("system_state")
    packet = watch(rsp, state, 4)
    run_to(target, rsp, "dbg_late_init")
    # CPU 1 has four breakpoints pinned, says perf's accounting now.
    pinned = target.kernel.symbol("bp_cpuinfo") + per_cpu_offset(target, rsp, 1) & (1 << 64) - 1
    assert rsp.request(f"M{pinned:x},4:04000000") == "OK"
    go_on_to(rsp)
    said = "KGDB: perf does not account for 1 early slot, which stays armed"
    assert said in "".join(rsp.output)
    for _ in range(2):
        go_on_to(rsp)
    rsp.send("c")
    target.booted()
    assert said in target.kernel_log()
    target.expect_armed(1)
    target.break_in()
    rsp.wait_stop()
    assert rsp.request(f"Z2,{state + 64:x},4").startswith("E")
    set_and_go_on(target, rsp, f"z{packet}")
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_perf_knows_of_them(boot: Boot) -> None:
    """All four set early are perf's no more, on any CPU, until gdb gives one back."""
    target = boot(kgdboc="early", smp=2)
    rsp = target.reattach_rsp()
    constant = target.kernel.symbol("linux_banner") + 7 & ~7
    packets = [watch(rsp, constant + 8 * slot, 8) for slot in range(4)]
    assert rsp.request(f"Z2,{constant + 32:x},8") == "E28"
    rsp.send("c")
    target.booted()
    target.expect_armed(4)
    insert = "insmod /lib/modules/$(uname -r)/data_breakpoint.ko ksym=panic_timeout"
    assert "No space left on device" in target.console.run(insert)
    target.break_in()
    rsp.wait_stop()
    set_and_go_on(target, rsp, f"z{packets[0]}")
    target.console.run(insert, check=True)
    target.expect_armed(4)
    assert "needs 1 slot, 0 free: the debugger holds 4" in target.kernel_log("KGDB: ")
