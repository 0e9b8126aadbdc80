# SPDX-License-Identifier: GPL-2.0-only
"""The overlay on a miniature kernel tree: what is written, what is not, and what a failure leaves."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from kgdbrig.errors import OverlayError, RigError
from kgdbrig.kernels import overlay, source
from kgdbrig.kernels.source import Source

#: Changes kernel/a.c and s.sh, adds kernel/new.c, removes kernel/b.c.
PATCH = """\
A commit message

--- a/kernel/a.c
+++ b/kernel/a.c
@@ -1,4 +1,4 @@
 1
-2
+two
 3
 4
--- a/s.sh
+++ b/s.sh
@@ -1 +1,2 @@
 #!
+x
--- /dev/null
+++ b/kernel/new.c
@@ -0,0 +1 @@
+new
--- a/kernel/b.c
+++ /dev/null
@@ -1 +0,0 @@
-b
"""

#: Applies to nothing here.
WRONG = """\
--- a/kernel/a.c
+++ b/kernel/a.c
@@ -1,4 +1,4 @@
 1
-zwei
+drei
 3
 4
"""

#: Content, time and inode of a file: what tells whether it was written.
Snapshot = dict[str, tuple[str, int, int]]


def snapshot(top: Path) -> Snapshot:
    return {str(path.relative_to(top)): (path.read_text(), path.stat().st_mtime_ns, path.stat().st_ino)
            for path in top.rglob("*") if path.is_file()}


def changed(before: Snapshot, after: Snapshot) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@dataclass
class Place:
    """A repository, a pristine tree, and where the tree with the overlay goes."""

    repository: Path
    pristine: Path
    tree: Path
    cached: bool

    def source(self, identity: str = "the tree") -> Source:
        return Source(version="6.12", linux="6.12", identity=identity, digest="d", name="n", directory=self.pristine,
                      cached=self.cached)

    def patches(self, part: str = "fixes", **patches: str) -> None:
        """Make these the only hooks, in this order, and of one part of the series."""
        directory = self.repository / "kernel-patches"
        for old in directory.rglob("*.patch"):
            old.unlink()
        (directory / "series").write_text("# the order\n" +
                                          "".join(f"{part} {name}.patch # a note\n" for name in patches))
        (directory / "common").mkdir(exist_ok=True)
        for name, content in patches.items():
            (directory / f"common/{name}.patch").write_text(content)

    def apply(self) -> Snapshot:
        overlay.apply(self.source(), overlay.load("6.12", self.repository), self.tree, None)
        return snapshot(self.tree)


@pytest.fixture(params=[True, False], ids=["debian", "user"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A tree in the cache, whose copy is of links, and one of the user's."""
    monkeypatch.setenv("KGDB_RIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(source, "TREE_MB", 1)
    files = {
        "pristine/Kbuild": "x", "pristine/kernel/a.c": "1\n2\n3\n4\n", "pristine/kernel/b.c": "b\n",
        "pristine/s.sh": "#!\n",
        "repository/gdbstub/packet.c": "p", "repository/gdbstub/include/linux/k.h": "h",
        "repository/gdbstub/tests/t.c": "t", "repository/arch/x86/hw.c": "hw",
        "repository/arch/x86/include/asm/hw.h": "hwh", "repository/arch/x86/hw.o": "compiled",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "pristine/s.sh").chmod(0o755)
    (tmp_path / "repository/kernel-patches").mkdir()
    place = Place(tmp_path / "repository", tmp_path / "pristine", tmp_path / "tree", request.param)
    place.patches(one=PATCH)
    return place


def test_files_go_where_the_kernel_has_them(place: Place) -> None:
    assert sorted(overlay.load("6.12", place.repository).files) == [
        "arch/x86/include/asm/hw.h", "arch/x86/kernel/hw.c", "include/linux/k.h",
        "kernel/debug/watchpoint/packet.c"]


def test_patches_are_applied_to_a_copy(place: Place) -> None:
    pristine = snapshot(place.pristine)
    tree = place.apply()
    assert tree["kernel/a.c"][0] == "1\ntwo\n3\n4\n"
    assert tree["kernel/new.c"][0] == "new\n"
    assert "kernel/b.c" not in tree
    assert os.access(place.tree / "s.sh", os.X_OK), "a patched script is no longer executable"
    assert snapshot(place.pristine) == pristine


def test_a_second_time_writes_nothing(place: Place) -> None:
    assert place.apply() == place.apply()


def test_only_what_changed_is_written(place: Place) -> None:
    before = place.apply()
    (place.repository / "gdbstub/packet.c").write_text("p2")
    assert changed(before, place.apply()) == {"kernel/debug/watchpoint/packet.c"}


def test_what_left_the_overlay_leaves_the_tree(place: Place) -> None:
    before = place.apply()
    place.patches()
    (place.repository / "arch/x86/hw.c").unlink()
    after = place.apply()
    assert after["kernel/a.c"][0] == "1\n2\n3\n4\n"
    assert after["kernel/b.c"][0] == "b\n"
    assert not {"kernel/new.c", "arch/x86/kernel/hw.c"} & set(after)
    assert after["kernel/a.c"][1] >= before["kernel/a.c"][1], "make would not compile the file that went back"


def test_a_patch_that_does_not_apply_is_named_and_changes_nothing(place: Place) -> None:
    tree, pristine = place.apply(), snapshot(place.pristine)
    place.patches(one=PATCH, two=WRONG)
    with pytest.raises(OverlayError) as error:
        place.apply()
    said = str(error.value)
    assert "two.patch does not apply to the tree" in said
    assert "kernel/a.c" in said, "the file is not named"
    assert "-zwei\n+drei" in said, "the reject is not shown"
    assert "saving rejects" not in said, "a file is named that is gone"
    assert snapshot(place.tree) == tree
    assert snapshot(place.pristine) == pristine


def test_a_patch_that_another_needs_is_not_left_out(place: Place) -> None:
    place.patches(one=PATCH, two=WRONG.replace("zwei", "two"))
    assert place.apply()["kernel/a.c"][0] == "1\ndrei\n3\n4\n"
    with pytest.raises(OverlayError, match=r"^one.patch cannot be left out alone: two.patch changes the same lines"):
        overlay.patched(place.source(), overlay.load("6.12", place.repository, without=["one.patch"]))
    only = overlay.load("6.12", place.repository, without=["two.patch"])
    assert overlay.patched(place.source(), only)["kernel/a.c"] == b"1\ntwo\n3\n4\n"


def test_the_fixes_come_without_new_files(place: Place) -> None:
    place.apply()
    overlay.apply(place.source(), overlay.load("6.12", place.repository, upto="fixes"), place.tree, None)
    tree = snapshot(place.tree)
    assert tree["kernel/a.c"][0] == "1\ntwo\n3\n4\n"
    assert "kernel/debug/watchpoint/packet.c" not in tree and "arch/x86/kernel/hw.c" not in tree


def test_a_first_patch_that_does_not_apply_leaves_no_tree(place: Place) -> None:
    place.patches(two=WRONG)
    with pytest.raises(OverlayError):
        place.apply()
    assert not place.tree.exists()


def test_a_file_the_tree_has_already_is_refused(place: Place) -> None:
    (place.pristine / "include/linux").mkdir(parents=True)
    (place.pristine / "include/linux/k.h").write_text("mine")
    with pytest.raises(OverlayError, match=r"include/linux/k.h, which the tree already has"):
        place.apply()


@pytest.mark.parametrize("part", ["fixes", "feature"])
def test_a_patch_of_an_overlay_file_is_refused(place: Place, part: str) -> None:
    """The file is of the feature: it is changed where it is."""
    place.patches(part, one="--- /dev/null\n+++ b/include/linux/k.h\n@@ -0,0 +1 @@\n+x\n")
    with pytest.raises(OverlayError, match=r"one.patch patches include/linux/k.h"):
        place.apply()


def test_a_later_part_patches_what_an_earlier_one_brings(place: Place) -> None:
    place.patches("kdb", one="--- a/include/linux/k.h\n+++ b/include/linux/k.h\n@@ -1 +1,2 @@\n h\n+of kdb\n")
    (place.repository / "gdbstub/include/linux/k.h").write_text("h\n")
    assert place.apply()["include/linux/k.h"][0] == "h\nof kdb\n"
    overlay.apply(place.source(), overlay.load("6.12", place.repository, upto="feature"), place.tree, None)
    assert snapshot(place.tree)["include/linux/k.h"][0] == "h\n"


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside"])
def test_a_patch_outside_of_the_tree_is_refused(place: Place, name: str) -> None:
    place.patches(one=f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+x\n")
    with pytest.raises(OverlayError, match="names the file"):
        place.apply()


@pytest.mark.parametrize("place", [False], indirect=True, ids=["user"])
class TestUsersTree:
    """A tree that its owner goes on working on."""

    def test_is_followed(self, place: Place) -> None:
        before = place.apply()
        (place.pristine / "kernel/c.c").write_text("c")
        os.utime(place.pristine / "kernel/c.c", (1, 1))
        (place.pristine / "kernel/a.c").write_text("0\n1\n2\n3\n4\n")
        (place.pristine / "kernel/a.o").write_text("compiled")
        after = place.apply()
        assert changed(before, after) == {"kernel/a.c", "kernel/c.c"}
        assert after["kernel/a.c"][0] == "0\n1\ntwo\n3\n4\n"
        assert after["kernel/c.c"][1] >= max(time for _, time, _ in before.values()), "make would not compile an old file"
        (place.pristine / "kernel/c.c").unlink()
        assert changed(after, place.apply()) == {"kernel/c.c"}

    def test_needs_room_once(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        place.apply()
        monkeypatch.setattr(source, "TREE_MB", 10**9)
        place.apply()
        shutil.rmtree(place.tree)
        with pytest.raises(RigError, match=r"^copying the tree needs 1000000000 MB in "):
            place.apply()
        assert not place.tree.exists()

    def test_may_have_other_line_numbers(self, place: Place) -> None:
        (place.pristine / "kernel/a.c").write_text("more\n" * 20 + "1\n2\n3\n4\n")
        assert place.apply()["kernel/a.c"][0] == "more\n" * 20 + "1\ntwo\n3\n4\n"
