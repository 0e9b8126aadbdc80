# SPDX-License-Identifier: GPL-2.0-only
"""Compiles what runs beside the kernel, for the guest and for QEMU, into the cache: once for each content."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kgdbrig.errors import BuildError, MissingDependency

_COMPILER = "gcc"
_TAIL_LINES = 30


def ask(option: str) -> str:
    """What the compiler answers to an option, on either of its outputs; MissingDependency when there is none."""
    try:
        done = subprocess.run([_COMPILER, option], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=True)
    except FileNotFoundError as error:
        raise MissingDependency(_COMPILER) from error
    return done.stdout


def compiled(what: str, name: str, sources: Sequence[Path], flags: tuple[str, ...], directory: Path, *,
             headers: Sequence[Path] = ()) -> Path:
    """The file that `sources` compile to, in `directory` under its name with a key of sources, flags and compiler.

    `headers` are the files they include; BuildError says that `what` it was when they do not compile.
    """
    key = hashlib.sha256()
    for part in (ask("-v").encode(), repr(flags).encode(), *(path.read_bytes() for path in (*sources, *headers))):
        key.update(len(part).to_bytes(8, "little") + part)
    result = directory / f"{Path(name).stem}-{key.hexdigest()[:16]}{Path(name).suffix}"
    if result.exists():
        return result
    with tempfile.TemporaryDirectory(dir=directory, prefix="new-") as fresh:
        output = Path(fresh) / result.name
        done = subprocess.run([_COMPILER, *flags, "-o", str(output), *map(str, sources)], capture_output=True,
                              text=True, check=False)
        if done.returncode:
            log = directory / "build.log"
            log.write_text(done.stderr, encoding="utf-8")
            raise BuildError(what, log, "\n".join(done.stderr.splitlines()[-_TAIL_LINES:]))
        os.replace(output, result)
    return result
