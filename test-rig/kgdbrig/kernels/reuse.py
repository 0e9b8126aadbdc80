# SPDX-License-Identifier: GPL-2.0-only
"""Begins an object directory with what was compiled for another kernel of the same source.

A stock kernel and those with parts of the series differ in some fifty files.
Their trees and object directories are apart, so that each builds only what
changed, and what gdb shows of a source is what was compiled.  A new object
directory need not begin empty, though: it begins as a copy of one that is
complete, without what was made of a file that differs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: Files that kbuild leaves and that name the tree or the object directory; what it compiles does not say so to it.
_NAMES_PLACES = (".cmd", ".d", "Makefile")


def manifest(tree: Path) -> Path:
    """Where the names of the files lie that an overlay has laid over a tree, if one has."""
    return tree.with_name(f"{tree.name}.manifest.json")


def begin(tree: Path, objects: Path, other_tree: Path, other_objects: Path) -> int:
    """Make `objects`, an empty directory, from `other_objects`; how many targets were left out.

    The caller holds the locks of `tree` and of both object directories.
    """
    temporary = Path(tempfile.mkdtemp(prefix=".begin-", dir=objects.parent))
    try:
        temporary.chmod(0o755)
        shutil.copytree(other_objects, temporary, symlinks=True, dirs_exist_ok=True)
        left_out = 0
        changed = {name: _time(other_tree / name) for name in _laid(tree) | _laid(other_tree)}
        differ = {name for name in changed if _content(tree / name) != _content(other_tree / name)}
        for name in _laid(tree) - differ:
            # As old as what it is compiled to already, or make would compile it again.
            _take_time(tree / name, other_tree / name)
        for path in temporary.rglob(".*.cmd"):
            target = path.with_name(path.name[1:-len(".cmd")])
            named = set(_sources(path, other_tree)) & set(changed)
            # The other tree may have changed since its objects were built.
            if named & differ or (named and max(changed[name] for name in named) >= _time(target)):
                target.unlink(missing_ok=True)
                path.unlink()
                left_out += 1
        places = {other_tree: tree, other_objects: objects}
        for folder, folders, files in os.walk(temporary):
            for name in (*folders, *files):
                path = Path(folder) / name
                if path.is_symlink():
                    _point(path, places)
                elif name.endswith(_NAMES_PLACES):
                    _rename(path, places)
        temporary.rename(objects)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return left_out


def _laid(tree: Path) -> set[str]:
    path = manifest(tree)
    return set(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else set()


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _time(path: Path) -> float:
    """When it was last written; what is not there is as old as can be."""
    return path.lstat().st_mtime if os.path.lexists(path) else 0.0


def _take_time(path: Path, other: Path) -> None:
    if path.is_file():
        times = other.stat()
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _sources(listing: Path, tree: Path) -> Iterator[str]:
    """The files of a tree that kbuild's list for a target names, as paths in the tree."""
    for name in re.findall(re.escape(f"{tree}/") + r"([^\s:;,'\"()\\]+)", listing.read_text(encoding="utf-8")):
        yield os.path.normpath(name) if ".." in name else name


def _point(link: Path, places: dict[Path, Path]) -> None:
    target = Path(os.readlink(link))
    for old, new in places.items():
        if target == old or old in target.parents:
            link.unlink()
            link.symlink_to(new / target.relative_to(old))


def _rename(path: Path, places: dict[Path, Path]) -> None:
    """Name the new places in a file; its time stays."""
    before = after = path.read_bytes()
    for old, new in places.items():
        after = after.replace(os.fsencode(old), os.fsencode(new))
    if after != before:
        times = path.stat()
        path.write_bytes(after)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
