# SPDX-License-Identifier: GPL-2.0-only
"""Counts what the part "feature" adds to files that the kernel has already: what a maintainer has to live with."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from kgdbrig.errors import MissingDependency, RigError
from kgdbrig.judging.check.report import Report
from kgdbrig.kernels import overlay
from kgdbrig.kernels.hooks import Hook
from kgdbrig.kernels.overlay import Overlay
from kgdbrig.kernels.source import Source

#: Lines of existing files that the feature may add or alter.
LIMIT = 150
#: Hooks of the feature that are not counted: what they take out, the new files have instead.  They must add nothing.
UNCOUNTED: tuple[str, ...] = ("x86-kgdb-remove-the-old-breakpoints.patch", "x86-kgdb-remove-the-old-events.patch")

_PROSE = ("Documentation/", "MAINTAINERS")


def check(version: str, pristine: Source, report: Report, *, limit: int = LIMIT) -> None:
    """Report the number, and what it is made of where it is above the limit; and what is added behind its back."""
    lines = added(version, pristine)
    total = sum(lines.values())
    detail = [f"{count:5} {name}" for name, count in lines.most_common()]
    report.result(f"the feature adds or alters {total} lines of existing files, at most {limit}",
                  detail if total > limit else [], f"{len(lines)} files")
    report.result("the hooks that are not counted take out, and add nothing",
                  [f"{count:5} {name}" for name, count in added_uncounted(version, pristine).most_common()],
                  f"{len(UNCOUNTED)} hooks")


def added(version: str, pristine: Source, *, uncounted: tuple[str, ...] = UNCOUNTED) -> Counter[str]:
    """The lines that the feature adds or alters, by file, in the net diff against the tree with the fixes alone.

    Those of `uncounted` hooks are not among them.
    """
    hooks = overlay.load(version, upto="feature").hooks
    begin = tip = sum(hook.part != "feature" for hook in hooks)
    found: Counter[str] = Counter()
    for hook in hooks[begin:]:
        if hook.path.name in uncounted:
            found += _between(pristine, hooks[:begin], hooks[:tip])
            begin = tip + 1
        tip += 1
    return found + _between(pristine, hooks[:begin], hooks[:tip])


def added_uncounted(version: str, pristine: Source, *, uncounted: tuple[str, ...] = UNCOUNTED) -> Counter[str]:
    """The lines that these hooks add or alter nevertheless, by hook and file."""
    hooks = overlay.load(version, upto="feature").hooks
    return Counter({f"{hook.path.name}: {name}": count for at, hook in enumerate(hooks) if hook.path.name in uncounted
                    for name, count in _between(pristine, hooks[:at], hooks[:at + 1]).items()})


def _between(pristine: Source, before: tuple[Hook, ...], after: tuple[Hook, ...]) -> Counter[str]:
    """The lines of the net diff's right side, by file, of files that the left side has and that are no prose."""
    names = [name for name in overlay.touched(Overlay({}, after)) if not name.startswith(_PROSE)]
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="rig-size-") as temporary:
        for side, hooks in (("before", before), ("after", after)):
            contents = overlay.patched(pristine, Overlay({}, hooks))
            for name in names:
                original = pristine.directory / name
                content = contents.get(name, original.read_bytes() if original.is_file() else None)
                if content is not None:
                    path = Path(temporary, side, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
        for name in names:
            if Path(temporary, "before", name).exists() and Path(temporary, "after", name).exists():
                found[name] = _numstat(temporary, name)
    return +found


def _numstat(directory: str, name: str) -> int:
    command = ["git", "diff", "--no-index", "--no-ext-diff", "--numstat", "--", f"before/{name}", f"after/{name}"]
    try:
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise MissingDependency("git") from error
    if result.returncode not in (0, 1):
        raise RigError(f"git diff of {name} failed: {result.stderr.strip()}")
    return int(result.stdout.split()[0]) if result.stdout else 0
