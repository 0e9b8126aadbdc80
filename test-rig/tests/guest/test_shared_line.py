# SPDX-License-Identifier: GPL-2.0-only
"""A line that is the kernel's console as well: what it says there comes between the packets, and gdb's Ctrl-C gets in."""

from __future__ import annotations

import os
import re
import signal

import pytest

from conftest import Boot
from drive import break_in, go_on, prepare, stop_in_gdb, watched
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target
from kgdbrig.line.tap import FROM_GDB, FROM_KGDB

pytestmark = pytest.mark.rest_in_test_all

#: What packets and acknowledgments are made of, though none that is valid.
MESSAGE = "+ - \\$T05#00 all that a packet is made of"
HITS = 20


def attached(boot: Boot) -> tuple[Target, Gdb]:
    """Two CPUs, a gdb that watches the trigger's first word, and the machine runs."""
    target = boot(smp=2, kgdboc="console", append="printk.devkmsg=on")
    prepare(target)
    gdb = target.attach_gdb()
    gdb.command(f"watch {watched(target, 0, 4)}")
    target.resume(gdb)
    return target, gdb


def hit(target: Target, gdb: Gdb, value: int) -> None:
    said = stop_in_gdb(target, gdb, "write", size=4, offset=0, value=value, cpu=0)
    assert re.search(rf"Old value = {value - 1}\s+New value = {value}\b", said), said
    go_on(target, gdb)


def test_a_flood_of_messages(boot: Boot) -> None:
    target, gdb = attached(boot)
    mark = target.tap.mark()
    target.console.run(f"taskset 2 sh -c 'while :; do echo \"<0>{MESSAGE}\" > /dev/kmsg; done' &")
    for value in range(1, HITS + 1):
        hit(target, gdb, value)
    target.console.run("kill $!; wait")
    break_in(target, gdb)
    assert f"already hit {HITS} times" in gdb.command("info breakpoints")
    target.resume(gdb)
    said = b"".join(packet.raw for packet in target.tap.since(mark) if packet.direction == FROM_KGDB)
    assert said.count(b"all that a packet is made of") > HITS


def test_ctrl_c(boot: Boot) -> None:
    """gdb sends BREAK and "g", as gdbinit has told it: SysRq-g.  What stops then is a running machine, and it goes on."""
    target, gdb = attached(boot)
    # The serial driver listens while the port is open.
    target.console.run("sleep 1000000 < /dev/ttyS1 &")

    def terminal_server(direction: str, raw: bytes) -> list[bytes]:
        """It gives the line the BREAK before the "g", for which gdb has nothing to send over this socket."""
        if direction == FROM_GDB and raw == b"g":
            target.machine.qmp().command("chardev-send-break", id="kgdb")
        return [raw]

    target.tap.fault = terminal_server
    for value in range(1, 4):
        os.kill(gdb.pid, signal.SIGINT)
        assert "SIGTRAP" in gdb.wait_stop()
        assert "kgdb_breakpoint" in gdb.command("backtrace 1")
        gdb.resume()
        hit(target, gdb, value)
