# SPDX-License-Identifier: GPL-2.0-only
"""A round-up at a chosen instruction of one CPU, and what must be right after it.

Two CPUs: the shell and all interrupts are on CPU 0, and the trigger has CPU 1
do what is looked at. Both are held from outside (kgdbrig/clients/stepper.py). CPU 1 executes
so many instructions, and no other CPU any; then CPU 0 alone enters the debugger and
sends its NMI; then both go on, so that CPU 1 is interrupted at just that
instruction. gdb changes the table meanwhile.

The guest does not know that it is one: it takes the processor's path, which
does not decode instructions in the midst of #DB.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from conftest import Boot
from drive import DEAD, prepare, settle, stop_on_wire
from kgdbrig.clients.rsp import StopReply
from kgdbrig.clients.stepper import Stepper
from kgdbrig.clients.target import Target
from kgdbrig.judging.klog import complaints
from kgdbrig.machines.debugregs import LENGTHS, LOADS_AND_STORES, STORES, Register

#: Who is interrupted, and who has the debugger.
CPU, MASTER = 1, 0

#: How long a window may be, in instructions; to find that its end was missed.
_LONGEST = 20_000
#: DR7 with nothing enabled (SDM vol. 3B, 18.2.4).
OFF = 0x400
#: What DR7 says of a register, by kind and length (SDM vol. 3B, 18.2.4).
_TYPES = {"Z2": STORES, "Z4": LOADS_AND_STORES}


@dataclass(frozen=True)
class Watch:
    """A watchpoint of the trigger's buffer, or perf's."""

    offset: int
    size: int = 4
    kind: str = "Z2"


@dataclass(eq=False)
class Bench:
    """A guest with a raw client and a stepper; `watched` is gdb's, `foreign` what perf has on CPU 1 besides."""

    target: Target
    stepper: Stepper
    watched: list[Watch] = field(default_factory=list)
    foreign: list[Watch] = field(default_factory=list)
    value: int = 0

    def __post_init__(self) -> None:
        self.rsp = self.target.attach_rsp()
        self.base = self.target.trigger.address()
        self._found: dict[str, int] = {}
        self._symbols = sorted((int(address, 16), name) for address, _, name in map(
            str.split, (self.target.kernel.directory / "System.map").read_text(encoding="ascii").splitlines()))
        self.proceed()
        self.target.back()

    def symbol(self, name: str) -> int:
        """A function's or a variable's address."""
        if name not in self._found:
            self._found[name] = self.target.kernel.symbol(name)
        return self._found[name]

    def per_cpu(self, name: str) -> int:
        """Where a per-CPU variable is on CPU 1, modulo 1 << 64; the guest is held, and an x86_64."""
        return self.symbol(name) + self.stepper.read(CPU, self.symbol("__per_cpu_offset") + 8 * CPU, 8)

    def proceed(self) -> None:
        """From a stop in KGDB: the guest goes on."""
        self.rsp.send("c")

    def change(self, *, add: Sequence[Watch] = (), remove: Sequence[Watch] = ()) -> None:
        """Change the table at a stop."""
        for watch in remove:
            assert self.rsp.request(f"z{self._packet(watch)}") == "OK"
            self.watched.remove(watch)
        for watch in add:
            assert self.rsp.request(f"Z{self._packet(watch)}") == "OK"
            self.watched.append(watch)

    def set(self, *, add: Sequence[Watch] = (), remove: Sequence[Watch] = ()) -> None:
        """Change the table of a guest that runs, at a stop of its own."""
        self.target.break_in()
        assert self.rsp.wait_stop().reason is None
        self.change(add=add, remove=remove)
        self.proceed()
        self.target.back()

    def next_value(self) -> int:
        """Something that is not stored there yet."""
        self.value += 1
        return self.value

    def start_store(self, watch: Watch) -> None:
        """Begin a store by CPU 1; trigger.finish() is for its end."""
        self.target.trigger.start("write", size=watch.size, offset=watch.offset, value=self.next_value(), cpu=CPU)

    def arm(self, address: int) -> None:
        """Have the guest, which runs, be held when CPU 1 gets there; arrive() waits for that."""
        self.stepper.hold()
        self.stepper.stop_at(address)
        self.stepper.go()

    def arrive(self) -> int:
        """Wait until CPU 1 is at the address of arm(), and hold all; the address."""
        while (place := self.stepper.wait()).cpu != CPU:
            self.stepper.stop_at()
            self.stepper.step(place.cpu)
            self.stepper.stop_at(place.pc)
            self.stepper.go()
        self.stepper.stop_at()
        return place.pc

    def path(self, *, until: int | None = None, locks: bool = False) -> list[int]:
        """The PCs of CPU 1 from where it is held up to where it is at `until`, or has the debugger's lock.

        The last is the one behind the window. The guest is still held.
        """
        pcs = [self.stepper.register(CPU, "pc")]
        lock = self.symbol("dbg_master_lock")
        while pcs[-1] != until and not (locks and self.stepper.read(CPU, lock, 4)):
            pcs.append(self.stepper.step(CPU))
            assert len(pcs) < _LONGEST, f"CPU {CPU} does not get to the end of the window: {pcs[-1]:#x}"
        return pcs

    def return_address(self) -> int:
        """Where CPU 1 returns to, at the first instruction of a function or an exception."""
        return self.stepper.on_stack(CPU)

    def at(self, number: int, path: Sequence[int]) -> None:
        """Say where CPU 1 is held, for the report of a failure."""
        symbols = self._symbols
        at = bisect.bisect(symbols, (path[number], "\x7f")) - 1
        print(f"instruction {number} of {len(path) - 1}: {symbols[at][1]}+{path[number] - symbols[at][0]:#x}")

    def round_up(self, comes_at: int | None = None, *, put_off: bool = False) -> bool:
        """Have CPU 0 stop the machine with CPU 1 interrupted where it is held; whether that took an NMI.

        It takes none where CPU 1 is in the debugger already, and comes at `comes_at`
        where CPU 1 lets none come earlier.  With `put_off` CPU 1 is in an NMI, and nobody
        looks where the next one comes.  CPU 0 is at the debugger's
        prompt when this returns, and nobody is held from outside.
        """
        stepper = self.stepper
        pc = stepper.register(CPU, "pc") if comes_at is None else comes_at
        self.target.press_break()
        stepper.run_to(self.symbol("kgdb_roundup_cpus"), cpu=MASTER)
        stepper.run_to(stepper.on_stack(MASTER), cpu=MASTER)
        place = stepper.run_to(*[] if put_off else [self.symbol("asm_exc_nmi")], self.symbol("gdb_serial_stub"))
        interrupted = place.cpu == CPU
        if interrupted:
            came = self.return_address()
            assert came == pc, f"the NMI came at {came:#x}, not at {pc:#x}"
        stepper.go()
        said = self.rsp.wait_stop()
        assert said.reason is None, f"CPU {MASTER} has stopped the machine, and the stop is {said.text}"
        return interrupted

    def expect_hit(self, watch: Watch, said: StopReply) -> None:
        """This stop is the watchpoint's hit by CPU 1's thread of the trigger."""
        reason = {"Z2": "watch", "Z4": "awatch"}[watch.kind]
        assert (said.reason, said.address) == (reason, self.base + watch.offset), said.text
        thread = bytes.fromhex(self.rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()
        assert thread == f"kgdb_trigger/{CPU}"

    def expect_registers(self) -> None:
        """Each CPU has just what is to be watched in its registers, wherever."""
        self.target.expect_registers([[*map(self.register, self.watched + (self.foreign if cpu == CPU else []))]
                                      for cpu in range(self.target.smp)])

    def expect_hits(self, *gone: Watch) -> None:
        """The next store of CPU 1 to each that is watched hits, and to each that is gone does not."""
        for watch in gone:
            self.start_store(watch)
            self.target.trigger.finish()
        for watch in self.watched:
            self.expect_hit(watch, stop_on_wire(self.target, self.rsp, "write", size=watch.size, offset=watch.offset,
                                                value=self.next_value(), cpu=CPU))
            self.proceed()
            self.target.trigger.finish()

    def expect_no_complaint(self) -> None:
        """The debugger was not entered from within, and the kernel has said nothing else that is amiss."""
        assert DEAD not in self.target.machine.tail(10_000)
        complained = complaints(self.target.kernel_log())
        assert not complained, f"the kernel complains: {complained}"

    def _packet(self, watch: Watch) -> str:
        return f"{watch.kind[1]},{self.base + watch.offset:x},{watch.size}"

    def register(self, watch: Watch) -> Register:
        """What enabled() says of a register that has this."""
        return self.base + watch.offset, _TYPES[watch.kind], LENGTHS[watch.size]


@contextlib.contextmanager
def bench(boot: Boot, *watched: Watch, hypervisor: bool = False, append: str = "", **arguments: str) -> Iterator[Bench]:
    """A booted one, with these set one after another, in slots that follow each other.

    `append` and the other arguments are for boot().
    """
    target = boot(smp=2, append=f"isolcpus={CPU} irqaffinity={MASTER} {append}".strip(), hypervisor=hypervisor, **arguments)
    prepare(target)
    # An NMI handler that takes longer than any before, as each does that is stepped, goes a way of its own to say so.
    target.console.run("echo 1000000000000 > /sys/kernel/debug/x86/nmi_longest_ns", check=True)
    if target.kernel.arch == "i386":
        # Its clock, which NMI reads, takes another way from when the TSC, of 1 GHz, has more than 32 bits.
        target.console.run("until [ $(cut -d. -f1 /proc/uptime) -gt 4 ]; do sleep 1; done", check=True)
    settle(target)
    with Stepper(target.machine) as stepper:
        stepper.go()
        it = Bench(target, stepper)
        for watch in watched:
            it.set(add=[watch])
        yield it
        it.expect_no_complaint()
