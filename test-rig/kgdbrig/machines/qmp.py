# SPDX-License-Identifier: GPL-2.0-only
"""A client of QEMU's monitor protocol (QMP), as small as the rig's needs."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

from kgdbrig.errors import QmpError

_CPU_HEADING = re.compile(r"^CPU#(\d+)", re.MULTILINE)
_REGISTER = re.compile(r"\b([A-Z]+\d*) ?=\s*([0-9a-fA-F]+)")


class Qmp:
    """One connection to a monitor; commands may come from any thread, one at a time.

    `timeout` bounds each answer, in seconds.
    """

    def __init__(self, connection: socket.socket, timeout: float = 20) -> None:
        self._socket = connection
        self._timeout = timeout
        self._buffer = b""
        self._lock = threading.Lock()
        greeting = self._receive("greeting", time.monotonic() + timeout)
        if "QMP" not in greeting:
            raise QmpError(f"QEMU's monitor greets with {greeting}: this is no QMP socket")
        self._events: list[dict[str, Any]] = []
        self.command("qmp_capabilities")

    @classmethod
    def connect(cls, path: Path, timeout: float = 20) -> Qmp:
        """A connection to the monitor socket at `path`."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(str(path))
            return cls(connection, timeout)
        except OSError as error:
            connection.close()
            raise QmpError(f"cannot connect to QEMU's monitor at {path}: {error}") from error

    def command(self, name: str, **arguments: Any) -> Any:
        """Run a command and return what it returns; QmpError when QEMU refuses or is gone."""
        request = json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n"
        with self._lock:
            deadline = time.monotonic() + self._timeout
            try:
                self._socket.settimeout(self._timeout)
                self._socket.sendall(request)
            except OSError as error:
                raise QmpError(f"QEMU is gone: cannot send it {name} ({error})") from error
            while True:
                answer = self._receive(f"answer to {name}", deadline)
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise QmpError(f"QEMU refuses {name} {arguments}: {answer['error'].get('desc', answer)}")
                self._events.append(answer)

    def migrate(self, command: str, uri: str) -> None:
        """Run migrate or migrate-incoming, and return when the state is written or read; QmpError when it is not."""
        self.command("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        self._events.clear()
        self.command(command, uri=uri)
        deadline = time.monotonic() + self._timeout
        while True:
            event = self._events.pop(0) if self._events else self._receive("end of the migration", deadline)
            if event.get("event") == "MIGRATION":
                status = event["data"]["status"]
                if status == "completed":
                    return
                if status == "failed":
                    raise QmpError(f"QEMU's {command} {uri} failed")

    def wait_event(self, name: str) -> None:
        """Return when QEMU reports an event, or has done so unnoticed; QmpError when none comes."""
        deadline = time.monotonic() + self._timeout
        while True:
            event = self._events.pop(0) if self._events else self._receive(f"event {name}", deadline)
            if event.get("event") == name:
                return

    def hmp(self, line: str) -> str:
        """Run a line of the human monitor, such as "info registers -a", and return what it prints."""
        printed: str = self.command("human-monitor-command", **{"command-line": line})
        return printed

    def registers(self) -> list[dict[str, int]]:
        """Every register "info registers -a" names, for each virtual CPU."""
        pieces = _CPU_HEADING.split(self.hmp("info registers -a"))
        return [{name: int(value, 16) for name, value in _REGISTER.findall(text)} for text in pieces[2::2]]

    def close(self) -> None:
        self._socket.close()

    def _receive(self, what: str, deadline: float) -> dict[str, Any]:
        """The next message, within the deadline (time.monotonic())."""
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            try:
                self._socket.settimeout(max(left, 0.001))
                received = self._socket.recv(65536)
            except TimeoutError as error:
                raise QmpError(f"no {what} from QEMU's monitor within {self._timeout:g} s") from error
            except OSError as error:
                raise QmpError(f"QEMU is gone: no {what} ({error})") from error
            if not received:
                raise QmpError(f"QEMU is gone: it closed its monitor before the {what}")
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
