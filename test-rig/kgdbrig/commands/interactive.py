# SPDX-License-Identifier: GPL-2.0-only
"""gdb at the prompt, on a kernel that has just stopped for it ('make gdb')."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys

from kgdbrig import paths
from kgdbrig.clients.console import BREAK_IN, Console
from kgdbrig.clients.gdb import Debugger
from kgdbrig.commands import session
from kgdbrig.errors import MissingDependency
from kgdbrig.machines import kinds
from kgdbrig.machines.description import Description


def debug(described: Description) -> int:
    """Boot, stop in KGDB, and run gdb in the foreground; the machine ends with gdb.  Returns gdb's status."""
    kernel = described.kernel
    [program] = Debugger().command
    gdb = shutil.which(program)
    if gdb is None:
        raise MissingDependency(program)
    with contextlib.ExitStack() as stack:
        machine = kinds.make(described)
        stack.callback(machine.stop)
        consoles: list[Console] = []
        machine.start(lambda it: consoles.append(Console(it.console)))
        stack.enter_context(session.announced(machine))
        print(f"rig: Linux {kernel.release} is booting in {machine.name}", file=sys.stderr)
        _break_in(consoles[0], machine.boot_seconds)
        print("rig: stopped in KGDB.  The guest's console, alive after 'continue': make console, in another terminal.\n"
              "rig: 'watch', 'rwatch' and 'awatch' set hardware watchpoints; to stop a running guest:\n"
              "rig:   echo g > /proc/sysrq-trigger    on its console", file=sys.stderr, flush=True)
        # Ctrl-C is gdb's: a handler, unlike SIG_IGN, does not pass on to it.
        before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
        try:
            status = subprocess.run(
                [gdb, "-q", "-iex", f"add-auto-load-safe-path {kernel.directory}", "-x", str(paths.GDBINIT),
                 "-ex", f"kgdb-connect {machine.kgdb}", str(kernel.vmlinux)], check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)
    return status


def _break_in(console: Console, boot_seconds: float) -> None:
    """Have the guest enter KGDB, and leave its console free for others."""
    with console:
        console.wait_for_shell(boot_seconds)
        console.start(BREAK_IN)
        console.expect("sysrq: DEBUG|Entering kdb", 30)
