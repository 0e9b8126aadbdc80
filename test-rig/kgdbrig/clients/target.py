# SPDX-License-Identifier: GPL-2.0-only
"""A booted guest with all that is needed to debug it: shell, tapped kgdb line, trigger, oracle."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from kgdbrig import arches
from kgdbrig.clients.console import BREAK_IN, Console
from kgdbrig.clients.gdb import Debugger, Gdb
from kgdbrig.clients.kdb import Kdb
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.trigger import Trigger
from kgdbrig.clients.values import Values
from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.line.tap import FROM_GDB, FROM_KGDB, Tap
from kgdbrig.line.wire import Kind
from kgdbrig.machines import kinds
from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.debugregs import Register, enabled
from kgdbrig.machines.description import Description
from kgdbrig.machines.oracle import Oracle
from kgdbrig.wait import Deadline, readable

#: What kdb says on its line when the machine has stopped, whoever is to print the kernel's messages.
_ENTERS = b"Entering kdb"
#: What a debugger's last packet begins with when it has left (gdb manual, E.2); by KGDB's own "3" it leaves for kdb,
#: which is also who is there before the first packet.
_LEFT = (b"D", b"k")
_IN_KDB = (b"3", b"")

#: What says which line KGDB has.
KGDBOC = "/sys/module/kgdboc/parameters/kgdboc"

#: And what says how much of the kernel's messages its console has.
_LOGLEVEL = "/proc/sys/kernel/printk"

#: How long a CPU may have nothing enabled, in seconds.
_OFF_SECONDS = 10.0

#: DR7's enable bits L0, G0 to L3, G3 (SDM vol. 3B, 18.2.4).
DR7_ENABLE_MASK = 0xFF


class Target:
    """A machine whose shell is at its prompt, with a tap on its kgdb line; a context manager.

    Described with kgdboc="early" or "wait" it waits for a debugger instead, at its first
    stop; booted() is for the rest of its way.

    The oracle counts the executions of the instructions at `visits` from
    power-on.  Its gdb is the machine's, or another `debugger`.  What it starts
    (gdb, a raw client, an oracle client) ends with it.  report() has the last
    lines of all of them, for whoever finds that something is wrong.
    """

    def __init__(self, described: Description, *, visits: Sequence[int] = (), debugger: Debugger | None = None) -> None:
        self.kernel = described.kernel
        self.smp = described.smp
        self.machine = kinds.make(described)
        self._visits = visits
        self._debugger = debugger
        self._stack = contextlib.ExitStack()
        self._clients = contextlib.ExitStack()
        self._gdbs: list[Gdb] = []
        #: How many lines of the kernel's log were there before us.
        self._log_before = 0

    def __enter__(self) -> Target:
        with contextlib.ExitStack() as stack:
            def listen(machine: AnyMachine) -> None:
                self.console = stack.enter_context(Console(machine.console))
                self.tap = stack.enter_context(Tap(machine.kgdb, machine.directory / "tap"))
                if machine.oracle is not None:
                    with Oracle(machine.oracle) as witness:
                        for pc in self._visits:
                            witness.visits(pc)

            stack.callback(self.machine.stop)
            stack.callback(self._close_clients)
            self.machine.start(listen)
            if self.machine.described.kgdboc in ("early", "wait"):
                self.tap.wait_text(_ENTERS, self.machine.boot_seconds)
            elif not self.machine.owned:
                self.reaching_shell()(self.machine.boot_seconds)
                self._settle(stack)
            elif self.machine.described.state is None:
                self.booted(self.machine.boot_seconds)
            self.trigger = Trigger(self.console)
            self.values = Values(self.console, self.kernel, self.machine.directory)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def word(self) -> int:
        """The size of a long and of an address in the guest, in bytes."""
        return arches.find(self.kernel.arch).pointer

    @property
    def hex_digits(self) -> int:
        """How many digits KGDB writes an address with."""
        return 2 * self.word

    @property
    def line(self) -> Path:
        """The socket a debugger connects to: the tap's end of the kgdb line."""
        return self.machine.directory / "tap"

    def oracle(self) -> Oracle:
        if self.machine.oracle is None:
            raise RigError("this machine was started without the oracle")
        return self._stack.enter_context(Oracle(self.machine.oracle))

    def break_in(self) -> None:
        """Have the guest's shell enter KGDB by SysRq-g; it is back when the machine goes on (see back()).

        A debugger that is connected is told of the stop, and kdb says so
        itself.  A stub that a debugger has left says nothing, and what the kernel
        says, Linux 7.3 may print when the machine goes on: so that one is asked.
        """
        mark = self.tap.mark()
        last = self._last_sent()
        self.console.start(BREAK_IN)
        if last[:1] in _LEFT and not self.tap.has_client:
            with Rsp(self.line, self.kernel.arch) as rsp:
                rsp.synchronize()
            self.tap.wait_client_gone()
        elif not last and not self.machine.owned:
            # Nobody knows who was there before: kdb says that it has the machine, the stub does not, and both take this.
            with Rsp(self.line, self.kernel.arch) as rsp:
                rsp.request("?", 30)
            self.tap.wait_client_gone()
        elif last[:1] in _IN_KDB:
            self.tap.wait_text(_ENTERS, since=mark)
        elif last[:1] in _LEFT:
            self.console.expect("sysrq: DEBUG")
        else:
            self.tap.wait_packet(lambda packet: packet.direction == FROM_KGDB and packet.data[:1] in (b"T", b"S"), 30,
                                 since=mark, awaited="stop reply for SysRq-g on the kgdb line")

    def press_break(self) -> None:
        """Have the kernel enter KGDB by SysRq-g from its console's interrupt, whatever the shell does; QEMU only."""
        self.press_sysrq("g")

    def press_sysrq(self, key: str) -> None:
        """Press SysRq and a key on the console, which the kernel serves in that interrupt; QEMU only."""
        self.machine.qmp().command("chardev-send-break", id="console")
        self.console.press(key)

    def back(self, timeout: float = 30) -> None:
        """Wait until the shell that broke in is at its prompt again."""
        self.console.finish(timeout)

    def booted(self, timeout: float = 120) -> None:
        """Wait until the shell is at its prompt, after a first debugger has let the machine go on.

        The kernel is told to keep its messages for dmesg, up to a panic: they
        would come into the midst of what the shell says.
        """
        self.reaching_shell()(timeout)
        self.console.run("dmesg -n 1")

    def reaching_shell(self) -> Callable[[float], None]:
        """What waits for the shell's prompt: of a guest that boots, or on the console of somebody's own root."""
        described = self.machine.described
        if described.own_root:
            return self.console.logging_in(described.login)
        return self.console.wait_for_shell

    def _settle(self, stack: contextlib.ExitStack) -> None:
        """At the shell of a machine that ran before: its kernel keeps its messages until `stack` ends, and KGDB has a line."""
        level = self.console.run(f"cat {_LOGLEVEL}", check=True).split()[0]
        stack.callback(self._as_before, level)
        self.console.run("dmesg -n 1")
        self._log_before = int(self.console.run("dmesg | wc -l", 120))
        port = self.console.run(f"cat {KGDBOC}").strip()
        if self.console.status:
            raise RigError(f"that machine's kernel has no {KGDBOC}: CONFIG_KGDB_SERIAL_CONSOLE is not set")
        if not port:
            raise RigError(f"that machine's KGDB has no line: there, 'echo ttyS1,115200 > {KGDBOC}', for the port that "
                           "the line is connected with")

    def _as_before(self, level: str) -> None:
        """The kernel of somebody's machine says what it said before."""
        if not self.console.busy:
            with contextlib.suppress(RigError):
                self.console.run(f"dmesg -n {level}")

    def attach_gdb(self, *settings: str) -> Gdb:
        """A gdb at its prompt, connected, on a machine that it finds stopped by break_in(); before, it gets these commands."""
        gdb = self._new_gdb()
        for command in settings:
            gdb.command(command)
        self.break_in()
        gdb.connect(self.line)
        return gdb

    def reattach_gdb(self) -> Gdb:
        """A new gdb on a machine that is in KGDB already."""
        gdb = self._new_gdb()
        gdb.connect(self.line)
        return gdb

    def attach_rsp(self) -> Rsp:
        """A raw client on a machine stopped by break_in(), past the first '?'."""
        self.break_in()
        return self.reattach_rsp()

    def reattach_rsp(self) -> Rsp:
        """A raw client on a machine that is in KGDB already, past the first '?'."""
        rsp = self._clients.enter_context(Rsp(self.line, self.kernel.arch))
        rsp.request("?")
        return rsp

    def attach_kdb(self) -> Kdb:
        """A terminal on the kgdb line, on a machine stopped by break_in(): kdb at its prompt."""
        kdb = self.open_kdb()
        self.break_in()
        kdb.entered()
        return kdb

    def open_kdb(self) -> Kdb:
        """A terminal on the kgdb line of a machine that runs."""
        with self.tap.expecting_client():
            return self._clients.enter_context(Kdb(self.line))

    def let_go(self) -> None:
        """End all debuggers, and have the machine go on without a breakpoint or watchpoint, however they left it.

        The shell is at its prompt then; what it still had to do has been done.
        """
        self._close_clients()
        self.tap.wait_client_gone()
        if not self.console.busy:
            self.break_in()
        with Rsp(self.line, self.kernel.arch) as rsp:
            rsp.synchronize()
            if (answer := rsp.request("D")) != "OK":
                raise RigError(f"KGDB answers 'D' with {answer!r}; {self.report()}")
        self.back()

    def renew(self) -> None:
        """After let_go(): the trigger's and the values' modules as at first, when they are loaded again.

        The kernel log is empty then: to print what others have left in it takes seconds in Bochs.
        """
        self.console.run("for m in kgdb_trigger kgdb_values; do test -d /sys/module/$m && rmmod $m; done; "
                         "echo 0 > /proc/sys/kernel/panic; dmesg -c > /dev/null")
        self.trigger = Trigger(self.console)
        self.values = Values(self.console, self.kernel, self.machine.directory)

    def resume(self, gdb: Gdb) -> None:
        """Continue in gdb from the stop that break_in() made; the shell is at its prompt again."""
        gdb.resume()
        self.back()

    def stop_or(self, gdb: Gdb, ended: Callable[[float], object], timeout: float) -> str | None:
        """What gdb says when the running machine stops; None when something on the console has ended before.

        `ended` is console.finish() or another wait there: it gets a timeout.  RigTimeout after `timeout` seconds of neither.
        """
        deadline = Deadline(timeout)
        while True:
            with contextlib.suppress(RigTimeout):
                return gdb.wait_stop(0)
            with contextlib.suppress(RigTimeout):
                ended(0)
                return None
            # The console may always have something new.
            if deadline.passed() or not readable((gdb.fileno(), self.console.fileno()), deadline.left()):
                raise RigTimeout("stop in gdb, nor end on the console", timeout, self.report())

    def breakpoints_armed(self) -> list[int]:
        """How many debug registers each virtual CPU has enabled, as the emulator sees it."""
        return [bin(_per_slot(registers["DR7"])).count("1") for registers in self.machine.debug_registers()]

    def expect_armed(self, count: int, timeout: float = 10) -> None:
        """Wait until every virtual CPU has `count` debug registers enabled.

        A CPU has none enabled while it is inside a debug exception or an NMI,
        which may be so for a moment after the machine has gone on.
        """
        deadline = Deadline(timeout)
        while (armed := self.breakpoints_armed()) != [count] * self.smp:
            if deadline.passed():
                raise RigTimeout(f"{count} debug registers enabled on each CPU (there are {armed})", timeout,
                                 self.report())

    def expect_registers(self, wanted: Sequence[Sequence[Register]]) -> None:
        """Each CPU has just those enabled that are `wanted` of it, whichever of its registers they are in; else RigError.

        A CPU may have nothing enabled for a moment after the machine has gone on: it is in a debug exception or an NMI,
        or pokes text.  That is waited for; anything else that is wrong is wrong at once.
        """
        wanted = [sorted(registers) for registers in wanted]
        deadline = Deadline(_OFF_SECONDS)
        while True:
            found = [enabled(registers) for registers in self.machine.debug_registers()]
            if not any(right and not on for on, right in zip(found, wanted, strict=True)) or deadline.passed():
                break
        if found != wanted:
            raise RigError(f"the registers have (address, type, length) {found}, and should have {wanted}; {self.report()}")

    def kernel_log(self, only: str = "") -> str:
        """The kernel's messages, or those with a text in them: to print them all takes the guest half a second."""
        return self.console.run(f"dmesg | grep -F '{only}'" if only else "dmesg", 120)

    def new_log(self) -> str:
        """The kernel's messages since it booted, or since we came to a machine that ran before."""
        return self.console.run(f"dmesg | tail -n +{self._log_before + 1}", 120)

    def await_random_numbers(self, timeout: float = 30) -> None:
        """Wait until the kernel's random numbers are ready, which nobody knows beforehand.

        It switches a static key then, and waits for each CPU to have seen that; KGDB can set or remove no software
        breakpoint just then.  `timeout` is in seconds.
        """
        self.console.run("head -c 1 /dev/random > /dev/null", timeout, check=True)

    def symbol(self, name: str) -> int:
        """A symbol's address in the running kernel, modules included."""
        # A string, not an expression: the guest, slowly emulated, has tens of thousands of lines to look at.
        found = re.search(rf"^([0-9a-f]+) \S {re.escape(name)}\b", self.console.run(
            f"grep -F ' {name}' /proc/kallsyms"), re.MULTILINE)
        if not found:
            raise RigError(f"the guest's kernel has no symbol {name}")
        return int(found[1], 16)

    def report(self) -> str:
        """The end of the console, of each gdb and of the wire."""
        parts = [("console", self.machine.tail()), *(("gdb", gdb.tail()) for gdb in self._gdbs)]
        if hasattr(self, "tap"):
            parts.append(("wire", self.tap.tail()))
        return "\n".join(f"--- end of the {name} ---\n{text}" for name, text in parts)

    def _last_sent(self) -> bytes:
        """The last packet that a debugger has sent to KGDB; empty before the first."""
        return next((packet.data for packet in reversed(self.tap.packets)
                     if packet.direction == FROM_GDB and packet.kind is Kind.PACKET), b"")

    def _close_clients(self) -> None:
        self._clients.close()
        self._clients = contextlib.ExitStack()

    def _new_gdb(self) -> Gdb:
        gdb = self._clients.enter_context(Gdb(self.kernel.vmlinux, debugger=self._debugger))
        self._gdbs.append(gdb)
        return gdb


def _per_slot(dr7: int) -> int:
    """One bit a slot that is enabled locally or globally."""
    enabled = dr7 & DR7_ENABLE_MASK
    return (enabled | enabled >> 1) & 0x55
