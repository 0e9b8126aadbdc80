# SPDX-License-Identifier: GPL-2.0-only
"""A real-time kernel (PREEMPT_RT): interrupt handlers are threads, most locks sleep, and a thread of its own prints messages.

The tests are those of the other kernels, but for what there is on such a kernel alone.  It notices who sleeps, or takes a
lock that does, where one must not, and then says so in its log, which each test looks at in the end.
"""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import expect_kgdbts_passes
from kgdbrig.clients.target import Target
from kgdbrig.judging import klog
from kgdbrig.kernels.kernel import Kernel
from test_breakpoint_beside import test_break_beside, test_commands_at_a_stop
from test_contexts import test_every_context_on_every_cpu, test_the_backtrace_shows_the_context
from test_freed_memory import test_its_next_owner_hits, test_who_uses_it_after_it_was_freed
from test_kdb import test_a_data_hit_is_named, test_from_gdb_into_kdb_and_back, test_its_commands
from test_kgdbcon import (
    test_a_stop_in_the_middle_of_a_message,
    test_a_stop_while_a_message_waits_for_its_acknowledgment,
    test_messages_all_the_time,
)
from test_kunit import test_the_suites_pass, test_watchpoints_work_after_the_suites
from test_session import test_hardware_breakpoint, test_rwatch_stops_at_reads_alone, test_the_demo_session

pytestmark = pytest.mark.one_version

CPUS = 2


@pytest.fixture(scope="session")
def kernel(rt_kernel: Kernel) -> Kernel:
    """What all tests here boot."""
    return rt_kernel


def test_it_is_one(target: Target) -> None:
    assert "PREEMPT_RT" in target.console.run("uname -v")
    for option in ("PREEMPT_RT", "IRQ_FORCED_THREADING", "DEBUG_ATOMIC_SLEEP", "PROVE_LOCKING"):
        assert target.kernel.config[f"CONFIG_{option}"] == "y", option


def test_what_kdb_says_takes_no_lock(target: Target) -> None:
    """At its prompt, which it writes to no console whose lock sleeps."""
    kdb = target.attach_kdb()
    assert "sysname" in kdb.command("summary")
    kdb.go()
    target.back()
    assert not klog.complaints(target.kernel_log())


def test_the_kernels_suite(boot: Boot) -> None:
    expect_kgdbts_passes(boot(kgdboc="none", smp=CPUS))


@pytest.mark.parametrize("command", ["watch", "awatch"])
def test_a_threaded_interrupt(boot: Boot, command: str) -> None:
    """The handler of the console's interrupt counts what it receives: a hit in its thread, which holds a lock that sleeps."""
    target = boot(smp=CPUS)
    gdb = target.attach_gdb()
    gdb.command(f"{command} serial8250_ports[0].port.icount.rx")
    target.resume(gdb)
    # Each character of the line is one, and the first stops.
    target.console.start("true")
    assert "serial8250_ports[0].port.icount.rx" in gdb.wait_stop()
    trace = gdb.command("backtrace")
    frames = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(", trace, re.MULTILINE)
    assert frames[0].startswith("serial8250_read_char"), trace
    places = [frames.index(name) for name in ("serial8250_interrupt", "irq_thread", "kthread")]
    assert places == sorted(places), trace
    assert re.search(r"^\* +\d+ +Thread \d+ \(irq/\d+-ttyS0\)", gdb.command("info threads"), re.MULTILINE)
    assert gdb.command("print serial8250_ports[0].port.lock.lock.owner != 0").endswith("= 1")
    gdb.command("delete")
    gdb.resume()
    target.console.finish()
    target.expect_armed(0)
