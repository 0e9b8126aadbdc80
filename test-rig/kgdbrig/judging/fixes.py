# SPDX-License-Identifier: GPL-2.0-only
"""Which test shows the fault that each fix of the series mends ('make test-fixes').

It fails without just that fix, on a kernel that has the part "fixes" alone and is otherwise stock; and a stock kernel with
just that fix builds, boots and goes on after a breakpoint.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from xml.etree import ElementTree

from kgdbrig import paths
from kgdbrig.errors import BuildError, RigError
from kgdbrig.kernels import hooks
from kgdbrig.kernels.build import build

PART = "fixes"
TESTS = paths.REPOSITORY / "test-rig/tests"
#: What KGDB does on any kernel.
WORKS = "guest/test_fixes.py::test_a_breakpoint"

_TAKE_ONLY = "x86-kgdb-take-only-its-own-traps.patch"
_FORGET = "x86-kgdb-forget-a-hit-with-its-debug-exception.patch"
_LIFT = "x86-ftrace-lift-kgdb-breakpoints.patch"
_ONLINE = "kgdb-wait-for-the-cpus-that-are-online.patch"
_NO_OOPS = "kdb-a-breakpoint-of-gdb-is-no-oops.patch"
_AGAIN = "kgdb-send-again-what-nobody-acknowledges.patch"

#: What goes on top of _TAKE_ONLY.
_ON_TAKE_ONLY = (_FORGET, "x86-debugreg-keep-what-the-debugger-changed.patch")


@dataclass(frozen=True)
class Shown:
    """`test` ("DIRECTORY/FILE.py::FUNCTION" below test-rig/tests) passes with a fix and fails without it.

    Fixes `beside` it change the same lines, or use what it adds: both kernels are without them.
    """

    test: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepares:
    """A patch that mends nothing by itself: without it, a kernel with the patch `for_` does not build."""

    for_: str


#: By the hook's name.
FIXES: dict[str, Shown | Prepares] = {
    "kgdb-survive-a-stop-in-console-output.patch":
        Shown("guest/test_kgdbcon.py::test_a_stop_while_a_message_waits_for_its_acknowledgment", (_AGAIN,)),
    "kgdb-send-the-whole-thread-list.patch":
        Shown("guest/test_thread_list.py::test_a_request_that_is_sent_again_has_the_same_reply", (_AGAIN, _NO_OOPS)),
    _AGAIN:
        Shown("guest/test_bad_line.py::test_a_stop_reply_is_sent_again"),
    "kgdb-remove-the-breakpoints-when-the-system-goes-down.patch":
        Shown("guest/test_going_down.py::test_it_goes"),
    "perf-deliver-the-hits-of-kgdbs-breakpoints.patch":
        Shown("guest/test_fixes.py::test_watch"),
    "kgdbts-really-access-the-watched-variable.patch":
        Shown("guest/test_fixes.py::test_the_suite_passes"),
    "kgdb-name-the-cpus-that-did-not-stop.patch":
        Shown("guest/test_roundup.py::test_the_cpu_that_did_not_stop_is_named", (_ONLINE,)),
    _ONLINE:
        Shown("guest/test_fixes.py::test_a_cpu_that_stops_as_it_goes_and_comes"),
    "x86-alternatives-poke-without-the-lock.patch":
        Shown("debug/test_lockdep.py::test_kgdbts_with_lockdep_and_kasan"),
    "kgdb-leave-text-that-others-wrote.patch":
        Shown("guest/test_patched_text.py::test_what_was_written_over_a_breakpoint_stays", (_LIFT, _TAKE_ONLY, *_ON_TAKE_ONLY)),
    "kgdb-refuse-patched-text.patch":
        Shown("guest/test_patched_text.py::test_no_breakpoint_where_the_kernel_patches", (_LIFT, _TAKE_ONLY, *_ON_TAKE_ONLY)),
    _LIFT:
        Shown("guest/test_patched_text.py::test_ftrace_patches_under_a_breakpoint", (_TAKE_ONLY, *_ON_TAKE_ONLY)),
    _TAKE_ONLY:
        Shown("guest/test_patched_text.py::test_mmiotrace_after_a_step", _ON_TAKE_ONLY),
    _FORGET:
        Shown("guest/test_fixes.py::test_a_hit_is_forgotten"),
    "x86-power-restore-debug-registers.patch":
        Shown("guest/test_suspend.py::test_perf_counts_what_resume_does"),
    "x86-mce-enable-breakpoints-before-exit.patch":
        Shown("guest/test_machine_check.py::test_perf_hits_afterwards"),
    "x86-debugreg-name-the-bit-that-is-always-set.patch":
        Prepares("x86-debugreg-keep-what-the-debugger-changed.patch"),
    "x86-debugreg-keep-what-the-debugger-changed.patch":
        Shown("guest/test_fixes.py::test_set_while_another_is_armed"),
    "x86-nmi-refuse-breakpoints-on-what-its-entry-uses.patch":
        Shown("guest/test_freed_memory.py::test_perf_is_refused_what_the_entries_use"),
    "x86-hw_breakpoint-refuse-what-mitigations-use-on-entry.patch":
        Shown("guest/test_freed_memory.py::test_perf_is_refused_what_the_entries_use"),
    "x86-hw_breakpoint-refuse-the-canary.patch":
        Shown("debug/test_mitigations.py::test_perf_is_refused_the_canary"),
    "x86-hw_breakpoint-refuse-what-nmi-switches-stacks-by.patch":
        Shown("guest/test_freed_memory.py::test_perf_is_refused_what_the_entries_use"),
    "x86-hw_breakpoint-refuse-the-call-depth.patch":
        Shown("debug/test_mitigations.py::test_perf_is_refused_the_call_depth"),
    "kdb-check-hardware-breakpoints-without-writing.patch":
        Shown("guest/test_kdb_breakpoints.py::test_setting_one_writes_nothing"),
    "kdb-remove-a-breakpoint-that-is-cleared.patch":
        Shown("guest/test_fixes.py::test_kdb_says_what_it_cannot_clear"),
    "kdb-say-why-a-cpu-has-entered.patch":
        Shown("guest/test_fixes.py::test_kdb_says_that_it_switched"),
    _NO_OOPS:
        Shown("guest/test_kdb_takes_over.py::test_a_stop_there_is_no_oops"),
    "kdb-leave-consoles-alone-whose-locks-sleep.patch":
        Shown("debug/test_rt.py::test_what_kdb_says_takes_no_lock"),
}


class Result(Enum):
    """What became of a test's cases, all together."""

    PASSES = "passes"
    FAILS = "fails"
    #: It could not be tried: a kernel that does not build, a machine that does not boot, no such test.
    IS_NOT_RUN = "is not run"


def wrong_entries(table: Collection[str], named: Collection[str]) -> list[str]:
    """What is wrong with a table for the fixes that are named in the series."""
    return [*(f"no test is named for {name}" for name in named if name not in table),
            *(f"{name} is no fix of the series" for name in table if name not in named)]


def needed(name: str) -> set[str]:
    """What a fix goes on top of: those which have it beside them, and what prepares it."""
    return {other for other, entry in FIXES.items()
            if (name in entry.beside if isinstance(entry, Shown) else name == entry.for_)}


def run(version: str, arch: str, only: Collection[str], say: Callable[[str], None]) -> bool:
    """Try each fix of a version, or `only` those.

    Whether every test passes with its fix and fails without it, and KGDB works with that fix alone.
    """
    named = [hook.path.name for hook in hooks.load(version, upto=PART)]
    unknown = [name for name in only if name not in named]
    if unknown:
        raise RigError(f"{unknown[0]} is no fix of Linux {version}; there are: {', '.join(named)}")
    names = only or named
    unknown = [name for name in names if name not in FIXES]
    if unknown:
        raise RigError(f"no test is named for {unknown[0]}: name one in {__file__}")
    good = True
    # Kernels that are like each other follow each other: less has to be compiled.
    for name, tries in (*((name, _shown(version, arch, name)) for name in names),
                        *((name, _alone(version, arch, name, named)) for name in names)):
        for right, what in tries:
            say(f"{name}: {what}" if right else f"{name}: WRONG: {what}")
            good = good and right
    return good


def _shown(version: str, arch: str, name: str) -> Iterator[tuple[bool, str]]:
    """What the table's entry says of a fix: whether it is so, and what is."""
    entry = FIXES[name]
    if isinstance(entry, Prepares):
        fails = _does_not_build(version, arch, name)
        yield fails, f"{entry.for_} {'does not build' if fails else 'builds'} without it"
        return
    for wanted, how, without in ((Result.PASSES, "with it", entry.beside),
                                 (Result.FAILS, "without it", (name, *entry.beside))):
        yield _tried(version, arch, entry.test, without, wanted, how)


def _alone(version: str, arch: str, name: str, named: Collection[str]) -> Iterator[tuple[bool, str]]:
    """Whether KGDB works on a kernel that has no fix of those `named` but this one, and what it goes on top of."""
    beneath = needed(name)
    others = [other for other in named if other != name and other not in beneath]
    how = "with no other" + (f" but {' and '.join(sorted(beneath))}" if beneath else "")
    yield _tried(version, arch, WORKS, others, Result.PASSES, how)


def _tried(version: str, arch: str, test: str, without: Collection[str], wanted: Result, how: str) -> tuple[bool, str]:
    result, text = _try(version, arch, test, without)
    return result is wanted, f"{test} {result.value} {how}" + (f": {text}" if text else "")


def _try(version: str, arch: str, test: str, without: Collection[str]) -> tuple[Result, str]:
    """Run a test on the kernel without these fixes; what the first case that does not pass says."""
    with tempfile.TemporaryDirectory(prefix="rig-fixes-") as temporary:
        report = Path(temporary) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-x", f"--series={PART}",
                   f"--junitxml={report}", *(f"--without={name}" for name in without), str(TESTS / test)]
        ended = subprocess.run(command, env=os.environ | {"KVER": version, "ARCH": arch}, stdout=subprocess.PIPE,
                               stderr=sys.stderr, text=True, check=False)
        if not report.is_file():
            return Result.IS_NOT_RUN, (ended.stdout.strip().splitlines() or ["pytest says nothing"])[-1]
        return judged(report.read_text(encoding="utf-8"))


def judged(report: str) -> tuple[Result, str]:
    """What pytest's report in JUnit's form says, and the first line of what it says went wrong."""
    cases = list(ElementTree.fromstring(report).iter("testcase"))
    for kind, result in (("error", Result.IS_NOT_RUN), ("skipped", Result.IS_NOT_RUN), ("failure", Result.FAILS)):
        for case in cases:
            found = case.find(kind)
            if found is not None:
                return result, (found.get("message") or "").strip().split("\n")[0]
    return (Result.PASSES, "") if cases else (Result.IS_NOT_RUN, "there is no such test")


def _does_not_build(version: str, arch: str, name: str) -> bool:
    try:
        build(version, arch, series=PART, without=(name,))
    except BuildError:
        return True
    return False
