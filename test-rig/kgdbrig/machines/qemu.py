# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine: QEMU with two serial ports, its sockets and its end."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from kgdbrig.errors import MachineError, MissingDependency, QmpError
from kgdbrig.machines import initramfs
from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.bridge import PipeBridge
from kgdbrig.machines.description import Description
from kgdbrig.machines.qmp import Qmp

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0

#: How far the TSC gets in a tick (250 a second).  Each CPU but the first measures it as it starts, against ticks that
#: others count: in turns with these it comes out far too low, and a second of the debugger's is over in no time.
#: The host's own rate is not known: with 5 GHz, a delay lasts at least as long as it should.
_TSC_PER_TICK = {True: 4_000_000, False: 20_000_000}

#: Has a kernel that starts with the host's clock take the TSC for what it is where instructions are counted: 1 GHz.
COUNTED_TSC = f"tsc_early_khz=1000000 lpj={_TSC_PER_TICK[True]}"

#: Linux 7.3 gives a byte up after twice its time on the line; QEMU sends at once at any rate, unless who reads is
#: late, and a host can be late by milliseconds.  1200 is the lowest rate that kgdboc takes.
_KGDB_BAUD = 1200

#: A monitor on a terminal that nobody opens: QEMU looks every second whether somebody has, which is all it is there for.
#: "What QEMU's clock does differently" in docs/rig.md.
_WAKES_QEMU = ["-chardev", "pty,id=wake", "-mon", "chardev=wake,mode=readline"]

#: What an instruction takes by the guest's clock, about what it takes in truth, where there is one CPU.
INSTRUCTION_NS = 16

#: A version whose guests have a CPU with all that QEMU emulates, instead of the architecture's.
_CPU_OF = {"7.3": "max"}

#: How long a kernel with lockdep may take to boot, on a busy host: a real-time one took more than a minute.
_CHECKED_BOOT_SECONDS = 240.0
#: After how long RCU takes a CPU for stuck (CONFIG_RCU_CPU_STALL_TIMEOUT), in seconds of the guest's.
_RCU_STALL_SECONDS = 21


class Machine(AnyMachine):
    """A guest in QEMU; see AnyMachine.  These sockets of its are there besides:

    qemu_gdb  QEMU's own gdb stub, to look at the guest from outside
    monitor   QMP
    oracle    the control socket of the oracle plugin, with oracle=True
    """

    name = "QEMU"

    def __init__(self, described: Description) -> None:
        smp, counted, ns = described.smp, described.counted, described.instruction_ns
        self._counted = not described.parallel and starts_counted(described.kernel.version, smp) if counted is None else counted
        self._instruction_ns = _instruction_ns(smp) if ns is None else ns
        self._qmp: Qmp | None = None
        self._bridge: PipeBridge | None = None
        super().__init__(described)
        if described.kernel.config.get("CONFIG_PROVE_LOCKING") == "y":
            self.boot_seconds = _CHECKED_BOOT_SECONDS
        self.reads_memory = not described.kaslr

    @property
    def command_line(self) -> str:
        # Where an instruction takes longer, each CPU executes fewer in that time.
        slower = self._instruction_ns // _instruction_ns(self.smp)
        stall = f"rcupdate.rcu_cpu_stall_timeout={_RCU_STALL_SECONDS * slower}" if slower > 1 else ""
        # Else sched_clock() is patched while all CPUs call it: "What QEMU's debug registers do differently" in docs/rig.md.
        unstable = "tsc=unstable" if self.described.parallel and self.smp > 1 else ""
        return self._parameters(_KGDB_BAUD, f"lpj={_TSC_PER_TICK[self._counted]}", stall, unstable)

    def start(self, before_first_instruction: Callable[[AnyMachine], None] | None = None) -> None:
        if self._process is not None:
            raise MachineError("this machine was started already")
        described = self.described
        root = described.initramfs
        if root is None and not described.root_on_disk:
            root = initramfs.build(self.kernel, next_kernel=described.next_kernel, selftests=described.selftests,
                                   added=described.added)
        plugin = None
        if self.described.oracle:
            from kgdbrig.machines.oracle import build_plugin  # the one part not every boot needs
            plugin = build_plugin(self.described.arch.qemu)
        self._new_directory()
        try:
            self._bridge = PipeBridge(self.console, self._port)
            self._launch(root, plugin)
            self._bridge.join()
            if before_first_instruction is not None:
                before_first_instruction(self)
            if self.described.state is not None:
                self.qmp().migrate("migrate-incoming", f"exec:cat {shlex.quote(str(self.described.state))}")
            self.qmp().command("cont")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if self._qmp is not None:
                with contextlib.suppress(QmpError):
                    self._qmp.command("quit")
                self._qmp.close()
                self._qmp = None
            for end in (None, process.terminate, process.kill):
                if end is not None:
                    end()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
                    break
        if self._bridge is not None:
            self._bridge.close()
            self._bridge = None
        self._remove_directory()

    def save(self, state: Path) -> None:
        """Write the guest's state to a file, for other machines to go on from; this one then only waits for stop().

        The file is complete or absent.
        """
        written = state.with_name(f"{state.name}.{os.getpid()}")
        self.qmp().command("stop")
        self.qmp().migrate("migrate", f"exec:cat > {shlex.quote(str(written))}")
        written.rename(state)

    def stub(self) -> Path:
        return self.qemu_gdb

    def memory(self, address: int, size: int) -> bytes:
        """As it is now; MachineError when the machine has ended."""
        saved = self.directory / "memory"
        self.qmp().command("pmemsave", val=address, size=size, filename=str(saved))
        return saved.read_bytes()

    def qmp(self) -> Qmp:
        """The machine's own connection to the monitor (the monitor socket stays free for others)."""
        if self._qmp is None:
            raise MachineError("the machine is not running: start() it first")
        return self._qmp

    def debug_registers(self) -> list[dict[str, int]]:
        return [{name: value for name, value in registers.items() if name.startswith("DR")}
                for registers in self.qmp().registers()]

    def sockets(self) -> dict[str, str]:
        return {**super().sockets(), "qemu_gdb": str(self.qemu_gdb), "monitor": str(self.monitor)}

    def _place(self) -> None:
        super()._place()
        self.qemu_gdb = self.directory / "qemu-gdb"
        self.monitor = self.directory / "monitor"
        self.oracle = self.directory / "oracle" if self.described.oracle else None
        self._disk = self.directory / "disk"
        self._port = self.directory / "port"

    def _launch(self, root: Path | None, plugin: Path | None) -> None:
        if self.described.disk_mb:
            self._disk.touch()
            os.truncate(self._disk, self.described.disk_mb << 20)
        ours, theirs = socket.socketpair()
        try:
            with self.emulator_log.open("wb") as log:
                # setpriv makes the kernel kill QEMU when we die.  A session of its own
                # keeps a Ctrl-C meant for gdb or for us from reaching it.
                self._process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", *self._command(root, plugin, theirs.fileno())],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    pass_fds=[theirs.fileno()], start_new_session=True)
        except FileNotFoundError as error:
            ours.close()
            raise MissingDependency(str(error.filename)) from error
        finally:
            theirs.close()
        try:
            # QEMU greets when every chardev, and so every socket, is there.
            self._qmp = Qmp(ours, _START_SECONDS)
        except QmpError as error:
            ours.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            status = self._process.poll()
            ended = f"ended with status {status}" if status is not None else "does not answer"
            said = self.emulator_log.read_text(encoding="utf-8", errors="replace").strip()
            raise MachineError(f"{self.described.arch.qemu} {ended}: {said or error}") from error

    def _command(self, root: Path | None, plugin: Path | None, monitor_fd: int) -> list[str]:
        def listen(name: str, path: Path) -> list[str]:
            return ["-chardev", f"socket,id={name},path={_escaped(path)},server=on,wait=off"]

        turns = ["-accel", f"tcg,thread={'multi' if self.described.parallel else 'single'}"]
        if self._counted:
            turns += ["-icount", f"shift={self._instruction_ns.bit_length() - 1}"]
        model = self.described.cpu or _CPU_OF.get(self.kernel.version) or self.described.arch.cpu
        # Without RDRAND the kernel waits for timers that vary, which they hardly do where the clock counts instructions: its
        # random numbers are not ready for seconds, or minutes.
        cpu = model + ",+rdrand" + ",-hypervisor" * (not self.described.hypervisor)
        command = [self.described.arch.qemu, *self.described.arch.machine, "-cpu", cpu, *turns, "-smp", str(self.smp), "-m",
                   str(self.described.memory_mb), "-no-user-config", "-nodefaults", "-display", "none", "-S",
                   "-kernel", str(self.kernel.image), *(["-initrd", str(root)] if root else []), "-append", self.command_line,
                   "-chardev", f"socket,id=rig,fd={monitor_fd}", "-mon", "chardev=rig,mode=control",
                   *listen("monitor", self.monitor), "-mon", "chardev=monitor,mode=control",
                   "-chardev", f"pipe,id=console,path={_escaped(self._port)},logfile={_escaped(self.console_log)}",
                   "-serial", "chardev:console",
                   *listen("kgdb", self.kgdb), "-serial", "chardev:kgdb",
                   *listen("qemu-gdb", self.qemu_gdb), "-gdb", "chardev:qemu-gdb"]
        if self.described.disk_mb:
            command += ["-drive", f"file={_escaped(self._disk)},format=raw,if=none,id=disk",
                        "-device", "virtio-blk-pci,drive=disk"]
        elif self.described.disk is not None:
            command += ["-drive", f"file={_escaped(self.described.disk)},if=none,id=disk,snapshot=on",
                        "-device", "virtio-blk-pci,drive=disk", "-no-reboot"]
        else:
            command += ["-no-reboot"]
        if self._counted:
            command += _WAKES_QEMU
        if self.described.state is not None:
            command += ["-incoming", "defer"]
        if plugin is not None and self.oracle is not None:
            command += ["-plugin", f"{_escaped(plugin)},control={_escaped(self.oracle)}"
                        + ("" if self.described.parallel else ",turns=on")]
        return [*command, *self.described.qemu_arguments]


def starts_counted(version: str, smp: int) -> bool:
    """Whether the guest can start its CPUs while its clock counts instructions.

    The CPU that is first in turn may execute as many as there are until QEMU's
    next timer, and QEMU 7.2 (up to 8.0) leaves the others none when it does.
    Linux 6.1 waits for a CPU to start in a loop that never pauses, so it never
    does.  A guest that has started them can be saved, and go on counted.
    """
    return smp == 1 or version != "6.1"


def _instruction_ns(smp: int) -> int:
    """What an instruction takes for each of several CPUs to execute as many in a second as one alone."""
    return max(INSTRUCTION_NS >> (smp - 1).bit_length(), 1)


def _escaped(path: Path) -> str:
    """A path inside one of QEMU's comma-separated options."""
    return str(path).replace(",", ",,")
