# SPDX-License-Identifier: GPL-2.0-only
"""How `rig check` counts what the feature adds to files that the kernel has: on a miniature tree with four hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgdbrig.judging.check import size
from kgdbrig.judging.check.report import Report
from kgdbrig.kernels import overlay
from kgdbrig.kernels.hooks import Hook
from kgdbrig.kernels.overlay import Overlay
from kgdbrig.kernels.source import Source

REMOVES = size.UNCOUNTED[0]
BEFORE = "one\ntwo\nthree\nfour\nfive\n"


def patch(before: str, after: str) -> str:
    """A hook that makes the one content of a file of the other."""
    removed, added = ("".join(f"{sign}{line}\n" for line in text.splitlines()) for sign, text in (("-", before), ("+", after)))
    return f"--- a/a.c\n+++ b/a.c\n@@ -1,{len(before.splitlines())} +1,{len(after.splitlines())} @@\n{removed}{added}"


def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *contents: str) -> tuple[Report, list[str], Source]:
    """What the check says of a file that has `contents` in turn: after a fix, the feature's first hook, REMOVES, and the last."""
    names = ("fix.patch", "first.patch", REMOVES, "last.patch")
    hooks = []
    for name, before, after in zip(names, (BEFORE, *contents), contents, strict=False):
        (tmp_path / name).write_text(patch(before, after), encoding="utf-8")
        hooks.append(Hook("fixes" if name == "fix.patch" else "feature", tmp_path / name))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.c").write_text(BEFORE, encoding="utf-8")
    monkeypatch.setattr(overlay, "load", lambda version, upto: Overlay({}, tuple(hooks)))
    pristine = Source(version="6.12", linux="6.12", identity="the tree", digest="d", name="n", directory=tree, cached=True)
    said: list[str] = []
    report = Report(said.append)
    size.check("6.12", pristine, report, limit=3)
    return report, said, pristine


FIXED = "one\nTWO\nthree\nfour\nfive\n"
FIRST = f"{FIXED}six\nseven\n"
REMOVED = "one\nTWO\nsix\nseven\n"


def test_what_is_added_and_altered_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fix does not, nor what is taken out."""
    report, said, pristine = counted(tmp_path, monkeypatch, FIXED, FIRST, REMOVED, REMOVED.replace("one", "ONE"))
    assert size.added("6.12", pristine) == {"a.c": 3}
    assert (report.checks, report.failed) == (2, []), said


def test_too_much_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, said, _ = counted(tmp_path, monkeypatch, FIXED, FIRST, REMOVED, f"{REMOVED}eight\nnine\n")
    assert report.failed == ["the feature adds or alters 4 lines of existing files, at most 3"]
    assert "          4 a.c" in said


@pytest.mark.parametrize("removed", [f"{REMOVED}eight\n", REMOVED.replace("one", "ONE")], ids=["adds", "alters"])
def test_a_hook_that_is_not_counted_and_adds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: str) -> None:
    report, said, pristine = counted(tmp_path, monkeypatch, FIXED, FIRST, removed, removed)
    assert size.added("6.12", pristine) == {"a.c": 2}
    assert report.failed == ["the hooks that are not counted take out, and add nothing"]
    assert f"          1 {REMOVES}: a.c" in said
