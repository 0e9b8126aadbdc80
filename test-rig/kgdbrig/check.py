# SPDX-License-Identifier: GPL-2.0-only
"""Judges the series as its reviewers would: checkpatch, sparse, kernel-doc, warnings, and builds.

Only the objects of files that the series touches are built, in a tree and in
object directories of their own in the cache.  What the stock tree has as well
is not held against the series.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import inspect
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from kgdbrig import arches, build, hooks, overlay, paths, series, source
from kgdbrig.arches import Arch
from kgdbrig.build import Kbuild
from kgdbrig.errors import MissingDependency, RigError
from kgdbrig.overlay import Overlay
from kgdbrig.source import Source

#: Prints one line of the report.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Explanation:
    """A kind of checkpatch notice that may stand, where `file` and `line` (regular expressions) match."""

    kind: str
    file: str
    line: str
    reason: str


#: Everything else that checkpatch says is a finding.
EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation("LINE_SPACING", r".*\.c", r"NOKPROBE_SYMBOL\(\w+\);",
                "NOKPROBE_SYMBOL() follows its function at once, as everywhere in the kernel"),
    Explanation("FILE_PATH_CHANGES", r".*", r"new file mode 100644",
                "the last patch adds an entry to MAINTAINERS; that it covers every new file is checked below"),
    Explanation("ARCH_INCLUDE_LINUX", r"arch/x86/include/asm/kgdb_watch\.h", r"#include <asm/percpu\.h>",
                "<asm/debugreg.h> includes this header, and <linux/percpu.h> needs <asm/debugreg.h> itself"),
    Explanation("ARCH_INCLUDE_LINUX", r"arch/x86/include/asm/debugreg\.h", r"#include <asm/kgdb_watch\.h>",
                "<linux/kgdb_watch.h> includes <linux/kgdb.h>, which needs <asm/debugreg.h> itself"),
    Explanation("ARCH_INCLUDE_LINUX", r"arch/x86/kernel/kgdb-watch\.c", r"#include <asm/(cpufeature|processor)\.h>",
                "what is needed is x86's own; the header in linux/ is for something else"),
    Explanation("UNKNOWN_COMMIT_ID", r".*", r"Fixes: [0-9a-f]{12} .*",
                "the tree that is checked has no history"),
    Explanation("MACRO_ARG_REUSE", r"arch/x86/kernel/kgdb-insn-kunit\.c", r"#define (STORES|LOADS|UNKNOWN|ADDRESS)\(.*",
                "the argument is the text of an instruction"),
    Explanation("MACRO_ARG_REUSE", r"kernel/debug/watchpoint/cases\.h", r"#define \w+\(.*",
                "the macros are initializers of constant tables"),
    Explanation("MACRO_ARG_UNUSED", r"kernel/debug/watchpoint/cases\.h", r"#define UPPER\(half\)\t0UL",
                "an address has no upper half on 32 bits"),
    Explanation("STRCPY", r"kernel/debug/gdbstub\.c", r'ptr \+= strlen\(strcpy\(ptr, "thread:"\)\);',
                "the line only moves to another function"),
)

#: Objects to build where a header changed and none of the changed files has all that it is used for.
HEADER_USERS: dict[str, tuple[str, ...]] = {
    "arch/x86/include/asm/debugreg.h": ("arch/x86/kernel/traps.o", "arch/x86/kernel/nmi.o"),
}
#: Directories that are built as a whole when something in them changed.
WHOLE = ("kernel/debug/",)

#: Configurations the series must build in without a warning: what each changes.
VARIANTS: dict[str, dict[str, str]] = {
    "the rig's configuration": {},
    "KGDB_WATCHPOINT=n": {"KGDB_WATCHPOINT": "n"},
    "KGDB_KDB=n": {"KGDB_KDB": "n"},
    "SMP=n": {"SMP": "n", "HOTPLUG_CPU": "n", "NR_CPUS": "1"},
    # x86 selects PERF_EVENTS: what is left is the core and the breakpoints
    "PERF_EVENTS at its minimum": {"PERF_EVENTS_INTEL_UNCORE": "n", "PERF_EVENTS_INTEL_RAPL": "n",
                                   "PERF_EVENTS_INTEL_CSTATE": "n", "KPROBE_EVENTS": "n", "KPROBES": "n",
                                   "KGDB_HONOUR_BLOCKLIST": "n", "FUNCTION_TRACER": "n", "DYNAMIC_FTRACE": "n",
                                   "FTRACE": "n"},
    "PREEMPT=y": {"PREEMPT": "y"},
}

_MESSAGE = re.compile(r"^(?P<file>[^\s:]+):\d+(?::\d+)?: (?P<text>.*)$", re.MULTILINE)
_TAIL_LINES = 30


@dataclass
class Report:
    """Prints one line for each check, and keeps count."""

    say: Say
    checks: int = 0
    failed: list[str] = field(default_factory=list)

    def result(self, check: str, findings: Iterable[str], note: str = "") -> None:
        """`check` is passed if there are no findings."""
        found = list(findings)
        self.checks += 1
        self.say(f"{'FAIL' if found else 'ok  '}  {check}{f' ({note})' if note else ''}")
        for finding in found:
            self.say("      " + finding.replace("\n", "\n      "))
        if found:
            self.failed.append(check)


def run(version: str, arch: str, say: Say = print, progress: TextIO | None = sys.stderr, *,
        again: bool = False) -> bool:
    """Run every check on the series for a kernel version, and report; whether all passed.

    A report without a failure is kept in the cache, and shown without running
    anything (unless `again`) as long as nothing changes that goes into it.
    """
    layout = arches.find(arch)
    pristine = source.find(version, None, progress)
    laid = overlay.load(version)
    kept = paths.cache_dir("checks") / _key(version, layout, pristine, laid)
    if kept.exists() and not again:
        say(kept.read_text(encoding="utf-8") + "rig: that is the report of an earlier run: nothing has changed since")
        return True
    said: list[str] = []

    def both(line: str) -> None:
        said.append(f"{line}\n")
        say(line)

    passed = _run(version, layout, pristine, laid, both, progress)
    if passed:
        written = kept.with_suffix(f".{os.getpid()}")
        written.write_text("".join(said), encoding="utf-8")
        written.replace(kept)
    return passed


def tree(pristine: Source) -> Path:
    """Where the checks lay the series over a copy of a source."""
    return paths.cache_dir("tree") / f"{pristine.name}-check"


def lock(pristine: Source) -> str:
    """The cache's lock that whoever changes that tree holds."""
    return f"check-{pristine.name}"


def _key(version: str, arch: Arch, pristine: Source, laid: Overlay) -> str:
    """The digest of everything a report depends on."""
    total = hashlib.sha256()
    texts = [version, arch.name, pristine.digest, laid.digest()]
    texts += [_program([tool, "--version"], paths.REPOSITORY, package).stdout
              for tool, package in (("gcc", "build-essential"), ("ld", "binutils"), ("sparse", "sparse"))]
    for stock in (False, True):
        texts += [path.read_text(encoding="utf-8") for path in build.fragments("default", version, arch.name, stock)]
    texts += [path.read_text(encoding="utf-8") for path in sorted(series.MAIL.iterdir())]
    # The rig's own code as well: what is checked, and how.
    texts += [inspect.getsource(module) for module in (sys.modules[__name__], arches, build, hooks, overlay, series,
                                                        source)]
    for text in texts:
        total.update(f"{len(text)}\n{text}".encode())
    return total.hexdigest()[:40]


def _run(version: str, layout: Arch, pristine: Source, laid: Overlay, say: Say, progress: TextIO | None) -> bool:
    report = Report(say)
    say(f"rig: checking the series for Linux {version} {layout.name} ({pristine.identity})")
    with paths.locked(lock(pristine), progress):
        bench = _Bench(version, layout, pristine, laid, progress)
        bench.lay(laid)
        _checkpatch(bench, report)
        _maintainers(bench, report)
        _kernel_doc(bench, report)
        _lint(bench, report)
        for variant in VARIANTS:
            _build_variant(bench, variant, report)
        _build_steps(bench, report)
    say(f"rig: {report.checks} checks, {len(report.failed)} failed" +
        "".join(f"\n     failed: {check}" for check in report.failed))
    return not report.failed


class _Bench:
    """The tree the checks work on, and make in its object directories."""

    def __init__(self, version: str, arch: Arch, pristine: Source, laid: Overlay, progress: TextIO | None) -> None:
        self.version = version
        self.arch = arch
        self.pristine = pristine
        self.laid = laid
        self.changed = sorted({*laid.files, *overlay.touched(laid)})
        self.tree = tree(pristine)
        self._progress = progress

    def lay(self, laid: Overlay) -> None:
        """Make the tree the pristine one with `laid` on it, and nothing else."""
        overlay.apply(self.pristine, laid, self.tree, self._progress)

    def made(self, settings: dict[str, str], *, stock: bool = False, pristine: bool = False,
             configured: bool = False) -> _Made:
        """The objects of the tree, configured as the rig's kernels (`stock`: as its stock kernels) with `settings`.

        All configurations share one object directory, which saves the tools
        that are built first; `configured` tells that the last one is wanted.
        `pristine` stands for the tree without the series, and has its own.
        """
        tree = self.pristine.directory if pristine else self.tree
        objects = paths.cache_dir("obj", f"{self.pristine.name}_{self.arch.name}_check{'-stock' * pristine}")
        kbuild = Kbuild(self.arch, self.pristine, tree, objects)
        if not configured:
            with _fragment(settings) as fragment:
                kbuild.configure((*build.fragments("default", self.version, self.arch.name, stock), fragment))
        return _Made(kbuild, tree, objects, self.changed)


class _Made:
    """What make says when it builds the objects that the series touches."""

    def __init__(self, kbuild: Kbuild, tree: Path, objects: Path, changed: list[str]) -> None:
        self._kbuild = kbuild
        self._tree = tree
        self._objects = objects
        self._config = (objects / ".config").read_text(encoding="utf-8")
        self._changed = changed
        self.goals = self._find_goals()

    def run(self, *variables: str, again: bool = True) -> tuple[bool, str]:
        """Whether the build worked, and what it said; `again` compiles what is up to date as well."""
        if again:  # a warning is only seen when it is made
            for path in self.objects():
                path.unlink()
        result = self._kbuild.make(*variables, *self.goals)
        return result.returncode == 0, result.stdout.replace(f"{self._tree}/", "").replace("../", "")

    def objects(self) -> list[Path]:
        """The objects of the goals that are there."""
        found: set[Path] = set()
        for goal in self.goals:
            place = self._objects / goal
            found.update(place.rglob("*.o") if goal.endswith("/") else [place] if place.exists() else [])
        return sorted(found)

    def unbuilt(self) -> list[str]:
        """The C files of the series that the goals leave out."""
        return [name for name in self._changed if name.endswith(".c") and not name.startswith(WHOLE) and
                f"{name[:-2]}.o" not in self.goals]

    def _find_goals(self) -> list[str]:
        found: set[str] = set()
        for name in self._changed:
            if not (self._tree / name).is_file():
                continue
            found.update(whole for whole in WHOLE if name.startswith(whole))
            found.update(HEADER_USERS.get(name, ()))
            if name.endswith(".c") and not name.startswith(WHOLE) and self._listed(name):
                found.add(f"{name[:-2]}.o")
        return sorted(found)

    def _listed(self, name: str) -> bool:
        """Whether the Makefile beside a file has it compiled in this configuration."""
        path = self._tree / name
        makefile = (path.parent / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
        for symbol, value in re.findall(r"^obj-(?:y|\$\((CONFIG_\w+)\))\s*[+:]?=(.*)$", makefile, re.MULTILINE):
            if f"{path.stem}.o" in value.split() and \
                    (not symbol or re.search(rf"^{symbol}=[ym]$", self._config, re.MULTILINE)):
                return True
        return False


@contextlib.contextmanager
def _fragment(settings: dict[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rig-check-") as temporary:
        path = Path(temporary) / "check.config"
        path.write_text("".join(f"CONFIG_{symbol}={value}\n" if value != "n" else f"# CONFIG_{symbol} is not set\n"
                                for symbol, value in settings.items()), encoding="utf-8")
        yield path


# checkpatch


@dataclass(frozen=True)
class Notice:
    """What checkpatch says: where in which patch, and the line of which kernel file that is."""

    patch: str
    number: int
    kind: str
    text: str
    file: str
    line: str

    def explained(self) -> Explanation | None:
        for explanation in EXPLANATIONS:
            if explanation.kind == self.kind and re.fullmatch(explanation.file, self.file) and \
                    re.fullmatch(explanation.line, self.line):
                return explanation
        return None


def notices(said: str, patch: Path) -> list[Notice]:
    """Parse what 'checkpatch.pl --terse --show-types' says about a patch."""
    lines = patch.read_text(encoding="utf-8").splitlines()
    found = []
    for where, kind, text in re.findall(r"^.*?:(\d+): ((?:ERROR|WARNING|CHECK):\w+): (.*)$", said, re.MULTILINE):
        number = int(where)
        file = ""
        for line in reversed(lines[:number]):
            match = re.fullmatch(r"\+\+\+ b/(\S+)|diff --git a/\S+ b/(\S+)", line)
            if match:
                file = match[1] or match[2]
                break
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        found.append(Notice(patch.name, number, kind.partition(":")[2], f"{kind}: {text}", file,
                            line.removeprefix("+").strip()))
    return found


def _checkpatch(bench: _Bench, report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="rig-check-") as temporary:
        patches = series.write(bench.version, Path(temporary), None, bench.laid)[1:]
        said = []
        broken = []
        for patch in patches:
            result = _program(["scripts/checkpatch.pl", "--strict", "--terse", "--show-types", "--no-summary",
                               str(patch)], bench.tree, "perl")
            found = notices(result.stdout, patch)
            said += found
            if result.stderr.strip() or (result.returncode != 0 and not found):
                broken.append(f"{patch.name}: checkpatch ended with {result.returncode}: "
                              f"{result.stderr.strip() or result.stdout.strip()}")
        findings = [f"{notice.patch}:{notice.number}: {notice.text}\n{notice.file}: {notice.line}"
                    for notice in said if notice.explained() is None]
    report.result(f"checkpatch.pl --strict on {len(patches)} patches", broken + findings)
    explained = Counter(explanation for notice in said if (explanation := notice.explained()) is not None)
    for explanation, count in explained.items():
        report.say(f"      {explanation.kind} {count} times: {explanation.reason}")


# documentation


def _maintainers(bench: _Bench, report: Report) -> None:
    text = (bench.tree / "MAINTAINERS").read_text(encoding="utf-8")
    entry = re.search(r"^KGDB HARDWARE WATCHPOINTS\n((?:[A-Z]:\t.*\n)+)", text, re.MULTILINE)
    patterns = re.findall(r"^F:\t(.*)$", entry[1], re.MULTILINE) if entry else []
    missing = [f"{name} is not covered" for name in sorted(bench.laid.files) if not covered(name, patterns)]
    report.result(f"MAINTAINERS covers {len(bench.laid.files)} new files",
                  missing if entry else ["there is no entry KGDB HARDWARE WATCHPOINTS"])


def covered(name: str, patterns: list[str]) -> bool:
    """Whether F: patterns of MAINTAINERS match a file; '*' stops at '/', and a directory covers what is below."""
    parts = name.split("/")
    for pattern in patterns:
        wanted = pattern.rstrip("/").split("/")
        if (len(parts) > len(wanted) if pattern.endswith("/") else len(parts) == len(wanted)) and \
                all(fnmatch.fnmatchcase(part, want) for part, want in zip(parts, wanted)):
            return True
    return False


def _kernel_doc(bench: _Bench, report: Report) -> None:
    files = [name for name in sorted(bench.laid.files) if name.endswith((".c", ".h")) and
             b"/**" in bench.laid.files[name]]
    script = bench.tree / "scripts/kernel-doc"
    flags = ["-none"] + ["-Wall"] * ("-Wall" in script.read_text(encoding="utf-8"))  # older ones have no such option
    result = _program([str(script), *flags, *files], bench.tree, "perl")
    said = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    report.result(f"kernel-doc {' '.join(flags)} on {len(files)} new files",
                  said or ([f"it ended with {result.returncode}"] if result.returncode else []))


# sparse and warnings


def _lint(bench: _Bench, report: Report) -> None:
    stock = bench.made({}, stock=True, pristine=True)
    ours = bench.made({})
    sparse, note = _sparse(bench)
    report.result("every C file of the series is compiled in the rig's configuration", ours.unbuilt())

    _, before = stock.run("W=1")
    worked, after = ours.run("W=1")
    report.result("W=1: no warning that the stock tree has not",
                  new_messages(before, after, bench.changed) or ([] if worked else [_failure(after)]))

    _, before = stock.run("W=1", "C=2", f"CHECK={sparse}", again=False)
    worked, after = ours.run("W=1", "C=2", f"CHECK={sparse}", again=False)
    checked = set(re.findall(r"^  CHECK +(\S+)$", after, re.MULTILINE))
    unchecked = [f"sparse did not see {name}" for name in bench.changed
                 if name.endswith(".c") and name not in checked and name not in ours.unbuilt()]
    report.result(f"sparse (C=2) on {len(checked)} files: no warning that the stock tree has not",
                  unchecked + new_messages(before, after, bench.changed) or ([] if worked else [_failure(after)]), note)


def new_messages(before: str, after: str, changed: Iterable[str]) -> list[str]:
    """What a compiler or sparse says in `after` and not in `before`, line numbers aside.

    In a file of `changed` each one counts; what a header says is repeated in
    all that include it, so there once is as good as often.
    """
    files = set(changed)
    found = []
    known = Counter(map(_sameness, _MESSAGE.finditer(before)))
    for match in _MESSAGE.finditer(after):
        key = _sameness(match)
        if known[key] == 0:
            found.append(match[0])
        elif match["file"] in files:
            known[key] -= 1
    return found


def _sameness(match: re.Match[str]) -> tuple[str, str]:
    """What makes a message the same.  An imbalance of locks may be blamed on any inline function that is called."""
    return ("" if "context imbalance in" in match["text"] else match["file"], match["text"])


def _sparse(bench: _Bench) -> tuple[str, str]:
    """The command for CHECK=, and which sparse it is."""
    version = "sparse " + _program(["sparse", "--version"], bench.tree, "sparse").stdout.strip()
    validator = bench.tree / "scripts/checker-valid.sh"
    if not validator.is_file():
        return "sparse", version
    # kbuild leaves sparse out, with one line among hundreds, where this script does not print 1.
    for command, note in (("sparse", version), ("sparse -D__typeof_unqual__=__typeof__",
                                                f"{version} does not know __typeof_unqual__, which Linux "
                                                f"{bench.version} wants: taken for __typeof__")):
        if _program(["sh", str(validator), *command.split()], bench.tree, "sparse").stdout.strip() == "1":
            return command, note
    raise RigError(f"{version} cannot check Linux {bench.version} ({validator.name} rejects it): install a newer one, "
                   "which knows __typeof_unqual__")


# builds


def _build_variant(bench: _Bench, variant: str, report: Report) -> None:
    settings = VARIANTS[variant]
    # Without the option, what depends on it must not be asked for either: as for a stock kernel.
    made = bench.made({**settings, "WERROR": "y"}, stock=settings.get("KGDB_WATCHPOINT") == "n")
    worked, said = made.run()
    findings = [] if worked else [_failure(said)]
    findings += [line for line in said.splitlines() if "warning:" in line and worked]
    findings += _unresolved(bench, made)
    report.result(f"builds with -Werror: {variant}", findings, f"{len(made.objects())} objects")


def _unresolved(bench: _Bench, made: _Made) -> list[str]:
    """Functions of the new files that an object needs and none provides: no whole kernel is linked here."""
    source_text = b"\n".join(content for name, content in bench.laid.files.items() if name.endswith(".c")).decode()
    ours = set(re.findall(r"^[a-z][\w *]*?\b(kgdb_\w+)\(", source_text, re.MULTILINE))
    needed: dict[str, str] = {}
    provided: set[str] = set()
    for path in made.objects():
        listed = _program(["nm", str(path)], bench.tree, "binutils").stdout
        for kind, name in re.findall(r"^[0-9a-f ]+ (\w) (\S+)$", listed, re.MULTILINE):
            if kind == "U":
                needed.setdefault(name, path.name)
            else:
                provided.add(name)
    return [f"{needed[name]} needs {name}, which is not built" for name in sorted(set(needed) & ours - provided)]


def _build_steps(bench: _Bench, report: Report) -> None:
    prefixes = series.prefixes(bench.version, bench.laid)
    try:
        for number, (step, laid) in enumerate(prefixes, 1):
            bench.lay(laid)
            # Configured as a stock kernel: the option is not there until late, and then on by default.
            made = bench.made({"WERROR": "y"}, stock=True,
                              configured=number > 1 and not any("Kconfig" in name for name in _touched(step)))
            worked, said = made.run(again=number == 1)
            report.result(f"step {number}/{len(prefixes)} builds: {step.message.subject}",
                          [] if worked else [_failure(said)])
    finally:
        bench.lay(bench.laid)


def _touched(step: series.Step) -> list[str]:
    hooks = (step.hook,) if step.hook is not None else ()
    return [*step.files, *overlay.touched(Overlay({}, hooks))]


def _program(command: list[str], directory: Path, package: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise MissingDependency(command[0], package) from error


def _failure(said: str) -> str:
    """What make says of an error, without its own echo at every level."""
    lines = [line for line in said.splitlines() if not re.match(r"make(\[\d+\])?: |  [A-Z]+ +\S+$", line)]
    return "\n".join(lines[-_TAIL_LINES:]) or said[-2000:]
