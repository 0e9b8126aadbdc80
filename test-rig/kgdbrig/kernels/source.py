# SPDX-License-Identifier: GPL-2.0-only
"""Kernel sources: from Debian's packages, unpacked once, or a user's own tree.

A kernel's source comes from the package the system has installed, else from a
suite of Debian that has it, by way of packages/apt.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from kgdbrig import paths
from kgdbrig.errors import SourceError
from kgdbrig.packages import apt
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

    `version` is the one whose hooks and configuration are used ("6.12"), and
    `linux` that of the tree, of which it is the nearest.  `identity` is for
    people ("linux-source-6.12 6.12.117-1~deb12u1"); `digest` changes whenever
    the content does; `name` is a file name for what is derived from the tree.
    `cached` tells a tree that lies in the cache and never changes.
    """

    version: str
    linux: str
    identity: str
    digest: str
    name: str
    directory: Path
    cached: bool

    @property
    def exact(self) -> bool:
        """Whether it is the tree the hooks were made for."""
        return self.cached and self.version == self.linux


#: What a tree takes, in megabytes, and some more.
TREE_MB = 2_200


class Origin(Protocol):
    """Where a version's source comes from."""

    def source(self, version: str, progress: TextIO | None) -> Source: ...


@dataclass(frozen=True)
class DebianPackage:
    """A linux-source package that the system has installed, or else one of `suites` has."""

    package: str
    suites: tuple[str, ...]

    def installed_version(self) -> str | None:
        result = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", self.package],
                                capture_output=True, text=True, check=False)
        status, _, version = result.stdout.partition(" ")
        return version if result.returncode == 0 and status == "installed" else None

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
        if installed is None:
            return LaterPackage(self.package, self.suites, just=True).source(version, progress)
        source = _debian(version, self.package, installed)
        if not source.directory.is_dir():
            with paths.locked(f"src-{source.name}", progress):
                if not source.directory.is_dir():
                    _unpack(self.archive(), source.directory, progress)
        return source


@dataclass(frozen=True)
class LaterPackage:
    """A linux-source package of the first of `suites` that has it, which need not be the system's.

    Where it was superseded, the newest of the same major version is taken, unless
    it has to be `just` this one.  What was unpacked once stays, and no network is
    needed any more.
    """

    package: str
    suites: tuple[str, ...]
    just: bool = False

    def source(self, version: str, progress: TextIO | None) -> Source:
        source = self._unpacked(version)
        if source is None:
            with paths.locked(f"src-{self.package}", progress):
                source = self._unpacked(version) or self._fetch(version, progress)
        if source.linux != version and progress is not None:
            print(f"rig: Debian has no {self.package} any more: this is {source.identity}, "
                  f"with the hooks and the configuration for {version}", file=progress, flush=True)
        return source

    def _record(self) -> Path:
        return paths.cache_dir("src") / f"{self.package}.json"

    def _unpacked(self, version: str) -> Source | None:
        """What the cache has."""
        try:
            stored = json.loads(self._record().read_text(encoding="utf-8"))
            source = _debian(version, stored["package"], stored["version"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return source if source.directory.is_dir() else None

    def _fetch(self, version: str, progress: TextIO | None) -> Source:
        with apt.Archive(progress=progress) as archive:
            package = self._find(archive)
            deb = archive.download(package)
            source = _debian(version, package.name, package.version)
            if not source.directory.is_dir():
                content = deb.with_suffix("")
                apt.unpack(deb, content)
                deb.unlink()
                tarball = next(content.glob("usr/src/linux-source-*.tar.xz"), None)
                if tarball is None:
                    raise SourceError(f"the package {package} holds no linux-source archive")
                _unpack(tarball, source.directory, progress)
        record = self._record()
        written = record.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps({"package": package.name, "version": package.version, "suite": package.suite})
                           + "\n", encoding="utf-8")
        written.replace(record)
        return source

    def _find(self, archive: apt.Archive) -> apt.Package:
        major = self.package.rpartition(".")[0] + "."
        others: dict[tuple[int, ...], apt.Package] = {}
        said: list[SourceError] = []
        for suite in self.suites:
            try:
                found = archive.packages(suite, major)
            except apt.NoSuchSuite:
                continue
            except apt.Unreachable:
                raise
            except SourceError as error:
                said.append(error)
                continue
            for package in found:
                if package.name == self.package:
                    return package
                if re.fullmatch(re.escape(major) + r"\d+", package.name):
                    others.setdefault(_number(package.name.rpartition("-")[2]), package)
        if said:
            raise said[0]
        if self.just or not others:
            no_other = "" if self.just else f", and no other {major}*"
            raise SourceError(f"Debian has no {self.package}{no_other} (looked in {', '.join(self.suites)}): "
                              "give a kernel tree of your own (KERNEL_SRC=PATH, --source PATH)")
        return others[max(others)]


#: Where the source of each supported version comes from.
VERSIONS: dict[str, Origin] = {
    "6.1": DebianPackage("linux-source-6.1", ("bookworm",)),
    "6.12": DebianPackage("linux-source-6.12", ("trixie", "bookworm")),
    "7.3": LaterPackage("linux-source-7.3", ("trixie-backports", "forky", "sid", "experimental")),
}


def find(version: str, kernel_src: Path | None = None, progress: TextIO | None = sys.stderr) -> Source:
    """The source of `version`, or the user's tree `kernel_src`, which is never written to.

    A user's tree may be of any version: the nearest supported one is used
    with it, in place of `version`, and `progress` is told which.  Raises
    SourceError for what is no kernel source, or cannot be had.
    """
    if kernel_src is not None:
        return _user_tree(kernel_src, progress)
    if version not in VERSIONS:
        raise SourceError(f"kernel version {version} is not supported; there are: {', '.join(VERSIONS)}")
    return VERSIONS[version].source(version, progress)


def nearest(linux: str) -> str:
    """The supported version nearest to a kernel's: itself, else the next lower, else the next higher."""
    wanted = _number(linux)
    lower = [version for version in VERSIONS if _number(version) <= wanted]
    return max(lower, key=_number) if lower else min(VERSIONS, key=_number)


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


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _debian(version: str, package: str, package_version: str) -> Source:
    """A Debian package's source in its place in the cache, unpacked or not yet."""
    name = re.sub(r"[^A-Za-z0-9.+-]", "-", f"{package}_{package_version}")
    identity = f"{package} {package_version}"
    return Source(version=version, linux=package.rpartition("-")[2], identity=identity, name=name,
                  directory=paths.cache_dir("src") / name, cached=True,
                  digest=hashlib.sha256(identity.encode()).hexdigest())


def _user_tree(kernel_src: Path, progress: TextIO | None) -> Source:
    directory = kernel_src.expanduser().resolve()
    makefile = directory / "Makefile"
    if not (directory / "Kbuild").is_file() or not makefile.is_file():
        raise SourceError(f"{directory} is not a kernel tree: it has no Kbuild and Makefile")
    head = makefile.read_text(encoding="utf-8", errors="replace")[:2000]
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)$", head, re.MULTILINE))
    linux = f"{found.get('VERSION')}.{found.get('PATCHLEVEL')}"
    if not re.fullmatch(r"\d+\.\d+", linux):
        raise SourceError(f"{makefile} does not say which version of Linux it is (VERSION, PATCHLEVEL)")
    version = nearest(linux)
    release = f"{linux}.{found.get('SUBLEVEL', '0')}{found.get('EXTRAVERSION', '')}"
    if progress is not None:
        print(f"rig: {directory} is Linux {release}: with the hooks and the configuration for {version}"
              f"{', the nearest there are' * (version != linux)}", file=progress, flush=True)
    # Content is told by name, size and time: reading a gigabyte at every start is no option.
    digest = hashlib.sha256(str(directory).encode())
    for path in walk(directory):
        status = (directory / path).lstat()
        digest.update(f"{path}\0{status.st_mode:o} {status.st_size} {status.st_mtime_ns}\n"
                      .encode("utf-8", "surrogateescape"))
    place = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return Source(version=version, linux=linux, identity=f"{directory} {release}", digest=digest.hexdigest(),
                  name=f"user-{linux}-{place}", directory=directory, cached=False)


def _unpack(archive: Path, directory: Path, progress: TextIO | None) -> None:
    """Unpack `archive` as `directory`, completely or not at all."""
    paths.need_room(TREE_MB, f"unpacking {archive.name}")
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
