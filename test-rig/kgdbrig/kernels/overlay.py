# SPDX-License-Identifier: GPL-2.0-only
"""Lays the repository's kernel code and hooks over a kernel tree.

The overlay is what gdbstub/ and arch/ add (new files) and what the patches of
kernel-patches/ change (hooks into existing files).  A tree in the cache that
carries it is brought up to date in place: only files whose content differs are
written, so that kbuild compiles only what is affected.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from kgdbrig import paths
from kgdbrig.errors import MissingDependency, OverlayError
from kgdbrig.kernels import hooks, reuse, source
from kgdbrig.kernels.hooks import PARTS, Hook
from kgdbrig.kernels.source import Source
from kgdbrig.progress import Progress

#: (pattern of a path in the repository, what it becomes in the kernel tree).
#: The first match counts; None keeps a file out of the kernel.  A leading "@"
#: stands for the folder in which the kernel version documents KGDB.
LAYOUT: tuple[tuple[str, str | None], ...] = (
    (r"gdbstub/tests/.*", None),
    (r"gdbstub/Documentation/(.*)", r"@/\1"),
    (r"gdbstub/include/(.*)", r"include/\1"),
    (r"gdbstub/(.*)", r"kernel/debug/watchpoint/\1"),
    (r"arch/([^/]+)/tests/.*", None),
    (r"arch/([^/]+)/include/(.*)", r"arch/\1/include/\2"),
    (r"arch/([^/]+)/(.*)", r"arch/\1/kernel/\2"),
)

#: (pattern of a path in the kernel tree, the part of the series that brings a new file there).
#: The first match counts.
PART_OF: tuple[tuple[str, str], ...] = (
    (r"arch/x86/kernel/kgdb-qemu(-insn|-kunit)?\.[ch]", "emulator"),
    (r"kernel/debug/watchpoint/Kconfig\.qemu", "emulator"),
    (r"arch/x86/kernel/kgdb-(nmi(-kunit)?|probed)\.c", "extra"),
    (r".*", "feature"),
)

#: The versions from before KGDB's documentation moved.
_DOCUMENTED_IN_DEV_TOOLS = ("6.1", "6.12")

#: Names a build, an editor or Python leaves in the repository's folders.
_IGNORED = ("*.o", "*.a", "*.so", "*.d", "*.cmd", "*.pyc", "*.rej", "*.orig", "*.swp", "*~", ".*", "#*")


@dataclass(frozen=True)
class Overlay:
    """What goes over a tree: content by path in the kernel tree, and the hooks in their order.

    `without` names hooks that would be among them and were left out.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    hooks: tuple[Hook, ...] = ()
    without: tuple[str, ...] = ()

    def digest(self) -> str:
        """Changes with every name and content in the overlay."""
        total = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            total.update(f"{name}\0{len(content)}\n".encode())
            total.update(content)
        for hook in self.hooks:
            content = hook.path.read_bytes()
            total.update(f"{hook.path.name}\0{len(content)}\n".encode())
            total.update(content)
        return total.hexdigest()


def load(version: str, repository: Path = paths.REPOSITORY, *, upto: str = PARTS[-1],
         without: Collection[str] = ()) -> Overlay:
    """The repository's overlay for a kernel version, up to and including the part `upto` of the series.

    `without` names hooks to leave out ("NAME.patch").  OverlayError when something is not there.
    """
    files = {}
    for top in (repository / "gdbstub", repository / "arch"):
        if not top.is_dir():
            raise OverlayError(f"{top} is not there: only a stock kernel can be built (--stock, STOCK=1)")
        for path in sorted(_files(top)):
            target = destination(path.relative_to(repository).as_posix(), version)
            if target is not None and PARTS.index(part_of(target)) <= PARTS.index(upto):
                files[target] = path.read_bytes()
    return Overlay(files, hooks.load(version, repository, upto=upto, without=without), tuple(without))


def destination(path: str, version: str) -> str | None:
    """Where a file of the repository goes in a kernel tree; None for one that stays out of it."""
    for pattern, target in LAYOUT:
        match = re.fullmatch(pattern, path)
        if match:
            return re.sub("^@", documentation(version), match.expand(target)) if target is not None else None
    return None


def part_of(target: str) -> str:
    """The part of the series that brings the new file `target`, a path in the kernel tree."""
    return next(part for pattern, part in PART_OF if re.fullmatch(pattern, target))


def documentation(version: str) -> str:
    """The folder in which a kernel version documents KGDB."""
    return "Documentation/dev-tools" if version in _DOCUMENTED_IN_DEV_TOOLS else "Documentation/process/debugging"


def apply(pristine: Source, overlay: Overlay, tree: Path, progress: TextIO | None) -> None:
    """Make `tree` the pristine tree with the overlay on it; the caller holds the tree's lock.

    The patches are tried on copies first: where one does not apply,
    OverlayError tells which, and the tree is as it was.
    """
    for name in overlay.files:
        if (pristine.directory / name).exists():
            raise OverlayError(f"the overlay brings {name}, which {pristine.identity} already has")
    wanted: dict[str, bytes | None] = {**overlay.files, **patched(pristine, overlay)}
    manifest = reuse.manifest(tree)
    laid = set(json.loads(manifest.read_text(encoding="utf-8"))) if manifest.exists() else set()
    if not tree.is_dir():
        laid = set()
        _copy(pristine, tree, progress)
    elif not pristine.cached:
        _refresh(pristine, tree, laid | set(wanted))
    # Written before and after, the manifest never misses a file: a run that was killed is made good by the next.
    _write(manifest, json.dumps(sorted(laid | set(wanted))).encode())
    for name in sorted(laid - set(wanted)):
        original = pristine.directory / name
        wanted[name] = original.read_bytes() if original.is_file() else None
    for name, content in sorted(wanted.items()):
        if content is None:
            (tree / name).unlink(missing_ok=True)
        elif not (tree / name).is_file() or (tree / name).read_bytes() != content:
            _write(tree / name, content, pristine.directory / name)
    _write(manifest, json.dumps(sorted(set(overlay.files) | set(touched(overlay)))).encode())


def _files(top: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in files:
            if not any(fnmatch.fnmatch(name, pattern) for pattern in _IGNORED):
                yield Path(folder) / name


def touched(overlay: Overlay) -> dict[str, Path]:
    """The files the hooks touch, each with the last patch that does."""
    return {name: hook.path for hook in overlay.hooks for name in _named(hook.path)}


def _named(patch: Path) -> list[str]:
    found = []
    text = patch.read_text(encoding="utf-8", errors="replace")
    for match in re.finditer(r"^--- (\S+).*\n\+\+\+ (\S+)", text, re.MULTILINE):
        for side in match.groups():
            if side != "/dev/null":
                name = side.partition("/")[2]
                if not name or name.startswith("/") or ".." in name.split("/"):
                    raise OverlayError(f"{patch} names the file {side}; 'a/PATH' or 'b/PATH' is expected")
                found.append(name)
    return found


def patched(pristine: Source, overlay: Overlay) -> dict[str, bytes | None]:
    """Content after the hooks of every file they touch; None for a file they remove.

    A hook may change a new file that an earlier part brings, not one of its own part.
    """
    for hook in overlay.hooks:
        for name in _named(hook.path):
            if name in overlay.files and PARTS.index(hook.part) <= PARTS.index(part_of(name)):
                raise OverlayError(f"{hook.path} patches {name}, which is a file of the overlay: change it there")
    changed = touched(overlay)
    with tempfile.TemporaryDirectory(prefix="rig-patch-") as temporary:
        work = Path(temporary)
        for name in changed:
            path = pristine.directory / name
            content = overlay.files.get(name, path.read_bytes() if path.is_file() else None)
            if content is not None:
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                (work / name).write_bytes(content)
        for hook in overlay.hooks:
            try:
                run_patch(hook.path, work, pristine)
            except OverlayError as error:
                if not overlay.without:
                    raise
                raise OverlayError(f"{', '.join(overlay.without)} cannot be left out alone: {hook.path.name} changes the "
                                   f"same lines, so leave that out too, or part them\n{error}") from error
        return {name: (work / name).read_bytes() if (work / name).is_file() else None for name in changed}


def run_patch(patch: Path, work: Path, pristine: Source) -> None:
    """Apply one patch to the files below `work`, which came from `pristine`; OverlayError with the reject."""
    reject = work / "rejected-hunks"
    command = ["patch", "-p1", "--forward", "--batch", "--no-backup-if-mismatch", f"--reject-file={reject}",
               f"--directory={work}", f"--input={patch}"]
    if pristine.exact:
        command.append("--fuzz=0")
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError as error:
        raise MissingDependency("patch") from error
    if result.returncode != 0:
        hunks = reject.read_text(encoding="utf-8", errors="replace") if reject.exists() else ""
        said = re.sub(r" -- saving rejects to file \S+", "", result.stdout)  # which goes with the copy
        unchanged = "" if pristine.cached else " (which is as it was)"
        raise OverlayError(f"{patch} does not apply to {pristine.identity}{unchanged}:\n"
                           f"{said.strip()}\n{hunks}".rstrip())


def _copy(pristine: Source, tree: Path, progress: TextIO | None) -> None:
    """A first copy of the pristine tree, by hard links where it lies in the cache.

    Nothing writes to a file of a tree in place (_write() replaces files, and
    kbuild writes to O= only), so links keep the pristine tree as it is.
    """
    if not pristine.cached:
        paths.need_room(source.TREE_MB, f"copying {pristine.identity}")
    line = Progress(f"copying {pristine.identity}", progress)
    temporary = Path(tempfile.mkdtemp(prefix=".copy-", dir=tree.parent))
    try:
        temporary.chmod(0o755)
        if pristine.cached:
            _run(["cp", "--archive", "--link", f"{pristine.directory}/.", str(temporary)], "copying the source")
        else:
            _refresh(pristine, temporary, set())
        temporary.rename(tree)
    except BaseException:
        line.failed()
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    line.done()


def _refresh(pristine: Source, tree: Path, laid: set[str]) -> None:
    """Bring a copy of a user's tree up to date with it, leaving alone what the overlay laid over.

    Files are compared by content and get the time of the copy: an older file
    with other content (a checkout, an unpacked archive) must be compiled too.
    """
    names = b"\0".join(os.fsencode(path) for path in source.walk(pristine.directory) if str(path) not in laid)
    command = ["rsync", "--links", "--perms", "--checksum", "--from0", "--files-from=-",
               f"{pristine.directory}/", f"{tree}/"]
    try:
        result = subprocess.run(command, input=names, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise MissingDependency("rsync") from error
    if result.returncode != 0:
        raise OverlayError(f"copying {pristine.directory} failed: {result.stderr.decode(errors='replace').strip()}")
    keep = set(names.decode("utf-8", "surrogateescape").split("\0")) | laid
    for path in list(source.walk(tree)):
        if str(path) not in keep:
            (tree / path).unlink()
    if not source.is_pristine(pristine.directory):
        # Generated files may hide under ordinary names; mrproper knows them.
        _run(["make", "--silent", f"--directory={tree}", "mrproper"], "cleaning the copy")


def _write(path: Path, content: bytes, like: Path | None = None) -> None:
    """Replace a file at once, never in place; `like` lends its mode (scripts must stay executable)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".write-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, like.stat().st_mode & 0o777 if like is not None and like.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _run(command: list[str], what: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise OverlayError(f"{what} failed ({command[0]}): {result.stderr.strip() or result.stdout.strip()}")
