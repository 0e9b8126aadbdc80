# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine: Bochs, whose debug registers do what a processor's do.

"Bochs" in docs/rig.md says what it proves, and what it cannot.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kgdbrig.errors import MachineError, MissingDependency, RigError, RigTimeout
from kgdbrig.machines import initramfs
from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.bridge import TcpBridge
from kgdbrig.machines.description import Description
from kgdbrig.wait import Deadline

PROGRAM = "bochs-bin"
_PACKAGES = "bochs bochs-term bochsbios vgabios grub-common grub-pc-bin xorriso mtools"
_SHARE = Path("/usr/share/bochs")
_START_SECONDS = 30.0
_DEBUGGER_SECONDS = 30.0
_INTERRUPT_SECONDS = 5.0
_STOP_SECONDS = 5.0
_TERMINAL_KEPT = 1 << 16
_PROMPT = re.compile(rb"<bochs:\d+> ")
#: What it says when it has taken a "c".
_TAKEN = re.compile(rb"c\r\n\x1b\[\?2004l")

#: Instructions in a second of the guest's.  It is never less than the guest's clock shows, on any host, however busy:
#: the clock counts them.  The fewer, the less a byte's time on a serial line costs.
_INSTRUCTIONS_PER_SECOND = 20_000_000
#: Bochs keeps to it, and so a byte takes its time; the slower the line, the longer the tests.
_KGDB_BAUD = 115200
#: 2000-01-01 00:00:00 UTC: each boot is like the one before.
_CLOCK = 946684800

#: The models of its CPUs, the better first: with 2.7's of Intel's the kernel warns at boot, and 3.0 has no bx_generic.
_MODELS = ("bx_generic", "corei7_haswell_4770")
_MODELS_SMP = ("corei7_haswell_4770",)

#: Since 3.0 it starts without its debugger, unless told not to; before, it does not know this.
_WITH_DEBUGGER = "-debugger"

#: What Bochs says as it ends because the guest did.
_POWERED_OFF = "soft power off"

#: It ignores what is for information: Bochs says so from its handler of a SIGINT too, and when that interrupts such a
#: message it waits for itself for ever.
_CONFIGURATION = """\
display_library: term
config_interface: textconfig
romimage: file="{share}/BIOS-bochs-latest"
vgaromimage: file="{share}/VGABIOS-lgpl-latest"
memory: guest={memory}, host={memory}
cpu: model={model}, count={smp}, ips={ips}, reset_on_triple_fault=0
clock: sync=none, time0={clock}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{disc}", status=inserted
boot: cdrom
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
mouse: enabled=0
log: "{log}"
debugger_log: -
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
com1: enabled=1, mode=socket-client, dev={console}
com2: enabled=1, mode=socket-client, dev={kgdb}
"""


class Bochs(AnyMachine):
    """A guest in Bochs; see AnyMachine.

    The kernel finds no sign of QEMU and does what it does on a processor.  The
    guest's clock counts instructions, and goes on at once to the next timer
    when all CPUs are idle, so no timeout of the guest's passes because the
    host is busy.  `smp` above 1 is slow: docs/rig.md.
    """

    name = "Bochs"

    def __init__(self, described: Description) -> None:
        super().__init__(described)
        self.boot_seconds = 120.0 if described.smp == 1 else 300.0
        self._bridges: list[TcpBridge] = []
        self._debugger: _Debugger | None = None
        bad = re.search(r"['\"\\\n]", described.append)
        if bad:
            raise RigError(f"the kernel's parameters for {self.name} go through GRUB and have no {bad[0]!r}: "
                           f"{described.append!r}")

    @property
    def command_line(self) -> str:
        # A CPU that waits in MWAIT may sleep through the IPI of another one (seen with Linux 6.1).
        return self._parameters(_KGDB_BAUD, "idle=halt" if self.smp > 1 else "")

    def start(self, before_first_instruction: Callable[[AnyMachine], None] | None = None) -> None:
        if self._process is not None:
            raise MachineError("this machine was started already")
        described = self.described
        root = described.initramfs or initramfs.build(self.kernel, selftests=described.selftests, added=described.added)
        self._new_directory()
        try:
            self._bridges = [TcpBridge(self.console, self.console_log), TcpBridge(self.kgdb)]
            disc = self._disc(root)
            if before_first_instruction is not None:
                before_first_instruction(self)
            self._launch(disc)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            # It has nothing to save, and does not heed SIGTERM.
            process.kill()
            process.wait(_STOP_SECONDS)
        if self._debugger is not None:
            self._debugger.close()
            self._debugger = None
        while self._bridges:
            self._bridges.pop().close()
        self._remove_directory()

    def wait(self, timeout: float | None = None) -> int:
        """As AnyMachine's; Bochs goes on where the guest reboots, and ends where it powers off."""
        status = super().wait(timeout)
        # That is a panic to Bochs, which ends with 1 then.
        return 0 if status == 1 and _POWERED_OFF in self.said() else status

    def said(self) -> str:
        return f"{super().said()[-2000:]}\n{self._debugger.tail() if self._debugger else ''}".strip()

    def debug_registers(self) -> list[dict[str, int]]:
        if self._debugger is None:
            raise MachineError("the machine is not running: start() it first")
        return self._debugger.debug_registers(self.pid, self.smp)

    def _disc(self, root: Path) -> Path:
        """A CD image with GRUB, the kernel, its parameters and the initramfs."""
        tree = self.directory / "disc"
        (tree / "boot/grub").mkdir(parents=True)
        for name, source in (("kernel", self.kernel.image), ("initramfs", root)):
            shutil.copyfile(source, tree / "boot" / name)
        words = " ".join(f"'{word}'" for word in self.command_line.split())
        (tree / "boot/grub/grub.cfg").write_text(f"linux /boot/kernel {words}\ninitrd /boot/initramfs\nboot\n",
                                                 encoding="ascii")
        disc = self.directory / "disc.iso"
        try:
            done = subprocess.run(["grub-mkrescue", "--directory=/usr/lib/grub/i386-pc", "--locales=", "--themes=",
                                   "--fonts=", "--install-modules=linux normal iso9660 biosdisk", "-o", str(disc),
                                   str(tree)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise MissingDependency("grub-mkrescue", _PACKAGES) from error
        if done.returncode or not disc.exists():
            raise MachineError(f"grub-mkrescue made no CD image (packages {_PACKAGES}): {done.stderr.strip()}")
        shutil.rmtree(tree)
        return disc

    def _launch(self, disc: Path) -> None:
        console, kgdb = self._bridges
        configuration, commands = self.directory / "bochsrc", self.directory / "commands"
        configuration.write_text(_CONFIGURATION.format(
            share=_SHARE, memory=self.described.memory_mb, model=_model(self.smp), smp=self.smp,
            ips=_INSTRUCTIONS_PER_SECOND, clock=_CLOCK, disc=disc, log=self.emulator_log, console=console.address,
            kgdb=kgdb.address), encoding="utf-8")
        # Debian's is built with a debugger, which waits for a command before the first instruction.
        commands.write_text("c\n", encoding="ascii")
        debugger = [_WITH_DEBUGGER] if _knows(_WITH_DEBUGGER) else []
        ours, theirs = pty.openpty()
        self._debugger = _Debugger(ours)
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
            # setpriv makes the kernel kill Bochs when we die, as with QEMU.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", PROGRAM, "-q", *debugger, "-f", str(configuration), "-rc",
                 str(commands)],
                stdin=theirs, stdout=theirs, stderr=theirs, cwd=self.directory, start_new_session=True,
                env=os.environ | {"TERM": "vt100", "BXSHARE": str(_SHARE)})
        except FileNotFoundError as error:
            raise MissingDependency(str(error.filename)) from error
        finally:
            os.close(theirs)
        deadline = Deadline(_START_SECONDS)
        watched = os.pidfd_open(self._process.pid)
        try:
            for bridge in self._bridges:
                bridge.join(watched, deadline)
        except RigError as error:
            raise MachineError(f"{self.name} did not start (packages {_PACKAGES}): {error}; it said:\n{self.said()}") \
                from error
        finally:
            os.close(watched)


def _model(smp: int) -> str:
    """The model of CPU for a machine of `smp` of them."""
    wanted = _MODELS if smp == 1 else _MODELS_SMP
    for model in wanted:
        if _knows(model, "cpu"):
            return model
    raise MachineError(f"{PROGRAM} knows none of the CPU models {', '.join(wanted)}; it says:\n{_help('cpu')}")


def _knows(word: str, *topic: str) -> bool:
    return re.search(rf"^\s*{word}\b", _help(*topic), re.MULTILINE) is not None


@functools.cache
def _help(*topic: str) -> str:
    """What the program says of itself."""
    try:
        return subprocess.run([PROGRAM, "--help", *topic], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout
    except FileNotFoundError as error:
        raise MissingDependency(PROGRAM, _PACKAGES) from error


_Found = TypeVar("_Found")


class _Debugger:
    """Bochs's own debugger, at its prompt on a terminal, which is also the guest's screen."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._changed = threading.Condition()
        self._text = b""
        self._ended = False
        #: The guest runs, or will; nobody has asked for the prompt.
        self._running = True
        #: Bochs has taken the last "c".
        self._taken = True
        # Somebody has to read all the time: Bochs stands still when the terminal takes no more.
        self._reader = threading.Thread(target=self._take, name="bochs terminal", daemon=True)
        self._reader.start()

    def debug_registers(self, pid: int, cpus: int) -> list[dict[str, int]]:
        """Those of each CPU, at some instruction; the guest does not notice, and runs again."""
        self._interrupt(pid)
        found = []
        try:
            for cpu in range(cpus):
                if cpus > 1:
                    self._command(f"set $cpu = {cpu}")
                text = self._command("dreg")
                found.append({name: int(value, 16) for name, value in
                              re.findall(r"^(DR[0-367])=0x([0-9a-f]+)", text, re.MULTILINE)})
                if len(found[-1]) != 6:
                    raise MachineError(f"Bochs's debugger answers 'dreg' with:\n{text}")
        finally:
            self._go_on()
        self._await_taken()
        return found

    def tail(self) -> str:
        """The last lines on the terminal, without what only a terminal understands."""
        with self._changed:
            return "\n".join(_plain(self._text).splitlines()[-20:])

    def close(self) -> None:
        """Bochs has ended; wait for the end of what it said."""
        self._reader.join()
        os.close(self._terminal)

    def _interrupt(self, pid: int) -> None:
        """Have Bochs stop at its prompt.

        A SIGINT that comes before it acts on the "c" that it has taken is
        forgotten, and nothing tells when that is.
        """
        deadline = Deadline(_DEBUGGER_SECONDS)
        with self._changed:
            # At its prompt a SIGINT would lose the command that Bochs takes just then.
            self._await_taken()
            self._running = False
            self._text = b""
        while True:
            os.kill(pid, signal.SIGINT)
            try:
                self._prompt("prompt of Bochs's debugger", _INTERRUPT_SECONDS)
                return
            except RigTimeout:
                if deadline.passed():
                    raise

    def _go_on(self) -> None:
        """From the prompt: the guest runs, after _await_taken()."""
        with self._changed:
            self._running = True
            self._taken = False
            self._send("c")

    def _await_taken(self) -> None:
        with self._changed:
            self._await(lambda: self._taken, "guest that runs in Bochs", _DEBUGGER_SECONDS)

    def _command(self, command: str) -> str:
        """What it says to a command, up to its next prompt."""
        self._send(command)
        return self._prompt(f"answer of Bochs's debugger to {command!r}")

    def _send(self, command: str) -> None:
        with self._changed:
            self._text = b""
        with contextlib.suppress(OSError):
            os.write(self._terminal, f"{command}\n".encode())

    def _prompt(self, awaited: str, timeout: float = _DEBUGGER_SECONDS) -> str:
        with self._changed:
            found = self._await(lambda: _PROMPT.search(self._text), awaited, timeout)
            said, self._text = self._text[:found.start()], self._text[found.end():]
        return _plain(said)

    def _await(self, found: Callable[[], _Found | None], awaited: str, timeout: float) -> _Found:
        """What `found` finds, as soon as there is something; the lock is held."""
        deadline = Deadline(timeout)
        while not (it := found()):
            if self._ended:
                raise MachineError(f"no {awaited}: Bochs ended")
            if not self._changed.wait(deadline.left()) and deadline.passed():
                raise RigTimeout(awaited, deadline.seconds, _plain(self._text))
        return it

    def _take(self) -> None:
        # A terminal whose other side was closed fails to be read.
        with contextlib.suppress(OSError):
            while received := os.read(self._terminal, 65536):
                with self._changed:
                    self._text = (self._text + received)[-_TERMINAL_KEPT:]
                    self._taken = self._taken or bool(_TAKEN.search(self._text))
                    # A SIGINT too many stops it behind its next "c".
                    if self._running and _PROMPT.search(self._text):
                        self._go_on()
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _plain(text: bytes) -> str:
    """What a terminal was sent, without what only a terminal understands."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text.decode("latin-1"))
