# SPDX-License-Identifier: GPL-2.0-only
"""The end of a line that somebody names: a serial device, a unix socket, or a TCP port of a terminal server."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import re
import socket
import stat
import termios

from kgdbrig.errors import RigError

DEFAULT_BAUD = 115200
_CONNECT_SECONDS = 10.0

#: What to do about a device that cannot be opened.
_ADVICE = {errno.EACCES: "you may not: join the group that owns it (dialout, as a rule), or be root",
           errno.EBUSY: "another program has it: end that one (fuser tells which)",
           errno.EIO: "there is no serial port behind it"}


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A line: its name as it was given, and for a serial device its speed."""

    name: str
    baud: int = DEFAULT_BAUD

    def open(self) -> int:
        """A descriptor that bytes are read from and written to, raw; RigError says why there is none."""
        try:
            kind = os.stat(self.name).st_mode
        except FileNotFoundError:
            return self._connect_tcp()
        except OSError as error:
            raise self._failed(error) from error
        if stat.S_ISSOCK(kind):
            return self._connect(socket.AF_UNIX, self.name)
        if not stat.S_ISCHR(kind):
            raise RigError(f"{self.name} is no serial device and no socket")
        return self._open_device()

    def _open_device(self) -> int:
        speed = getattr(termios, f"B{self.baud}", None)
        if speed is None:
            raise RigError(f"{self.name}: a serial device has no {self.baud} baud")
        try:
            device = os.open(self.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise self._failed(error) from error
        try:
            # TIOCEXCL keeps others out that are not root's, the lock other rigs.
            fcntl.flock(device, fcntl.LOCK_EX | fcntl.LOCK_NB)
            settings = termios.tcgetattr(device)
            fcntl.ioctl(device, termios.TIOCEXCL)
            settings[:4] = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0]
            settings[4:6] = [speed, speed]
            settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
            termios.tcsetattr(device, termios.TCSANOW, settings)
            termios.tcflush(device, termios.TCIFLUSH)
        except BlockingIOError as error:
            os.close(device)
            raise RigError(f"{self.name}: {_ADVICE[errno.EBUSY]}") from error
        except termios.error as error:
            os.close(device)
            raise RigError(f"{self.name} is no serial device: {error.args[-1]}") from error
        return device

    def _connect_tcp(self) -> int:
        host, colon, port = self.name.rpartition(":")
        if not colon or not port.isdecimal():
            raise RigError(f"{self.name} is not there: a line is a serial device, a unix socket, or HOST:PORT")
        return self._connect(socket.AF_INET, (host.strip("[]"), int(port)))

    def _connect(self, family: socket.AddressFamily, address: str | tuple[str, int]) -> int:
        try:
            if isinstance(address, tuple):
                connection = socket.create_connection(address, _CONNECT_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                connection = socket.socket(family, socket.SOCK_STREAM)
                connection.connect(address)
        except OSError as error:
            raise self._failed(error) from error
        connection.setblocking(False)
        return connection.detach()

    def _failed(self, error: OSError) -> RigError:
        return RigError(f"{self.name}: {_ADVICE.get(error.errno or 0) or error.strerror or error}")


def parse(text: str) -> Endpoint:
    """NAME or NAME,BAUD; RigError for anything else."""
    found = re.fullmatch(r"([^,]+)(?:,(\d+))?", text)
    if not found:
        raise RigError(f"{text!r} names no line: it is DEVICE[,BAUD], a unix socket, or HOST:PORT")
    return Endpoint(found[1], int(found[2] or DEFAULT_BAUD))


def send_break(descriptor: int) -> None:
    """A BREAK, where the line is a serial device; nothing elsewhere."""
    with contextlib.suppress(termios.error):
        termios.tcsendbreak(descriptor, 0)
