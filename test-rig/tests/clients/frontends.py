# SPDX-License-Identifier: GPL-2.0-only
"""gdb as editors and IDEs drive it: by its machine interface (gdb manual, 27) and by the Debugger Adapter Protocol (28)."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from kgdbrig import paths
from kgdbrig.clients.gdb import Debugger, GdbError
from kgdbrig.errors import RigTimeout
from kgdbrig.wait import Deadline, Transcript

_Self = TypeVar("_Self", bound="_Piped")


class _Piped:
    """A gdb on two pipes; a context manager that ends it."""

    def __init__(self, debugger: Debugger, interpreter: str, vmlinux: Path, *more: str) -> None:
        self._said = Transcript()
        self._gdb = subprocess.Popen(
            [*debugger.arguments(vmlinux), f"-i={interpreter}", *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | dict(debugger.environment))
        self._left = b""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._gdb.kill()
        self._gdb.communicate()

    def tail(self) -> str:
        return self._said.tail()

    def _write(self, data: bytes) -> None:
        assert self._gdb.stdin is not None
        self._said.write(f">>> {data.decode()}\n")
        self._gdb.stdin.write(data)
        self._gdb.stdin.flush()

    def _more(self, deadline: Deadline, awaited: str) -> None:
        """Read what comes next."""
        assert self._gdb.stdout is not None
        if not select.select([self._gdb.stdout], [], [], deadline.left())[0]:
            raise RigTimeout(awaited, deadline.seconds, self.tail())
        data = os.read(self._gdb.stdout.fileno(), 1 << 16)
        if not data:
            raise GdbError(f"no {awaited}: gdb ended; its last lines:\n{self.tail()}")
        self._said.write(data.decode(errors="replace"))
        self._left += data


class Mi(_Piped):
    """gdb's machine interface, with gdbinit/kgdb-watch.gdb and the symbols of `vmlinux`."""

    def __init__(self, debugger: Debugger, vmlinux: Path) -> None:
        super().__init__(debugger, "mi", vmlinux, "-x", str(paths.GDBINIT), str(vmlinux))
        #: What it has said by itself: records that begin with "*" or "=".
        self.events: list[str] = []

    def command(self, command: str, seconds: float = 120) -> str:
        """The result record of a command."""
        self._write(f"{command}\n".encode())
        return self._until(r"\^", f"answer to {command!r}", seconds)

    def stopped(self, seconds: float = 60) -> str:
        """The next record of a stop."""
        return self._until(r"\*stopped", "stop of the target", seconds)

    def _until(self, wanted: str, awaited: str, seconds: float) -> str:
        deadline = Deadline(seconds)
        while True:
            while b"\n" not in self._left:
                self._more(deadline, awaited)
            line, _, self._left = self._left.partition(b"\n")
            record = line.decode(errors="replace").strip()
            if record.startswith(("*", "=")):
                self.events.append(record)
            if re.match(wanted, record):
                return record


class Dap(_Piped):
    """gdb's Debugger Adapter Protocol."""

    def __init__(self, debugger: Debugger, vmlinux: Path) -> None:
        super().__init__(debugger, "dap", vmlinux, "-x", str(paths.GDBINIT))
        self._number = 0
        #: The events that came and that nobody has asked for.
        self.events: list[dict[str, Any]] = []

    def ask(self, command: str, **arguments: Any) -> int:
        """Send a request; its number."""
        self._number += 1
        body = json.dumps({"seq": self._number, "type": "request", "command": command, "arguments": arguments}).encode()
        self._write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._number

    def request(self, command: str, **arguments: Any) -> Any:
        """Send a request; the body of the answer."""
        return self.answer(self.ask(command, **arguments))

    def answer(self, number: int, seconds: float = 120) -> Any:
        """The body of the answer to a request."""
        for message in self._messages(f"answer to request {number}", seconds):
            if message["type"] == "event":
                self.events.append(message)
            elif message["request_seq"] == number:
                if not message["success"]:
                    raise GdbError(f"gdb refuses {message['command']}: {message.get('message')}")
                return message.get("body", {})
        raise AssertionError

    def event(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The body of the next event of that name."""
        for seen in self.events:
            if seen["event"] == name:
                self.events.remove(seen)
                return dict(seen.get("body", {}))
        for message in self._messages(f"event {name!r}", seconds):
            if message["type"] == "event":
                if message["event"] == name:
                    return dict(message.get("body", {}))
                self.events.append(message)
        raise AssertionError

    def end(self, seconds: float = 30) -> None:
        """Have gdb let the target go, and wait until it has."""
        self.request("disconnect")
        self._gdb.wait(seconds)

    def _messages(self, awaited: str, seconds: float) -> Iterator[dict[str, Any]]:
        deadline = Deadline(seconds)
        while True:
            found = re.search(rb"Content-Length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n", self._left)
            if found and len(self._left) >= found.end() + int(found[1]):
                body = self._left[found.end():found.end() + int(found[1])]
                self._left = self._left[found.end() + int(found[1]):]
                yield json.loads(body)
            else:
                self._more(deadline, awaited)
