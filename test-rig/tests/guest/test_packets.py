# SPDX-License-Identifier: GPL-2.0-only
"""The kgdb stub's Z and z packets, byte by byte: what is taken, what is refused, and why."""

from __future__ import annotations

import re

import pytest

import entry_memory
from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.target import Target

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
]
#: Those that remove what is not there.
GONE = ("z2,{},8", "z4,{},4", "z1,{},1", "z0,{},1")
#: The same by the size of an address.
BAD_OF_WORD = {
    8: [
        ("Z2,{},100000004", "the length is too large"),
        ("Z2,{},ffffffffffffffff", "the length is too large"),
        ("Z2,8000000000000000,4", "the address is not canonical"),
        ("Z2,7fffffffeffd,4", "the address is in user space"),
        ("Z2,fffffffffffffffd,4", "the region wraps around the end of memory"),
    ],
    4: [
        ("Z2,{},100000004", "the length has too many digits"),
        ("Z2,{},ffffffff", "the length is too large"),
        ("Z2,fffffffd,4", "the region wraps around the end of memory"),
    ],
}

def test_bad_packets_change_nothing(target: Target) -> None:
    """Each gets an error and a reason in the log, or OK where it asks for what is so; the watchpoint set before stays armed."""
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    assert rsp.request(f"Z2,{address:x},4") == "OK"
    packets = [*BAD, *BAD_OF_WORD[target.word]]
    for packet, _ in packets:
        answer = rsp.request(packet.format(f"{address:0{target.hex_digits}x}"))
        assert answer.startswith("E") and answer[1:].isdigit() and len(answer) == 3, (packet, answer)
    for packet in GONE:
        assert rsp.request(packet.format(f"{address:x}")) == "OK", packet
    rsp.send("c")
    target.back()
    target.expect_armed(1)

    log = target.kernel_log("KGDB: ").splitlines()
    # Of the software breakpoint there is no line.
    assert sum("not removed: there is none" in line for line in log) == len(GONE) - 1
    reasons = [line for line in log if "refused" in line]
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
    assert rsp.request(f"Z3,{address:x},4") == "OK"
    assert rsp.request(f"z3,{address:x},4") == "OK"
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
    # The accesses are of a word at most, and so in the first slot.
    access = min(size, target.word)
    set_and_go_on(target, rsp, f"Z2,{address:x},{size}", f"Z4,{address + 64:x},{size}")
    for op, offset, reason in (("write", 64, "watch"), ("write", 128, "awatch"), ("read", 128, "awatch")):
        value = 1 if op == "write" else None
        said = stop_on_wire(target, rsp, op, size=access, offset=offset, value=value)  # type: ignore[arg-type]
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


#: Why memory is not to be watched, in part.
ENTRY = "the exception entry code uses this memory"
TABLE = "the interrupt descriptor table is there"


def little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def dangerous(target: Target, rsp: Rsp) -> list[tuple[str, str]]:
    """What must not be watched: an address and a length as in a packet, and a part of the reason."""
    word = target.word
    registers = target.machine.qmp().hmp("info registers")
    table = {}
    for name in ("GDT", "IDT", "TR "):
        shown = re.search(rf"^{name}= *(?:[0-9a-f]{{4}} )?([0-9a-f]{{8,16}}) ", registers, re.MULTILINE)
        assert shown, f"QEMU shows no {name}"
        table[name.strip()] = int(shown[1], 16)
    found = [(table["GDT"], ENTRY), (table["IDT"] + 8 * word, ENTRY), (table["TR"] + 4, ENTRY)]
    if word == 8:
        # The stacks of double fault, NMI, #DB and machine check, by the TSS (SDM vol. 3A, 8.7).
        for number in range(4):
            top = little(rsp.read_memory(table["TR"] + 0x24 + 8 * number, 8))
            found.append((top - 8, ENTRY))
    found.append((target.kernel.symbol("idt_table"), TABLE))
    offsets = rsp.read_memory(target.kernel.symbol("__per_cpu_offset"), word * target.smp)
    for name, symbol in entry_memory.symbols(target.kernel).items():
        for cpu in range(target.smp):
            base = 0 if name in entry_memory.OF_ALL_CPUS else little(offsets[word * cpu:word * (cpu + 1)])
            found.append(((symbol + base) % (1 << 8 * word), ENTRY))
    return [(f"{address:x},4", reason) for address, reason in found]


def test_what_nmi_reads_may_be_watched_for_writes_alone(target: Target) -> None:
    """Which CPUs are online, for one: exc_nmi() looks with breakpoints enabled."""
    rsp = target.attach_rsp()
    base = little(rsp.read_memory(target.kernel.symbol("__per_cpu_offset"), target.word))
    for name, symbol in entry_memory.read_symbols(target.kernel).items():
        region = f"{(symbol + (0 if name in entry_memory.OF_ALL_CPUS else base)) % (1 << 8 * target.word):x},4"
        assert rsp.request(f"Z3,{region}") == rsp.request(f"Z4,{region}") == "E22", name
        assert rsp.request(f"Z2,{region}") == "OK"
        assert rsp.request(f"z2,{region}") == "OK"


def test_what_must_not_be_watched(boot: Boot) -> None:
    """Each is refused with its reason, by number or by text, and the machine runs on with what was set before.

    The first round has the machine go on after each refusal, and stop again at
    an access to the watchpoint that was set before.
    """
    target = boot(smp=2)
    prepare(target)
    address = target.trigger.address()
    rsp = target.attach_rsp()
    assert rsp.request(f"Z2,{address:x},4") == "OK"
    refused = dangerous(target, rsp)
    # A byte too much is as bad: the region that ends there, where another one begins that is all right.
    refused += [(f"{int(place.partition(',')[0], 16) - 3:x},4", reason) for place, reason in refused
                if reason == ENTRY]
    refused += [("400000,8", "the address is in user space"), (f"{address + 64:x},0", "the length is zero"),
                (f"{address + 64:x},1000", f"needs {0x1000 // target.word} slots, 3 free: the debugger holds 1")]
    rsp.send("c")
    target.back()
    for value, (place, reason) in enumerate(refused):
        said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=value, cpu=value % 2)
        assert (said.reason, said.address) == ("watch", address)
        expected = "E28" if "slots" in reason else "E22"
        for kind in "24":
            assert rsp.request(f"Z{kind},{place}") == expected, (place, reason)
        go_on_wire(target, rsp)
    target.expect_armed(1)
    lines = [line for line in target.kernel_log("KGDB: ").splitlines() if "refused: " in line]
    assert len(lines) == 2 * len(refused)
    for line, (place, reason) in zip(lines[::2], refused, strict=True):
        assert line.endswith(f"refused: {reason}"), place

    target.break_in()
    assert rsp.wait_stop().reason is None
    assert rsp.request("qSupported:multiprocess+;error-message+;swbreak+") == "error-message+"
    for place, reason in refused:
        assert rsp.request(f"Z2,{place}") == f"E.{reason}"
    assert rsp.request(f"Z9,{address:x},4") == "E.the type is not one of 0 to 4"
    for offer in ("qSupported", "qSupported:multiprocess+;xerror-message+", "qSupported:error-message-"):
        assert rsp.request(offer) == ""
        assert rsp.request(f"Z2,{refused[0][0]}") == "E22"
    rsp.send("c")
    target.back()
    said = stop_on_wire(target, rsp, "write", size=4, offset=0, value=1)
    assert (said.reason, said.address) == ("watch", address)
    go_on_wire(target, rsp)
