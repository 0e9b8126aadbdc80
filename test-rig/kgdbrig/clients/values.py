# SPDX-License-Identifier: GPL-2.0-only
"""The guest's kgdb_values module: variables with names and types, for tests through gdb.

What it does is described at the top of test-rig/guest/trigger/kgdb_values.c.
"""

from __future__ import annotations

import re
from pathlib import Path

from kgdbrig.clients.console import Console
from kgdbrig.clients.gdb import Gdb, GdbError
from kgdbrig.clients.modules import flattened
from kgdbrig.errors import RigError
from kgdbrig.kernels.kernel import Kernel

_NAME = "kgdb_values"
_FILE = f"/sys/kernel/debug/{_NAME}"
_SECTIONS = (".text", ".data", ".bss", ".rodata")


class Values:
    """The module in one guest, driven through that guest's console.

    An action that makes gdb stop the machine stops the shell as well: start()
    it, deal with the stop in gdb, then finish().
    """

    def __init__(self, console: Console, kernel: Kernel, scratch: Path) -> None:
        self._console = console
        self._module = kernel.directory / "modules" / f"{_NAME}.ko"
        self._scratch = scratch
        self._sections: dict[str, str] = {}

    def load(self) -> None:
        """Load the module unless that has been done, and learn where it lies."""
        self._console.run(f"test -e {_FILE} || insmod /lib/modules/$(uname -r)/{_NAME}.ko", check=True)
        found = self._console.run(f"cd /sys/module/{_NAME}/sections; "
                                  f"for s in {' '.join(_SECTIONS)}; do test -e $s && echo $s $(cat $s); done; cd")
        self._sections = dict(re.findall(r"^(\.\w+) (0x[0-9a-f]+)\s*$", found, re.MULTILINE))
        if ".text" not in self._sections:
            raise RigError(f"the guest does not say where {_NAME} lies:\n{found}")

    def symbols(self, gdb: Gdb) -> None:
        """Have gdb read the module's symbols, which takes load() first."""
        flat = flattened(self._module, self._scratch / "modules")
        others = "".join(f" -s {name} {address}" for name, address in self._sections.items() if name != ".text")
        said = gdb.command(f"add-symbol-file {flat} {self._sections['.text']}{others}")
        if "Reading symbols" not in said:
            raise GdbError(f"gdb does not take the symbols of {flat}:\n{said}")

    def start(self, action: str, number: int = 0) -> None:
        """Begin an action; finish() waits for its end."""
        self._console.start(self._command(action, number))

    def finish(self) -> None:
        """Wait for the end of what was started."""
        said = self._console.finish()
        if self._console.status:
            raise RigError(f"{_NAME} refused: {said}")

    def run(self, action: str, number: int = 0) -> None:
        """Carry out an action that must not stop in gdb."""
        self._console.run(self._command(action, number), check=True)

    @staticmethod
    def _command(action: str, number: int) -> str:
        return f"echo '{action} {number}' > {_FILE}"
