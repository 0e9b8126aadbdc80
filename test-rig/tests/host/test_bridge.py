# SPDX-License-Identifier: GPL-2.0-only
"""The bridge between an emulator's serial port, by TCP or by pipes, and the unix socket that clients connect to."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kgdbrig.errors import MachineError, RigTimeout
from kgdbrig.machines.bridge import Bridge, PipeBridge, TcpBridge
from kgdbrig.wait import Deadline, connect

#: More than sockets take, and less than a pipe of ours does, written byte by byte.
LONG = bytes(range(256)) * 256


class Emulator:
    """The guest's side of a bridge, joined."""

    def __init__(self, bridge: Bridge, out: int, into: int) -> None:
        self.bridge, self._out, self._in = bridge, out, into

    def say(self, text: bytes) -> None:
        """Byte by byte, as a guest does."""
        for byte in text:
            assert os.write(self._out, bytes([byte])) == 1

    def hear(self, length: int) -> bytes:
        text = b""
        while len(text) < length:
            text += os.read(self._in, length - len(text))
        return text

    def end(self) -> None:
        for descriptor in {self._out, self._in}:
            os.close(descriptor)


def by_tcp(path: Path) -> tuple[TcpBridge, Callable[[], Emulator]]:
    bridge = TcpBridge(path)

    def start() -> Emulator:
        host, port = bridge.address.split(":")
        connection = socket.create_connection((host, int(port)), 10)
        connection.setblocking(True)
        # It is this process that must not end before it has connected.
        alive = os.pidfd_open(os.getpid())
        try:
            bridge.join(alive, Deadline(10))
        finally:
            os.close(alive)
        descriptor = connection.detach()
        return Emulator(bridge, descriptor, descriptor)

    return bridge, start


def by_pipes(path: Path) -> tuple[PipeBridge, Callable[[], Emulator]]:
    pipe = path.with_name("pipe")
    bridge = PipeBridge(path, pipe)

    def start() -> Emulator:
        out, into = (os.open(f"{pipe}.{name}", os.O_RDWR) for name in ("out", "in"))
        bridge.join()
        return Emulator(bridge, out, into)

    return bridge, start


@pytest.fixture(params=[by_tcp, by_pipes])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Emulator]]:
    bridge, started = request.param(tmp_path / "port")
    yield started
    bridge.close()


def received(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := connection.recv(length - len(data))):
        data += more
    return data


def test_a_client_that_waits_misses_nothing(start: Callable[[], Emulator], tmp_path: Path) -> None:
    with connect(tmp_path / "port", "the port") as client:
        client.sendall(b"early")
        guest = start()
        guest.say(b"first words")
        assert received(client, 11) == b"first words"
        assert guest.hear(5) == b"early"
        guest.end()


def test_one_client_after_another(start: Callable[[], Emulator], tmp_path: Path) -> None:
    """The guest's end is the client's end, behind all that it has said."""
    guest = start()
    for text in (b"one", b"two"):
        with connect(tmp_path / "port", "the port") as client:
            client.sendall(text)
            assert guest.hear(3) == text
            guest.say(text)
            assert received(client, 3) == text
    with connect(tmp_path / "port", "the port") as client:
        client.sendall(b"x")
        assert guest.hear(1) == b"x"
        guest.say(b"last words")
        guest.end()
        assert received(client, 11) == b"last words"


def test_a_client_that_does_not_listen(start: Callable[[], Emulator], tmp_path: Path) -> None:
    """It may type none the less, gets all of it when it listens, and the guest never waits for it."""
    guest = start()
    with connect(tmp_path / "port", "the port") as client:
        client.sendall(b"x")
        assert guest.hear(1) == b"x"
        guest.say(LONG)
        client.sendall(b"y")
        assert guest.hear(1) == b"y"
        assert received(client, len(LONG)) == LONG
    guest.end()


def test_it_ends_while_nobody_listens(start: Callable[[], Emulator], tmp_path: Path) -> None:
    guest = start()
    with connect(tmp_path / "port", "the port") as client:
        client.sendall(LONG)
        assert guest.hear(1) == LONG[:1]
        guest.say(LONG)
        guest.bridge.close()
        with contextlib.suppress(ConnectionError):
            received(client, len(LONG))
    guest.end()


def test_a_log_has_what_nobody_heard(tmp_path: Path) -> None:
    bridge = TcpBridge(tmp_path / "port", tmp_path / "log")
    with contextlib.closing(bridge):
        host, port = bridge.address.split(":")
        with socket.create_connection((host, int(port)), 10) as guest:
            alive = os.pidfd_open(os.getpid())
            bridge.join(alive, Deadline(10))
            os.close(alive)
            guest.sendall(b"nobody, ")
            with connect(tmp_path / "port", "the port") as client:
                client.sendall(b"x")
                assert guest.recv(1) == b"x"
                guest.sendall(b"somebody")
                guest.shutdown(socket.SHUT_WR)
                assert b"nobody, somebody".endswith(received(client, 16))
    assert (tmp_path / "log").read_bytes() == b"nobody, somebody"


def test_a_tcp_emulator_that_does_not_come(tmp_path: Path) -> None:
    with contextlib.closing(TcpBridge(tmp_path / "port")) as bridge:
        with subprocess.Popen(["true"]) as process:
            ended = os.pidfd_open(process.pid)
            with pytest.raises(MachineError, match="ended before it connected"):
                bridge.join(ended, Deadline(10))
            os.close(ended)
        alive = os.pidfd_open(os.getpid())
        with pytest.raises(RigTimeout, match="connection of the emulator's serial port"):
            bridge.join(alive, Deadline(0.01))
        os.close(alive)


def test_nobody_at_the_pipes(tmp_path: Path) -> None:
    with contextlib.closing(PipeBridge(tmp_path / "port", tmp_path / "pipe")) as bridge, \
            pytest.raises(MachineError, match=r"nobody has .*pipe\.in open"):
        bridge.join()
