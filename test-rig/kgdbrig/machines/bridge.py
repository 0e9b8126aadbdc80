# SPDX-License-Identifier: GPL-2.0-only
"""Joins a serial port that an emulator connects to by TCP with a unix socket for clients, as QEMU would offer one."""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import threading
from pathlib import Path
from typing import BinaryIO

from kgdbrig.errors import MachineError, RigTimeout
from kgdbrig.wait import Deadline

_CHUNK = 65536


class Bridge:
    """One serial port, from its construction to close().

    Clients connect to the unix socket `path`, one at a time; what the guest
    says with no client there goes to `log`, if there is one, and is lost
    otherwise.  The emulator connects to `address`, of this host alone, once.
    A client that connects before the emulator runs misses nothing.
    """

    def __init__(self, path: Path, log: Path | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        with contextlib.ExitStack() as stack:
            self._log: BinaryIO | None = stack.enter_context(log.open("wb", buffering=0)) if log else None
            # The system chooses a port that is free, and it is ours at once: nothing to guess, nothing to lose.
            self._port = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            self._clients = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            self._clients.bind(str(path))
            self._clients.listen(4)
            self._wake, self._woken = (stack.enter_context(end) for end in socket.socketpair())
            self._stack = stack.pop_all()

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
        poll = select.poll()
        poll.register(self._port, select.POLLIN)
        poll.register(emulator, select.POLLIN)
        events = {descriptor for descriptor, _ in poll.poll(deadline.left() * 1000)}
        if self._port.fileno() not in events:
            if events:
                raise MachineError("it ended before it connected its serial ports")
            raise RigTimeout("connection of the emulator's serial port", deadline.seconds)
        guest, _ = self._port.accept()
        self._stack.enter_context(guest)
        guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port.close()
        self._thread = threading.Thread(target=self._serve, args=(guest,), name="bridge", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End both connections; does nothing the second time."""
        if self._thread is not None:
            with contextlib.suppress(OSError):
                self._wake.send(b"x")
            self._thread.join()
            self._thread = None
        self._stack.close()

    def _serve(self, guest: socket.socket) -> None:
        """Pass on what comes from either side, until the guest's ends or close()."""
        client: socket.socket | None = None
        with selectors.PollSelector() as events:
            for waits in (self._woken, guest, self._clients):
                events.register(waits, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in events.select()}
                if self._woken in ready:
                    break
                # Before what the guest says is passed on: it is for the client that waits.
                if self._clients in ready:
                    client, _ = self._clients.accept()
                    events.unregister(self._clients)
                    events.register(client, selectors.EVENT_READ)
                if guest in ready:
                    received = _received(guest)
                    if not received:
                        break
                    if self._log is not None:
                        self._log.write(received)
                    if client is not None:
                        with contextlib.suppress(OSError):
                            client.sendall(received)
                if client is not None and client in ready:
                    received = _received(client)
                    if received:
                        with contextlib.suppress(OSError):
                            guest.sendall(received)
                    else:
                        events.unregister(client)
                        client.close()
                        client = None
                        events.register(self._clients, selectors.EVENT_READ)
        if client is not None:
            client.close()


def _received(connection: socket.socket) -> bytes:
    """The next bytes; none at the end, however it came."""
    try:
        return connection.recv(_CHUNK)
    except OSError:
        return b""
