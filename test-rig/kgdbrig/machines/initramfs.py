# SPDX-License-Identifier: GPL-2.0-only
"""Packs the guest's root file system: busybox, /init, the guest's own programs and the kernel's modules.

The archive is the kernel's "newc" cpio (Documentation/driver-api/early-userspace/
buffer-format.rst), written here so that device nodes need no root.  It is not
compressed: the guest, slowly emulated, would be the one to unpack it.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from kgdbrig import arches, paths
from kgdbrig.errors import MissingDependency, RigError, SourceError
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines import userland
from kgdbrig.packages import apt

#: The busybox of this machine, which runs on it.
_BUSYBOX = Path("/bin/busybox")
_DIRECTORIES = ("bin", "dev", "etc", "lib", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin")


class Archive:
    """A cpio archive of the newc format that grows in memory; every file is root's, of time 0."""

    def __init__(self) -> None:
        self._data = io.BytesIO()
        self._inode = 0
        self._names: set[str] = set()

    def directory(self, name: str) -> None:
        if name not in self._names:
            self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name: str, target: str) -> None:
        self._parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name: str, major: int, minor: int) -> None:
        self._parents(name)
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def finish(self) -> bytes:
        self._entry("TRAILER!!!", 0)
        return self._data.getvalue()

    def _parents(self, name: str) -> None:
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self.directory("/".join(parts[:depth]))

    def _entry(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._names.add(name)
        self._inode += 1
        encoded = name.encode() + b"\0"
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
        self._data.write(b"070701" + b"".join(b"%08x" % value for value in fields) + encoded)
        self._pad()
        self._data.write(content)
        self._pad()

    def _pad(self) -> None:
        self._data.write(b"\0" * (-self._data.tell() % 4))


#: Where the guest finds the kernel and initramfs that it can start, with build(next_kernel=True).
NEXT_KERNEL, NEXT_INITRAMFS = "/boot/kernel", "/boot/initramfs"


def build(kernel: Kernel, progress: TextIO | None = sys.stderr, *, next_kernel: bool = False,
          selftests: bool = False, added: Sequence[Path] = ()) -> Path:
    """The initramfs for a kernel, from the cache when nothing in it changed.

    With `next_kernel` the same kernel lies in it, and its initramfs; with
    `selftests` the kernel's own tests of breakpoints; the files and directories
    `added` lie in /root.
    """
    if not _BUSYBOX.is_file():
        raise MissingDependency(f"busybox-static ({_BUSYBOX})")
    debian = arches.find(kernel.arch).debian
    busybox = _foreign_busybox(debian, progress) if debian else _BUSYBOX
    programs = userland.build(kernel.arch) | (userland.selftests(kernel) if selftests else {})
    status = busybox.stat()
    key = hashlib.sha256(f"{kernel.key} {busybox} {status.st_size} {status.st_mtime_ns}\n".encode())
    key.update(b"next" * next_kernel + Path(__file__).read_bytes())
    key.update(paths.GUEST_INIT.read_bytes())
    key.update("".join(f"{name} {program.name}\n" for name, program in programs.items()).encode())
    files = _added(added)
    for name, content, mode in files:
        key.update(f"{name} {mode:o} {len(content)}\n".encode() + content)
    path = paths.cache_dir("initramfs") / f"{key.hexdigest()[:32]}.cpio"
    if not path.exists():
        handle, temporary = tempfile.mkstemp(prefix=".pack-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                inner = build(kernel, progress).read_bytes() if next_kernel else None
                stream.write(_pack(kernel, busybox, programs, inner, files))
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    return path


def _added(wanted: Sequence[Path]) -> list[tuple[str, bytes, int]]:
    """What somebody wants in /root: name, content and mode of each file; RigError for what cannot be read."""
    found = []
    for path in wanted:
        if not path.exists():
            raise RigError(f"{path} cannot be added to the guest: it is not there")
        try:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    name = file.relative_to(path.parent).as_posix()
                    found.append((f"root/{name}", file.read_bytes(), stat.S_IMODE(file.stat().st_mode)))
        except OSError as error:
            raise RigError(f"{path} cannot be added to the guest: {error.strerror}") from error
    return found


def _foreign_busybox(debian: str, progress: TextIO | None) -> Path:
    """busybox for another of Debian's architectures, from the cache or else from Debian."""
    path = paths.cache_dir("busybox") / debian / "busybox"
    if not path.exists():
        with paths.locked(f"busybox-{debian}", progress):
            if not path.exists():
                _fetch_busybox(debian, path, progress)
    return path


def _fetch_busybox(debian: str, path: Path, progress: TextIO | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with apt.Archive(debian, progress) as archive:
        found = archive.packages(apt.codename() or "stable", "busybox-static")
        if not found:
            raise SourceError(f"Debian has no busybox-static for {debian}")
        deb = archive.download(found[0])
        apt.unpack(deb, deb.with_suffix(""))
        unpacked = next((name for name in (deb.with_suffix("") / "bin/busybox", deb.with_suffix("") / "usr/bin/busybox")
                         if name.is_file()), None)
        if unpacked is None:
            raise SourceError(f"the package {found[0]} holds no busybox")
        temporary = path.with_suffix(f".{os.getpid()}")
        shutil.copy(unpacked, temporary)
        temporary.replace(path)


def _pack(kernel: Kernel, busybox: Path, programs: dict[str, Path], inner: bytes | None,
          added: Sequence[tuple[str, bytes, int]]) -> bytes:
    # The busybox of another architecture may not run here; Debian builds all with the same applets.
    listed = subprocess.run([str(_BUSYBOX), "--list-full"], capture_output=True, text=True, check=False)
    applets = listed.stdout.split()
    if listed.returncode != 0 or "bin/sh" not in applets:
        raise RigError(f"{_BUSYBOX} does not list a shell among its applets: reinstall busybox-static")
    archive = Archive()
    for name in _DIRECTORIES:
        archive.directory(name)
    archive.device("dev/console", 5, 1)
    archive.file("init", paths.GUEST_INIT.read_bytes(), 0o755)
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    for applet in applets:
        if applet != "bin/busybox":
            archive.link(applet, "/bin/busybox")
    for name, program in programs.items():
        archive.file(f"bin/{name}", program.read_bytes(), 0o755)
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    if inner is not None:
        archive.file(NEXT_KERNEL.lstrip("/"), kernel.image.read_bytes())
        archive.file(NEXT_INITRAMFS.lstrip("/"), inner)
    for name, content, mode in added:
        archive.file(name, content, mode)
    modules = sorted((kernel.directory / "modules").glob("*.ko"))
    for module in modules:
        archive.file(f"lib/modules/{kernel.release}/{module.name}", _stripped(module))
    # For /sbin/modprobe, which the kernel runs when it wants a module.
    archive.file(f"lib/modules/{kernel.release}/modules.dep", "".join(map(_dependencies, modules)).encode())
    return archive.finish()


def _dependencies(module: Path) -> str:
    """A module's line in modules.dep."""
    said = subprocess.run(["modinfo", "--field", "depends", str(module)], capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise RigError(f"modinfo {module} failed: {said.stderr.strip()}")
    return " ".join([f"{module.name}:", *(f"{name}.ko" for name in said.stdout.strip().split(",") if name)]) + "\n"


def _stripped(module: Path) -> bytes:
    """A module without its debugging information, which only gdb on the host reads."""
    with tempfile.NamedTemporaryFile(suffix=".ko") as copy:
        result = subprocess.run(["strip", "--strip-debug", "-o", copy.name, str(module)],
                                capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RigError(f"strip {module} failed: {result.stderr.strip()}")
        return Path(copy.name).read_bytes()
