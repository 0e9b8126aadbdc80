# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that somebody else has built: what the rig needs to know of it, found in its own files."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from kgdbrig import arches, paths, programs
from kgdbrig.errors import RigError
from kgdbrig.kernels.kernel import Kernel, require, settings

#: A function of ours that every kernel with watchpoints in KGDB has.
_OURS = "kgdb_watch_enter"
#: How a kernel's own configuration begins in it, where it was built with CONFIG_IKCONFIG (kernel/configs.c).
_IKCONFIG = b"IKCFG_ST"


class NotOurs(RigError):
    """A kernel, or a tree, without the patches."""


@contextlib.contextmanager
def given(vmlinux: Path, image: Path | None, arch: str, *, config: Path | None = None,
          modules: Path | None = None) -> Iterator[Kernel]:
    """The kernel of these files, for as long as the block runs.

    `vmlinux` has the symbols of the bootable `image`; without one it cannot be booted.  `config` is what it was
    configured with: without one, what is beside `vmlinux`, or in it.  `modules`
    is a directory whose *.ko the guest gets.  RigError names what is missing;
    NotOurs for a kernel that has no watchpoints in KGDB.
    """
    for what in filter(None, (vmlinux, image, config, modules)):
        if not what.exists():
            raise RigError(f"{what} is not there")
    symbols = _symbols(vmlinux)
    if not re.search(rf" {_OURS}$", symbols, re.MULTILINE):
        raise NotOurs(f"{vmlinux} is a kernel without our patches (it has no {_OURS}): 'make series' writes them, and "
                      "'git am' applies them to its tree; CONFIG_KGDB_WATCHPOINT is to be set then")
    content = vmlinux.read_bytes()
    found = re.search(rb"Linux version (\d+\.\d+)(\S*) ", content)
    if found is None:
        raise RigError(f"{vmlinux} is no Linux kernel: it has no 'Linux version'")
    text = _config(vmlinux, config, content)
    if text:
        require(settings(text), config or vmlinux)
    directory = Path(tempfile.mkdtemp(prefix="given-", dir=paths.cache_dir("tmp")))
    try:
        (directory / "vmlinux").symlink_to(vmlinux.resolve())
        if image is not None:
            (directory / "image").symlink_to(image.resolve())
        (directory / "System.map").write_text(symbols, encoding="ascii")
        (directory / "config").write_text(text, encoding="utf-8")
        (directory / "modules").mkdir()
        for module in sorted(modules.rglob("*.ko")) if modules else ():
            (directory / "modules" / module.name).symlink_to(module.resolve())
        yield Kernel(version=found[1].decode(), arch=arches.find(arch).name, stock=False, key=directory.name,
                     directory=directory, image=directory / "image", vmlinux=directory / "vmlinux",
                     release=(found[1] + found[2]).decode(), source=str(vmlinux))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _symbols(vmlinux: Path) -> str:
    done = programs.symbols(vmlinux)
    if done.returncode or not done.stdout:
        raise RigError(f"{vmlinux} is no vmlinux with symbols: {done.stderr.strip() or 'it has none'}")
    return done.stdout


def _config(vmlinux: Path, config: Path | None, content: bytes) -> str:
    """The text of its .config; empty where nobody knows it."""
    beside = [vmlinux.with_name(name) for name in (".config", "config")]
    for path in [config] if config else beside:
        if path.is_file():
            return path.read_text(encoding="utf-8")
    at = content.find(_IKCONFIG)
    if at < 0:
        return ""
    return zlib.decompressobj(wbits=31).decompress(content[at + len(_IKCONFIG):]).decode()
