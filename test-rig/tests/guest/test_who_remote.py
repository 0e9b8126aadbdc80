# SPDX-License-Identifier: GPL-2.0-only
"""'rig who' of a machine that it has not booted: over sockets and serial devices, with a login, messages, and a reset."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import socket
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Platform
from kgdbrig import paths
from kgdbrig.clients import noanswer
from kgdbrig.clients.accesses import Wanted
from kgdbrig.clients.console import Console
from kgdbrig.clients.target import KGDBOC
from kgdbrig.commands import who
from kgdbrig.errors import RigError
from kgdbrig.judging import expect
from kgdbrig.kernels.given import given
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines import endpoint, kinds
from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.description import REMOTE, Description, Lines, Login
from kgdbrig.wait import connect, readable

pytestmark = pytest.mark.rest_in_test_all

SET = "echo 7 > /proc/sys/kernel/panic"
PASSWORD = "a secret"


@pytest.fixture
def machine(kernel: Kernel) -> Iterator[AnyMachine]:
    """Somebody else's, at its shell; a reboot starts it anew."""
    with kinds.make(Description(kernel, parallel=False, disk_mb=1)) as made:
        yield made


def at_its_shell(machine: AnyMachine, *commands: str) -> None:
    """Wait for the shell, and have it run what makes the machine somebody's."""
    with Console(machine.console) as console:
        console.press("\n")
        console.wait_for_shell(machine.boot_seconds)
        for command in commands:
            console.run(command, check=True)


def ask(vmlinux: Path, console: str, line: str, *, run: str = SET, user: str = "root", password: str | None = None,
        seconds: float = 60) -> int:
    lines = Lines.parse(console, line)
    with contextlib.ExitStack() as stack:
        return who.run(who.Question((Wanted("panic_timeout"),), run, seconds, expected=(expect.parse("=7"),)),
                       lambda: Description(stack.enter_context(given(vmlinux, None, "x86_64")), REMOTE, lines=lines,
                                           login=Login(user, password)))
    raise AssertionError


def at_half_the_rate(sent: bytes) -> bytes:
    """What a receiver makes of bytes that come one behind the other, at twice its rate (8N1)."""
    bits = [bit for byte in sent for bit in (0, *(byte >> number & 1 for number in range(8)), 1)] + [1] * 20
    received, at = bytearray(), 0
    while at + 20 <= len(bits):
        if bits[at]:
            at += 1
            continue
        received.append(sum(bits[at + 2 * number + 3] << number for number in range(8)))
        at += 20
    return bytes(received)


class Wire:
    """A pty that a terminal would see as a serial device, joined with one of the machine's sockets."""

    def __init__(self, path: Path, received: Callable[[bytes], bytes] = bytes) -> None:
        self._received = received
        self._socket = connect(path, "the port")
        self._socket.settimeout(None)
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self.device = os.ttyname(theirs)
        self._theirs = theirs
        self._stop, self._stopped = socket.socketpair()
        self._threads = [threading.Thread(target=self._pump, args=ends, daemon=True) for ends in
                         ((self._socket.fileno(), self._ours), (self._ours, self._socket.fileno()))]
        for thread in self._threads:
            thread.start()

    def _pump(self, source: int, sink: int) -> None:
        with contextlib.suppress(OSError):
            while readable((source, self._stopped.fileno()), 1e6) and not readable((self._stopped.fileno(),), 0):
                data = os.read(source, 4096)
                if not data:
                    break
                data = self._received(data)
                while data:
                    data = data[os.write(sink, data):]

    def close(self) -> None:
        self._stop.close()
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()
        for end in (self._ours, self._theirs, self._stopped.detach()):
            os.close(end)


def test_over_sockets(machine: AnyMachine, kernel: Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    """As it boots: there are messages in between.  It has what it had before, and can be asked again."""
    for _ in range(2):
        assert ask(kernel.vmlinux, str(machine.console), str(machine.kgdb), run=f"{SET}; echo 0 > /proc/sys/kernel/panic; "
                   f"{SET}") == 0
        said = capsys.readouterr().out
        assert re.search(r"panic_timeout: 0 -> 7, written by sh ", said), said
        at_its_shell(machine, "echo 0 > /proc/sys/kernel/panic", "grep -q '^4' /proc/sys/kernel/printk")
    assert all(not registers["DR7"] & 0xff for registers in machine.debug_registers())


@pytest.mark.only_in_test_all
@pytest.mark.parametrize("baud", [115200, 9600])
def test_over_serial_devices(machine: AnyMachine, kernel: Kernel, baud: int) -> None:
    with contextlib.ExitStack() as stack:
        console, line = (stack.enter_context(contextlib.closing(Wire(path))) for path in (machine.console, machine.kgdb))
        assert ask(kernel.vmlinux, f"{console.device},{baud}", f"{line.device},{baud}") == 0


@pytest.mark.only_in_test_all
def test_a_login(machine: AnyMachine, kernel: Kernel) -> None:
    at_its_shell(machine, f"echo \"root:$(mkpasswd -m sha256 '{PASSWORD}'):0:0:root:/root:/bin/sh\" > /etc/passwd")
    with Console(machine.console) as console:
        console.press("while :; do login; done\n")
        console.expect("login: ")
    with pytest.raises(RigError, match="wants a password of root: --login root:PASSWORD"):
        ask(kernel.vmlinux, str(machine.console), str(machine.kgdb))
    with pytest.raises(RigError, match="does not let root in"):
        ask(kernel.vmlinux, str(machine.console), str(machine.kgdb), password="another")
    assert ask(kernel.vmlinux, str(machine.console), str(machine.kgdb), password=PASSWORD) == 0


@pytest.mark.only_in_test_all
def test_it_resets(machine: AnyMachine, kernel: Kernel) -> None:
    with pytest.raises(noanswer.WentDown, match="has rebooted, or powered off"):
        ask(kernel.vmlinux, str(machine.console), str(machine.kgdb), run="reboot -f", seconds=20)


@pytest.mark.only_in_test_all
def test_a_command_that_never_ends(machine: AnyMachine, kernel: Kernel) -> None:
    """It is ended, and the machine is let go."""
    with pytest.raises(noanswer.NeverEnds, match="no end of 'sleep 1000000'"):
        ask(kernel.vmlinux, str(machine.console), str(machine.kgdb), run="sleep 1000000", seconds=5)
    at_its_shell(machine, "! pidof sleep")
    assert all(not registers["DR7"] & 0xff for registers in machine.debug_registers())


@pytest.mark.only_in_test_all
def test_what_is_wrong_with_a_line(machine: AnyMachine, kernel: Kernel, tmp_path: Path) -> None:
    def refused(console: str, words: str, error: type[RigError] = RigError) -> None:
        with pytest.raises(error, match=words):
            ask(kernel.vmlinux, console, str(machine.kgdb))

    refused("/dev/there-is-none", "is not there: a line is a serial device, a unix socket, or HOST:PORT")
    refused("127.0.0.1:1", "Connection refused")
    refused("/dev/null", "is no serial device")
    refused(str(tmp_path), "is no serial device and no socket")
    with contextlib.closing(Wire(machine.console)) as wire:
        refused(f"{wire.device},17", "has no 17 baud")
        taken = endpoint.parse(wire.device).open()
        refused(wire.device, "another program has it")
        os.close(taken)
    at_its_shell(machine, f"echo '' > {KGDBOC}")
    refused(str(machine.console), "that machine's KGDB has no line")


@pytest.mark.only_in_test_all
def test_a_line_of_another_rate(machine: AnyMachine, kernel: Kernel) -> None:
    at_its_shell(machine)
    with contextlib.closing(Wire(machine.console, at_half_the_rate)) as wire, \
            pytest.raises(RigError, match="what comes is no text: the line has another rate"):
        ask(kernel.vmlinux, wire.device, str(machine.kgdb))


@pytest.mark.only_in_test_all
def test_in_bochs(kernel: Kernel) -> None:
    with kinds.make(Description(kernel, "bochs")) as machine:
        assert ask(kernel.vmlinux, str(machine.console), str(machine.kgdb)) == 0


@pytest.mark.only_in_test_all
def test_another_kernel(machine: AnyMachine, fixes_kernel: Kernel, kernel: Kernel, platform: Platform) -> None:
    """The one of a kernel without watchpoints is refused at once."""
    with pytest.raises(noanswer.NoPatches, match="without our patches"):
        ask(fixes_kernel.vmlinux, str(machine.console), str(machine.kgdb))
    done = subprocess.run([str(paths.RIG / "rig"), "who", "panic_timeout", "--console", str(machine.console), "--line",
                           str(machine.kgdb)], check=False, capture_output=True, text=True)
    assert (done.returncode, "needs --vmlinux FILE" in done.stderr) == (200, True), done.stderr
