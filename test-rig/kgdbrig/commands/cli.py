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

from kgdbrig import arches, paths
from kgdbrig.clients.noanswer import NoAnswer
from kgdbrig.commands import asking
from kgdbrig.errors import MachineError, RigError
from kgdbrig.kernels import source
from kgdbrig.kernels.hooks import MAILED, PARTS
from kgdbrig.machines.description import KGDBOC, MACHINES, Description

DEFAULT_VERSION = "6.12"
DEFAULT_ARCH = "x86_64"


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
        return NoAnswer.status if end.code and asked == ["who"] else int(end.code or 0)
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


def _boot(options: argparse.Namespace) -> int:
    from kgdbrig.commands.session import announced
    from kgdbrig.kernels.build import build
    from kgdbrig.machines import kinds

    kernel = build(options.kernel, options.arch, **asking.build_arguments(options))
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

    kernel = build(options.kernel, options.arch, **asking.build_arguments(options))
    print(kernel.directory)
    return 0


def _gdb(options: argparse.Namespace) -> int:
    from kgdbrig.commands.interactive import debug
    from kgdbrig.kernels.build import build

    kernel = build(options.kernel, options.arch, **asking.build_arguments(options))
    return debug(Description(kernel, options.machine, smp=options.smp, append=options.append, memory_mb=options.memory))


def _demo(options: argparse.Namespace) -> int:
    from kgdbrig.commands.demo import run
    from kgdbrig.kernels.build import build

    stack = contextlib.ExitStack()
    with stack:
        described = asking.remote(options, stack) or Description(
            build(options.kernel, options.arch, stock=options.stock, kernel_src=options.source))
        status = run(described)
    return status


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
    asking.add_given(command)
    asking.add_lines(command)
    command.set_defaults(run=_demo)
    asking.add_who(commands, machine)
    asking.add_tests(commands, kernel, own)
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
