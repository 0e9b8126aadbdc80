# SPDX-License-Identifier: GPL-2.0-only
"""Early boot: what is set at the first stop, before there are perf and memory management, hits from there into user space.

Every test starts from power-on, and what has stopped is judged by the oracle where there is one.  What is not to last
is test_early_limits.py.
"""

from __future__ import annotations

import itertools
import re

import pytest

from conftest import Boot
from drive import go_on_to, prepare, run_to, stop_in_gdb, watch, watched
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.rsp import Rsp
from kgdbrig.machines.oracle import Access

#: What gdb's thread ids are for CPU 0, 1, ... while it idles: KGDB's shadow_pid().
IDLE = [f"{-2 - cpu & 0xffffffff:08x}" for cpu in range(8)]


def source_line(gdb: Gdb) -> str:
    """The source line of the instruction before the PC: that of a store which has just hit."""
    said = gdb.command("info line *($pc - 1)")
    found = re.search(r'Line (\d+) of "([^"]+)"', said)
    assert found, said
    return gdb.command(f"list {found[2]}:{found[1]},{found[1]}").strip()


@pytest.mark.parametrize("smp", [1, 4])
def test_system_state_to_the_shell(boot: Boot, smp: int) -> None:
    """Each change in order, on the right line, on all CPUs; and what was set first still stops a shell's write.

    Then a module is loaded and a CPU goes offline and comes back at once.
    """
    target = boot(kgdboc="early", smp=smp)
    gdb = target.reattach_gdb()
    gdb.command("watch system_state")
    gdb.command("watch panic_timeout")
    names = ["BOOTING", "SCHEDULING", "FREEING_INITMEM", "RUNNING"]
    for old, new in itertools.pairwise(names):
        gdb.resume()
        said = gdb.wait_stop()
        assert "Hardware watchpoint 1: system_state" in said
        assert re.search(rf"Old value = SYSTEM_{old}\s+New value = SYSTEM_{new}\b", said), said
        assert f"system_state = SYSTEM_{new};" in source_line(gdb)
    gdb.resume()
    target.booted()
    target.expect_armed(2)
    target.console.start("echo 7 > /proc/sys/kernel/panic")
    said = gdb.wait_stop()
    assert "hit Hardware watchpoint 2: panic_timeout" in said
    assert re.search(r"Old value = 0\s+New value = 7\b", said)
    gdb.resume()
    target.console.finish()

    prepare(target)
    last = smp - 1
    if smp > 1:
        target.console.run(f"echo 0 > /sys/devices/system/cpu/cpu{last}/online", check=True)
    target.break_in()
    gdb.wait_stop()
    gdb.command("delete 1")
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    if smp > 1:
        target.console.run(f"echo 1 > /sys/devices/system/cpu/cpu{last}/online", check=True)
    target.expect_armed(2)
    for value, cpu in ((1, last), (2, 0)):
        assert "hit Hardware watchpoint 3: " in stop_in_gdb(target, gdb, "write", size=4, offset=0, value=value, cpu=cpu)
        gdb.resume()
        target.trigger.finish()


@pytest.mark.rest_in_test_all
def test_each_cpu_comes_and_goes(boot: Boot) -> None:
    """The store to __cpu_online_mask is made by the CPU itself, before the debugger counts it, or when it does no more."""
    target = boot(kgdboc="early", smp=4, oracle=True)
    witness = target.oracle()
    rsp = target.reattach_rsp()
    mask = target.kernel.symbol("__cpu_online_mask")
    witness.watch_stores(mask, 8)
    packet = watch(rsp, mask, 8)
    held = target.kernel.symbol("slaves_in_kgdb")
    for cpu in (1, 2, 3):
        said = go_on_to(rsp)
        assert said.thread == IDLE[cpu]
        assert int.from_bytes(rsp.read_memory(held, 4), "little") == cpu
        assert int.from_bytes(rsp.read_memory(mask, 8), "little") == (1 << cpu + 1) - 1
        assert_seen(witness.drain(), cpu, rsp=rsp)
    rsp.send("c")
    target.booted()
    assert not witness.drain()

    target.console.start("echo 0 > /sys/devices/system/cpu/cpu3/online")
    rsp.wait_stop()
    assert_seen(witness.drain(), 3, rsp=rsp)
    assert int.from_bytes(rsp.read_memory(held, 4), "little") == 3
    rsp.send("c")
    target.console.finish()
    target.console.start("echo 1 > /sys/devices/system/cpu/cpu3/online")
    rsp.wait_stop()
    assert_seen(witness.drain(), 3, rsp=rsp)
    assert rsp.request(f"z{packet}") == "OK"
    rsp.send("c")
    target.console.finish()
    target.expect_armed(0)
    assert "did not stop" not in target.kernel_log("did not stop")


def assert_seen(accesses: list[Access], vcpu: int | None = None, *, rsp: Rsp) -> None:
    """One store was made since, on that CPU if it matters which, and it is where that CPU stopped."""
    stores = [access for access in accesses if access.store]
    assert [store.next_pc for store in stores] == [rsp.read_pc()]
    assert vcpu is None or stores[0].vcpu == vcpu


def test_each_part_of_the_boot(boot: Boot) -> None:
    """Variables of setup_arch(), of mm_core_init(), of start_kernel() when perf is there and of an initcall.

    Each is stored to once before the next, as the oracle sees it.
    """
    target = boot(kgdboc="early", oracle=True)
    witness = target.oracle()
    gdb = target.reattach_gdb()
    memory = "mm_init" if target.kernel.version == "6.1" else "mm_core_init"
    places = {"max_pfn": "setup_arch", "after_bootmem": memory, "early_boot_irqs_disabled": "start_kernel",
              "finished_booting": "do_initcalls"}
    for number, name in enumerate(places, 1):
        said = gdb.command(f"watch {name}")
        assert f"Hardware watchpoint {number}: {name}" in said
        witness.watch(target.kernel.symbol(name), int(gdb.command(f"output sizeof({name})")))
    for number, (name, function) in enumerate(places.items(), 1):
        gdb.resume()
        said = gdb.wait_stop()
        assert f"Hardware watchpoint {number}: {name}" in said
        assert re.search(rf"^#\d+ .*\b{function} \(", gdb.command("backtrace"), re.MULTILINE)
        stores = [f"{access.next_pc:#x}" for access in witness.drain() if access.store]
        assert stores == [gdb.command("output/x $pc")]
        gdb.command(f"delete {number}")
        witness.clear()
        for left in list(places)[number:]:
            witness.watch(target.kernel.symbol(left), int(gdb.command(f"output sizeof({left})")))
    gdb.resume()
    target.booted()
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_reads(boot: Boot) -> None:
    """rwatch stops at what reads, awatch at what reads or writes, in the order of the oracle."""
    target = boot(kgdboc="early", oracle=True)
    witness = target.oracle()
    rsp = target.reattach_rsp()
    address = target.kernel.symbol("max_pfn")
    witness.watch(address, 8)
    for kind, reason in ((3, "rwatch"), (4, "awatch")):
        packet = watch(rsp, address, 8, kind)
        stops = []
        for _ in range(2):
            go_on_to(rsp, reason)
            stops.append(rsp.read_pc())
        seen = [access.next_pc for access in witness.drain() if kind == 4 or not access.store]
        assert stops == seen
        assert rsp.request(f"z{packet}") == "OK"
    rsp.send("c")
    target.booted()


def test_set_while_the_per_cpu_areas_are_made(boot: Boot) -> None:
    """What is set when the boot CPU's state has been copied, and before it uses the copy, is armed in the copy."""
    target = boot(kgdboc="early", smp=2)
    rsp = target.reattach_rsp()
    run_to(target, rsp, "pcpu_setup_first_chunk")
    packet = watch(rsp, target.kernel.symbol("system_state"), 4)
    # setup_command_line() comes before, vfs_caches_init_early() behind.
    early = watch(rsp, target.kernel.symbol("dentry_hashtable"), 8)
    said = go_on_to(rsp)
    assert said.address == target.kernel.symbol("dentry_hashtable")
    assert rsp.request(f"z{early}") == "OK"
    for _ in range(3):
        go_on_to(rsp)
    assert rsp.request(f"z{packet}") == "OK"
    rsp.send("c")
    target.booted()
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
def test_a_module_is_loaded_in_an_initcall(boot: Boot) -> None:
    """A device initcall that nobody misses becomes __request_module(): the slots are as they were, and hit."""
    target = boot(kgdboc="early", smp=2, oracle=True)
    witness = target.oracle()
    rsp = target.reattach_rsp()
    symbol = target.kernel.symbol
    for name in ("system_state", "panic_timeout"):
        witness.watch(symbol(name), 4)
        watch(rsp, symbol(name), 4)
    run_to(target, rsp, "i8042_init")
    become(rsp, symbol("__request_module"), b"kgdb_values\0")
    witness.drain()
    # Loading it patches the kernel's text, with breakpoints off, and runs a program.
    for _ in ("FREEING_INITMEM", "RUNNING"):
        go_on_to(rsp)
        assert_seen(witness.drain(), rsp=rsp)
    rsp.send("c")
    target.booted()
    target.expect_armed(2)
    log = target.kernel_log()
    assert "kgdb_values" in target.console.run("cat /proc/modules")
    assert log.index("kgdb_values: loading out-of-tree module") < log.index("Run /init as init process")
    target.console.start("echo 7 > /proc/sys/kernel/panic")
    assert rsp.wait_stop().address == symbol("panic_timeout")
    assert_seen(witness.drain(), rsp=rsp)
    rsp.send("c")
    target.console.finish()


def become(rsp: Rsp, function: int, text: bytes) -> None:
    """Have a CPU that is at the first instruction of a function go on with function(true, text) in its place."""
    registers = bytearray.fromhex(rsp.request("g"))
    # Far from where the debugger is on this stack, and read before the stack is that deep.
    where = rsp.read_registers()["rsp"] - 0x2000
    assert rsp.request(f"M{where:x},{len(text):x}:{text.hex()}") == "OK"
    # rax (no vector registers are used), rsi, rdi, rip
    for number, value in ((0, 0), (4, where), (5, 1), (16, function)):
        registers[8 * number:8 * number + 8] = value.to_bytes(8, "little")
    assert rsp.request(f"G{registers.hex()}") == "OK"


@pytest.mark.rest_in_test_all
def test_breakpoints_and_steps(boot: Boot) -> None:
    """In the text and in a debug register, before and after the interrupt table is set up; a step beside a watchpoint."""
    target = boot(kgdboc="early")
    gdb = target.reattach_gdb()
    gdb.command("watch max_pfn")
    gdb.command("stepi")
    gdb.command("stepi")
    gdb.resume()
    assert "Hardware watchpoint 1: max_pfn" in gdb.wait_stop()
    gdb.command("delete 1")
    gdb.command("hbreak trap_init")
    gdb.command("break perf_event_init")
    gdb.command("hbreak rest_init")
    for number, function in ((2, "trap_init"), (3, "perf_event_init"), (4, "rest_init")):
        gdb.resume()
        said = gdb.wait_stop()
        # gdb may know two of a name, one of them weak, and call them 2.1 and 2.2.
        assert re.search(rf"reakpoint {number}(\.\d)?, {function} \(", said), said
        gdb.command("stepi")
    gdb.command("delete")
    gdb.resume()
    target.booted()


@pytest.mark.rest_in_test_all
def test_after_the_tty_driver(boot: Boot) -> None:
    """kgdboc=ttyS1 kgdbwait: the first stop is that of the serial driver's probe."""
    target = boot(kgdboc="wait", smp=2)
    gdb = target.reattach_gdb()
    gdb.command("watch system_state")
    for name in ("FREEING_INITMEM", "RUNNING"):
        gdb.resume()
        assert f"New value = SYSTEM_{name}" in gdb.wait_stop()
    gdb.resume()
    target.booted()
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_with_kaslr_in_gdb(boot: Boot) -> None:
    """gdb's symbols follow the kernel, from the first stop to one in the running machine."""
    target = boot(kgdboc="early", smp=2, kaslr=True)
    gdb = target.reattach_gdb()
    gdb.command("watch system_state")
    for name in ("SCHEDULING", "FREEING_INITMEM", "RUNNING"):
        gdb.resume()
        assert f"New value = SYSTEM_{name}" in gdb.wait_stop()
        assert "main.c" in gdb.command("info line *($pc - 1)")
    gdb.resume()
    target.booted()
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_with_kaslr(boot: Boot) -> None:
    """Where the kernel is follows from the PC of the first stop."""
    target = boot(kgdboc="early", smp=2, kaslr=True)
    rsp = target.reattach_rsp()
    # int3 is one byte, and the PC behind it.
    offset = rsp.read_pc() - 1 - target.kernel.symbol("kgdb_breakpoint_ip")
    assert offset % 0x200000 == 0   # 0 is one of some 500 offsets
    address = target.kernel.symbol("system_state") + offset
    packet = watch(rsp, address, 4)
    for value in (1, 2, 3):
        assert go_on_to(rsp).address == address
        assert rsp.read_memory(address, 4)[0] == value
    assert rsp.request(f"z{packet}") == "OK"
    rsp.send("c")
    target.booted()
    assert "KASLR disabled" not in target.kernel_log()
