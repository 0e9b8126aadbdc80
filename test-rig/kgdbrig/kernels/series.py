# SPDX-License-Identifier: GPL-2.0-only
"""Writes the kernel code as a series of patches for a mailing list.

The series is generated from what the rig lays over a kernel tree and is never
kept: part by part, first the new files of the part, which nothing compiles
yet, then its hooks of kernel-patches/, each as the patch it is there.  A part
is a series of its own, with a cover letter, on top of those before.  What only
the mails need, their numbers aside, is in kernel-patches/mail.  The same input
gives the same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from kgdbrig import paths
from kgdbrig.errors import MissingDependency, SeriesError
from kgdbrig.kernels import overlay, source
from kgdbrig.kernels.hooks import MAILED, Hook
from kgdbrig.kernels.overlay import Overlay
from kgdbrig.kernels.source import Source

MAIL = paths.KERNEL_PATCHES / "mail"

#: The patches of new files, in their order; kernel-patches/mail/NAME.txt is what each says.
NEW_FILES = ("packets", "table", "x86", "tests")

#: (pattern of a path in the kernel tree, the patch that brings a new file there).  The first match counts.
#: The patch is one of NEW_FILES, or a hook by its name without .patch: what refers to files comes after them.
BROUGHT_BY: tuple[tuple[str, str], ...] = (
    (r"kernel/debug/watchpoint/(Kconfig|Makefile)", "kgdb-offer-hardware-watchpoints"),
    (r"kernel/debug/watchpoint/(cases_\w+\.h|.*(kunit|test).*)", "tests"),
    (r"arch/x86/kernel/kgdb-state-kunit\.c", "tests"),
    (r"kernel/debug/watchpoint/(pure|packet|plan|match)\.[ch]", "packets"),
    (r"kernel/debug/watchpoint/.*", "table"),
    (r"include/linux/kgdb_slots\.h", "packets"),
    (r"arch/x86/include/asm/kgdb_slots\.h", "packets"),
    (r"include/linux/kgdb_watch\.h", "table"),
    (r"arch/x86/kernel/kgdb-nmi(-kunit)?\.c", "x86-nmi-let-nmi-handlers-hit"),
    (r"arch/x86/kernel/kgdb-probed\.c", "x86-kgdb-show-probed-instructions"),
    (r"arch/x86/.*", "x86"),
    (r"Documentation/.*", "docs-kgdb-watchpoints"),
)

_PART_DIRECTORY = re.compile(rf"\d-({'|'.join(MAILED)})")
_OLD_SERIES = re.compile(r"\d{4}-.*\.patch")
_IDENTITY = re.compile(r"(.+) <([^<>\s]+)>")


@dataclass(frozen=True)
class Message:
    """What a patch says: its author ("Name <address>"), subject and body."""

    author: str
    subject: str
    body: str


@dataclass(frozen=True)
class Step:
    """One patch of the series: its part, new files by their path in the kernel tree, and the hook, if any."""

    part: str
    message: Message
    files: tuple[str, ...]
    hook: Hook | None


def steps(version: str, laid: Overlay) -> tuple[Step, ...]:
    """The series that makes up `laid`; SeriesError for a file that no patch brings."""
    brought: dict[str, list[str]] = {}
    for name in sorted(name for name in laid.files if overlay.part_of(name) in MAILED):
        brought.setdefault(_patch_of(name), []).append(name)
    new = {name: tuple(brought.pop(name)) for name in NEW_FILES if name in brought}
    found = []
    for part in MAILED:
        for name, files in new.items():
            here = tuple(file for file in files if overlay.part_of(file) == part)
            if here:
                found.append(Step(part, _message(MAIL / f"{name}.txt"), here, None))
        for hook in laid.hooks:
            if hook.part == part:
                found.append(Step(part, _message(hook.path), tuple(brought.pop(hook.path.stem, ())), hook))
    if brought:
        name, left = next(iter(brought.items()))
        raise SeriesError(f"{left[0]} is to come with the hook {name}, which Linux {version} does not get: "
                          "see kernel-patches/series")
    return tuple(found)


def prefixes(version: str, laid: Overlay) -> tuple[tuple[Step, Overlay], ...]:
    """Each step with the overlay that the series up to and with it makes."""
    found = []
    files: dict[str, bytes] = {}
    hooks: tuple[Hook, ...] = ()
    for step in steps(version, laid):
        files = files | {name: laid.files[name] for name in step.files}
        hooks += (step.hook,) if step.hook is not None else ()
        found.append((step, Overlay(files, hooks)))
    return tuple(found)


def write(version: str, output: Path | None = None, progress: TextIO | None = sys.stderr, *,
          laid: Overlay | None = None, part: str | None = None) -> dict[str, tuple[Path, ...]]:
    """Write the series for a kernel version; the files of each part in their order, its cover letter first.

    `output` (default: series/VERSION in the cache) gets a directory for each
    part, or the files of `part` alone.  It must be new, empty, or hold an older
    series, which is replaced.  The series is that of `laid` (default: the
    repository's overlay).  Raises SeriesError, OverlayError, SourceError.
    """
    laid = laid or overlay.load(version, upto=MAILED[-1])
    pristine = source.find(version, None, progress)
    directory = (output or paths.cache_dir("series", version, *([part] if part else []))).absolute()
    old = _old_series(directory)
    with tempfile.TemporaryDirectory(prefix="rig-series-") as temporary:
        repository = _Repository(Path(temporary) / "tree", _sender(laid), _date())
        parts = _commit(repository, version, laid, pristine)
        if part is not None and part not in parts:
            raise SeriesError(f"the part {part} has no patches for Linux {version}: see kernel-patches/series")
        mails = {name: repository.mails(name, parent, Path(temporary) / name) for name, parent in parts.items()
                 if part in (None, name)}
        for path in old:
            path.unlink()
            if path.parent != directory and not any(path.parent.iterdir()):
                path.parent.rmdir()
        written = {}
        for name, made in mails.items():
            place = directory / f"{MAILED.index(name) + 1}-{name}" if part is None else directory
            place.mkdir(exist_ok=True)
            written[name] = tuple(Path(shutil.copy(mail, place)) for mail in made)
        return written


def _old_series(directory: Path) -> list[Path]:
    """The files of an older series in a directory, which is made if it is not there; SeriesError for any other."""
    found = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in directory.iterdir():
            inside = list(path.iterdir()) if path.is_dir() and _PART_DIRECTORY.fullmatch(path.name) else [path]
            foreign = [file for file in inside if file.is_dir() or not _OLD_SERIES.fullmatch(file.name)]
            if foreign:
                raise SeriesError(f"{directory} holds {foreign[0].relative_to(directory)}, which is not of a series: "
                                  "name an empty directory")
            found += inside
    except OSError as error:
        raise SeriesError(f"cannot write the series to {directory}: {error.strerror}") from error
    return found


def _patch_of(name: str) -> str:
    for pattern, patch in BROUGHT_BY:
        if re.fullmatch(pattern, name):
            return patch
    raise SeriesError(f"no patch of the series brings {name}: add it to BROUGHT_BY in {Path(__file__).name}")


def _message(path: Path) -> Message:
    """The text before the line "---" of a patch, or a whole text of kernel-patches/mail."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SeriesError(f"{path} is not there: the checkout is not complete") from error
    match = re.fullmatch(r"From: ([^\n]+)\nSubject: ([^\n]+)\n\n(.*?)\s*", re.split(r"^---$", text, flags=re.M)[0],
                         re.S)
    if not match or not _IDENTITY.fullmatch(match[1]):
        raise SeriesError(f"{path} does not begin with 'From: NAME <ADDRESS>', 'Subject: TEXT' and an empty line")
    return Message(*match.groups())


def _commit(repository: _Repository, version: str, laid: Overlay, pristine: Source) -> dict[str, str]:
    """Make one commit for each step on top of what the hooks change, and the cover letters.

    Each part becomes a branch; returned is on which one each part is based.
    """
    for name in overlay.touched(laid):
        if (pristine.directory / name).is_file():
            place = repository.directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(pristine.directory / name, place)  # with its mode
    repository.begin(pristine.identity)
    parts: dict[str, str] = {}
    for step in steps(version, laid):
        if step.part not in parts:
            parts[step.part] = repository.branch(step.part)
            letter = _message(MAIL / f"cover-{step.part}.txt")
            body = letter.body.replace("@VERSION@", version).replace("@SOURCE@", pristine.identity)
            repository.describe(f"{letter.subject}\n\n{body}\n")
        for name in step.files:
            place = repository.directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(laid.files[name])
        if step.hook is not None:
            overlay.run_patch(step.hook.path, repository.directory, pristine)
        repository.commit(step.message)
    return parts


def _sender(laid: Overlay) -> str:
    """Who sends the series: the identity git has in this checkout, else who wrote the hooks."""
    found = []
    for setting in ("user.name", "user.email"):
        try:
            result = subprocess.run(["git", "-C", str(paths.REPOSITORY), "config", setting],
                                    capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise MissingDependency("git") from error
        found.append(result.stdout.strip())
    sender = f"{found[0]} <{found[1]}>"
    return sender if _IDENTITY.fullmatch(sender) else _message(laid.hooks[0].path).author


def _date() -> int:
    """The date of the series, in seconds since 1970: $SOURCE_DATE_EPOCH, else that of the last change to it."""
    stated = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not stated:
        kept = [str(path) for path in (paths.GDBSTUB, paths.ARCH, paths.KERNEL_PATCHES)]
        stated = subprocess.run(["git", "-C", str(paths.REPOSITORY), "log", "-1", "--format=%ct", "--", *kept],
                                capture_output=True, text=True, check=False).stdout.strip()
    return int(stated) if stated.isdigit() else 0


class _Repository:
    """A git repository that exists to make mails of its commits."""

    def __init__(self, directory: Path, sender: str, date: int) -> None:
        self.directory = directory
        self._sender = sender
        self._date = date
        self._number = 0
        directory.mkdir(parents=True)
        self._branch = "base"
        self._git("init", "--quiet", f"--initial-branch={self._branch}")

    def begin(self, identity: str) -> None:
        """Commit the pristine files."""
        self._record(self._sender, identity)

    def branch(self, name: str) -> str:
        """Go on in a branch; the name of the one so far."""
        before, self._branch = self._branch, name
        self._git("checkout", "--quiet", "-b", name)
        return before

    def commit(self, message: Message) -> None:
        """Commit what was changed, signed off by who wrote it and who sends it."""
        signed = dict.fromkeys((message.author, self._sender))
        trailers = "".join(f"Signed-off-by: {person}\n" for person in signed)
        self._number += 1
        self._record(message.author, f"{message.subject}\n\n{message.body}\n\n{trailers}")

    def describe(self, text: str) -> None:
        """Set the text of the branch's cover letter; its first paragraph is the subject."""
        self._git("config", f"branch.{self._branch}.description", text)

    def mails(self, branch: str, parent: str, output: Path) -> list[Path]:
        """The commits of a branch since its parent as mails, with a cover letter."""
        self._git("format-patch", "--quiet", "--cover-letter", "--cover-from-description=subject", "--zero-commit",
                  "--no-signature", "--no-renames", f"--from={self._sender}", f"--output-directory={output}",
                  f"{parent}..{branch}")
        return sorted(output.iterdir())

    def _record(self, author: str, message: str) -> None:
        self._git("add", "--all", "--force", ".")
        self._git("commit", "--quiet", "--cleanup=verbatim", "--allow-empty", "--file=-", author=author, text=message)

    def _git(self, *arguments: str, author: str = "", text: str = "") -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment.update(LC_ALL="C", TZ="UTC", GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1")
        for role, person in (("AUTHOR", author or self._sender), ("COMMITTER", self._sender)):
            match = _IDENTITY.fullmatch(person)
            assert match is not None, person
            environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = match.groups()
            environment[f"GIT_{role}_DATE"] = f"{self._date + self._number} +0000"
        command = ["git", "-c", "core.abbrev=12", "-c", "core.autocrlf=false", "-C", str(self.directory), *arguments]
        result = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SeriesError(f"git {arguments[0]} failed: {result.stderr.strip() or result.stdout.strip()}")
