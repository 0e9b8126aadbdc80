# SPDX-License-Identifier: GPL-2.0-only
"""Packets that no debugger would send: the stub answers each, and nothing changes."""

from __future__ import annotations

import os
import re
from random import Random

import pytest

from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients.target import Target

SEED = 20261128
PACKETS = 10_000 if os.environ.get("TEST_ALL") else 1_000
#: Without the line, by kgdb_hostile.
PACKETS_IN_GUEST = 1_000_000 if os.environ.get("TEST_ALL") else 20_000
#: What the packets are made of, {0:x} being an address of the trigger's buffer that nobody watches.
TEMPLATES = ("Z0,{0:x},1", "Z1,{0:x},1", "Z2,{0:x},4", "Z3,{0:x},2", "Z4,{0:x},8", "z0,{0:x},1", "z2,{0:x},4",
             "z4,{0:x},8", "m{0:x},40", "m{0:x},ffffffffffffffff", "p10", "g", "Hg1", "Hg-2", "Hc0", "T1", "qC",
             "qfThreadInfo", "qsThreadInfo", "qThreadExtraInfo,1", "qSupported:multiprocess+", "qAttached",
             "qXfer:features:read:target.xml:0,100", "qRcmd,", "vCont?", "QStartNoAckMode", "bc", "!", "i", "Y")
#: What a packet must not begin with: it would change memory or registers, let the machine go, change the stub's mode, or,
#: as a debugger's first packet, remove all breakpoints; or it would be none (test_bad_line.py).
EFFECTS = frozenset("MXGPcsCSDkR3?+-\3")
#: Bytes that a change puts in.
BYTES = bytes(range(1, 256))


def hostile(rng: Random, address: int) -> bytes:
    """A template with some bytes changed, added, doubled, or taken out; or noise."""
    while True:
        packet = bytearray(rng.choice(TEMPLATES).format(address).encode())
        if rng.randrange(16) == 0:
            packet = bytearray(rng.choices(BYTES, k=rng.randrange(1, 1200)))
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(packet) + 1)
            what = rng.randrange(4)
            if what == 0:
                packet[at:at] = rng.choices(BYTES, k=1)
            elif what == 1:
                packet[at:at] = b"0123456789abcdef,:;-"[rng.randrange(20):][:1]
            elif what == 2:
                del packet[at:at + rng.randrange(4)]
            else:
                packet[at:at] = packet[at:] * rng.randrange(1, 4)
        if packet and chr(packet[0]) not in EFFECTS and not packet.startswith(b"qRcmd,"):
            return bytes(packet[:900])


# What the stub says when it is asked for a thread 0 that there is not.
@pytest.mark.complains("Call Trace:")
@pytest.mark.rest_in_test_all
def test_nothing_changes(target: Target) -> None:
    prepare(target)
    watched = target.trigger.address(64)
    rsp = target.attach_rsp()
    set_and_go_on(target, rsp, f"Z2,{watched:x},4", f"Z4,{watched + 64:x},8")
    target.break_in()
    rsp.wait_stop()
    rng = Random(SEED)
    registers, memory = rsp.request("g"), rsp.read_memory(target.trigger.address(), 256)
    answers = {"OK": 0, "": 0, "E": 0}
    for number in range(PACKETS):
        packet = hostile(rng, target.trigger.address(1024))
        said = rsp.request(packet)
        kind = said if said in ("OK", "") else said[:1]
        answers[kind] = answers.get(kind, 0) + 1
        if said == "OK" and packet[:1] == b"Z":     # one that is right after all
            assert rsp.request(b"z" + packet[1:]) == "OK", (number, packet)
    assert min(answers[kind] for kind in ("OK", "", "E")) > PACKETS // 50
    assert rsp.request("Hg0") == rsp.request("Hc0") == "OK"
    assert rsp.request("g") == registers
    assert rsp.read_memory(target.trigger.address(), 256) == memory
    rsp.send("c")
    target.back()
    target.expect_armed(2)
    assert stop_on_wire(target, rsp, "write", size=4, offset=64, value=1).reason == "watch"
    go_on_wire(target, rsp)
    assert stop_on_wire(target, rsp, "read", size=8, offset=128).reason == "awatch"
    go_on_wire(target, rsp)


# As above.
@pytest.mark.complains("Call Trace:")
@pytest.mark.rest_in_test_all
def test_nothing_changes_without_the_line(target: Target) -> None:
    """As many more as the line is slow: a module of the guest is the debugger, and the judge."""
    rsp = target.attach_rsp()       # from kdb, where the machine starts, to the stub
    assert rsp.request("D") == "OK"
    target.back()
    target.console.run("echo > /sys/module/kgdboc/parameters/kgdboc", check=True)
    said = target.console.run(f"dmesg -c > /dev/null; insmod /lib/modules/$(uname -r)/kgdb_hostile.ko count={PACKETS_IN_GUEST} "
                              f"seed={SEED}; echo status $?; dmesg | grep -F kgdb_hostile:", 1800)
    print(said)
    assert "status 0" in said
    counts = [int(count) for count in re.findall(r"(\d+) (?:done|unknown|refused|answered|with a wrong)", said)]
    assert len(counts) == 5 and sum(counts) == PACKETS_IN_GUEST and min(counts) > PACKETS_IN_GUEST // 50
    target.expect_armed(0)
