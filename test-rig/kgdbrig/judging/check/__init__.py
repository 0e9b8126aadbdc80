# SPDX-License-Identifier: GPL-2.0-only
"""Judges the series as its reviewers would: size, checkpatch, sparse, kernel-doc, warnings, and builds.

Only the objects of files that the series touches are built, in a tree and in
object directories of their own in the cache.  What the stock tree has as well
is not held against the series.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from typing import TextIO

from kgdbrig import arches, paths
from kgdbrig.arches import Arch
from kgdbrig.judging import direction
from kgdbrig.judging.check import bench, builds, cross, diagnostics, entry, patches, size
from kgdbrig.judging.check.bench import Bench, lock, tree
from kgdbrig.judging.check.report import Report, Say, program
from kgdbrig.kernels import build, hooks, overlay, series, source
from kgdbrig.kernels.overlay import Overlay
from kgdbrig.kernels.source import Source

__all__ = ["lock", "run", "tree"]


def run(version: str, arch: str, say: Say = print, progress: TextIO | None = sys.stderr, *,
        again: bool = False, whole: bool = True) -> bool:
    """Run every check on the series for a kernel version, and report; whether all passed.

    If not `whole`, what most patches have in common with those for another version is left to that: nothing is built
    after each patch, for other architectures, and in configurations that KGDB's own entries do not depend on.

    A report without a failure is kept in the cache, and shown without running
    anything (unless `again`) as long as nothing changes that goes into it.
    """
    layout = arches.find(arch)
    pristine = source.find(version, None, progress)
    laid = overlay.load(version)
    complete = paths.cache_dir("checks") / _key(version, layout, pristine, laid)
    kept = complete if whole else complete.with_name(f"{complete.name}-in-part")
    for report in (complete, kept):
        if report.exists() and not again:
            say(report.read_text(encoding="utf-8") + "rig: that is the report of an earlier run: nothing has changed since")
            return True
    said: list[str] = []

    def both(line: str) -> None:
        said.append(f"{line}\n")
        say(line)

    passed = _run(version, layout, pristine, laid, whole, both, progress)
    if passed:
        written = kept.with_suffix(f".{os.getpid()}")
        written.write_text("".join(said), encoding="utf-8")
        written.replace(kept)
    return passed


def _key(version: str, arch: Arch, pristine: Source, laid: Overlay) -> str:
    """The digest of everything a report depends on."""
    total = hashlib.sha256()
    texts = [version, arch.name, pristine.digest, laid.digest()]
    texts += [f"{hook.part} {hook.path.name}" for hook in laid.hooks]
    texts += [program([tool, "--version"], paths.REPOSITORY, package).stdout
              for tool, package in (("gcc", "build-essential"), ("ld", "binutils"), ("sparse", "sparse"),
                                    *((f"{other.prefix}gcc", other.package) for other in cross.OTHERS))]
    for stock in (False, True):
        texts += [path.read_text(encoding="utf-8") for path in build.fragments("default", version, arch.name, stock)]
    texts += [path.read_text(encoding="utf-8") for path in sorted(series.MAIL.iterdir())]
    texts += [f"{name} {sorted(others)}" for name, others in direction.USES.items()]
    # The rig's own code as well: what is checked, and how.
    texts += [inspect.getsource(module) for module in (
        sys.modules[__name__], arches, bench, build, builds, cross, diagnostics, direction, entry, hooks, overlay, patches,
        series, size, source)]
    for text in texts:
        total.update(f"{len(text)}\n{text}".encode())
    return total.hexdigest()[:40]


def _run(version: str, layout: Arch, pristine: Source, laid: Overlay, whole: bool, say: Say,
         progress: TextIO | None) -> bool:
    report = Report(say)
    say(f"rig: checking the series for Linux {version} {layout.name} ({pristine.identity})")
    with paths.locked(lock(pristine), progress):
        size.check(version, pristine, report)
        laid_out = Bench(version, layout, pristine, laid, progress)
        laid_out.lay(laid)
        patches.checkpatch(laid_out, report)
        patches.maintainers(laid_out, report)
        patches.kernel_doc(laid_out, report)
        made = diagnostics.lint(laid_out, report)
        if made is not None:
            builds.calls(laid_out, made, report)
        builds.build_variants(laid_out, builds.OF_EACH_VERSION, report)
        if whole:
            builds.build_variants(laid_out, builds.OF_ONE_VERSION, report)
            for other in cross.OTHERS:
                cross.build_other(laid_out, other, report)
            builds.build_steps(laid_out, report)
    say(f"rig: {report.checks} checks, {len(report.failed)} failed" +
        "".join(f"\n     failed: {check}" for check in report.failed))
    return not report.failed
