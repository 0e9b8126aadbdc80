# SPDX-License-Identifier: GPL-2.0-only
"""kgdbcon: gdb shows the kernel's messages, which share its line with the stops.

The breakpoints are int3: a kernel that has only the fixes of stock KGDB will do.
"""

from __future__ import annotations

import contextlib

import pytest

from conftest import Boot
from drive import back_over_int3, prepare, settle
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, line
from kgdbrig.errors import RigTimeout
from kgdbrig.line.tap import FROM_KGDB
from kgdbrig.wait import Deadline

#: What CPU 0 executes while CPU 1 says something; and what puts each character of a packet on the line.
STORE, PUT_CHAR = "trigger_write_4", "kgdboc_put_char"

#: How long, in seconds, one of the two, client and shell, is listened to at a time.
_TURN_SECONDS = 0.1


def shared(boot: Boot) -> tuple[Target, Rsp]:
    """Two CPUs that run, and a client.  Messages go to the client alone, and not to the shell's port.

    CPU 1 stands still while its message waits.  Nothing that the shell needs may be there, and nobody may wait for it, as
    the watchdog of 7.3's clocks does, on the CPU that looks.  The CPUs do not take turns: CPU 1 polls the line while it
    waits, and with its turns in between CPU 0 of 6.1, which has the host's clock, got to nothing but its own ticks.
    """
    target = boot(smp=2, append="kgdbcon printk.devkmsg=on isolcpus=1 irqaffinity=0 tsc=nowatchdog",
                  parallel=True)
    prepare(target)
    settle(target)
    # The shell and what it runs: another CPU may stand still, and it would have to let go of them.
    target.console.run("taskset -p 1 $$", check=True)
    target.console.run("echo N > /sys/class/tty/ttyS0/console", check=True)
    # On a real-time kernel (tests/debug/test_rt.py) a thread prints what others say: it does so where they say it.
    target.console.run("for c in $(grep -lxs pr/legacy /proc/[0-9]*/comm); do p=${c#/proc/}; taskset -p 2 ${p%/comm}; done",
                       check=True)
    # The one message that the console is to show before it is none: Target.break_in() looks for it there.
    target.console.start(BREAK_IN)
    return target, target.reattach_rsp()


def run_from_here(target: Target, rsp: Rsp) -> None:
    """Continue; the shell's command comes back, while the client acknowledges what the kernel says."""
    rsp.send("c")
    deadline = Deadline(30)
    while True:
        with contextlib.suppress(RigTimeout):
            target.console.finish(_TURN_SECONDS)
            return
        if deadline.passed():
            raise RigTimeout("end of the shell's command", deadline.seconds, target.report())
        with contextlib.suppress(RigTimeout):
            raise AssertionError(f"the machine stopped: {rsp.wait_stop(_TURN_SECONDS)}")


def say(text: str) -> str:
    """What has CPU 1 say something; it waits until the client has acknowledged that."""
    return f"taskset 2 sh -c 'echo \"<0>rig: {text}\" > /dev/kmsg'"


def store(times: int = 1) -> str:
    """What executes STORE on CPU 0."""
    text = line("write", size=4, offset=0, value=1)
    return f"i=0; while [ $i -lt {times} ]; do i=$((i+1)); echo {text} > {RUN}; done"


def set_at(rsp: Rsp, address: int) -> None:
    assert rsp.request(f"Z0,{address:x},1") == "OK"


def lift(rsp: Rsp, address: int) -> None:
    """Take out the breakpoint that the machine stands at."""
    assert rsp.read_pc() == address + 1
    back_over_int3(rsp, address)
    assert rsp.request(f"z0,{address:x},1") == "OK"


def step_over(rsp: Rsp, address: int) -> None:
    """Continue from a breakpoint, which stays."""
    lift(rsp, address)
    rsp.send("s")
    rsp.wait_stop()
    set_at(rsp, address)
    rsp.send("c")


def said(rsp: Rsp, last: str) -> list[str]:
    """The messages that the client was sent, without their times; a thread that prints may not be through with the last one."""
    deadline = Deadline(30)
    while True:
        found = [text.partition("rig: ")[2] for text in "".join(rsp.output).splitlines() if "rig: " in text]
        if last in found or deadline.passed():
            return found
        with contextlib.suppress(RigTimeout):
            raise AssertionError(f"the machine stopped: {rsp.wait_stop(_TURN_SECONDS)}")


@pytest.mark.rest_in_test_all
def test_a_stop_while_a_message_waits_for_its_acknowledgment(boot: Boot) -> None:
    """The stop reply takes the message's acknowledgment; the CPU that said it goes on all the same."""
    target, rsp = shared(boot)
    run_from_here(target, rsp)
    address = target.symbol(STORE)
    target.console.start(BREAK_IN)
    rsp.wait_stop()
    set_at(rsp, address)
    run_from_here(target, rsp)

    mark = target.tap.mark()

    def comes(kind: bytes) -> None:
        target.tap.wait_packet(lambda packet: packet.direction == FROM_KGDB and packet.data.startswith(kind), 30,
                               since=mark, awaited=f"{kind.decode()} packet")

    target.console.run(f"{say('one')} &")
    comes(b"O")
    # It is not acknowledged yet: the client does that as it receives.
    target.console.start(f"{store()}; wait")
    comes(b"T")
    rsp.wait_stop()
    lift(rsp, address)
    run_from_here(target, rsp)
    assert said(rsp, "one") == ["one"]


@pytest.mark.rest_in_test_all
def test_a_stop_in_the_middle_of_a_message(boot: Boot) -> None:
    """What was cut off is sent again, whole; its rest is not sent between packets."""
    target, rsp = shared(boot)
    run_from_here(target, rsp)
    address = target.symbol(PUT_CHAR)
    target.console.start(BREAK_IN)
    rsp.wait_stop()
    set_at(rsp, address)
    # The shell is back without a word of the kernel's.
    run_from_here(target, rsp)

    mark = target.tap.mark()
    target.console.start(f"{say('one')}; {say('two')}")
    for _ in range(5):
        rsp.wait_stop()
        step_over(rsp, address)
    rsp.wait_stop()
    lift(rsp, address)
    run_from_here(target, rsp)
    assert said(rsp, "two") == ["one", "two"]
    noise = b"".join(packet.raw for packet in target.tap.since(mark)
                     if packet.direction == FROM_KGDB and packet.kind.value == "noise")
    assert set(noise) <= set(b"$"), noise


@pytest.mark.rest_in_test_all
def test_messages_all_the_time(boot: Boot) -> None:
    """One CPU says something and the other one stops, over and over: nothing hangs, messages are whole and in order."""
    target, rsp = shared(boot)
    run_from_here(target, rsp)
    address = target.symbol(STORE)
    target.console.start(BREAK_IN)
    rsp.wait_stop()
    set_at(rsp, address)
    run_from_here(target, rsp)

    stops = 20
    says = "i=0; while :; do i=$((i+1)); echo \"<0>rig: $i\" > /dev/kmsg; done"
    target.console.start(f"taskset 2 sh -c '{says}' & {store(stops)}; kill $!; wait; {say('end')}")
    for number in range(stops):
        rsp.wait_stop()
        if number < stops - 1:
            step_over(rsp, address)
    lift(rsp, address)
    run_from_here(target, rsp)
    *numbers, last = said(rsp, "end")
    assert last == "end"
    # The last character may have been on its way when the other CPU stopped: then the message comes twice.
    assert len(set(numbers)) > 1
    assert list(map(int, numbers)) == sorted(map(int, numbers))
