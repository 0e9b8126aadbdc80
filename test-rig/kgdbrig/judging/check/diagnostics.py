# SPDX-License-Identifier: GPL-2.0-only
"""Finds what the compiler, objtool and sparse say about the series and not about the stock tree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from kgdbrig.errors import RigError
from kgdbrig.judging.check.bench import Bench, Made
from kgdbrig.judging.check.report import Report, failure, program

#: What the compiler and sparse say is about a line of a file; what objtool says is about a place in an object.
_MESSAGE = re.compile(r"^(?P<file>[^\s:]+):(?:\d+(?::\d+)?: | (?=warning: objtool: ))(?P<text>.*)$", re.MULTILINE)


def lint(bench: Bench, report: Report) -> Made | None:
    """What the two say of the rig's configuration; the objects, if they could be built."""
    stock = bench.made({}, stock=True, pristine=True)
    ours = bench.made({})
    sparse, note = _sparse(bench)
    report.result("every C file of the series is compiled in the rig's configuration", ours.unbuilt())

    _, before = stock.run("W=1")
    worked, after = ours.run("W=1")
    report.result("W=1: no warning that the stock tree has not",
                  new_messages(before, after, bench.changed) or ([] if worked else [failure(after)]))

    _, before = stock.run("W=1", "C=2", f"CHECK={sparse}", again=False)
    worked, after = ours.run("W=1", "C=2", f"CHECK={sparse}", again=False)
    checked = set(re.findall(r"^  CHECK +(\S+)$", after, re.MULTILINE))
    unchecked = [f"sparse did not see {name}" for name in bench.changed
                 if name.endswith(".c") and name not in checked and name not in ours.unbuilt()]
    report.result(f"sparse (C=2) on {len(checked)} files: no warning that the stock tree has not",
                  unchecked + new_messages(before, after, bench.changed) or ([] if worked else [failure(after)]), note)
    return ours if worked else None


def new_messages(before: str, after: str, changed: Iterable[str]) -> list[str]:
    """What a compiler, objtool or sparse says in `after` and not in `before`, line numbers and offsets aside.

    In a file of `changed` each one counts; what a header says is repeated in
    all that include it, so there once is as good as often.  Of an imbalance of
    locks sparse names the function, and a line that may be that of an inline
    one it calls: where that is makes no difference.
    """
    files = set(changed)
    found = []
    known = Counter(map(_key, _MESSAGE.finditer(before)))
    for match in _MESSAGE.finditer(after):
        key = _key(match)
        if known[key] == 0:
            found.append(match[0])
        elif re.sub(r"\.o$", ".c", match["file"]) in files:
            known[key] -= 1
    return found


def _key(match: re.Match[str]) -> tuple[str, str]:
    text = match["text"]
    return ("" if "context imbalance in" in text else match["file"], re.sub(r"\+0x[0-9a-f]+", "", text))


def _sparse(bench: Bench) -> tuple[str, str]:
    """The command for CHECK=, and which sparse it is."""
    version = "sparse " + program(["sparse", "--version"], bench.tree, "sparse").stdout.strip()
    validator = bench.tree / "scripts/checker-valid.sh"
    if not validator.is_file():
        return "sparse", version
    # kbuild leaves sparse out, with one line among hundreds, where this script does not print 1.
    for command, note in (("sparse", version), ("sparse -D__typeof_unqual__=__typeof__",
                                                f"{version} does not know __typeof_unqual__, which Linux "
                                                f"{bench.version} wants: taken for __typeof__")):
        if program(["sh", str(validator), *command.split()], bench.tree, "sparse").stdout.strip() == "1":
            return command, note
    raise RigError(f"{version} cannot check Linux {bench.version} ({validator.name} rejects it): install a newer one, "
                   "which knows __typeof_unqual__")
