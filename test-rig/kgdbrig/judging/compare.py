# SPDX-License-Identifier: GPL-2.0-only
"""The same user-visible scenarios on the stock and on the patched kernel, side by side ('make compare').

Every cell of the table is what a run showed. A scenario boots a machine of its
own, so that one which hangs or dies takes no other along.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from kgdbrig.clients.console import Console
from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.kernels import build
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.line.tap import FROM_GDB, FROM_KGDB
from kgdbrig.machines.description import Description
from kgdbrig.machines.qemu import Machine
from kgdbrig.wait import Deadline

_WRITE = "echo 7 > /proc/sys/kernel/panic"
_READ = "cat /proc/sys/kernel/panic"
#: How long a machine may take to show that it is alive, in seconds.
_PATIENCE = 20.0
_COLUMN = 44
_BETWEEN = "  "
#: How often a wait for the guest's shell looks at the wire, in seconds.
_SLICE = 0.2


@dataclass(frozen=True)
class Scenario:
    """What a user tries, and how to find out what happens: run(kernel) says it in a few words."""

    title: str
    run: Callable[[Kernel], str]


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[0].strip() if found else "(nothing)"


def _comes_back(target: Target, start: Callable[[], None], finish: Callable[[float], object]) -> bool:
    """Start something in the guest, and wait for what comes first: its end, or a stop reply on the wire (False)."""
    since = target.tap.mark()
    start()
    deadline = Deadline(_PATIENCE)
    while True:
        try:
            finish(min(_SLICE, deadline.left()))
            return True
        except RigTimeout:
            if deadline.passed() or any(packet.direction == FROM_KGDB and packet.data.startswith(b"T")
                                        for packet in target.tap.since(since)):
                return False


def _stops(target: Target, gdb: Gdb, command: str) -> str:
    """What gdb says when the guest runs a command, or that the command came back."""
    if not _comes_back(target, lambda: target.console.start(command), target.console.finish):
        said = gdb.wait_stop(_PATIENCE)
        return "gdb stops: " + _first(r"hit .*watchpoint \d+: .*|received signal .*", said)
    return "gdb never stops"


def _watch(kernel: Kernel) -> str:
    with Target(Description(kernel)) as target:
        gdb = target.attach_gdb()
        gdb.command("watch panic_timeout")
        target.resume(gdb)
        armed = target.breakpoints_armed()[0]
        return f"{_stops(target, gdb, _WRITE)} ({armed} debug register enabled before)"


def _rwatch(kernel: Kernel) -> str:
    with Target(Description(kernel)) as target:
        gdb = target.attach_gdb()
        gdb.command("rwatch panic_timeout")
        mark = target.tap.mark()
        gdb.resume()
        answer = target.tap.wait_packet(lambda packet: (packet.direction == FROM_GDB and packet.data == b"c") or
                                        (packet.direction == FROM_KGDB and packet.data.startswith(b"E")), since=mark)
        if answer.direction == FROM_KGDB:
            return "gdb: " + _first(r"Could not insert .*", gdb.wait_stop(_PATIENCE))
        target.back()
        return _stops(target, gdb, _READ)


def _kgdbts(kernel: Kernel) -> str:
    with Target(Description(kernel, kgdboc="none")) as target:
        target.console.run("dmesg -c > /dev/null")
        target.console.run("echo kgdbts=V1 > /sys/module/kgdbts/parameters/kgdbts", 120)
        log = target.kernel_log()
        failed = re.findall(r"kgdbts: ERROR (\w+) test failed", log)
        if failed:
            return f"fails: {', '.join(failed)}"
        return "no ERROR line" if "Unregistered I/O driver kgdbts" in log else "does not finish"


def _stop_reply(kernel: Kernel) -> str:
    with Target(Description(kernel)) as target:
        target.trigger.load()
        address = target.trigger.address()
        rsp = target.attach_rsp()
        rsp.request(f"Z2,{address:x},4")
        rsp.send("c")
        target.back()
        if _comes_back(target, lambda: target.trigger.start("write", size=4, offset=0, value=1),
                       target.trigger.finish):
            target.break_in()
        said = rsp.wait_stop().text
        return f"{said}, and to '?' {rsp.request('?')}"


def _attribution(kernel: Kernel) -> str:
    with Target(Description(kernel)) as target:
        target.trigger.load()
        address = target.trigger.address()
        rsp = target.attach_rsp()
        rsp.request(f"Z2,{address:x},4")
        rsp.request(f"Z4,{address:x},4")
        rsp.send("c")
        target.back()
        if _comes_back(target, lambda: target.trigger.start("read", size=4, offset=0), target.trigger.finish):
            return "not reported"
        return f"reported as {rsp.wait_stop().reason or 'neither'}"


def _all_cpus(kernel: Kernel) -> str:
    with Target(Description(kernel, smp=4)) as target:
        gdb = target.attach_gdb()
        gdb.command("watch panic_timeout")
        target.resume(gdb)
        armed = sum(count > 0 for count in target.breakpoints_armed())
        target.console.run("echo 0 > /sys/devices/system/cpu/cpu3/online")
        target.console.run("echo 1 > /sys/devices/system/cpu/cpu3/online")
        again = target.breakpoints_armed()[3]
        return f"armed on {armed} of 4; CPU 3 after off and on: {'armed' if again else 'not armed'}"


def _checks(kernel: Kernel) -> str:
    with Target(Description(kernel)) as target:
        target.trigger.load()
        address = target.trigger.address()
        rsp = target.attach_rsp()
        answers = {}
        for what, spec in (("length 3", f"2,{address:x},3"), ("unaligned", f"2,{address + 1:x},4"),
                           ("user space", "2,400000,4"), ("cpu_entry_area", "2,fffffe0000000000,8")):
            answers[what] = rsp.request(f"Z{spec}")
            rsp.request(f"z{spec}")
        return "; ".join(f"{what}: {answer}" for what, answer in answers.items())


def _early(kernel: Kernel) -> str:
    with Machine(Description(kernel, kgdboc="early")) as machine, Console(machine.console) as console, \
            Gdb(kernel.vmlinux) as gdb:
        gdb.connect(machine.kgdb)
        where = _first(r"\b\w+ \(\) at", gdb.command("where 1")).removesuffix(" () at")
        gdb.resume()
        try:
            console.wait_for_shell(_PATIENCE)
            return f"gdb stops in {where}, then the guest boots to its shell"
        except RigTimeout:
            pass
        try:
            return f"gdb stops in {where}, then: {_first(r'.*received signal.*', gdb.wait_stop(_PATIENCE))}"
        except RigTimeout:
            return f"gdb stops in {where}, then: {_first(r'Kernel panic.*', machine.tail())}"


SCENARIOS = (
    Scenario(f"`watch panic_timeout`, `{_WRITE}`", _watch),
    Scenario("`echo kgdbts=V1 > /sys/module/kgdbts/parameters/kgdbts`", _kgdbts),
    Scenario(f"`rwatch panic_timeout`, `{_READ}`", _rwatch),
    Scenario("the stop reply of a watched store", _stop_reply),
    Scenario("which watchpoint? a read with `watch` and `awatch` on one address", _attribution),
    Scenario("`earlycon=... kgdboc_earlycon kgdbwait`, then `continue`", _early),
    Scenario("four CPUs, and one that comes online again", _all_cpus),
    Scenario("answers to what cannot be watched", _checks),
)


def run(version: str, arch: str) -> int:
    """Print the table for a version; 0 when every scenario gave an answer on both kernels."""
    stock, patched = build.build(version, arch, stock=True), build.build(version, arch)
    print(f"Linux {patched.release} {arch} ({patched.source}), QEMU TCG\n")
    _row("what a user tries", "stock", "patched")
    print("-" * (3 * _COLUMN + 2 * len(_BETWEEN)))
    failed = 0
    for scenario in SCENARIOS:
        print(f"rig: {scenario.title}", file=sys.stderr)
        seen = []
        for kernel in (stock, patched):
            try:
                seen.append(scenario.run(kernel))
            except RigError as error:
                seen.append(f"no answer: {str(error).splitlines()[0]}")
                failed += kernel is patched
        _row(scenario.title, *seen)
    return 1 if failed else 0


def cells(line: str) -> list[str]:
    """What a line of the table has in each of its columns."""
    width = _COLUMN + len(_BETWEEN)
    return [line[at:at + _COLUMN].strip() for at in range(0, 3 * width, width)]


def _row(*row: str) -> None:
    columns = [textwrap.wrap(cell, _COLUMN, break_on_hyphens=False) or [""] for cell in row]
    for line in range(max(map(len, columns))):
        print(_BETWEEN.join((column[line] if line < len(column) else "").ljust(_COLUMN) for column in columns).rstrip())
    print(flush=True)
