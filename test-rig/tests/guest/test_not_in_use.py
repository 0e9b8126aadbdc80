# SPDX-License-Identifier: GPL-2.0-only
"""A KGDB without an I/O driver, as distributions ship it, costs nothing in #DB and NMI.

What these handlers do for the debugger is behind a branch that is patched out
(kgdb_in_use()). A driver may come and go at any time, also while a handler
runs, and the handlers of before and after agree. Early boot, where it is on
from the start, is test_early.py.
"""

from __future__ import annotations

import pytest

from conftest import Boot
from drive import on_cpu, peek, prepare, stop_in_gdb, stop_on_wire, watched
from kgdbrig.clients.hwbp import PerfEvent
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, Context, forever, line
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines.oracle import Oracle
from kgdbrig.wait import Deadline

CPUS = 2
ROUNDS = 20
#: Where perf watches, in the trigger's buffer, on which CPU that stores, and how often it does before it looks whether to go on.
HIT, HITS_ON, STORES = 2048, 0, 10
GO_ON, STORED = "/tmp/go-on", "/tmp/stored"
#: The bits of cpu_db_depth that count those that are nested.
DEPTH = 0xff
PARAMETER = "/sys/module/kgdboc/parameters/kgdboc"
ON, OFF = f"echo ttyS1,1200 > {PARAMETER}", f"echo > {PARAMETER}"


def counted(target: Target, witness: Oracle, context: Context) -> bool:
    """Whether it is counted in there what a store in this context brings about."""
    witness.drain()
    target.trigger.run("write", size=4, value=1, cpu=0, context=context)
    return bool(witness.drain())


@pytest.mark.rest_in_test_all
def test_the_branch_is_on_with_a_driver_only(boot: Boot, kernel: Kernel) -> None:
    """By the kernel's own count, by whether #DB and NMI touch what is counted for the debugger, and whether perf asks it."""
    asks = kernel.symbol("kgdb_take_perf_event")
    target = boot(kgdboc="none", smp=CPUS, oracle=True, visits=[asks])
    key = target.kernel.symbol("kgdb_in_use_key")
    prepare(target)
    witness = target.oracle()
    for cpu in range(CPUS):
        witness.watch(on_cpu(target, "cpu_db_depth", cpu), 4)
    asked = 0
    for command, on in ((":", False), (ON, True), (OFF, False), (ON, True)):
        target.console.run(command, check=True)
        assert peek(target, key, 4) == on, command
        assert counted(target, witness, "nmi") is on, command
        assert not counted(target, witness, "task"), command
        with PerfEvent(target.console, target.trigger.address(), 4) as event:
            assert counted(target, witness, "task") is on, f"#DB after {command}"
            assert event.counts() == [1, 0]
        asked += on
        assert witness.visits(asks) == asked, f"#DB after {command}"


@pytest.mark.only_in_test_all
def test_a_driver_comes_and_goes_while_handlers_run(boot: Boot) -> None:
    """NMIs on both CPUs all the time, and perf's #DB on one; each hit is counted, and in the end no handler is."""
    # By turns: with a thread for each CPU, QEMU executes an int3 of text_poke() that has gone, and nobody is there for it.
    target = boot(kgdboc="none", smp=CPUS)
    prepare(target)
    for cpu in range(CPUS):
        text = line("write", size=4, offset=64 * cpu, value=1, cpu=cpu, count=1000, context="nmi")
        target.console.run(f"{forever(text)} &")
    text = line("write", size=4, offset=HIT, value=1, count=STORES)
    stores = f'n=0; while [ -e {GO_ON} ]; do echo "{text}" > {RUN}; n=$((n+{STORES})); done; echo $n > {STORED}'
    with PerfEvent(target.console, target.trigger.address(HIT), 4, cpus=[HITS_ON]) as event:
        target.console.run(f"touch {GO_ON}")
        target.console.run(f"taskset {1 << HITS_ON:x} sh -c '{stores}' & p=$!")
        for _ in range(ROUNDS):
            before = event.counts()
            target.console.run(f"{ON} && {OFF}", check=True)
            deadline = Deadline(30)     # CPUs do not take turns fairly
            while event.counts() <= before:
                assert not deadline.passed(), "nothing was stored meanwhile"
        target.console.run(ON, check=True)
        target.console.run(f"rm {GO_ON}; wait $p", check=True)
        assert event.counts() == [int(target.console.run(f"cat {STORED}"))]
    target.console.run("kill $(jobs -p); wait")
    assert [peek(target, on_cpu(target, "cpu_db_depth", cpu), 4) & DEPTH for cpu in range(CPUS)] == [0] * CPUS

    rsp = target.attach_rsp()
    assert rsp.request(f"Z2,{target.trigger.address():x},4") == "OK"
    rsp.send("c")
    target.back()
    target.expect_armed(1)
    for cpu in range(CPUS):
        assert stop_on_wire(target, rsp, "write", size=4, offset=0, value=cpu, cpu=cpu).reason == "watch"
        rsp.send("c")
        target.trigger.finish()


@pytest.mark.rest_in_test_all
def test_by_sysfs(boot: Boot) -> None:
    """kgdboc set in a running machine."""
    target = boot(kgdboc="none", smp=2)
    target.console.run(ON, check=True)
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    assert "hit Hardware watchpoint 1: " in stop_in_gdb(target, gdb, "write", size=4, offset=0, value=1, cpu=1)
    gdb.resume()
    target.trigger.finish()


@pytest.mark.one_version
@pytest.mark.parametrize("without", ["fixes_kernel", pytest.param("stock_kernel", marks=pytest.mark.only_in_test_all)])
def test_nothing_is_done_without_parameters(boot: Boot, kernel: Kernel, request: pytest.FixtureRequest, without: str) -> None:
    """The patched kernel writes the debug registers, and takes #DB and int3, as often as one without watchpoints."""
    counts = []
    for booted in (kernel, request.getfixturevalue(without)):
        entries = [booted.symbol(name) for name in ("asm_exc_debug", "asm_exc_int3")]
        witness = boot(kernel=booted, kgdboc="none", oracle=True, visits=entries).oracle()
        counts.append((witness.debug_register_writes(), *map(witness.visits, entries)))
    ours, theirs = counts
    assert ours == theirs
    writes, debug, int3 = theirs
    assert writes > 0 and debug == 0 and int3 > 0
