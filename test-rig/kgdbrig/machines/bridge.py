# SPDX-License-Identifier: GPL-2.0-only
"""Joins a serial port of an emulator with a unix socket for clients, one after another."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import threading
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO

from kgdbrig.errors import MachineError, RigTimeout
from kgdbrig.machines.endpoint import Endpoint
from kgdbrig.wait import Deadline, poll

#: How much is passed on at a time: what a pipe or a socket that is ready takes without waiting (PIPE_BUF, pipe(7)).
_CHUNK = 4096
#: What a guest may say before anybody takes it from the pipe, in bytes: several times what one says as it boots.
_PIPE_SIZE = 1 << 18
#: What poll(2) says of a descriptor that is read, or written to, without waiting; at its end it is.
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR


class Bridge:
    """One serial port, from its construction to close().

    Clients connect to the unix socket `path`, one at a time; what the guest
    says with no client there goes to `log`, if there is one, and is lost
    otherwise.  A client that connects before the emulator runs misses nothing.
    """

    def __init__(self, path: Path, log: Path | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        with contextlib.ExitStack() as stack:
            self._log: BinaryIO | None = stack.enter_context(log.open("wb", buffering=0)) if log else None
            self._clients = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            self._clients.bind(str(path))
            self._clients.listen(4)
            self._wake, self._woken = (stack.enter_context(end) for end in socket.socketpair())
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End both connections; does nothing the second time."""
        if self._thread is not None:
            with contextlib.suppress(OSError):
                self._wake.send(b"x")
            self._thread.join()
            self._thread = None
        self._stack.close()

    def _start(self, said: int, heard: int) -> None:
        """Pass everything on from now on: `said` is where the guest's words come from, `heard` where it hears ours.

        They may be the same, and are the caller's to close, after close().
        """
        self._thread = threading.Thread(target=self._serve, args=(said, heard), name="bridge", daemon=True)
        self._thread.start()

    def _serve(self, said: int, heard: int) -> None:
        """Pass on what comes from either side, until the guest's ends or close()."""
        client: socket.socket | None = None
        for_client = for_guest = b""
        while True:
            # Who does not take what is for it is sent nothing more, and keeps nobody else waiting.
            wanted: defaultdict[int, int] = defaultdict(int, {self._woken.fileno(): select.POLLIN})
            if client is None:
                wanted[self._clients.fileno()] |= select.POLLIN
            elif not for_guest:
                wanted[client.fileno()] |= select.POLLIN
            if client is not None and for_client:
                wanted[client.fileno()] |= select.POLLOUT
            if for_guest:
                wanted[heard] |= select.POLLOUT
            if not for_client:
                wanted[said] |= select.POLLIN
            ready = poll(wanted)
            if self._woken.fileno() in ready:
                break
            # Before what the guest says is passed on: it is for the client that waits.
            if client is None and self._clients.fileno() in ready:
                client, _ = self._clients.accept()
            elif client is not None and for_client and ready.get(client.fileno(), 0) & _WRITABLE:
                for_client = for_client[_written(client.fileno(), for_client):]
            elif client is not None and not for_guest and ready.get(client.fileno(), 0) & _READABLE:
                received = _received(client.fileno())
                if received == b"":
                    client.close()
                    client, for_client = None, b""
                for_guest = received or b""
            elif for_guest and ready.get(heard, 0) & _WRITABLE:
                for_guest = for_guest[_written(heard, for_guest):]
            elif not for_client and ready.get(said, 0) & _READABLE:
                received = _received(said)
                if received == b"":
                    break
                if self._log is not None and received:
                    self._log.write(received)
                for_client = received or b"" if client is not None else b""
        if client is not None:
            client.close()


class TcpBridge(Bridge):
    """To an emulator that connects to `address`, of this host alone, once."""

    def __init__(self, path: Path, log: Path | None = None) -> None:
        super().__init__(path, log)
        # The system chooses a port that is free, and it is ours at once: nothing to guess, nothing to lose.
        self._port = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    @property
    def address(self) -> str:
        """Where the emulator connects to, as HOST:PORT."""
        host, port = self._port.getsockname()
        return f"{host}:{port}"

    def join(self, emulator: int, deadline: Deadline) -> None:
        """Wait until the emulator has connected, and pass everything on from then on.

        `emulator` is a pidfd of it: MachineError when it ends, RigTimeout when
        it does not connect in time.
        """
        ready = poll({self._port.fileno(): select.POLLIN, emulator: select.POLLIN}, deadline.left())
        if self._port.fileno() not in ready:
            if ready:
                raise MachineError("it ended before it connected its serial ports")
            raise RigTimeout("connection of the emulator's serial port", deadline.seconds)
        guest, _ = self._port.accept()
        self._stack.enter_context(guest)
        guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port.close()
        self._start(guest.fileno(), guest.fileno())


class PipeBridge(Bridge):
    """To an emulator that opens two named pipes, `pipe`.out and `pipe`.in, as QEMU's chardev "pipe" does.

    A pipe keeps what is written byte by byte in full pages, where a unix
    socket is full after some 280 bytes: "What QEMU's serial ports do
    differently" in docs/rig.md.
    """

    def __init__(self, path: Path, pipe: Path) -> None:
        super().__init__(path)
        self._out, self._in = f"{pipe}.out", f"{pipe}.in"
        for name in (self._out, self._in):
            os.mkfifo(name)

    def join(self) -> None:
        """Pass everything on from now on; MachineError where no emulator has the pipes open."""
        ends = []
        for name, mode in ((self._out, os.O_RDONLY), (self._in, os.O_WRONLY)):
            try:
                ends.append(os.open(name, mode | os.O_NONBLOCK))
            except OSError as error:
                raise MachineError(f"nobody has {name} open: {error.strerror}") from error
            self._stack.callback(os.close, ends[-1])
        fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._start(*ends)


class EndpointBridge(Bridge):
    """To a line that is there already, which is opened at once."""

    def __init__(self, path: Path, endpoint: Endpoint, log: Path | None = None) -> None:
        super().__init__(path, log)
        try:
            self._line = endpoint.open()
        except BaseException:
            self.close()
            raise
        self._stack.callback(os.close, self._line)

    @property
    def open(self) -> bool:
        """Whether the other end is still there, as far as can be seen."""
        return self._thread is not None and self._thread.is_alive()

    def join(self) -> None:
        """Pass everything on from now on."""
        self._start(self._line, self._line)


def _received(descriptor: int) -> bytes | None:
    """The next bytes; empty at the end, however it came, and None where there are none yet."""
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _written(descriptor: int, data: bytes) -> int:
    """How many of these bytes are gone: all of them where nobody is left to take any."""
    try:
        return os.write(descriptor, data[:_CHUNK])
    except BlockingIOError:
        return 0
    except OSError:
        return len(data)
