# SPDX-License-Identifier: GPL-2.0-only
"""The kgdb stub's Z and z packets, byte by byte: what is taken, what is refused, and why."""

from __future__ import annotations

import re

import pytest

from drive import go_on_wire, prepare, stop_on_wire
from kgdbrig.target import Target

pytestmark = pytest.mark.i386

#: A packet ({} is a good address), and a part of the reason the kernel log gives.
BAD = [
    ("Z2", "no comma after the type"),
    ("Z2,", "the address is not a hex number"),
    ("Z2,xyz,4", "the address is not a hex number"),
    ("Z2,{}", "no comma after the address"),
    ("Z2,{},", "the length is not a hex number"),
    ("Z2,{},0", "the length is zero"),
    ("Z2,{},4x", "garbage after the length"),
    ("Z2,{},4 ", "garbage after the length"),
    ("Z2,-1,4", "the address is not a hex number"),
    ("Z2,0x{},4", "no comma after the address"),
    ("Z2{},4", "no comma after the type"),
    ("Z9,{},4", "the type is not one of 0 to 4"),
    ("Z,{},4", "the type is not one of 0 to 4"),
    ("Z22,{},4", "no comma after the type"),
    ("Z2,1{},4", "the address has too many digits"),
    ("Z2,{},00000000000000004", "the length has too many digits"),
    ("Z2,400000,4", "the address is in user space"),
    ("Z2," + "f" * 1000 + ",4", "the address has too many digits"),
    ("z2,{}", "no comma after the address"),
    ("z2,{},8", "not removed: there is none"),
    ("z4,{},4", "not removed: there is none"),
]
#: The same by the size of an address.
BAD_OF_WORD = {
    8: [
        ("Z2,{},100000004", "the length is too large"),
        ("Z2,{},ffffffffffffffff", "the length is too large"),
        ("Z2,{},3", "the length is not 1, 2, 4 or 8"),
        ("Z2,{},10", "the length is not 1, 2, 4 or 8"),
        ("Z2,ffffffff80000001,4", "the address is not aligned to the length"),
    ],
    4: [
        ("Z2,{},100000004", "the length has too many digits"),
        ("Z2,{},ffffffff", "the length is too large"),
        ("Z2,{},3", "the length is not 1, 2 or 4"),
        ("Z2,{},8", "the length is not 1, 2 or 4"),
        ("Z2,ffc00001,4", "the address is not aligned to the length"),
    ],
}


def descriptor_table(target: Target) -> int:
    """The address of a GDT, which lies in the CPU entry area."""
    found = re.search(r"^GDT= *([0-9a-f]+) ", target.machine.qmp().hmp("info registers"), re.MULTILINE)
    assert found, "QEMU shows no GDT"
    return int(found[1], 16)


def test_bad_packets_change_nothing(target: Target) -> None:
    """Each gets an error and a reason in the log; the watchpoint set before stays armed."""
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    assert rsp.request(f"Z2,{address:x},4") == "OK"
    packets = [*BAD, *BAD_OF_WORD[target.word],
               (f"Z4,{descriptor_table(target):x},4", "the exception entry code uses this memory")]
    for packet, _ in packets:
        answer = rsp.request(packet.format(f"{address:0{target.hex_digits}x}"))
        assert answer.startswith("E") and answer[1:].isdigit() and len(answer) == 3, (packet, answer)
    rsp.send("c")
    target.back()
    target.expect_armed(1)

    log = [line for line in target.kernel_log().splitlines() if "KGDB: " in line]
    reasons = [line for line in log if "refused" in line or "not removed" in line]
    assert len(reasons) == len(packets)
    for line, (packet, reason) in zip(reasons, packets, strict=True):
        assert reason in line, packet

    assert stop_on_wire(target, rsp, "write", size=4, offset=0, value=1).reason == "watch"
    go_on_wire(target, rsp)


def test_the_good_ones(target: Target) -> None:
    prepare(target)
    address = target.trigger.address()
    code = target.symbol("proc_dointvec_minmax")
    rsp = target.attach_rsp()
    assert rsp.request(f"Z3,{address:x},4") == ""
    assert rsp.request(f"z3,{address:x},4") == ""
    for packet in (f"Z2,{address:x},4", f"Z2,{address:x},4", f"Z2,{address:X},04",
                   f"Z2,{address:0{target.hex_digits}x},4;X1,22", f"Z4,{address:x},{target.word};cmds:0,X1,22",
                   f"Z1,{code:x},1"):
        assert rsp.request(packet) == "OK", packet
    rsp.send("c")
    target.back()
    target.expect_armed(3)

    target.break_in()
    rsp.wait_stop()
    for packet in (f"z2,{address:x},4", f"z4,{address:x},{target.word}", f"z1,{code:x},1"):
        assert rsp.request(packet) == "OK", packet
    rsp.send("c")
    target.back()
    target.expect_armed(0)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_the_exact_stop_replies(target: Target, size: int) -> None:
    prepare(target)
    address = target.trigger.address(64)
    rsp = target.attach_rsp()
    if size > target.word:
        assert rsp.request(f"Z2,{address:x},{size}") == "E22", "a slot covers no more than a word"
        return
    assert rsp.request(f"Z2,{address:x},{size}") == "OK"
    assert rsp.request(f"Z4,{address + 64:x},{size}") == "OK"
    rsp.send("c")
    target.back()
    for op, offset, reason in (("write", 64, "watch"), ("write", 128, "awatch"), ("read", 128, "awatch")):
        value = 1 if op == "write" else None
        said = stop_on_wire(target, rsp, op, size=size, offset=offset, value=value)  # type: ignore[arg-type]
        pid = int(str(said.thread), 16)
        assert said.text == f"T05thread:{pid:0{2 if pid < 256 else 4}x};{reason}:" \
            f"{target.trigger.address(offset):0{target.hex_digits}x};"
        if op == "read":
            # '?' gives the same reason, twice if need be, though it removes the watchpoints.
            assert rsp.request("?") == said.text
            assert rsp.request("?") == said.text
        go_on_wire(target, rsp)
    target.expect_armed(0)


def test_a_fifth_is_refused_and_four_stay(target: Target) -> None:
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    for slot in range(4):
        assert rsp.request(f"Z2,{address + 64 * slot:x},4") == "OK"
    assert rsp.request(f"Z2,{address + 256:x},4") == "E28"
    rsp.send("c")
    target.back()
    target.expect_armed(4)
    for slot in range(4):
        said = stop_on_wire(target, rsp, "write", size=4, offset=64 * slot, value=1)
        assert said.address == address + 64 * slot
        go_on_wire(target, rsp)
    target.trigger.run("write", size=4, offset=256, value=1)
