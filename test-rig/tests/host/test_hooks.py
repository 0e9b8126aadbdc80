# SPDX-License-Identifier: GPL-2.0-only
"""The list of hooks: which patch a kernel version gets, and what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from kgdbrig import paths
from kgdbrig.errors import OverlayError
from kgdbrig.kernels import hooks, source


def repository(top: Path, series: str, *patches: str) -> Path:
    """A repository with these patches (by their path in kernel-patches/) and this list."""
    for name in patches:
        path = top / "kernel-patches" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    (top / "kernel-patches").mkdir(exist_ok=True)
    (top / "kernel-patches/series").write_text(series, encoding="utf-8")
    return top


def loaded(version: str, top: Path) -> list[tuple[str, str]]:
    """The part of each hook, and its path in kernel-patches/."""
    return [(hook.part, str(hook.path.relative_to(top / "kernel-patches"))) for hook in hooks.load(version, top)]


def test_a_version_has_the_common_hooks_but_for_its_own(tmp_path: Path) -> None:
    top = repository(tmp_path, "# a note\n\nfixes a.patch\nfixes old.patch 6.1 6.12\nfeature b.patch # why\nextra c.patch\n",
                     "common/a.patch", "common/b.patch", "6.1/b.patch", "common/c.patch", "6.1/old.patch",
                     "common/old.patch")
    assert loaded("6.1", top) == [("fixes", "common/a.patch"), ("fixes", "6.1/old.patch"), ("feature", "6.1/b.patch"),
                                  ("extra", "common/c.patch")]
    assert loaded("6.12", top) == [("fixes", "common/a.patch"), ("fixes", "common/old.patch"),
                                   ("feature", "common/b.patch"), ("extra", "common/c.patch")]
    assert loaded("7.3", top) == [("fixes", "common/a.patch"), ("feature", "common/b.patch"),
                                  ("extra", "common/c.patch")]


def test_up_to_a_part_and_without(tmp_path: Path) -> None:
    top = repository(tmp_path, "fixes a.patch\nfixes b.patch\nfeature c.patch\nextra d.patch\n",
                     *(f"common/{name}.patch" for name in "abcd"))

    def names(**arguments: Any) -> str:
        return "".join(hook.path.stem for hook in hooks.load("6.12", top, **arguments))

    assert [names(upto=part) for part in hooks.PARTS] == ["ab", "abc", "abc", "abcd", "abcd"]
    assert names() == "abcd"
    assert names(upto="fixes", without=["a.patch"]) == "b"
    assert names(without=["c.patch", "a.patch"]) == "bd"
    with pytest.raises(OverlayError, match=r"c.patch cannot be left out: it is not among the hooks of Linux 6.12 up to "
                                           "the part fixes"):
        names(upto="fixes", without=["c.patch"])


@pytest.mark.parametrize("series, said", [
    ("fixes gone.patch\n", "series:1: gone.patch is not there, neither in common/ nor in 6.12/"),
    ("\none.patch\n", "series:2: 'PART NAME.patch .VERSION\\.\\.\\..' is expected"),
    ("fixes\n", "series:1: 'PART NAME.patch"),
    ("fixes ../one.patch\n", "series:1: 'PART NAME.patch"),
    ("fixes one.patch -R\n", "series:1: -R is no kernel version; there are: 6.1, 6.12, 7.3"),
    ("fixes one.patch\nkdb one.patch\n", "series:2: one.patch is in the list twice"),
    ("kdb one.patch\nfixes two.patch\n", "series:2: two.patch of the part fixes comes after a hook of the part kdb"),
    ("fixes one.patch\n", "common/two.patch is not in .*series: list it there, or remove it"),
    ("fixes one.patch\nfixes two.patch 6.1\n", "7.3/two.patch is for a version that .*series leaves that hook out of")])
def test_a_wrong_list_is_refused(tmp_path: Path, series: str, said: str) -> None:
    top = repository(tmp_path, series, "common/one.patch", "common/two.patch", "7.3/two.patch")
    with pytest.raises(OverlayError, match=said):
        hooks.load("6.12", top)


def test_no_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OverlayError, match="series is not there: only a stock kernel can be built"):
        hooks.load("6.12", tmp_path)


def kept_twice(top: Path) -> list[str]:
    """Copies of one hook that differ in line numbers alone, by their paths: in two versions, or in one and in common/."""
    copies: dict[str, list[Path]] = {}
    for folder in ("common", *source.VERSIONS):
        for path in sorted((top / folder).glob("*.patch")):
            copies.setdefault(path.name, []).append(path.relative_to(top))
    return [f"{one} and {other}" for places in copies.values() for one, other in itertools.combinations(places, 2)
            if unnumbered(top / one) == unnumbered(top / other)]


def test_no_hook_is_kept_twice() -> None:
    """What differs only in line numbers lies in common/ alone."""
    assert kept_twice(paths.KERNEL_PATCHES) == []


def test_one_that_is_kept_twice_is_found(tmp_path: Path) -> None:
    text = "Subject: a\n--- a/a.c\n+++ b/a.c\n@@ -1,3 +1,4 @@ {}\n 1\n+{}\n"
    for name, at, added in (("common/a.patch", "one()", "x"), ("6.1/a.patch", "one()", "y"), ("6.12/a.patch", "two()", "x"),
                            ("7.3/a.patch", "three()", "y"), ("7.3/b.patch", "one()", "x")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.format(at, added), encoding="utf-8")
    assert kept_twice(tmp_path) == ["common/a.patch and 6.12/a.patch", "6.1/a.patch and 7.3/a.patch"]


def unnumbered(patch: Path) -> list[str]:
    return ["@@" if line.startswith("@@ ") else line for line in patch.read_text(encoding="utf-8").splitlines()]
