# SPDX-License-Identifier: GPL-2.0-only
"""The bridge between an emulator's serial port, by TCP, and the unix socket that clients connect to."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgdbrig.errors import MachineError, RigTimeout
from kgdbrig.machines.bridge import Bridge
from kgdbrig.wait import Deadline, connect


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    made = Bridge(tmp_path / "port", tmp_path / "log")
    yield made
    made.close()


def emulator(bridge: Bridge) -> socket.socket:
    """The other side of a bridge, joined; it is this process that must not end before."""
    host, port = bridge.address.split(":")
    connection = socket.create_connection((host, int(port)), 10)
    alive = os.pidfd_open(os.getpid())
    try:
        bridge.join(alive, Deadline(10))
    finally:
        os.close(alive)
    return connection


def received(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := connection.recv(length - len(data))):
        data += more
    return data


def test_a_client_that_waits_misses_nothing(bridge: Bridge, tmp_path: Path) -> None:
    with connect(tmp_path / "port", "the port") as client:
        client.sendall(b"early")
        with emulator(bridge) as guest:
            guest.sendall(b"first words")
            assert received(client, 11) == b"first words"
            assert received(guest, 5) == b"early"
    assert (tmp_path / "log").read_bytes() == b"first words"


def test_one_client_after_another(bridge: Bridge, tmp_path: Path) -> None:
    """What is said with nobody there is lost, but for the log; the guest's end is the client's end."""
    guest = emulator(bridge)
    for text in (b"one", b"two"):
        with connect(tmp_path / "port", "the port") as client:
            client.sendall(text)
            assert received(guest, 3) == text
            guest.sendall(text)
            assert received(client, 3) == text
    with connect(tmp_path / "port", "the port") as client:
        client.sendall(b"x")
        assert received(guest, 1) == b"x"
        guest.close()
        assert client.recv(1) == b""
    assert (tmp_path / "log").read_bytes() == b"onetwo"


def test_an_emulator_that_does_not_come(bridge: Bridge) -> None:
    with subprocess.Popen(["true"]) as process:
        ended = os.pidfd_open(process.pid)
        with pytest.raises(MachineError, match="ended before it connected"):
            bridge.join(ended, Deadline(10))
        os.close(ended)
    alive = os.pidfd_open(os.getpid())
    with pytest.raises(RigTimeout, match="connection of the emulator's serial port"):
        bridge.join(alive, Deadline(0.01))
    os.close(alive)
