# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the guest's own programs, test-rig/guest/user/*.c, for the initramfs.

They are static, because the guest has no C library.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from kgdbrig import arches, paths
from kgdbrig.errors import BuildError, MissingDependency

_COMPILER = "gcc"
_FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-Werror")


def build(arch: str) -> dict[str, Path]:
    """The programs by name; in the cache, under a key of source, flags and compiler."""
    flags = (*_FLAGS, *arches.find(arch).user_flags)
    compiler = _ask("-v", stderr=True)
    multiarch = _ask("-print-multiarch").strip()
    if "-m32" in flags and multiarch:
        # Where the kernel's headers for programs lie, which are the same for both sizes.
        flags = (*flags, "-idirafter", f"/usr/include/{multiarch}")
    return {source.stem: _compiled(source, flags, compiler) for source in sorted(paths.GUEST_USER.glob("*.c"))}


def _compiled(source: Path, flags: tuple[str, ...], compiler: str) -> Path:
    key = hashlib.sha256()
    for part in (compiler.encode(), repr(flags).encode(), source.read_bytes()):
        key.update(len(part).to_bytes(8, "little") + part)
    directory = paths.cache_dir("user")
    program = directory / f"{source.stem}-{key.hexdigest()[:16]}"
    if program.exists():
        return program
    with tempfile.TemporaryDirectory(dir=directory, prefix="new-") as fresh:
        output = Path(fresh) / source.stem
        done = subprocess.run([_COMPILER, *flags, "-o", str(output), str(source)], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            log = directory / "build.log"
            log.write_text(done.stderr, encoding="utf-8")
            raise BuildError(f"compiling {source.name} for the guest", log, "\n".join(done.stderr.splitlines()[-30:]))
        os.replace(output, program)
    return program


def _ask(option: str, *, stderr: bool = False) -> str:
    try:
        done = subprocess.run([_COMPILER, option], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise MissingDependency(_COMPILER) from error
    return done.stderr if stderr else done.stdout
