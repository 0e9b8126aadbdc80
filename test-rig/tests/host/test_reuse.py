# SPDX-License-Identifier: GPL-2.0-only
"""A new object directory begins with what was compiled for another kernel, but for what was made of a file that differs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kgdbrig.kernels import reuse

#: What each object is made of.
MADE_OF = {"init/main.o": ("init/main.c", "include/key.h"), "kernel/kgdb.o": ("kernel/kgdb.c",),
           "kernel/added.o": ("kernel/added.c",), "mm/slab.o": ("mm/slab.c", "mm/../include/key.h"), "fs/open.o": ("fs/open.c",)}
#: When the sources were unpacked, what was laid over them was written, and the objects were compiled.
UNPACKED, LAID, COMPILED = 1_000, 2_000, 3_000


class Place:
    """The trees and object directories of two kernels; one name is the beginning of the other."""

    def __init__(self, top: Path) -> None:
        self.other_tree, self.tree = top / "tree/linux", top / "tree/linux-fixes"
        self.other_objects, self.objects = top / "obj/linux", top / "obj/linux_fixes"
        for tree in (self.other_tree, self.tree):
            for name in {name for names in MADE_OF.values() for name in names if ".." not in name}:
                self.write(tree / name, "pristine", UNPACKED)
        for name, sources in MADE_OF.items():
            self.write(self.other_objects / name, "code", COMPILED)
            listed = " ".join(f"{self.other_tree}/{source}" for source in sources)
            self.write(self.listing(self.other_objects, name), f"cmd := gcc -I{self.other_tree}/include -o {self.other_objects}/"
                       f"{name}\ndeps := {listed} $(wildcard include/config/KGDB)\n", COMPILED)
        (self.other_objects / "source").symlink_to(self.other_tree)
        (self.other_objects / "lx.py").symlink_to(self.other_tree / "scripts/lx.py")
        (self.other_objects / "vmlinux").symlink_to("fs/open.o")
        self.objects.mkdir()

    @staticmethod
    def write(path: Path, text: str, when: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (when, when))

    @staticmethod
    def listing(objects: Path, name: str) -> Path:
        path = objects / name
        return path.with_name(f".{path.name}.cmd")

    def lay(self, tree: Path, name: str, text: str, when: int = LAID) -> None:
        self.write(tree / name, text, when)
        names = json.loads(reuse.manifest(tree).read_text()) if reuse.manifest(tree).exists() else []
        reuse.manifest(tree).write_text(json.dumps([*names, name]))

    def begin(self) -> set[str]:
        """The objects that were left out, with their listings."""
        count = reuse.begin(self.tree, self.objects, self.other_tree, self.other_objects)
        gone = {name for name in MADE_OF if not (self.objects / name).exists()}
        assert gone == {name for name in MADE_OF if not self.listing(self.objects, name).exists()} and count == len(gone)
        return gone


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_all_of_it_where_nothing_differs(place: Place) -> None:
    assert place.begin() == set()
    assert all((place.objects / name).stat().st_mtime == COMPILED for name in MADE_OF)
    assert all(place.listing(place.objects, name).stat().st_mtime == COMPILED for name in MADE_OF)


def test_what_only_one_of_them_has(place: Place) -> None:
    place.lay(place.other_tree, "kernel/kgdb.c", "patched")
    (place.tree / "kernel/added.c").unlink()
    place.lay(place.other_tree, "kernel/added.c", "new")
    assert place.begin() == {"kernel/kgdb.o", "kernel/added.o"}


def test_a_header_that_differs(place: Place) -> None:
    """Also where it is named by a way round."""
    place.lay(place.tree, "include/key.h", "patched")
    assert place.begin() == {"init/main.o", "mm/slab.o"}


def test_what_both_have_alike(place: Place) -> None:
    """Its own was laid later, and make must not take that for a change."""
    place.lay(place.other_tree, "kernel/kgdb.c", "patched")
    place.lay(place.tree, "kernel/kgdb.c", "patched", COMPILED + 1)
    place.lay(place.tree, "fs/open.c", "patched", COMPILED + 1)
    assert place.begin() == {"fs/open.o"}
    assert (place.tree / "kernel/kgdb.c").stat().st_mtime == LAID
    assert (place.tree / "fs/open.c").stat().st_mtime == COMPILED + 1


def test_what_was_changed_since_it_was_compiled(place: Place) -> None:
    """The other's next build would compile it."""
    for tree in (place.tree, place.other_tree):
        place.lay(tree, "kernel/kgdb.c", "patched", COMPILED + 1)
    assert place.begin() == {"kernel/kgdb.o"}


def test_it_names_its_own_places(place: Place) -> None:
    place.begin()
    text = place.listing(place.objects, "fs/open.o").read_text()
    assert text == (f"cmd := gcc -I{place.tree}/include -o {place.objects}/fs/open.o\ndeps := {place.tree}/fs/open.c "
                    "$(wildcard include/config/KGDB)\n")
    assert os.readlink(place.objects / "source") == str(place.tree)
    assert os.readlink(place.objects / "lx.py") == f"{place.tree}/scripts/lx.py"
    assert os.readlink(place.objects / "vmlinux") == "fs/open.o"


def test_the_other_way_round(place: Place) -> None:
    """Where the name of the one that is copied is the longer one."""
    place.begin()
    again = place.objects.with_name("linux_other")
    again.mkdir()
    tree = place.tree.with_name("linux-other")
    reuse.begin(tree, again, place.tree, place.objects)
    text = place.listing(again, "fs/open.o").read_text()
    assert f"{tree}/fs/open.c" in text and str(place.tree) not in text and str(place.objects) not in text
    assert f"{place.other_tree}/" not in text


def test_nothing_half_made(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        place.begin()
    assert list(place.objects.parent.iterdir()) != [] and not list(place.objects.iterdir())
    assert not list(place.objects.parent.glob(".begin-*"))
