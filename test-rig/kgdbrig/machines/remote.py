# SPDX-License-Identifier: GPL-2.0-only
"""A machine that the rig does not own: it runs already, and is reached over two lines."""

from __future__ import annotations

import os
from collections.abc import Callable

from kgdbrig.errors import MachineError, RigError
from kgdbrig.machines.anymachine import AnyMachine
from kgdbrig.machines.bridge import EndpointBridge
from kgdbrig.machines.description import Description


class Remote(AnyMachine):
    """Somebody's machine; see AnyMachine.  Its console has a login, or a shell, and its kernel has KGDB on the other line.

    Nothing of it can be looked at from outside, and start() and stop() only
    open and close the lines.
    """

    name = "a machine of its own"
    owned = False

    def __init__(self, described: Description) -> None:
        if described.lines is None:
            raise RigError("a machine of its own has a console and a line for KGDB: --console and --line")
        self._lines = described.lines
        self._bridges: list[EndpointBridge] = []
        super().__init__(described)

    @property
    def command_line(self) -> str:
        raise RigError("the kernel's parameters are that machine's own")

    @property
    def pid(self) -> int:
        return os.getpid()

    def start(self, before_first_instruction: Callable[[AnyMachine], None] | None = None) -> None:
        if self._bridges:
            raise MachineError("these lines are open already")
        self._new_directory()
        try:
            for path, log, endpoint in ((self.console, self.console_log, self._lines.console),
                                        (self.kgdb, None, self._lines.kgdb)):
                self._bridges.append(EndpointBridge(path, endpoint, log))
            if before_first_instruction is not None:
                before_first_instruction(self)
            for bridge in self._bridges:
                bridge.join()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        while self._bridges:
            self._bridges.pop().close()
        self._remove_directory()

    def alive(self) -> bool:
        return bool(self._bridges) and all(bridge.open for bridge in self._bridges)

    def debug_registers(self) -> list[dict[str, int]]:
        raise RigError("nobody but its kernel sees the debug registers of that machine")
