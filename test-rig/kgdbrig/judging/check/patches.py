# SPDX-License-Identifier: GPL-2.0-only
"""Judges what people read of the series: checkpatch on the mails, MAINTAINERS, kernel-doc."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kgdbrig.judging.check.bench import Bench
from kgdbrig.judging.check.report import Report, program
from kgdbrig.kernels import series


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
    Explanation("ARCH_INCLUDE_LINUX", r"arch/x86/kernel/(kgdb[-\w]*|hw_breakpoint|traps|nmi)\.c",
                r"#include <asm/kgdb_watch\.h>", "what is needed is x86's own; the header in linux/ has it for perf's code"),
    Explanation("ARCH_INCLUDE_LINUX", r"arch/x86/kernel/kgdb-check\.c", r"#include <asm/processor\.h>",
                "what is needed is x86's own; the header in linux/ is for something else"),
    Explanation("UNKNOWN_COMMIT_ID", r".*", r"(Fixes: |.*\bcommit |)[0-9a-f]{12} .*",
                "the tree that is checked has no history"),
    Explanation("STRCPY", r"kernel/debug/gdbstub\.c", r'ptr \+= strlen\(strcpy\(ptr, "thread:"\)\);',
                "the line only moves to another function"),
)


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


def checkpatch(bench: Bench, report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="rig-check-") as temporary:
        written = series.write(bench.version, Path(temporary), None, laid=bench.laid)
        patches = [mail for mails in written.values() for mail in mails[1:]]
        said = []
        broken = []

        def run(patch: Path) -> subprocess.CompletedProcess[str]:
            return program(["scripts/checkpatch.pl", "--strict", "--terse", "--show-types", "--no-summary", str(patch)],
                           bench.tree, "perl")

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            results = list(pool.map(run, patches))
        for patch, result in zip(patches, results, strict=True):
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


def maintainers(bench: Bench, report: Report) -> None:
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
                all(fnmatch.fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=False)):
            return True
    return False


def kernel_doc(bench: Bench, report: Report) -> None:
    files = [name for name in sorted(bench.laid.files) if name.endswith((".c", ".h")) and
             b"/**" in bench.laid.files[name]]
    script = bench.tree / "scripts/kernel-doc"
    flags = ["-none"] + ["-Wall"] * ("-Wall" in script.read_text(encoding="utf-8"))  # older ones have no such option
    result = program([str(script), *flags, *files], bench.tree, "perl")
    said = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    report.result(f"kernel-doc {' '.join(flags)} on {len(files)} new files",
                  said or ([f"it ended with {result.returncode}"] if result.returncode else []))
