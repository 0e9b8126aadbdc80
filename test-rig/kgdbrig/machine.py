# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine: QEMU with two serial ports, its sockets and its end."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from kgdbrig import arches, initramfs
from kgdbrig.build import Kernel
from kgdbrig.errors import MachineError, MissingDependency, QmpError, RigError
from kgdbrig.qmp import Qmp

#: The longest path of a unix socket, by unix(7).
_SOCKET_PATH_MAX = 107
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

KGDBOC = ("late", "early", "wait", "none")

#: What an instruction takes by the guest's clock, about what it takes in truth, where there is one CPU.
INSTRUCTION_NS = 16

#: After how long RCU takes a CPU for stuck (CONFIG_RCU_CPU_STALL_TIMEOUT), in seconds of the guest's.
_RCU_STALL_SECONDS = 21


class Machine:
    """A guest that runs `kernel`, from start() to stop(); a context manager.

    Its sockets are unix sockets QEMU listens on, each for one client at a time:

    console   the guest's first serial port, with a shell; all it ever says is
              also in console_log, whether or not a client was there to hear it
    kgdb      the second serial port; what is sent without a client is lost,
              which does no harm: gdb asks again
    qemu_gdb  QEMU's own gdb stub, to look at the guest from outside
    monitor   QMP
    oracle    the control socket of the oracle plugin, with oracle=True

    `kgdboc` says when the guest's debugger takes the second port: "late" with
    its driver, "wait" likewise and waiting there for gdb, "early" before
    anything else and waiting there, or "none" never.  `append` is added to the
    kernel's command line.  With `kaslr` the kernel is not where vmlinux says.

    `parallel` gives each virtual CPU a thread of the host.  Without it they
    take turns in one, so that nothing happens at the same instant, but a CPU
    that is held in the debugger takes no time from the one that works: where
    the host has fewer cores than the guest, a stop takes milliseconds, not a
    tenth of a second.  The guest's clock then counts instructions: a host that
    has other things to do makes the guest slow, and none of its timeouts pass.
    `counted` overrides that: see starts_counted().  `instruction_ns` is what
    one takes then, a power of two; by default as little as lets each
    CPU execute as many in a second as one alone does.  The longer, the fewer
    are executed while CPUs wait for a time to pass.

    `hypervisor=False` keeps the guest from knowing that it is one: it takes
    QEMU's debug registers for a processor's.

    `state`, made by save() on a machine of the same arguments, is where the
    guest goes on from, instead of from its reset.

    QEMU dies with the thread that called start(), however that ends.
    """

    def __init__(self, kernel: Kernel, *, smp: int = 1, kgdboc: str = "late", append: str = "",
                 oracle: bool = False, memory_mb: int = 512, parallel: bool = True, kaslr: bool = False,
                 counted: bool | None = None, instruction_ns: int | None = None, hypervisor: bool = True,
                 state: Path | None = None) -> None:
        if kgdboc not in KGDBOC:
            raise RigError(f"kgdboc is one of {', '.join(KGDBOC)}, not {kgdboc}")
        if smp < 1:
            raise RigError(f"a machine has at least one CPU, not {smp}")
        self.kernel = kernel
        self._smp = smp
        self._kgdboc = kgdboc
        self._append = append
        self._with_oracle = oracle
        self._memory_mb = memory_mb
        self._parallel = parallel
        self._counted = not parallel and starts_counted(kernel.version, smp) if counted is None else counted
        self._kaslr = kaslr
        self._instruction_ns = _instruction_ns(smp) if instruction_ns is None else instruction_ns
        self._hypervisor = hypervisor
        self._state = state
        self._arch = arches.find(kernel.arch)
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: Qmp | None = None
        self.directory = Path(tempfile.gettempdir())
        self._place()

    def __enter__(self) -> Machine:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """QEMU's process."""
        return self._running().pid

    @property
    def command_line(self) -> str:
        """The kernel's."""
        arch = self._arch
        late = f"kgdboc={arch.kgdb_tty},{_KGDB_BAUD}"
        kgdboc = {"late": late, "early": f"{arch.early} kgdboc_earlycon kgdbwait {late}", "wait": f"kgdbwait {late}",
                  "none": ""}[self._kgdboc]
        # Where an instruction takes longer, each CPU executes fewer in that time.
        slower = self._instruction_ns // _instruction_ns(self._smp)
        stall = f"rcupdate.rcu_cpu_stall_timeout={_RCU_STALL_SECONDS * slower}" if slower > 1 else ""
        return " ".join(filter(None, (f"console={arch.console_tty},115200", "" if self._kaslr else "nokaslr",
                                      f"lpj={_TSC_PER_TICK[self._counted]}", stall, kgdboc, self._append)))

    def start(self, before_first_instruction: Callable[[Machine], None] | None = None) -> None:
        """Boot.  Returns when QEMU runs the guest and all sockets accept clients.

        `before_first_instruction` is called with the sockets there and the
        CPUs not yet running: a client it connects misses nothing.
        MachineError when QEMU does not come up; what it said is in it.
        """
        if self._process is not None:
            raise MachineError("this machine was started already")
        root = initramfs.build(self.kernel)
        plugin = None
        if self._with_oracle:
            from kgdbrig.oracle import build_plugin  # the one part not every boot needs
            plugin = build_plugin()
        self.directory = Path(tempfile.mkdtemp(prefix="rig-"))
        try:
            self._place()
            self._launch(root, plugin)
            if before_first_instruction is not None:
                before_first_instruction(self)
            if self._state is not None:
                self.qmp().migrate("migrate-incoming", f"exec:cat {shlex.quote(str(self._state))}")
            self.qmp().command("cont")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End QEMU and remove the machine's directory; does nothing the second time."""
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
        if self.directory != Path(tempfile.gettempdir()):
            shutil.rmtree(self.directory, ignore_errors=True)

    def save(self, state: Path) -> None:
        """Write the guest's state to a file, for other machines to go on from; this one then only waits for stop().

        The file is complete or absent.
        """
        written = state.with_name(f"{state.name}.{os.getpid()}")
        self.qmp().command("stop")
        self.qmp().migrate("migrate", f"exec:cat > {shlex.quote(str(written))}")
        written.rename(state)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for QEMU to end by itself (the guest powered off or rebooted); its exit status.

        MachineError after `timeout` seconds.
        """
        try:
            return self._running().wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"QEMU still runs after {timeout:g} s; the console's end:\n{self.tail()}") from error

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def qmp(self) -> Qmp:
        """The machine's own connection to the monitor (the monitor socket stays free for others)."""
        if self._qmp is None:
            raise MachineError("the machine is not running: start() it first")
        return self._qmp

    def debug_registers(self) -> list[dict[str, int]]:
        """The debug registers of each virtual CPU, by name (DR0 to DR3, DR6, DR7)."""
        return [{name: value for name, value in registers.items() if name.startswith("DR")}
                for registers in self.qmp().registers()]

    def tail(self, lines: int = 30) -> str:
        """The last lines the guest wrote to its console."""
        try:
            text = self.console_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.replace("\r", "").splitlines()[-lines:])

    def sockets(self) -> dict[str, str]:
        """What 'rig boot' prints: the sockets, vmlinux and QEMU's process."""
        return {"console": str(self.console), "kgdb": str(self.kgdb), "qemu_gdb": str(self.qemu_gdb),
                "monitor": str(self.monitor), "console_log": str(self.console_log),
                "vmlinux": str(self.kernel.vmlinux)}

    def _place(self) -> None:
        self.console = self.directory / "console"
        self.kgdb = self.directory / "kgdb"
        self.qemu_gdb = self.directory / "qemu-gdb"
        self.monitor = self.directory / "monitor"
        self.oracle: Path | None = self.directory / "oracle" if self._with_oracle else None
        self.console_log = self.directory / "console.log"
        self.qemu_log = self.directory / "qemu.log"
        if len(str(self.qemu_gdb)) > _SOCKET_PATH_MAX:
            raise RigError(f"{self.directory} is too long a path for sockets: set TMPDIR to a shorter one")

    def _launch(self, root: Path, plugin: Path | None) -> None:
        ours, theirs = socket.socketpair()
        try:
            with self.qemu_log.open("wb") as log:
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
            said = self.qemu_log.read_text(encoding="utf-8", errors="replace").strip()
            raise MachineError(f"{self._arch.qemu} {ended}: {said or error}") from error

    def _command(self, root: Path, plugin: Path | None, monitor_fd: int) -> list[str]:
        def listen(name: str, path: Path, *options: str) -> list[str]:
            return ["-chardev", ",".join([f"socket,id={name},path={_escaped(path)},server=on,wait=off", *options])]

        turns = ["-accel", f"tcg,thread={'multi' if self._parallel else 'single'}"]
        if self._counted:
            turns += ["-icount", f"shift={self._instruction_ns.bit_length() - 1}"]
        cpu = self._arch.cpu if self._hypervisor else f"{self._arch.cpu},-hypervisor"
        command = [self._arch.qemu, *self._arch.machine, "-cpu", cpu, *turns, "-smp", str(self._smp), "-m",
                   str(self._memory_mb), "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-S",
                   "-kernel", str(self.kernel.image), "-initrd", str(root), "-append", self.command_line,
                   "-chardev", f"socket,id=rig,fd={monitor_fd}", "-mon", "chardev=rig,mode=control",
                   *listen("monitor", self.monitor), "-mon", "chardev=monitor,mode=control",
                   *listen("console", self.console, f"logfile={_escaped(self.console_log)}"),
                   "-serial", "chardev:console",
                   *listen("kgdb", self.kgdb), "-serial", "chardev:kgdb",
                   *listen("qemu-gdb", self.qemu_gdb), "-gdb", "chardev:qemu-gdb"]
        if self._counted:
            command += _WAKES_QEMU
        if self._state is not None:
            command += ["-incoming", "defer"]
        if plugin is not None and self.oracle is not None:
            command += ["-plugin", f"{_escaped(plugin)},control={_escaped(self.oracle)}"]
        return command

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise MachineError("the machine is not running: start() it first")
        return self._process


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
