# SPDX-License-Identifier: GPL-2.0-only
"""A software breakpoint beside a watchpoint, and gdb's own commands at a stop.

The debugger writes its breakpoints into the kernel's text through a temporary
mm, and that code asks perf's records whether debug registers are in use.
Nothing that the debugger does there, or for a command of the user's, may hit.
"""

from __future__ import annotations

import re

import pytest

from drive import break_in
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target

pytestmark = pytest.mark.i386

SET = "echo {} > /proc/sys/kernel/panic"
#: One read, where cat makes another to see that there is no more.
GET = "dd if=/proc/sys/kernel/panic bs=64 count=1 2>/dev/null"

#: What gdb calls each kind of watchpoint on panic_timeout, which is number 2.
NAMES = {"watch": r"Hardware watchpoint 2: panic_timeout",
         "awatch": r"Hardware access \(read/write\) watchpoint 2: panic_timeout",
         "rwatch": r"Hardware read watchpoint 2: panic_timeout"}
#: Which of them a write of a new value hits, and which a read.
WRITES, READS = ("watch", "awatch"), ("awatch", "rwatch")

#: A function on the way to panic_timeout, and to nothing else that the shell does.
ON_THE_WAY = "proc_sys_call_handler"
AT_IT = rf"Breakpoint 1(\.\d+)?, {ON_THE_WAY} "


def stops_of(target: Target, gdb: Gdb, command: str, *expected: str) -> str:
    """`command` in the guest stops for each of `expected`, and for nothing else; what it prints."""
    target.console.start(command)
    for pattern in expected:
        said = gdb.wait_stop()
        assert re.search(pattern, said), f"no {pattern!r} in what gdb said of a stop:\n{said}"
        gdb.resume()
    return target.console.finish()


def alive(target: Target, gdb: Gdb) -> None:
    """At a stop: delete everything, continue. The shell works, nothing is armed, nothing was complained about."""
    gdb.command("delete")
    target.resume(gdb)
    target.console.run(SET.format(0))
    assert target.console.run(GET).strip() == "0"
    target.expect_armed(0)
    assert not target.kernel_log("re-enter").strip()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("place", ["panic", ON_THE_WAY])
def test_break_beside(target: Target, kind: str, place: str) -> None:
    """Both stop, each by its own name: `place` is where nothing runs, or on the way to the access."""
    gdb = target.attach_gdb()
    assert "Breakpoint 1 at" in gdb.command(f"break {place}")
    assert re.search(NAMES[kind], gdb.command(f"{kind} panic_timeout"))
    target.resume(gdb)

    first = [AT_IT] * (place == ON_THE_WAY)
    for value in (7, 8):
        stops_of(target, gdb, SET.format(value), *first, *[f"hit {NAMES[kind]}"] * (kind in WRITES))
        said = stops_of(target, gdb, GET, *first, *[f"hit {NAMES[kind]}"] * (kind in READS))
        assert said.strip() == str(value)
    break_in(target, gdb)
    alive(target, gdb)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("stop", ["break", "hbreak"])
@pytest.mark.parametrize("kind", NAMES)
def test_commands_at_a_stop(target: Target, kind: str, stop: str) -> None:
    """What gdb does for its user at a stop hits nothing: it reads, writes, plants breakpoints and runs to them."""
    gdb = target.attach_gdb()
    gdb.command(f"{stop} {ON_THE_WAY}")
    gdb.command(f"{kind} panic_timeout")
    target.resume(gdb)
    target.console.start(SET.format(7))
    assert re.search(AT_IT, gdb.wait_stop())

    assert gdb.command("print panic_timeout").endswith("= 0")
    assert gdb.command("print panic_timeout = 5").endswith("= 5")
    gdb.command("set var panic_timeout = 0")
    assert gdb.command("print panic_timeout").endswith("= 0")
    assert "panic_timeout" in gdb.command("x/2xw &panic_timeout")
    # KGDB has no floating-point registers, which gdb saves before it calls a function.
    assert "Could not fetch register" in gdb.command("call nr_processes()")

    said = gdb.command("finish")
    assert "Run till exit" in said
    if kind in WRITES:
        assert re.search(f"hit {NAMES[kind]}", said)
        said = gdb.command("finish")
        assert "Run till exit" in said
    assert gdb.command("print panic_timeout").endswith("= 7")
    gdb.command(f"tbreak {ON_THE_WAY}")
    gdb.command("delete 1")
    gdb.resume()
    target.console.finish()
    target.console.start(GET.replace("panic", "ostype"))
    assert re.search(rf"Temporary breakpoint 3(\.\d+)?, {ON_THE_WAY} ", gdb.wait_stop())
    gdb.resume()
    assert target.console.finish().strip() == "Linux"
    break_in(target, gdb)
    alive(target, gdb)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("command", ["advance", pytest.param("until", marks=pytest.mark.only_in_test_all)])
@pytest.mark.parametrize("stop", ["break", "hbreak"])
@pytest.mark.parametrize("kind", NAMES)
def test_run_to_a_place(target: Target, kind: str, stop: str, command: str) -> None:
    """`advance` and `until` end at the watchpoint that comes before the place they are told."""
    gdb = target.attach_gdb()
    gdb.command(f"{stop} {ON_THE_WAY}")
    gdb.command(f"{kind} panic_timeout")
    target.resume(gdb)
    access, caller = (SET.format(3), "vfs_write") if kind in WRITES else (GET, "vfs_read")
    target.console.start(access)
    assert re.search(AT_IT, gdb.wait_stop())
    assert re.search(f"hit {NAMES[kind]}", gdb.command(f"{command} {caller}"))
    # Nothing accesses it on the way to the caller.
    said = gdb.command("finish")
    assert "Run till exit" in said and "hit " not in said
    gdb.resume()
    target.console.finish()
    break_in(target, gdb)
    alive(target, gdb)
