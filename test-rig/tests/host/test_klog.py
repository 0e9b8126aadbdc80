# SPDX-License-Identifier: GPL-2.0-only
"""Which lines of a kernel log are complaints."""

from __future__ import annotations

import pytest

from kgdbrig.judging import klog


@pytest.mark.parametrize("line", [
    "------------[ cut here ]------------",
    "WARNING: CPU: 1 PID: 47 at kernel/debug/debug_core.c:512 kgdb_reenter_check+0x8f/0xd0",
    "BUG: kernel NULL pointer dereference, address: 0000000000000000",
    "BUG: scheduling while atomic: sh/47/0x00000002",
    "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580",
    "BUG: KASAN: use-after-free in kgdb_table_set+0x1/0x2",
    "Oops: 0002 [#1] SMP NOPTI",
    "Call Trace:",
    "INFO: task sh:47 blocked for more than 120 seconds.",
    "INFO: lockdep is turned off.",
    "WARNING: possible circular locking dependency detected",
    "WARNING: inconsistent lock state",
    "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
    "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:47]",
    "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0",
    "watchdog: hard lockup on cpu 0",
    "Uhhuh. NMI received for unknown reason 20 on CPU 0.",
    "KGDB: re-enter error: breakpoint removed ffffffff81000000",
    "KGDB: re-enter exception: ALL breakpoints killed",
    "KGDB: CPU 3 did not stop",
    "KGDB: Timed out waiting for secondary CPUs.",
    "kgdbts: ERROR PUT: end of test buffer on 'hw_breakpoint_test' line 1 expected OK got $E28#9f",
])
def test_complaints(line: str) -> None:
    assert klog.complaints(f"[    1.2] before\n[    1.2] {line}\n[    1.2] behind\n") == [f"[    1.2] {line}"]


@pytest.mark.parametrize("line", [
    "KGDB: Registered I/O driver kgdboc",
    "KGDB: watchpoint at 0xffffffff81000000, length 4, refused: needs 1 slot, 0 free: the debugger holds 4",
    "INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.000 msecs",
    "Spectre V2 : Mitigation: Retpolines",
    "sysrq: DEBUG",
    "debug: unmapping init [mem 0xffffffff81c00000-0xffffffff81dfffff]",
])
def test_what_is_none(line: str) -> None:
    assert klog.complaints(line) == []
