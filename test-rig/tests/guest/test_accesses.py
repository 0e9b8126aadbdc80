# SPDX-License-Identifier: GPL-2.0-only
"""What is told of an access to a watched place (kgdbrig/clients/accesses.py): who made it, where, and from what to what."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import prepare, watched
from kgdbrig.clients.accesses import READ, WRITE, Access, Accesses, Wanted
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, Context, Op, line

#: What each of the trigger's contexts is called, and a function of which it is called.
CONTEXTS: dict[Context, tuple[str, str]] = {
    "task": ("task", "trigger_in_task"),
    "irqsoff": ("task", "trigger_in_irqsoff"),
    "softirq": ("softirq", "tasklet_action_common"),
    "hardirq": ("irq", "irq_work_single"),
    "nmi": ("nmi", "nmi_handle"),
}


def attached(target: Target) -> tuple[Gdb, Accesses, str]:
    """gdb with the trigger's symbols at a stopped machine, and what it may watch."""
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"lx-symbols {target.kernel.directory / 'modules'}", 60)
    return gdb, Accesses(target, gdb), watched(target, 0, 4)


def stopped(target: Target, gdb: Gdb, accesses: Accesses, mark: int) -> list[Access]:
    """What the next stop is for."""
    gdb.wait_stop()
    found = accesses.those(mark)
    assert found is not None, target.report()
    return found


@pytest.mark.i386
def test_each_context_on_each_cpu(boot: Boot) -> None:
    target = boot(smp=2)
    gdb, accesses, word = attached(target)
    accesses.watch(Wanted(word))
    value = 0
    for context, (called, caller) in CONTEXTS.items():
        for cpu in (0, 1):
            mark = target.tap.mark()
            accesses.resume()
            target.back()
            target.trigger.start("write", size=4, offset=0, value=value + 1, cpu=cpu, context=context)
            [access] = stopped(target, gdb, accesses, mark)
            value += 1
            assert (access.kind, access.old, access.new) == (WRITE, str(value - 1), str(value)), context
            assert (access.context, access.cpu) == (called, cpu), context
            assert access.exact and access.functions == ("trigger_write_4",), context
            assert caller in [place.function for place in access.places], str(access)
            if called == "task":
                assert access.comm == f"kgdb_trigger/{cpu}"
            accesses.resume()
            target.trigger.finish()
            target.break_in()
            gdb.wait_stop()


@pytest.mark.rest_in_test_all
def test_writes_that_change_nothing_and_reads(target: Target) -> None:
    """They are told apart, though gdb takes a write that changes nothing for a read; the one who wants none gets none."""
    gdb, accesses, word = attached(target)
    other = watched(target, 64, 4)
    accesses.watch(Wanted(word, unchanged=True, reads=True))
    accesses.watch(Wanted(other, reads=True))
    accesses.resume()
    target.back()
    told: list[tuple[str, str, str, str]] = []
    asked: list[tuple[Op, int, int | None]] = [("write", 0, 5), ("write", 0, 5), ("read", 0, None), ("write", 64, 6),
                                               ("write", 64, 6), ("read", 64, None)]
    for op, offset, value in asked:
        mark = target.tap.mark()
        target.trigger.start(op, size=4, offset=offset, value=value)
        told += [(access.expression, access.kind, access.old, access.new)
                 for access in stopped(target, gdb, accesses, mark)]
        accesses.resume()
        target.trigger.finish()
    assert told == [(word, WRITE, "0", "5"), (word, WRITE, "5", "5"), (word, READ, "5", "5"),
                    (other, WRITE, "0", "6"), (other, READ, "6", "6")]


@pytest.mark.rest_in_test_all
@pytest.mark.not_on("7.3")
def test_a_repeated_instruction(target: Target) -> None:
    """It stops in its midst, at itself.  Where it has not begun, it is the instruction before that made the access.

    The kernel clears a page with one (Linux 7.3 has that inline): it is called in place of the trigger's store.
    """
    gdb, accesses, _ = attached(target)
    repeated = target.kernel.symbol("clear_page_rep")
    listed = gdb.command(f"x/6i {repeated:#x}")
    at = int(re.search(r"^\D*(0x[0-9a-f]+) <[^\n]*\brep stos", listed, re.MULTILINE)[1], 16)  # type: ignore[index]
    page = target.trigger.address()
    store = int(gdb.command("print/x (long)&trigger_write_4").split("= ")[1], 16)
    gdb.command(f"hbreak *{store:#x}")
    accesses.watch(Wanted(watched(target, 512, 8), unchanged=True))
    for value in (1, 0):
        mark = target.tap.mark()
        accesses.resume()
        if value:
            target.back()
            target.console.start(f"for i in 1 2; do echo '{line('write', size=4, offset=0, value=1)}' > {RUN}; done")
        gdb.wait_stop()
        assert accesses.those(mark) is None and f"{store:#x}" in gdb.command("print/x $pc")
        gdb.command(f"set $rdi = {page:#x}")
        gdb.command(f"set $rip = {repeated:#x}")
        mark = target.tap.mark()
        accesses.resume()
        [access] = stopped(target, gdb, accesses, mark)
        assert (access.pc, access.exact) == (at, True), f"{access}{listed}"
    # As if it had not begun: whoever came before it has made the access.
    gdb.command(f"set $pc = {at:#x}")
    gdb.command(f"set $rdi = {page + 2048:#x}")
    gdb.command(f"set $rsi = {page + 2048:#x}")
    told = gdb.command("rig-access")
    assert f'"pc": {at},' not in told and '"exact": true' in told, told
    gdb.command(f"set $rdi = {page + 520:#x}")
    gdb.command("delete")
    accesses.resume()
    target.back()
