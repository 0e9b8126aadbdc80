# SPDX-License-Identifier: GPL-2.0-only
"""Text of the guest's that the kernel patches while it runs: test-rig/guest/trigger/patched.c, which has the lines."""

from __future__ import annotations

import re
from typing import Literal

from kgdbrig.clients.console import Console
from kgdbrig.errors import RigError

Line = Literal["key=0", "key=1", "call=0", "call=1", "run", "int3", "icebp", "mmio"]
Place = Literal["key", "call", "int3"]
Count = Literal["off", "on", "first", "second", "behind", "passed"]

FILE = "/sys/kernel/debug/kgdb_trigger/patched"


class Patched:
    """The trigger's file `patched` in one guest, where the trigger is loaded."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def address(self, place: Place) -> int:
        """Where the instruction is that the static key or the static call patches, or the int3."""
        address = int(self._line(place, r"0x([0-9a-f]+)"), 16)
        if address == 0:
            raise RigError(f"the guest's kernel patches nothing for {place}: its configuration has no such thing")
        return address

    def count(self, name: Count) -> int:
        """How often what `name` stands for was executed since the module was loaded."""
        return int(self._line(name, r"(\d+)"))

    def do(self, line: Line) -> None:
        """Do what a line says, which must not stop in the debugger; RigError if it fails."""
        self._console.run(f"echo {line} > {FILE}", check=True)

    def start(self, line: Line) -> None:
        """Begin to do what a line says; finish() waits for its end."""
        self._console.start(f"echo {line} > {FILE}")

    def finish(self) -> None:
        """Wait for the end of start(); RigError if it failed."""
        output = self._console.finish()
        if self._console.status:
            raise RigError(f"kgdb_trigger's patched failed: {output.strip()}")

    def _line(self, name: str, value: str) -> str:
        text = self._console.run(f"cat {FILE}", check=True)
        found = re.search(rf"^{name} {value}\s*$", text, re.MULTILINE)
        if found is None:
            raise RigError(f"kgdb_trigger's patched has no {name}: {text!r}")
        return found[1]
