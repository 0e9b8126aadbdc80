# SPDX-License-Identifier: GPL-2.0-only
"""Kernel sources: from Debian's packages, unpacked once, or a user's own tree."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from kgdbrig import paths
from kgdbrig.errors import MissingDependency, SourceError
from kgdbrig.progress import Progress

#: What a built tree holds and a pristine one does not (names, at any depth).
_BUILT_NAMES = frozenset({".git", ".config", ".config.old", ".tmp_versions", "vmlinux", "vmlinux.o",
                          "vmlinux.a", "System.map", "Module.symvers", "modules.order", "modules.builtin",
                          "modules.builtin.modinfo", "bzImage"})
_BUILT_SUFFIXES = (".o", ".a", ".ko", ".cmd", ".mod", ".mod.c", ".order", ".symvers", ".dtb", ".dtbo", ".rej", ".orig")
#: Directories of generated files, as paths in a tree; where a tree has one it has been built in.
_GENERATED = ("include/config", "include/generated", "arch/*/include/generated")


@dataclass(frozen=True)
class Source:
    """A pristine kernel tree, for reading only.

    `identity` is for people ("linux-source-6.12 6.12.117-1~deb12u1"); `digest`
    changes whenever the content does; `name` is a file name for what is
    derived from the tree.  `exact` tells a tree the hooks were made for.
    """

    version: str
    identity: str
    digest: str
    name: str
    directory: Path
    exact: bool


@dataclass(frozen=True)
class DebianPackage:
    """A linux-source package the system has installed."""

    package: str

    def installed_version(self) -> str:
        result = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", self.package],
                                capture_output=True, text=True, check=False)
        status, _, version = result.stdout.partition(" ")
        if result.returncode != 0 or status != "installed":
            raise MissingDependency(f"the package {self.package}", self.package)
        return version

    def archive(self) -> Path:
        listed = subprocess.run(["dpkg-query", "-L", self.package], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            if re.fullmatch(r"/usr/src/linux-source-[\d.]+\.tar\.xz", line):
                if not Path(line).is_file():
                    raise SourceError(f"{line} of the package {self.package} is gone: "
                                      f"'apt-get install --reinstall {self.package}' brings it back")
                return Path(line)
        raise SourceError(f"the package {self.package} holds no linux-source archive")

    def source(self, version: str, progress: TextIO | None) -> Source:
        installed = self.installed_version()
        name = re.sub(r"[^A-Za-z0-9.+-]", "-", f"{self.package}_{installed}")
        directory = paths.cache_dir("src") / name
        if not directory.is_dir():
            with paths.locked(f"src-{name}", progress):
                if not directory.is_dir():
                    _unpack(self.archive(), directory, progress)
        identity = f"{self.package} {installed}"
        return Source(version=version, identity=identity, name=name, directory=directory, exact=True,
                      digest=hashlib.sha256(identity.encode()).hexdigest())


#: Where the source of each supported version comes from.
VERSIONS: dict[str, DebianPackage] = {
    "6.1": DebianPackage("linux-source-6.1"),
    "6.12": DebianPackage("linux-source-6.12"),
}


def find(version: str, kernel_src: Path | None = None, progress: TextIO | None = sys.stderr) -> Source:
    """The source of `version`, or the user's tree `kernel_src`, which is never written to.

    Raises SourceError for a version or a tree the rig does not know, and
    MissingDependency where a package has to be installed first.
    """
    if version not in VERSIONS:
        raise SourceError(f"kernel version {version} is not supported; there are: {', '.join(VERSIONS)}")
    if kernel_src is not None:
        return _user_tree(version, kernel_src)
    return VERSIONS[version].source(version, progress)


def is_pristine(directory: Path) -> bool:
    """Whether nothing was ever built in the tree."""
    if (directory / ".config").exists():
        return False
    return not any(next(directory.glob(pattern), None) for pattern in _GENERATED)


def walk(directory: Path) -> Iterator[Path]:
    """The source files and links of a tree, relative to it and sorted; what was built is left out."""
    generated = {path for pattern in _GENERATED for path in directory.glob(pattern)}
    for folder, folders, files in os.walk(directory):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(name for name in folders
                            if name not in _BUILT_NAMES and name not in links and here / name not in generated)
        for name in sorted(files + links):
            if name not in _BUILT_NAMES and not name.endswith(_BUILT_SUFFIXES):
                yield (here / name).relative_to(directory)


def _user_tree(version: str, kernel_src: Path) -> Source:
    directory = kernel_src.expanduser().resolve()
    makefile = directory / "Makefile"
    if not (directory / "Kbuild").is_file() or not makefile.is_file():
        raise SourceError(f"{directory} is not a kernel tree: it has no Kbuild and Makefile")
    head = makefile.read_text(encoding="utf-8", errors="replace")[:2000]
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)$", head, re.MULTILINE))
    series = f"{found.get('VERSION')}.{found.get('PATCHLEVEL')}"
    if series != version:
        raise SourceError(f"{directory} is Linux {series}, not {version}: name its version (KVER={series})")
    # Content is told by name, size and time: reading a gigabyte at every start is no option.
    digest = hashlib.sha256(str(directory).encode())
    for path in walk(directory):
        status = (directory / path).lstat()
        digest.update(f"{path}\0{status.st_mode:o} {status.st_size} {status.st_mtime_ns}\n"
                      .encode("utf-8", "surrogateescape"))
    release = f"{series}.{found.get('SUBLEVEL', '0')}{found.get('EXTRAVERSION', '')}"
    place = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return Source(version=version, identity=f"{directory} {release}", digest=digest.hexdigest(),
                  name=f"user-{version}-{place}", directory=directory, exact=False)


def _unpack(archive: Path, directory: Path, progress: TextIO | None) -> None:
    """Unpack `archive` as `directory`, completely or not at all."""
    total = archive.stat().st_size
    line = Progress(f"unpacking {archive.name}", progress)
    temporary = Path(tempfile.mkdtemp(prefix=".unpack-", dir=directory.parent))
    try:
        temporary.chmod(0o755)
        with archive.open("rb") as packed, tempfile.TemporaryFile() as errors:
            command = ["tar", "--extract", "--xz", "--strip-components=1", "--no-same-owner",
                       "--file=-", f"--directory={temporary}"]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors) as tar:
                assert tar.stdin is not None
                with contextlib.suppress(BrokenPipeError):  # tar ended early: its status says so
                    for block in iter(lambda: packed.read(1 << 20), b""):
                        tar.stdin.write(block)
                        line.update(f"{min(99, packed.tell() * 100 // total)} %")
                with contextlib.suppress(BrokenPipeError):
                    tar.stdin.close()
            if tar.returncode != 0:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip()
                raise SourceError(f"unpacking {archive} failed: {said or f'tar ended with {tar.returncode}'}; "
                                  "is the disk full, or the package damaged?")
        if not (temporary / "Kbuild").is_file():
            raise SourceError(f"{archive} holds no kernel tree")
        temporary.rename(directory)
    except BaseException:
        line.failed()
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    line.done()
