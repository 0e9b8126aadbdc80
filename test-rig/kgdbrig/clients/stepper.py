# SPDX-License-Identifier: GPL-2.0-only
"""Holds and steps single virtual CPUs from outside the guest, by QEMU's own gdb stub.

The guest does not notice: its clock stands still with it, and while one CPU
is stepped or runs, the others stay at the very instruction where they are.  So an
event on one CPU can be put at each instruction of another one.

QEMU's stub (gdbstub.c in QEMU 7.2) has a thread for each CPU, numbered from 1.
A step lets no interrupt in, NMI included; one that came meanwhile is
taken before the next instruction of whoever goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from kgdbrig import arches
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.errors import RigError
from kgdbrig.machines.anymachine import AnyMachine

_STOP_SECONDS = 60.0
#: The numbers of the 'p' packet by architecture: gdb's first registers, each as long as a pointer.
_REGISTERS = {arch: {name: number for number, name in enumerate(names.split())} for arch, names in {
    "x86_64": "ax bx cx dx si di bp sp r8 r9 r10 r11 r12 r13 r14 r15 pc",
    "i386": "ax cx dx bx sp bp si di pc"}.items()}


@dataclass(frozen=True)
class Place:
    """Where a CPU is held."""

    cpu: int
    pc: int


@dataclass(frozen=True)
class Call:
    """A call that a CPU was made to begin: it has ended at `behind`, which is no instruction's beginning."""

    cpu: int
    behind: int
    saved: dict[str, int]


class Stepper:
    """A connection to QEMU's stub; a context manager.

    The guest is held when this is made, and after each method but go(); it runs
    again at the end.
    """

    def __init__(self, machine: AnyMachine) -> None:
        arch = machine.kernel.arch
        if arch not in _REGISTERS:
            raise RigError(f"a stepper knows the registers of {' and '.join(_REGISTERS)}, not of {arch}")
        self._numbers = _REGISTERS[arch]
        #: Bytes of a register and of a pointer.
        self.pointer = arches.find(arch).pointer
        self._rsp = Rsp(machine.stub())
        self._rsp.synchronize()
        # It answers 'p' to those only who have asked for the description of its registers.
        self._rsp.request("qXfer:features:read:target.xml:0,40")
        self._breakpoints: set[int] = set()
        self._selected: int | None = None
        self._running = False

    def __enter__(self) -> Stepper:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if error is None:  # otherwise what is seen of the guest is to be where it went wrong
            if self._running:
                self.hold()
            self.stop_at()
            self._ok("D")
        self._rsp.close()

    def hold(self) -> None:
        """Stop all CPUs, wherever they are."""
        self._rsp.interrupt()
        self._stopped()

    def stop_at(self, *addresses: int) -> None:
        """Stop the guest before any CPU executes one of these instructions, and at no others."""
        wanted = set(addresses)
        for address in self._breakpoints - wanted:
            self._ok(f"z1,{address:x},1")
        for address in wanted - self._breakpoints:
            self._ok(f"Z1,{address:x},1")
        self._breakpoints = wanted

    def go(self, cpu: int | None = None) -> None:
        """Let one CPU run and no other, or all of them."""
        self._rsp.send("vCont;c" if cpu is None else f"vCont;c:{cpu + 1:x}")
        self._running = True

    def wait(self, timeout: float = _STOP_SECONDS) -> Place:
        """Where the guest has come to one of the instructions of stop_at()."""
        cpu = self._stopped(timeout)
        return Place(cpu, self.register(cpu, "pc"))

    def run_to(self, *addresses: int, cpu: int | None = None) -> Place:
        """Let a CPU, or all, run to one of these instructions, which is not the one where it is."""
        self.stop_at(*addresses)
        self.go(cpu)
        place = self.wait()
        self.stop_at()
        if place.pc not in addresses or cpu not in (None, place.cpu):
            raise RigError(f"CPU {place.cpu} has stopped at {place.pc:#x}, which nobody asked for")
        return place

    def step(self, cpu: int) -> int:
        """Have one CPU execute one instruction, and no other any; its PC then."""
        self._rsp.send(f"vCont;s:{cpu + 1:x}")
        if self._stopped() != cpu:
            raise RigError(f"a step of CPU {cpu} has ended on another one")
        return self.register(cpu, "pc")

    def follow(self, cpu: int, path: Sequence[int], count: int) -> int:
        """Have one CPU execute the first `count` instructions of a path that it has taken before; its PC then.

        `path` has the PCs, with the one where the CPU is now as the first.
        RigError when it takes another path.
        """
        # As far as one can run and know how often one has been there: to a PC that comes once only.
        at = next((index for index in range(count, 0, -1) if path[:count + 1].count(path[index]) == 1), 0)
        pc = path[0] if not at else self.run_to(path[at], cpu=cpu).pc
        while at < count:
            at += 1
            pc = self.step(cpu)
            if pc != path[at]:
                raise RigError(f"instruction {at} of CPU {cpu} is at {pc:#x}, and was at {path[at]:#x} before")
        return pc

    def register(self, cpu: int, name: str) -> int:
        """A general register of a CPU's: "pc", "sp", "ax" and so on, on i386 as on x86_64."""
        self._select(cpu)
        return int.from_bytes(bytes.fromhex(self._rsp.request(f"p{self._numbers[name]:x}")), "little")

    def execute(self, cpu: int, code: bytes, ax: int) -> int:
        """Have one CPU execute an instruction that is not its next, and no other any; its PC then.

        It stands where the next one was meanwhile.  The CPU is where it was then, but for a jump.
        """
        saved = {name: self.register(cpu, name) for name in ("ax", "pc")}
        at = saved["pc"]
        text = self._rsp.read_memory(at, len(code))
        self._ok(f"M{at:x},{len(code):x}:{code.hex()}")
        self._set(cpu, ax=ax)
        pc = self.step(cpu)
        self._ok(f"M{at:x},{len(text):x}:{text.hex()}")
        self._set(cpu, ax=saved["ax"])
        if pc == at + len(code):
            self._set(cpu, pc=at)
        return pc

    def set_debug_register(self, cpu: int, number: int, value: int) -> None:
        """Have a CPU write DR0 to DR3, DR6 or DR7 (Intel SDM vol. 2B, "MOV - Move to/from Debug Registers"), from EAX or RAX."""
        self.execute(cpu, bytes([0x0f, 0x23, 0xc0 | number << 3]), value)

    def call(self, cpu: int, function: int) -> None:
        """Have one CPU call a function without arguments where it is, and no other run."""
        call = self.enter(cpu, function)
        self.run_to(call.behind, cpu=cpu)
        self.leave(call)

    def enter(self, cpu: int, function: int) -> Call:
        """Have one CPU begin to call a function without arguments where it is, and no other run; leave() is for the end.

        That is a place with nothing below the stack pointer that is in use, as anywhere in the kernel.
        """
        saved = {name: self.register(cpu, name) for name in self._numbers}
        # call *%rax; on i386, call *%eax
        code = bytes([0xff, 0xd0])
        if (pc := self.execute(cpu, code, function)) != function:
            raise RigError(f"a call of {function:#x} has led CPU {cpu} to {pc:#x}")
        return Call(cpu, saved["pc"] + len(code), saved)

    def leave(self, call: Call) -> None:
        """The CPU is held behind the call: it is where it was before."""
        self._set(call.cpu, **call.saved)

    def read(self, cpu: int, address: int, size: int) -> int:
        """A number in memory, as the CPU would read it; of the address, 64 bits count."""
        self._select(cpu)
        return int.from_bytes(self._rsp.read_memory(address % (1 << 64), size), "little")

    def write(self, cpu: int, address: int, size: int, value: int) -> None:
        """Change a number in memory, as read() has it."""
        self._select(cpu)
        self._ok(f"M{address % (1 << 64):x},{size:x}:{value.to_bytes(size, 'little').hex()}")

    def on_stack(self, cpu: int) -> int:
        """What is on top of a CPU's stack: where it returns to, at the first instruction of a function or an exception."""
        return self.read(cpu, self.register(cpu, "sp"), self.pointer)

    def _set(self, cpu: int, **values: int) -> None:
        self._select(cpu)
        for name, value in values.items():
            self._ok(f"P{self._numbers[name]:x}={value.to_bytes(self.pointer, 'little').hex()}")

    def _select(self, cpu: int) -> None:
        if self._selected != cpu:
            self._ok(f"Hg{cpu + 1:x}")
            self._selected = cpu

    def _stopped(self, timeout: float = _STOP_SECONDS) -> int:
        """The CPU that QEMU says has stopped it."""
        said: StopReply = self._rsp.wait_stop(timeout)
        self._running = False
        if said.thread is None:
            raise RigError(f"QEMU does not say which CPU has stopped: {said.text!r}")
        # QEMU takes that one for selected then.
        self._selected = int(said.thread, 16) - 1
        return self._selected

    def _ok(self, packet: str) -> None:
        if (said := self._rsp.request(packet)) != "OK":
            raise RigError(f"QEMU answers {packet!r} with {said!r}")
