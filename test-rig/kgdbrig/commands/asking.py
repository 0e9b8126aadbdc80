# SPDX-License-Identifier: GPL-2.0-only
"""What people ask of kernels and machines of their own: 'rig who', 'rig test', 'rig report', and the options for these."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from kgdbrig.errors import RigError
from kgdbrig.machines.description import MACHINES, REMOTE, Description, Lines, Login


def build_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """What the options for a kernel that is built are for build.build()."""
    return {"stock": options.stock, "kernel_src": options.source, "config": options.config, "series": options.series}


def add_who(commands: argparse._SubParsersAction[argparse.ArgumentParser], machine: argparse.ArgumentParser) -> None:
    """'rig who'."""
    command = commands.add_parser("who", parents=[machine], help="say who writes a variable",
                                  description="Boots a kernel, watches variables while a command runs in the guest, and says "
                                  "of each access who made it, and where; at the end how many there were at each place. "
                                  "Ends with 0, or with 1 where something else was --expect-ed; docs/who.md has the "
                                  "statuses for what is no answer.")
    command.add_argument("expression", metavar="SYM", nargs="+", help="a variable, or another expression that gdb takes")
    kinds = command.add_mutually_exclusive_group()
    kinds.add_argument("--read", action="store_true", help="tell of reads, not of writes")
    kinds.add_argument("--access", action="store_true", help="tell of reads as well as of writes")
    command.add_argument("--unchanged", action="store_true", help="also tell of writes that leave the value as it was")
    command.add_argument("--run", metavar="CMD", dest="run_in_guest", help="what the guest's shell is to run meanwhile")
    command.add_argument("--script", metavar="FILE", type=Path, help="a shell script for the guest to run, instead")
    command.add_argument("--add", metavar="PATH", type=Path, action="append", default=[],
                         help="a file or directory that the guest has in /root; may be repeated")
    command.add_argument("--seconds", metavar="S", type=float, default=60.0,
                         help="how long to watch without --run, and how long that may take (default 60)")
    command.add_argument("--from-boot", action="store_true", help="watch from the first lines of start_kernel() on")
    command.add_argument("--expect", metavar="WHAT", action="append", default=[],
                         help="none, a number of accesses, =VALUE that the last one leaves, or 'in FUNCTION' for all of "
                         "them: ends with 1 where it is otherwise")
    add_given(command)
    command.add_argument("--initramfs", metavar="FILE", type=Path, help="your own root instead of the rig's")
    command.add_argument("--disk", metavar="FILE", type=Path, help="an image that QEMU's guest has as /dev/vda, which stays as "
                         "it is; --append root=/dev/vda makes it the root")
    command.add_argument("--qemu", metavar="ARG", action="append", default=[], help="another argument for QEMU; may be repeated")
    add_lines(command)
    command.add_argument("--json", metavar="FILE", type=Path, help="write all that is known there (-: to standard output)")
    command.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit's XML there, a test case for each --expect")
    command.set_defaults(run=_who)


def add_tests(commands: argparse._SubParsersAction[argparse.ArgumentParser], *parents: argparse.ArgumentParser) -> None:
    """'rig test' and 'rig new-test'."""
    command = commands.add_parser("test", parents=[*parents], help="run tests of yours on a kernel of yours",
                                  description="Runs the tests in a folder with pytest, with the fixtures and classes of "
                                  "docs/testing.md. Ends as pytest does: 0 when all have passed.")
    command.add_argument("folder", metavar="FOLDER", type=Path, help="with the tests, or one file")
    command.add_argument("--config", metavar="NAME", default="default", help="a configuration fragment, by its name or path")
    command.add_argument("--machine", choices=MACHINES, default="qemu", help="what runs the guests (default qemu)")
    add_given(command)
    add_lines(command)
    command.add_argument("pytest", metavar="...", nargs="*", help="what pytest gets as well, behind --")
    command.set_defaults(run=_test)
    command = commands.add_parser("report", parents=[parents[0]], help="try a machine that runs already, and write one text",
                                  description="Plays the demo, runs the kernel's own tests and yours on a machine that runs "
                                  "already, and writes one text of it, to send with a bug or as 'tested on'. Ends with 0 "
                                  "when all passed.")
    add_given(command)
    add_lines(command)
    command.add_argument("--tests", metavar="FOLDER", type=Path, help="run these tests of yours as well")
    command.add_argument("--output", metavar="FILE", type=Path, default=Path("report.txt"), help="default report.txt")
    command.set_defaults(run=_report)
    command = commands.add_parser("new-test", help="write a first test of your own, and say where it is")
    command.add_argument("name", metavar="NAME", help="for test_NAME.py, which must not be there yet")
    command.set_defaults(run=_new_test)


def add_lines(command: argparse.ArgumentParser) -> None:
    """The options for a machine that runs already."""
    command.add_argument("--console", metavar="LINE", help="on a machine that runs already, with this console: a serial device "
                         "(DEVICE,BAUD; default 115200), a unix socket, or HOST:PORT")
    command.add_argument("--line", metavar="LINE", help="and its line that KGDB has, likewise")
    command.add_argument("--login", metavar="USER[:PASSWORD]", default="root", help="who logs in there, or on a root of "
                         "yours (default root)")


def add_given(command: argparse.ArgumentParser) -> None:
    """The options for a kernel that somebody has built."""
    command.add_argument("--vmlinux", metavar="FILE", type=Path, help="a kernel that is built already, with the patches")
    command.add_argument("--image", metavar="FILE", type=Path, help="what boots of it (bzImage)")
    command.add_argument("--modules", metavar="DIR", type=Path, help="and a directory with its *.ko")


def _who(options: argparse.Namespace) -> int:
    from kgdbrig.clients.noanswer import NoAnswer

    try:
        return _ask_who(options)
    except NoAnswer:
        raise
    except RigError as error:
        raise NoAnswer(str(error)) from error


def _ask_who(options: argparse.Namespace) -> int:
    from kgdbrig.clients.accesses import Wanted
    from kgdbrig.commands import who
    from kgdbrig.judging import expect
    from kgdbrig.kernels.build import build
    from kgdbrig.kernels.given import given

    wanted = tuple(Wanted(expression, writes=not options.read, unchanged=options.unchanged,
                          reads=options.read or options.access) for expression in options.expression)
    command, added = options.run_in_guest, list(options.add)
    if options.script is not None:
        command, added = f"sh /root/{options.script.name}", [*added, options.script]
    if (options.initramfs or (options.disk and "root=" in options.append)) and added:
        raise RigError("--add and --script are for the rig's own root: put the files into your --initramfs or --disk")
    for path in (options.initramfs, options.disk):
        if path is not None and not path.is_file():
            raise RigError(f"{path} is not there")
    if options.console is None and (options.vmlinux is None) != (options.image is None):
        raise RigError("--vmlinux FILE has the symbols of --image FILE: give both or none")
    if options.console is not None and (options.image is not None or options.from_boot or added):
        raise RigError("a machine that runs already (--console, --line) takes no --image, --from-boot, --script and --add")
    question = who.Question(wanted, command, options.seconds, options.from_boot,
                            tuple(expect.parse(words) for words in options.expect))
    stack = contextlib.ExitStack()

    def describe() -> Description:
        running = remote(options, stack)
        if running is not None:
            return running
        if options.vmlinux is None:
            kernel = build(options.kernel, options.arch, **build_arguments(options))
        else:
            kernel = stack.enter_context(given(options.vmlinux, options.image, options.arch, modules=options.modules))
        return Description(kernel, options.machine, smp=options.smp, append=options.append, memory_mb=options.memory,
                           parallel=False, added=tuple(added), kgdboc="early" if options.from_boot else "late",
                           initramfs=options.initramfs, disk=options.disk, login=Login.parse(options.login),
                           qemu_arguments=tuple(options.qemu))

    with stack:
        status = who.run(question, describe, json=options.json, junit=options.junit)
    return status


def _test(options: argparse.Namespace) -> int:
    from kgdbrig.commands.tests import run

    words = {"kernel": options.kernel, "arch": options.arch, "source": options.source, "config": options.config,
             "vmlinux": options.vmlinux, "image": options.image, "modules": options.modules, "machine": options.machine,
             "console": options.console, "line": options.line, "login": options.login}
    return run(options.folder, words, options.pytest)


def _new_test(options: argparse.Namespace) -> int:
    from kgdbrig.commands.tests import new

    print(new(options.name))
    return 0


def _report(options: argparse.Namespace) -> int:
    from kgdbrig.commands.report import run

    stack = contextlib.ExitStack()
    with stack:
        described = remote(options, stack)
        if described is None:
            raise RigError("a report is of a machine that runs already: --console, --line and --vmlinux")
        status = run(described, options.output, options.tests, [f"--rig-{name}={value}" for name in (
            "console", "line", "login", "vmlinux", "modules", "arch") if (value := getattr(options, name)) is not None])
    return status


def remote(options: argparse.Namespace, stack: contextlib.ExitStack) -> Description | None:
    """The machine that runs already which the options name, until `stack` ends; None where they name none."""
    from kgdbrig.kernels.given import given

    lines = Lines.parse(options.console, options.line)
    if lines is None:
        return None
    if options.vmlinux is None:
        raise RigError("a machine that runs already (--console, --line) needs --vmlinux FILE of its kernel")
    kernel = stack.enter_context(given(options.vmlinux, None, options.arch, modules=options.modules))
    return Description(kernel, REMOTE, lines=lines, login=Login.parse(options.login))
