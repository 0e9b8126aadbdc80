# SPDX-License-Identifier: GPL-2.0-only
"""What must not be watched, and what the machine does if it is.

KGDB has to refuse each of these places, with a reason, and to live. Then it is
shown what the refusal is good for: a debug register that KGDB holds for
something harmless is turned to the place by hand, past every check, and what
comes of it is judged by what is seen. The guest's shell answers, or it does not
while the guest executes millions of instructions, or none; the console shows a
panic; QEMU ends; the stops are others than they should be.

QEMU is the judge of what the processor itself does with a watched table. It
takes the processor's own reads and writes (of the IDT, of a stack that it pushes
to) for accesses, and gets entangled in the exceptions of exceptions. Intel's
manual leaves open whether a processor does.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import pytest

from conftest import Boot
from drive import per_cpu_offset, prepare, set_and_go_on
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.rsp import Rsp, RspError, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import RUN, RegisterType
from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.machines.oracle import Oracle
from kgdbrig.wait import Deadline

#: Where the shell does not answer, it hangs after this much: a guest that is well needs a fraction of both.
SILENT_INSTRUCTIONS = 10_000_000
SILENT_SECONDS = 5
#: How many stops, without the shell getting to its end, are too many.
STOPS_MAX = 12
LOOK_SECONDS = 0.2
#: In how many looks in a row the guest must have executed nothing.
IDLE_LOOKS = 15
VERDICT_SECONDS = 180
#: Of the TSS, SDM vol. 3A, 8.7: the kernel's IST_INDEX_DB.
IST_DB = 0x24 + 2 * 8


class Verdict(Enum):
    """What became of the machine."""

    UNHARMED = "nothing"
    CONFUSED = "the debugger's stops are wrong"
    FOR_EVER = "stops for ever, the debugger cannot be left"
    PANICS = "panics"
    HANGS = "hangs, executing instructions"
    WEDGED = "hangs, executing none"
    ENDS = "QEMU ends"


#: What nobody can work with.
FATAL = (Verdict.FOR_EVER, Verdict.PANICS, Verdict.HANGS, Verdict.WEDGED, Verdict.ENDS)
#: No use, or worse.
BAD = (*FATAL, Verdict.CONFUSED)


@dataclass
class Outcome:
    verdict: Verdict
    stops: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """A place that must not be watched.

    `address` finds it in a machine that stands in KGDB, by way of the raw client.
    """

    address: Callable[[Target, Rsp], int]
    #: In bytes, of an aligned region.
    length: int
    verdicts: tuple[Verdict, ...]
    why: str
    kind: RegisterType = "rw"


def table(name: str) -> Callable[[Target], int]:
    """The base of GDT, IDT or TR as QEMU has it."""
    def base(target: Target) -> int:
        line = re.search(rf"^{name} *=(.*)$", target.machine.qmp().hmp("info registers"), re.MULTILINE)
        assert line is not None, f"QEMU shows no {name}"
        return next(int(word, 16) for word in line[1].split() if len(word) == 16)
    return base


def in_table(name: str, offset: int) -> Callable[[Target, Rsp], int]:
    return lambda target, rsp: table(name)(target) + offset


def debug_stack(target: Target, rsp: Rsp) -> int:
    """Where #DB's frame begins, with SS."""
    pointer = table("TR")(target) + IST_DB
    return int.from_bytes(rsp.read_memory(pointer, 8), "little") - 8


def variable(name: str) -> Callable[[Target, Rsp], int]:
    return lambda target, rsp: target.kernel.symbol(name)


def per_cpu(name: str) -> Callable[[Target, Rsp], int]:
    """Of CPU 0."""
    def address(target: Target, rsp: Rsp) -> int:
        return target.kernel.symbol(name) + per_cpu_offset(target, rsp) & (1 << 64) - 1
    return address


PLACES: dict[str, Place] = {
    "IDT, #DB": Place(in_table("IDT", 16), 8, FATAL, "read to deliver the #DB that the read raises"),
    "IDT, page fault": Place(in_table("IDT", 14 * 16), 8, FATAL, "a #DB while another exception is delivered"),
    "GDT, kernel code": Place(in_table("GDT", 16), 8, FATAL, "read to deliver the #DB that the read raises"),
    "TSS, stack of #DB": Place(in_table("TR", IST_DB), 4, FATAL, "read to deliver the #DB that the read raises"),
    "stack of #DB": Place(debug_stack, 8, BAD, "pushed to by the #DB that the push raises", "w"),
    "idt_table": Place(variable("idt_table"), 8, (Verdict.UNHARMED,),
                       "the processor reads it elsewhere, in the CPU entry area"),
    "__per_cpu_offset": Place(variable("__per_cpu_offset"), 8, FATAL,
                              "read everywhere, and on entry to #DB with FSGSBASE"),
    "cpu_dr7": Place(per_cpu("cpu_dr7"), 8, FATAL, "read by #DB before it switches breakpoints off"),
    "kgdb_db": Place(per_cpu("kgdb_db"), 4, FATAL, "counted up by #DB before it switches breakpoints off"),
    "nmi_state": Place(per_cpu("nmi_state"), 4, BAD, "stops inside the entry of every NMI"),
    "cpu_db_depth": Place(per_cpu("cpu_db_depth"), 4, FATAL, "counted up by #DB before it switches breakpoints off"),
}

#: What the debugger itself uses: it switches breakpoints off first, and on last.
DEBUGGERS_OWN: dict[str, tuple[Callable[[Target, Rsp], int], int]] = {
    **{name: (per_cpu(name), length) for name, length in (
        ("bp_per_reg", 8), ("cpu_debugreg", 8), ("kgdb_hit", 4), ("slot_events", 8))},
    **{name: (variable(name), length) for name, length in (
        ("watches", 8), ("sets", 8), ("generation", 4), ("remcom_in_buffer", 8), ("remcom_out_buffer", 8),
        ("kgdb_info", 8), ("kgdb_active", 4), ("masters_in_kgdb", 4), ("dbg_master_lock", 4), ("dbg_slave_lock", 4),
        ("kgdb_connected", 4), ("kgdb_single_step", 4), ("dbg_io_ops", 8), ("kgdb_break", 8))},
}


@dataclass(frozen=True)
class Subject:
    """A machine that stands in KGDB, without a watchpoint, to be tried."""

    target: Target
    rsp: Rsp
    witness: Oracle

    @classmethod
    def stopped(cls, target: Target) -> Subject:
        witness = target.oracle()
        prepare(target)
        return cls(target, target.attach_rsp(), witness)


def test_each_is_refused(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    """For writes and for any access, all of it or its last byte; the kernel says why, and goes on."""
    prepare(target)
    rsp = target.attach_rsp()
    assert rsp.request(f"Z2,{target.trigger.address():x},4") == "OK"
    asked = []
    for name, place in PLACES.items():
        address = place.address(target, rsp)
        for packet in (f"Z2,{address:x},{place.length}", f"Z4,{address:x},{place.length}",
                       f"Z4,{address + place.length - 1:x},1"):
            asked.append((name, packet, rsp.request(packet)))
    rsp.send("c")
    target.back()
    target.expect_armed(1)
    assert [f"{name}: {packet}" for name, packet, answer in asked if answer != "E22"] == []
    reasons = re.findall(r"KGDB: .* at 0x([0-9a-f]+), length (\d+), refused: (\S.*)", target.kernel_log("KGDB: "))
    assert [f"{int(address, 16):x},{length}" for address, length, _ in reasons] == \
        [packet.split(",", 1)[1] for _, packet, _ in asked]
    target.trigger.start("write", size=4, value=1)
    assert rsp.wait_stop().reason == "watch"
    rsp.send("c")
    target.trigger.finish()
    show(capsys, f"What Linux {target.kernel.release} says of what must not be watched:",
         [(name, reason) for (name, _, _), (_, _, reason) in list(zip(asked, reasons, strict=True))[::3]])


@pytest.mark.one_version
@pytest.mark.only_in_test_all
def test_the_debugger_s_own_may_be_watched(boot: Boot, capsys: pytest.CaptureFixture[str]) -> None:
    """Every access to what the debugger uses: it is accepted, and the machine lives; the debugger's own do not hit."""
    subject, rows, wrong = None, [], []
    for name, (find, length) in DEBUGGERS_OWN.items():
        subject = subject or Subject.stopped(boot(oracle=True))
        target, rsp = subject.target, subject.rsp
        packet = f"4,{find(target, rsp):x},{length}"
        stored = f"2,{target.trigger.address():x},4"
        set_and_go_on(target, rsp, f"Z{packet}", f"Z{stored}")
        outcome = judge(subject, [], "?", [run("op=write size=4 value=1"), BREAK_IN, run("op=write size=4 value=2"),
                                           BREAK_IN, run("op=write size=4 value=3")])
        rows.append((name, f"{len(outcome.stops)} stops"))
        if outcome.verdict in FATAL:
            wrong.append(f"{name}: {outcome.verdict.value}; stops: {', '.join(outcome.stops)}")
            target.machine.stop()
            subject = None
            continue
        # "?" has removed everything, and no longer hits.
        target.expect_armed(0)
        target.break_in()
        assert rsp.wait_stop().reason is None
    show(capsys, "Stops with what the debugger itself uses watched:", rows)
    assert not wrong, "\n".join(wrong)


@pytest.mark.one_version
def test_what_every_cpu_uses_all_the_time(target: Target) -> None:
    """A stop at nearly each instruction, and then a machine that is well."""
    rsp = target.attach_rsp()
    packet = f"4,{per_cpu('this_cpu_off')(target, rsp):x},8"
    assert rsp.request(f"Z{packet}") == "OK"
    for _ in range(20):
        rsp.send("c")
        assert rsp.wait_stop().reason == "awatch"
    assert rsp.request(f"z{packet}") == "OK"
    rsp.send("c")
    target.back()
    target.expect_armed(0)
    assert not target.kernel_log("re-enter").strip()


@pytest.mark.one_version
@pytest.mark.only_in_test_all
def test_what_each_would_have_done(boot: Boot, capsys: pytest.CaptureFixture[str]) -> None:
    """One machine after another."""
    rows, wrong = [], []
    for name, place in PLACES.items():
        subject = Subject.stopped(boot(oracle=True))
        outcome = watch_it_all_the_same(subject, place)
        rows.append((name, f"{outcome.verdict.value} ({place.why})"))
        if outcome.verdict not in place.verdicts:
            wrong.append(f"{name}: {outcome.verdict.value}; stops: {', '.join(outcome.stops)}")
        # A register that was turned is not what KGDB's records say, and is left alone: another machine for the next.
        subject.target.machine.stop()
    show(capsys, "What the machine does if it is watched all the same:", rows)
    assert not wrong, "\n".join(wrong)


def show(capsys: pytest.CaptureFixture[str], title: str, rows: list[tuple[str, str]]) -> None:
    """A table for whoever runs the tests; pytest keeps back what tests print."""
    with capsys.disabled():
        print(f"\n{title}", *(f"  {name:18} {text}" for name, text in rows), sep="\n")


def watch_it_all_the_same(subject: Subject, place: Place) -> Outcome:
    """Turn a register of KGDB's to the place; a machine that took no harm is as it was before."""
    target, rsp = subject.target, subject.rsp
    harmless, stored = target.trigger.address(2048), target.trigger.address()
    address = place.address(target, rsp)
    packets = f"2,{stored:x},4", f"4,{harmless:x},{place.length}"
    set_and_go_on(target, rsp, *(f"Z{packet}" for packet in packets))
    target.expect_armed(2)
    register = next(int(name[2]) for name, value in target.machine.debug_registers()[0].items() if value == harmless)
    # All that enters an exception handler, and the debugger: an NMI, a hit of KGDB's, page faults, a break-in. At the
    # second break-in the table changes, which gives the turned register back; each time a hit shows how KGDB came out.
    third = f"2,{target.trigger.address(1024):x},4"
    hit, break_in = f"watch {stored:x}", "break-in"
    outcome = judge(subject, [hit, break_in, hit, break_in, hit], f"Z{third}", [
        target.trigger.debug_register_command(0, register, address, place.kind, place.length),
        run("op=write size=4 value=1 context=nmi offset=512"), run("op=write size=4 value=1"),
        "cat /proc/version > /dev/null", BREAK_IN, run("op=write size=4 value=2"),
        BREAK_IN, run("op=write size=4 value=3")])
    if outcome.verdict is Verdict.UNHARMED:
        target.break_in()
        assert rsp.wait_stop().reason is None
        for packet in (*packets, third):
            assert rsp.request(f"z{packet}") == "OK"
    return outcome


def run(line: str) -> str:
    return f"echo '{line}' > {RUN}"


def judge(subject: Subject, expected: list[str], at_second: str, commands: list[str]) -> Outcome:
    """Have the shell execute the commands, let the machine go on from each stop, and see what becomes of it.

    `at_second` is sent when the machine stops for no watchpoint's sake the second time.
    """
    target, rsp, witness = subject.target, subject.rsp, subject.witness
    stops: list[str] = []
    deadline, alive = Deadline(VERDICT_SECONDS), Deadline(SILENT_SECONDS)
    target.console.start("; ".join(commands))
    alive_at = last = witness.instructions()
    idle = 0
    while not deadline.passed():
        try:
            target.console.finish(LOOK_SECONDS)
            return Outcome(Verdict.UNHARMED if stops == expected else Verdict.CONFUSED, stops)
        except RigTimeout:
            pass
        except RigError:    # the console was closed
            target.machine.wait(10)
            return Outcome(Verdict.ENDS, stops)
        if "Kernel panic" in target.machine.tail(60):
            return Outcome(Verdict.PANICS, stops)
        said = stop(rsp)
        if said is not None:
            stops.append(f"{said.reason} {said.address:x}" if said.reason else "break-in")
            if len(stops) > STOPS_MAX:
                return Outcome(Verdict.FOR_EVER, stops)
            with contextlib.suppress(RspError, RigTimeout):     # QEMU may have ended: the console will say so
                if said.reason is None and stops.count("break-in") == 2:
                    rsp.request(at_second)
                rsp.send("c")
            alive = Deadline(SILENT_SECONDS)
            alive_at = last
        try:
            now = witness.instructions()
        except RigError:
            continue
        idle = idle + 1 if now == last else 0
        last = now
        if idle == IDLE_LOOKS:
            return Outcome(Verdict.WEDGED, stops)
        if alive.passed() and now - alive_at > SILENT_INSTRUCTIONS:
            return Outcome(Verdict.HANGS, stops)
    raise RigTimeout("verdict on the machine", VERDICT_SECONDS, target.report())


def stop(rsp: Rsp) -> StopReply | None:
    """A stop that is reported now."""
    try:
        return rsp.wait_stop(0.05)
    except (RspError, RigTimeout):
        return None
