# SPDX-License-Identifier: GPL-2.0-only
"""Where things are: the parts of the repository, and the cache outside of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from kgdbrig.errors import RigError

#: The checkout.  This file is test-rig/kgdbrig/paths.py in it.
REPOSITORY = Path(__file__).resolve().parents[2]
RIG = REPOSITORY / "test-rig"
GDBSTUB = REPOSITORY / "gdbstub"
ARCH = REPOSITORY / "arch"
KERNEL_PATCHES = REPOSITORY / "kernel-patches"
CONFIGS = RIG / "configs"
GUEST = RIG / "guest"
GUEST_INIT = GUEST / "init"
TRIGGER = GUEST / "trigger"
GUEST_USER = GUEST / "user"
ORACLE = RIG / "oracle"
#: For gdb to run, not for the rig to import.
GDB_ACCESS = RIG / "in_gdb" / "access.py"
GDBINIT = REPOSITORY / "gdbinit" / "kgdb-watch.gdb"

#: All that the rig keeps in the cache: each a directory there.
CACHED = ("busybox", "checks", "demo", "initramfs", "kernels", "locks", "obj", "oracle", "programs", "series", "src",
          "tmp", "tree", "user")
#: What earlier versions of it kept there.
_CACHED_ONCE = ("bare",)
#: Beside them, the file that whoever uses the cache holds a lock on, shared.
_IN_USE = "in-use"
#: What this process holds of those, by the cache.
_held: dict[Path, int] = {}


def cache() -> Path:
    """The cache: $KGDB_RIG_CACHE, else kgdb-rig under the XDG cache directory."""
    chosen = os.environ.get("KGDB_RIG_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kgdb-rig"


def cache_dir(*parts: str) -> Path:
    """A directory in the cache, created when it is not there; `parts` begin with one of CACHED.

    Until this process ends, empty_cache() leaves the cache alone.
    """
    assert parts[0] in CACHED, f"CACHED does not name {parts[0]}: it would stay behind"
    path = cache().joinpath(*parts)
    try:
        cache().mkdir(parents=True, exist_ok=True)
        if cache() not in _held:
            _held[cache()] = _lock(cache() / _IN_USE, fcntl.LOCK_SH)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RigError(f"cannot create {path}: {error.strerror}; set KGDB_RIG_CACHE to a "
                       "directory that can be written") from error
    return path


def need_room(megabytes: int, what: str) -> None:
    """RigError unless there is as much room in the cache as `what` needs."""
    cache().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache()).free // 1_000_000
    if free < megabytes:
        raise RigError(f"{what} needs {megabytes} MB in {cache()}, and {free} MB are free: make room, or set KGDB_RIG_CACHE to a "
                       "directory elsewhere")


def empty_cache() -> None:
    """Remove all that the rig keeps in the cache; RigError, and nothing removed, while another process uses it."""
    if not cache().is_dir():
        return
    try:
        handle = _lock(cache() / _IN_USE, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RigError(f"{cache()} is in use by another rig: end it, or wait for its end, and try again") from None
    except OSError as error:
        raise RigError(f"cannot empty {cache()}: {error}") from error
    try:
        for part in (*CACHED, *_CACHED_ONCE):
            path = cache() / part
            if path.exists():
                shutil.rmtree(path)
        (cache() / _IN_USE).unlink()
        # Another file may lie there, of somebody who chose the directory.
        with contextlib.suppress(OSError):
            cache().rmdir()
    except OSError as error:
        raise RigError(f"cannot empty {cache()}: {error}") from error
    finally:
        os.close(handle)


def hold(path: Path, how: int, flags: int = os.O_RDONLY) -> int:
    """Hold a lock on a file or a directory until the descriptor, which is returned, is closed.

    FileNotFoundError where there is none, or it was removed before it was locked; BlockingIOError, with LOCK_NB, where
    that cannot be now.
    """
    handle = os.open(path, flags, 0o644)
    try:
        fcntl.flock(handle, how)
        if os.stat(path).st_ino != os.fstat(handle).st_ino:
            raise FileNotFoundError(path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _lock(path: Path, how: int) -> int:
    """As hold(), on a file that is made where there is none."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The directory or the file was removed just now.
        with contextlib.suppress(FileNotFoundError):
            return hold(path, how, os.O_RDWR | os.O_CREAT)


def runtime_dir() -> Path:
    """Where a running session leaves word of itself for 'rig console' to find (mode 0700)."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK):
        path = Path(base) / "kgdb-rig"
    else:
        path = Path(tempfile.gettempdir()) / f"kgdb-rig-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise RigError(f"{path} belongs to somebody else; set XDG_RUNTIME_DIR to a directory of yours")
    return path


@contextlib.contextmanager
def locked(name: str, progress: TextIO | None = sys.stderr) -> Iterator[None]:
    """Hold the cache's lock `name`; a second process waits here, and says so once.

    The lock is an flock() on locks/NAME: it goes with the process that held
    it, so nothing is ever left locked by a build that was killed.
    """
    path = cache_dir("locks") / name
    with path.open("w", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress is not None:
                print(f"rig: waiting for another rig that works on {name}", file=progress, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
