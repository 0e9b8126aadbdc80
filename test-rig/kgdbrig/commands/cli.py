# SPDX-License-Identifier: GPL-2.0-only
"""The command line: argparse, signals, and errors turned into one message and a status."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from kgdbrig import arches, paths
from kgdbrig.errors import MachineError, RigError
from kgdbrig.kernels import source
from kgdbrig.kernels.hooks import MAILED, PARTS
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines import endpoint
from kgdbrig.machines.description import KGDBOC, MACHINES, REMOTE, Description, Lines, Login

DEFAULT_VERSION = "6.12"
DEFAULT_ARCH = "x86_64"
#: The status of 'rig who' where the question could not be asked.
NO_ANSWER = 200


class _Terminated(BaseException):
    """SIGTERM or SIGHUP arrived: unwinds like KeyboardInterrupt, so that everything is cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:
        # git bisect would take argparse's 2 for an answer.
        asked = sys.argv[1:2] if arguments is None else arguments[:1]
        return NO_ANSWER if end.code and asked == ["who"] else int(end.code or 0)
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGHUP, _terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell script's "rig boot &" would ignore it
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except RigError as error:
        print(f"rig: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:
        # Who read our output is gone; point the stream elsewhere so that the exit does not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"rig: no room is left to write to: make room ({paths.cache()} and {tempfile.gettempdir()} are written to), "
              "and try again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except _Terminated as end:
        return 128 + end.number


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise _Terminated(number)


def _build_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """What the options of _parser()'s `build` are for build()."""
    return {"stock": options.stock, "kernel_src": options.source, "config": options.config, "series": options.series}


def _boot(options: argparse.Namespace) -> int:
    from kgdbrig.commands.session import announced
    from kgdbrig.kernels.build import build
    from kgdbrig.machines import kinds

    kernel = build(options.kernel, options.arch, **_build_arguments(options))
    machine = kinds.make(Description(kernel, options.machine, smp=options.smp, kgdboc=options.kgdboc, append=options.append,
                                     memory_mb=options.memory))
    with machine, announced(machine):
        print(json.dumps(machine.sockets() | {"pid": machine.pid}), flush=True)
        try:
            status = machine.wait()
        except (KeyboardInterrupt, _Terminated):
            return 0  # the ordinary way to end it
        if status != 0:
            raise MachineError(f"{machine.name} ended with status {status}: {machine.said()}")
        print("rig: the guest powered off or rebooted", file=sys.stderr)
    return 0


def _kernel(options: argparse.Namespace) -> int:
    from kgdbrig.kernels.build import build

    kernel = build(options.kernel, options.arch, **_build_arguments(options))
    print(kernel.directory)
    return 0


def _gdb(options: argparse.Namespace) -> int:
    from kgdbrig.commands.interactive import debug
    from kgdbrig.kernels.build import build

    kernel = build(options.kernel, options.arch, **_build_arguments(options))
    return debug(Description(kernel, options.machine, smp=options.smp, append=options.append, memory_mb=options.memory))


def _demo(options: argparse.Namespace) -> int:
    from kgdbrig.commands.demo import run
    from kgdbrig.kernels.build import build

    stack = contextlib.ExitStack()
    with stack:
        described = _remote(options, stack) or Description(
            build(options.kernel, options.arch, stock=options.stock, kernel_src=options.source))
        status = run(described)
    return status


def _report(options: argparse.Namespace) -> int:
    from kgdbrig.commands.report import run

    stack = contextlib.ExitStack()
    with stack:
        remote = _remote(options, stack)
        if remote is None:
            raise RigError("a report is of a machine that runs already: --console, --line and --vmlinux")
        status = run(remote, options.output, options.tests, [f"--rig-{name}={value}" for name in (
            "console", "line", "login", "vmlinux", "modules", "arch") if (value := getattr(options, name)) is not None])
    return status


def _remote(options: argparse.Namespace, stack: contextlib.ExitStack) -> Description | None:
    """The machine that runs already which the options name, until `stack` ends; None where they name none."""
    from kgdbrig.kernels.given import given

    lines = _lines(options)
    if lines is None:
        return None
    if options.vmlinux is None:
        raise RigError("a machine that runs already (--console, --line) needs --vmlinux FILE of its kernel")
    kernel = stack.enter_context(given(options.vmlinux, None, options.arch, modules=options.modules))
    return Description(kernel, REMOTE, lines=lines, login=_login(options))


def _login(options: argparse.Namespace) -> Login:
    user, colon, password = options.login.partition(":")
    return Login(user, password if colon else None)


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
    lines = _lines(options)
    login = _login(options)
    if (options.initramfs or options.disk) and added:
        raise RigError("--add and --script are for the rig's own root: put the files into your --initramfs or --disk")
    for path in (options.initramfs, options.disk):
        if path is not None and not path.is_file():
            raise RigError(f"{path} is not there")
    if lines is not None and (options.vmlinux is None or options.image is not None or options.from_boot or added):
        raise RigError("a machine that runs already (--console, --line) needs --vmlinux FILE of its kernel, and takes no "
                       "--image, --from-boot, --script and --add")
    if lines is None and (options.vmlinux is None) != (options.image is None):
        raise RigError("--vmlinux FILE has the symbols of --image FILE: give both or none")
    question = who.Question(wanted, command, options.seconds, options.from_boot,
                            tuple(expect.parse(words) for words in options.expect))
    stack = contextlib.ExitStack()

    def make() -> Kernel:
        if options.vmlinux is None:
            return build(options.kernel, options.arch, **_build_arguments(options))
        return stack.enter_context(given(options.vmlinux, options.image, options.arch, modules=options.modules))

    def describe(kernel: Kernel) -> Description:
        if lines is not None:
            return Description(kernel, REMOTE, lines=lines, login=login)
        return Description(kernel, options.machine, smp=options.smp, append=options.append, memory_mb=options.memory,
                           parallel=False, added=tuple(added), kgdboc="early" if options.from_boot else "late",
                           initramfs=options.initramfs, disk=options.disk, login=login, qemu_arguments=tuple(options.qemu))

    with stack:
        status = who.run(question, make, describe, json=options.json, junit=options.junit)
    return status


def _lines(options: argparse.Namespace) -> Lines | None:
    """How the machine is reached that is not booted, if it is not."""
    if options.console is None and options.line is None:
        return None
    if options.console is None or options.line is None:
        raise RigError("a machine that runs already has a --console, and a --line that its KGDB has")
    return Lines(endpoint.parse(options.console), endpoint.parse(options.line))


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


def _compare(options: argparse.Namespace) -> int:
    from kgdbrig.judging.compare import run

    return run(options.kernel, options.arch)


def _soak(options: argparse.Namespace) -> int:
    from kgdbrig.judging.soak import run

    seed = options.seed if options.seed is not None else secrets.randbelow(1 << 32)
    return run(options.kernel, options.arch, options.accesses, seed, parallel=options.parallel, several=options.several)


def _endurance(options: argparse.Namespace) -> int:
    from kgdbrig.judging.endurance import run

    return run(options.kernel, options.arch, options.times, config=options.config, parallel=options.parallel)


def _console(options: argparse.Namespace) -> int:
    from kgdbrig.commands.session import newest_console
    from kgdbrig.commands.terminal import attach

    attach(options.socket or newest_console())
    return 0


def _series(options: argparse.Namespace) -> int:
    from kgdbrig.kernels.series import write

    written = write(options.kernel, options.output, part=options.part)
    for part, mails in written.items():
        print(f"rig: {part}: {len(mails) - 1} patches and a cover letter in {mails[0].parent}", file=sys.stderr)
    tree = "a bare tree" if options.part in (None, PARTS[0]) else "a tree with the parts before"
    every = " ".join(f"{mails[0].parent}/0*[1-9]*.patch" for mails in written.values())
    print(f"rig: on {tree}: git am {every}", file=sys.stderr)
    last = mails[0].parent
    print(last if options.part else last.parent)
    return 0


def _check(options: argparse.Namespace) -> int:
    from kgdbrig.judging.check import run

    def say(line: str) -> None:
        print(line, flush=True)

    return 0 if run(options.kernel, options.arch, say, again=options.again) else 1


def _test_fixes(options: argparse.Namespace) -> int:
    from kgdbrig.judging.fixes import run

    def say(line: str) -> None:
        print(line, flush=True)

    return 0 if run(options.kernel, options.arch, options.fix, say) else 1


def _clean_cache(_options: argparse.Namespace) -> int:
    paths.empty_cache()
    print(f"rig: emptied {paths.cache()}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rig", description="Builds kernels with KGDB watchpoints and boots them "
                                     "in QEMU or Bochs, for tests and for people.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    kernel = argparse.ArgumentParser(add_help=False)
    kernel.add_argument("--kernel", metavar="VERSION", default=DEFAULT_VERSION, choices=list(source.VERSIONS),
                        help=f"kernel version: {', '.join(source.VERSIONS)} (default {DEFAULT_VERSION})")
    kernel.add_argument("--arch", default=DEFAULT_ARCH, choices=list(arches.ARCHES),
                        help=f"architecture: {', '.join(arches.ARCHES)} (default {DEFAULT_ARCH})")

    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--source", metavar="PATH", type=Path,
                     default=Path(os.environ["KERNEL_SRC"]) if os.environ.get("KERNEL_SRC") else None,
                     help="a kernel tree of your own, which is only read (default $KERNEL_SRC, else Debian's source)")
    build = argparse.ArgumentParser(add_help=False, parents=[kernel, own])
    overlaid = build.add_mutually_exclusive_group()
    overlaid.add_argument("--stock", action="store_true", help="the same source and configuration without our patches")
    overlaid.add_argument("--series", metavar="PART", choices=PARTS, default=PARTS[-1],
                          help=f"only the series up to and including a part: {', '.join(PARTS)} (default: all of it)")
    build.add_argument("--config", metavar="NAME", default="default",
                       help="add a configuration fragment: test-rig/configs/NAME.config, or a file of yours by its path")

    threads = argparse.ArgumentParser(add_help=False)
    threads.add_argument("--parallel", action="store_true",
                         help="give each of the guest's CPUs a thread of the host, instead of having them take turns in "
                         "one: much slower, and true races; the host should have as many cores and nothing else to do")

    machine = argparse.ArgumentParser(add_help=False, parents=[build])
    machine.add_argument("--machine", choices=MACHINES, default="qemu",
                         help="what runs the guest: qemu (the default), or bochs, whose debug registers are a processor's")
    machine.add_argument("--smp", metavar="N", type=int, default=1, help="number of CPUs (default 1)")
    machine.add_argument("--append", metavar="STR", default="", help="more kernel parameters")
    machine.add_argument("--memory", metavar="MIB", type=int, default=512, help="memory in MiB (default 512)")

    boot = commands.add_parser("boot", parents=[machine], help="boot a kernel and print its sockets as JSON",
                               description="Boots a kernel, prints one JSON object with the paths of its sockets, "
                               "and stays until it is interrupted or the guest powers off.")
    boot.add_argument("--kgdboc", choices=KGDBOC, default="late",
                      help="when KGDB takes the second port: late (with its driver; the default), early (at once, "
                      "and wait there for gdb), wait (as late, and wait for gdb there), none")
    boot.set_defaults(run=_boot)

    command = commands.add_parser("kernel", parents=[build], help="build a kernel and print where the result lies")
    command.set_defaults(run=_kernel)
    command = commands.add_parser("gdb", parents=[machine], help="boot a kernel and start gdb on it")
    command.set_defaults(run=_gdb)
    command = commands.add_parser("demo", parents=[kernel, own], help="play a session with watchpoints")
    command.add_argument("--stock", action="store_true", help="on a kernel without our patches, where it fails")
    _add_given(command)
    _add_lines(command)
    command.set_defaults(run=_demo)
    _add_who(commands, machine)
    _add_tests(commands, kernel, own)
    command = commands.add_parser("compare", parents=[kernel],
                                  help="try the same on the stock and the patched kernel, and print a table")
    command.set_defaults(run=_compare)
    command = commands.add_parser("soak", parents=[kernel, threads], help="random accesses over random sets of watchpoints",
                                  description="Has four CPUs make random accesses over random sets of watchpoints, and "
                                  "compares the stops with what the oracle saw. Prints how many were missed, invented "
                                  "and misattributed; ends with 0 when none was.")
    command.add_argument("--accesses", metavar="N", type=int, default=20000, help="how many accesses (default 20000)")
    command.add_argument("--seed", metavar="S", type=int, help="make the choices of an earlier run again")
    command.add_argument("--several", action="store_true", help="by a client that takes several watchpoints in a stop reply")
    command.set_defaults(run=_soak)
    command = commands.add_parser("endurance", parents=[kernel, threads],
                                  help="the kernel's own KGDB tests, for long, on a busy machine that checks itself")
    command.add_argument("--times", metavar="N", type=int, default=10, help="how often in a row (default 10)")
    command.add_argument("--config", metavar="NAME", default="debug",
                         help="the kernel's configuration fragment (default debug: lockdep, KASAN; default is faster)")
    command.set_defaults(run=_endurance)
    command = commands.add_parser("series", help="write the kernel code as patches for a mailing list",
                                  description="Writes patches that 'git am' applies to a bare tree of the kernel "
                                  "version, each part of the series with a cover letter, and prints where. "
                                  "$SOURCE_DATE_EPOCH dates it.")
    command.add_argument("--kernel", metavar="VERSION", default=DEFAULT_VERSION, choices=list(source.VERSIONS),
                         help=f"kernel version: {', '.join(source.VERSIONS)} (default {DEFAULT_VERSION})")
    command.add_argument("--part", metavar="PART", choices=MAILED,
                         help=f"only this part, which goes on top of those before: {', '.join(MAILED)} (default: all)")
    command.add_argument("--output", metavar="DIR", type=Path,
                         help="an empty directory, or one that holds an older series (default: in the cache)")
    command.set_defaults(run=_series)
    command = commands.add_parser("check", parents=[kernel], help="run checkpatch, sparse and builds on the series")
    command.add_argument("--again", action="store_true", help="also when they passed before and nothing has changed")
    command.set_defaults(run=_check)
    command = commands.add_parser("test-fixes", parents=[kernel],
                                  help="see that the test of each fix fails on a kernel without that fix",
                                  description="Builds a kernel with the fixes of the series alone, and for each of them "
                                  "one without it, and runs the fix's test (kgdbrig/judging/fixes.py) on both; and one with "
                                  "that fix alone, on which KGDB has to work. Ends with 0 when each test passes on the "
                                  "first, fails on the second, and the third works.")
    command.add_argument("fix", metavar="NAME.patch", nargs="*", help="only these fixes (default: all of the version)")
    command.set_defaults(run=_test_fixes)
    command = commands.add_parser("console", help="connect this terminal to a guest's console")
    command.add_argument("socket", nargs="?", type=Path, help="console socket (default: that of the newest machine)")
    command.set_defaults(run=_console)
    command = commands.add_parser("clean-cache", help="remove built kernels, sources and objects from the cache")
    command.set_defaults(run=_clean_cache)
    return parser


def _add_who(commands: argparse._SubParsersAction[argparse.ArgumentParser], machine: argparse.ArgumentParser) -> None:
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
    _add_given(command)
    command.add_argument("--initramfs", metavar="FILE", type=Path, help="your own root instead of the rig's")
    command.add_argument("--disk", metavar="FILE", type=Path, help="an image that QEMU's guest has as /dev/vda, which stays as "
                         "it is; --append root=/dev/vda makes it the root")
    command.add_argument("--qemu", metavar="ARG", action="append", default=[], help="another argument for QEMU; may be repeated")
    _add_lines(command)
    command.add_argument("--json", metavar="FILE", type=Path, help="write all that is known there (-: to standard output)")
    command.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit's XML there, a test case for each --expect")
    command.set_defaults(run=_who)


def _add_lines(command: argparse.ArgumentParser) -> None:
    """The options for a machine that runs already."""
    command.add_argument("--console", metavar="LINE", help="on a machine that runs already, with this console: a serial device "
                         "(DEVICE,BAUD; default 115200), a unix socket, or HOST:PORT")
    command.add_argument("--line", metavar="LINE", help="and its line that KGDB has, likewise")
    command.add_argument("--login", metavar="USER[:PASSWORD]", default="root", help="who logs in there, or on a root of "
                         "yours (default root)")


def _add_given(command: argparse.ArgumentParser) -> None:
    """The options for a kernel that somebody has built."""
    command.add_argument("--vmlinux", metavar="FILE", type=Path, help="a kernel that is built already, with the patches")
    command.add_argument("--image", metavar="FILE", type=Path, help="what boots of it (bzImage)")
    command.add_argument("--modules", metavar="DIR", type=Path, help="and a directory with its *.ko")


def _add_tests(commands: argparse._SubParsersAction[argparse.ArgumentParser], *parents: argparse.ArgumentParser) -> None:
    """'rig test' and 'rig new-test'."""
    command = commands.add_parser("test", parents=[*parents], help="run tests of yours on a kernel of yours",
                                  description="Runs the tests in a folder with pytest, with the fixtures and classes of "
                                  "docs/testing.md. Ends as pytest does: 0 when all have passed.")
    command.add_argument("folder", metavar="FOLDER", type=Path, help="with the tests, or one file")
    command.add_argument("--config", metavar="NAME", default="default", help="a configuration fragment, by its name or path")
    command.add_argument("--machine", choices=MACHINES, default="qemu", help="what runs the guests (default qemu)")
    _add_given(command)
    _add_lines(command)
    command.add_argument("pytest", metavar="...", nargs="*", help="what pytest gets as well, behind --")
    command.set_defaults(run=_test)
    command = commands.add_parser("report", parents=[parents[0]], help="try a machine that runs already, and write one text",
                                  description="Plays the demo, runs the kernel's own tests and yours on a machine that runs "
                                  "already, and writes one text of it, to send with a bug or as 'tested on'. Ends with 0 "
                                  "when all passed.")
    _add_given(command)
    _add_lines(command)
    command.add_argument("--tests", metavar="FOLDER", type=Path, help="run these tests of yours as well")
    command.add_argument("--output", metavar="FILE", type=Path, default=Path("report.txt"), help="default report.txt")
    command.set_defaults(run=_report)
    command = commands.add_parser("new-test", help="write a first test of your own, and say where it is")
    command.add_argument("name", metavar="NAME", help="for test_NAME.py, which must not be there yet")
    command.set_defaults(run=_new_test)
