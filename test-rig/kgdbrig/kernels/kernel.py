# SPDX-License-Identifier: GPL-2.0-only
"""A finished kernel, and what it says of itself."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kgdbrig.errors import RigError
from kgdbrig.kernels.hooks import PARTS

#: What the guest cannot do without, and what for.
_NEEDED = {"CONFIG_KGDB": "the debugger", "CONFIG_KGDB_SERIAL_CONSOLE": "the debugger on a serial line",
           "CONFIG_KGDB_WATCHPOINT": "hardware watchpoints", "CONFIG_SERIAL_8250_CONSOLE": "the console",
           "CONFIG_BLK_DEV_INITRD": "the guest's root", "CONFIG_MAGIC_SYSRQ": "the way into the debugger"}


@dataclass(frozen=True)
class Kernel:
    """A finished build.

    `directory` holds the image, vmlinux with its gdb scripts next to it,
    config, System.map, modules/*.ko (with debugging information), series.txt
    (the hooks that were applied) and build.log.  `series` is the last part of
    the series that it has, and `without` names the hooks that were left out.
    """

    version: str
    arch: str
    stock: bool
    key: str
    directory: Path
    image: Path
    vmlinux: Path
    release: str
    source: str
    series: str = PARTS[-1]
    without: tuple[str, ...] = ()

    def symbol(self, name: str) -> int:
        """A symbol's address, by System.map: of a per-CPU variable, what to add __per_cpu_offset to.

        RigError unless there is just one of that name.
        """
        found = re.findall(rf"^([0-9a-f]+) \S {re.escape(name)}$",
                           (self.directory / "System.map").read_text(encoding="ascii"), re.MULTILINE)
        if len(found) != 1:
            raise RigError(f"{self.source} has {len(found)} symbols called {name}")
        return int(found[0], 16)

    @functools.cached_property
    def config(self) -> dict[str, str]:
        """What it was configured with: "y", "m" or another value by symbol ("CONFIG_KGDB"); "n" for what is not set."""
        return settings((self.directory / "config").read_text(encoding="utf-8"))


def settings(text: str) -> dict[str, str]:
    """The symbols of a .config; "is not set" is n."""
    found = {}
    for match in re.finditer(r"^(?:(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set)$", text, re.MULTILINE):
        if match[1]:
            found[match[1]] = match[2]
        else:
            found[match[3]] = "n"
    return found


def require(config: Mapping[str, str], where: Path) -> None:
    """RigError for a configuration that lacks something the guest cannot do without."""
    for symbol, purpose in _NEEDED.items():
        if config.get(symbol) != "y":
            raise RigError(f"{where}: {symbol} is {config.get(symbol, 'not set')}, and is to be y: it is {purpose}")
