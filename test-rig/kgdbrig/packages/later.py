# SPDX-License-Identifier: GPL-2.0-only
"""Programs of later Debian suites, which run here with the loader and the libraries of their own suite.

Nothing of them is installed: they are unpacked in the cache, once.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from kgdbrig import paths
from kgdbrig.errors import SourceError
from kgdbrig.packages.apt import Archive, NoSuchSuite, unpack

#: Where what a package unpacked names its version.
_VERSION = "rig-version"


@dataclass(frozen=True)
class Later:
    """A package and what it depends on, unpacked as `root`."""

    name: str
    version: str
    suite: str
    root: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version} of Debian {self.suite}"

    def command(self, program: str) -> list[str]:
        """How to run a program of the package, by its path in it; arguments may follow."""
        [loader] = self.root.glob("usr/lib*/ld-linux*.so.*")
        return [str(loader), "--library-path", ":".join(map(str, self.root.glob("usr/lib/*-linux-gnu"))),
                str(self.root / program)]


def find(name: str, suite: str, progress: TextIO | None) -> Later:
    """The package `name` of a suite, from the cache, or fetched; SourceError where there is none."""
    root = paths.cache_dir("programs") / f"{name}_{suite}"
    with paths.locked(f"programs-{root.name}", progress):
        if not root.exists():
            _fetch(name, suite, root, progress)
    return Later(name, (root / _VERSION).read_text(encoding="utf-8"), suite, root)


def _fetch(name: str, suite: str, root: Path, progress: TextIO | None) -> None:
    with Archive(progress=progress) as archive:
        try:
            found = [package for package in archive.packages(suite, name) if package.name == name]
        except NoSuchSuite:
            found = []
        if not found:
            raise SourceError(f"Debian {suite} has no package {name}")
        temporary = Path(tempfile.mkdtemp(prefix=".unpack-", dir=root.parent))
        try:
            for package in archive.download_all(found[0]):
                unpack(package, temporary)
            (temporary / _VERSION).write_text(found[0].version, encoding="utf-8")
            temporary.chmod(0o755)
            temporary.rename(root)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
