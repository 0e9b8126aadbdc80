# SPDX-License-Identifier: GPL-2.0-only
"""Compiles what runs beside the kernel, for the guest and for QEMU, into the cache: once for each content."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterable
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


def compiled(what: str, source: Path, flags: tuple[str, ...], directory: Path, *, suffix: str = "",
             also: Iterable[Path] = ()) -> Path:
    """The file that `source` compiles to, in `directory` under a key of source, flags and compiler.

    `also` names the files it includes; BuildError says that `what` it was when it does not compile.
    """
    key = hashlib.sha256()
    for part in (ask("-v").encode(), repr(flags).encode(), *(path.read_bytes() for path in (source, *also))):
        key.update(len(part).to_bytes(8, "little") + part)
    result = directory / f"{source.stem}-{key.hexdigest()[:16]}{suffix}"
    if result.exists():
        return result
    with tempfile.TemporaryDirectory(dir=directory, prefix="new-") as fresh:
        output = Path(fresh) / result.name
        done = subprocess.run([_COMPILER, *flags, "-o", str(output), str(source)], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            log = directory / "build.log"
            log.write_text(done.stderr, encoding="utf-8")
            raise BuildError(what, log, "\n".join(done.stderr.splitlines()[-_TAIL_LINES:]))
        os.replace(output, result)
    return result
