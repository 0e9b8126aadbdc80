# SPDX-License-Identifier: GPL-2.0-only
"""What works on a machine that runs already, as one text: to send with a bug, or as "tested on" ('rig report')."""

from __future__ import annotations

import contextlib
import datetime
import io
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kgdbrig import paths
from kgdbrig.clients.accesses import Wanted
from kgdbrig.clients.gdb import Debugger
from kgdbrig.clients.target import KGDBOC, Target
from kgdbrig.commands import demo, tests, who
from kgdbrig.commands.told import Told
from kgdbrig.errors import RigError
from kgdbrig.judging import expect, klog
from kgdbrig.machines.description import Description

_KGDBTS = "/sys/module/kgdbts/parameters/kgdbts"
_PANIC = "/proc/sys/kernel/panic"
#: Another value, and the one that was there.
_WRITES = f"was=$(cat {_PANIC}); echo $((was + 1)) > {_PANIC}; echo $was > {_PANIC}"
#: Its breakpoints, single steps and, with the kernel's own, hardware breakpoints; a hundred forks.
_SUITE = "V1F100"
_SUITE_SECONDS = 600.0
_END = "Unregistered I/O driver kgdbts"

#: What only an emulator can show, and why.
_LEFT_OUT = (
    "the soak, and whatever asks which accesses really happened: the oracle looks at the guest from outside",
    "each CPU's debug registers after a change, and each instruction of a window: nobody can look at, or step, the machine",
    "early boot: somebody has to start the machine for it ('rig who' of a kernel in QEMU has --from-boot)",
    "kgdbts on a busy machine ('rig endurance'): its load is a module of the rig's kernels",
)


class _Left(RigError):
    """A part that this machine does not have."""


def run(described: Description, output: Path, folder: Path | None, options: Sequence[str]) -> int:
    """Try all parts, say how each went, and write it all to a file; 0 when none failed.

    `folder` has tests of the user's, for which `options` are the plugin's.
    """
    sections = [_facts(described)]
    failed = False
    wire: list[str] = []
    parts: list[tuple[str, Callable[[], str]]] = [
        ("the demo", lambda: _said(lambda: demo.run(described))),
        ("who writes panic_timeout", lambda: _who(described, wire)),
        ("the kernel's own tests (kgdbts)", lambda: _kgdbts(described))]
    if folder is not None:
        given = folder
        parts.append((f"the tests in {given}", lambda: _tests(given, options)))
    for name, part in parts:
        try:
            text = part()
            outcome = "passed"
        except _Left as reason:
            outcome, text = "left out", str(reason)
        except RigError as error:
            outcome, text, failed = "FAILED", str(error), True
        print(f"rig: {name}: {outcome}", file=sys.stderr, flush=True)
        sections.append(f"=== {name}: {outcome} ===\n{text.strip()}")
    sections.append("=== left out, because only an emulator can show it ===\n" + "\n".join(f"- {text}" for text in _LEFT_OUT))
    sections.append("=== the wire, of who writes panic_timeout ===\n" + "\n".join(wire))
    output.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(output)
    return 1 if failed else 0


def _facts(described: Description) -> str:
    """What was tested, and with what."""
    with Target(described) as target:
        facts = {"kernel": target.console.run("uname -a").strip(),
                 "CPU": target.console.run("grep -m 1 'model name' /proc/cpuinfo").partition(":")[2].strip(),
                 "CPUs": target.console.run("grep -c ^processor /proc/cpuinfo").strip(),
                 "KGDB's line": target.console.run(f"cat {KGDBOC}").strip(),
                 "parameters": target.console.run("cat /proc/cmdline").strip()}
    commit = subprocess.run(["git", "-C", str(paths.REPOSITORY), "describe", "--always", "--dirty"], capture_output=True,
                            text=True, check=False).stdout.strip()
    facts |= {"gdb": Debugger().version(), "rig": commit or "not from git", "vmlinux": described.kernel.source,
              "date": datetime.date.today().isoformat()}
    return "Hardware watchpoints for KGDB, tried on a machine\n" + "\n".join(f"{name}: {value}" for name, value in facts.items())


def _said(part: Callable[[], int]) -> str:
    """What a command prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        part()
    return said.getvalue()


def _who(described: Description, wire: list[str]) -> str:
    """Two writes, of another value and of the one that was there, are told as what they are."""
    said: list[str] = []
    told = Told([Wanted("panic_timeout")], [expect.parse("2")])
    try:
        who.ask(who.Question(tuple(told.wanted), _WRITES), told, lambda: described, said.append)
    finally:
        wire += told.wire
    text = "\n".join(said)
    if told.missed() or told.complaints or told.accesses[0].old != told.accesses[1].new:
        raise RigError(f"the accesses are not those of the two writes, or the kernel complains\n{text}")
    return text


def _kgdbts(described: Description) -> str:
    """The suite has a driver of its own, for which the line is given up, and taken again."""
    with Target(described) as target:
        console = target.console
        console.run(f"test -e {_KGDBTS}")
        if console.status:
            raise _Left("this kernel has no kgdbts (CONFIG_KGDB_TESTS)")
        console.run(f"dmesg | grep -q '{_END}'")
        if not console.status:
            raise _Left("it was run before, and its messages could not be told from new ones: clear the log with 'dmesg -C'")
        line = console.run(f"cat {KGDBOC}").strip()
        console.run(f"echo > {KGDBOC}", check=True)
        try:
            # It is done when there were so many forks.
            console.run(f"echo kgdbts={_SUITE} > {_KGDBTS}; until dmesg | grep -q '{_END}'; do /bin/true; done", _SUITE_SECONDS)
        finally:
            console.run(f"echo {line} > {KGDBOC}", check=True)
        log = "\n".join(text for text in target.new_log().splitlines() if re.search(r"kgdb|KGDB", text))
        complained = klog.complaints(target.new_log())
    if complained or _END not in log or "ERROR" in log:
        raise RigError(f"kgdbts={_SUITE}: {complained or 'it does not end well'}\n{log}")
    return f"kgdbts={_SUITE}\n{log}"


def _tests(folder: Path, options: Sequence[str]) -> str:
    done = tests.captured(folder, options)
    if done.returncode:
        raise RigError(done.stdout)
    return done.stdout
