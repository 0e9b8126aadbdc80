# SPDX-License-Identifier: GPL-2.0-only
"""What every kind of machine has: the face that Target, the demo and the command line use."""

from __future__ import annotations

import abc
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from kgdbrig.errors import MachineError, RigError
from kgdbrig.machines.description import Description
from kgdbrig.machines.qmp import Qmp

#: The longest path of a unix socket, by unix(7).
_SOCKET_PATH_MAX = 107
#: And of a socket's name in the machine's directory, with the slash.
_NAME_MAX = 12

_Self = TypeVar("_Self", bound="AnyMachine")


class AnyMachine(abc.ABC):
    """A guest as it is described, from start() to stop(); a context manager.

    Two of its sockets are there on every machine, unix sockets for one client
    at a time:

    console   the guest's first serial port, with a shell; all it ever says is
              also in console_log, whether or not a client was there to hear it
    kgdb      the second serial port; what is sent without a client is lost,
              which does no harm: gdb asks again

    The emulator dies with the thread that called start(), however that ends.
    """

    #: What a person calls the emulator.
    name = ""
    #: How long, in seconds, a busy host may take to boot the guest.
    boot_seconds = 60.0
    #: Whether the rig has booted it, and it ends with the rig.
    owned = True
    #: Whether memory() gives what vmlinux says is there.
    reads_memory = False

    def __init__(self, described: Description) -> None:
        self.described = described
        self.kernel = described.kernel
        self.smp = described.smp
        self._process: subprocess.Popen[bytes] | None = None
        #: The control socket of the oracle plugin, where there is one.
        self.oracle: Path | None = None
        self.directory = Path(tempfile.gettempdir())
        self._place()

    def __enter__(self: _Self) -> _Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    @abc.abstractmethod
    def start(self, before_first_instruction: Callable[[AnyMachine], None] | None = None) -> None:
        """Boot.  Returns when the guest runs and all sockets accept clients.

        `before_first_instruction` is called with the sockets there and the
        CPUs not yet running: a client it connects misses nothing.
        MachineError when the emulator does not come up; what it said is in it.
        """

    @abc.abstractmethod
    def stop(self) -> None:
        """End the emulator and remove the machine's directory; does nothing the second time."""

    @abc.abstractmethod
    def debug_registers(self) -> list[dict[str, int]]:
        """The debug registers of each virtual CPU, by name (DR0 to DR3, DR6, DR7)."""

    @property
    @abc.abstractmethod
    def command_line(self) -> str:
        """The kernel's."""

    @property
    def pid(self) -> int:
        """The emulator's process."""
        return self._running().pid

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the emulator to end by itself (the guest powered off or rebooted); its exit status.

        MachineError after `timeout` seconds.
        """
        try:
            return self._running().wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"{self.name} still runs after {timeout:g} s; the console's end:\n{self.tail()}") \
                from error

    def said(self) -> str:
        """What the emulator itself had to say."""
        return self.emulator_log.read_text(encoding="utf-8", errors="replace").strip()

    def tail(self, lines: int = 30) -> str:
        """The last lines the guest wrote to its console."""
        try:
            text = self.console_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.replace("\r", "").splitlines()[-lines:])

    def sockets(self) -> dict[str, str]:
        """What 'rig boot' prints: the sockets and vmlinux."""
        return {"console": str(self.console), "kgdb": str(self.kgdb), "console_log": str(self.console_log),
                "vmlinux": str(self.kernel.vmlinux)}

    def qmp(self) -> Qmp:
        """QEMU's monitor; RigError on any other machine."""
        raise RigError(f"{self.name} has no QMP monitor: what asks for it needs a machine of QEMU's")

    def stub(self) -> Path:
        """The socket of QEMU's own gdb stub; RigError on any other machine."""
        raise RigError(f"{self.name} has no gdb stub: what asks for it needs a machine of QEMU's")

    def memory(self, address: int, size: int) -> bytes:
        """So many bytes of the guest's physical memory; RigError on a machine that is not QEMU's."""
        raise RigError(f"the rig does not read the memory of a guest in {self.name}")

    def save(self, state: Path) -> None:
        """Write the guest's state to a file; RigError on a machine that is not QEMU's."""
        raise RigError(f"the rig does not save the state of a guest in {self.name}: boot it again ({state} is not made)")

    def _place(self) -> None:
        """Name the files in the machine's directory."""
        self.console = self.directory / "console"
        self.kgdb = self.directory / "kgdb"
        self.console_log = self.directory / "console.log"
        self.emulator_log = self.directory / "emulator.log"
        if len(str(self.directory)) + _NAME_MAX > _SOCKET_PATH_MAX:
            raise RigError(f"{self.directory} is too long a path for sockets: set TMPDIR to a shorter one")

    def _new_directory(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rig-"))
        self._place()

    def _remove_directory(self) -> None:
        if self.directory != Path(tempfile.gettempdir()):
            shutil.rmtree(self.directory, ignore_errors=True)

    def _parameters(self, baud: int, *more: str) -> str:
        """The kernel's command line: the ports, the debugger on a line of so many baud, `more`, and what was appended."""
        described, arch = self.described, self.described.arch
        late = f"kgdboc={arch.kgdb_tty},{baud}"
        kgdboc = {"late": late, "console": late, "early": f"{arch.early} kgdboc_earlycon kgdbwait {late}",
                  "wait": f"kgdbwait {late}", "none": ""}[described.kgdboc]
        console = f"console={arch.console_tty},115200"
        if described.kgdboc == "console":
            console = f"console={arch.kgdb_tty},115200 shell_on={arch.console_tty}"
        return " ".join(filter(None, (console, "" if described.kaslr else "nokaslr", *more, kgdboc, described.append)))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise MachineError("the machine is not running: start() it first")
        return self._process
