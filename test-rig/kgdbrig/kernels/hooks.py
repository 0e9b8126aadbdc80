# SPDX-License-Identifier: GPL-2.0-only
"""Reads which hooks there are, in which order, and which of them a kernel version gets.

kernel-patches/series is the one list.  A hook lies once in
kernel-patches/common, and in kernel-patches/VERSION where a version needs
another one of that name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from kgdbrig import paths
from kgdbrig.errors import OverlayError
from kgdbrig.kernels import source

#: The parts of the series, in their order: each needs those before it, and none behind it.
PARTS = ("fixes", "feature", "kdb", "extra", "emulator")
#: Those that are sent to a mailing list: what makes up for QEMU is only laid over by the rig.
MAILED = PARTS[:-1]


@dataclass(frozen=True)
class Hook:
    """One patch of existing files, as a kernel version gets it."""

    part: str
    path: Path


@dataclass(frozen=True)
class _Line:
    """A line of the list; no `versions` stands for all of them."""

    number: int
    part: str
    name: str
    versions: tuple[str, ...]


def load(version: str, repository: Path = paths.REPOSITORY, *, upto: str = PARTS[-1],
         without: Collection[str] = ()) -> tuple[Hook, ...]:
    """The hooks for a kernel version up to and including the part `upto`, in order, without those called `without`.

    OverlayError for a list that is wrong, for a hook that is listed and not
    there, for one that is there and not listed, and for one that cannot be
    left out because it is not among them.
    """
    top = repository / "kernel-patches"
    listing = top / "series"
    if not listing.is_file():
        raise OverlayError(f"{listing} is not there: only a stock kernel can be built (--stock, STOCK=1)")
    lines = _parse(listing)
    found = []
    for line in lines:
        if line.versions and version not in line.versions:
            continue
        places = (top / version / line.name, top / "common" / line.name)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise OverlayError(f"{listing}:{line.number}: {line.name} is not there, neither in common/ nor in {version}/")
        found.append(Hook(line.part, path))
    _refuse_strays(listing, lines)
    found = [hook for hook in found if PARTS.index(hook.part) <= PARTS.index(upto)]
    for name in without:
        if name not in (hook.path.name for hook in found):
            raise OverlayError(f"{name} cannot be left out: it is not among the hooks of Linux {version} up to the part "
                               f"{upto}, see {listing}")
    return tuple(hook for hook in found if hook.path.name not in without)


def _parse(listing: Path) -> list[_Line]:
    found: list[_Line] = []
    for number, text in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        part, *rest = text.split("#", 1)[0].split() or [""]
        if not part:
            continue
        place = f"{listing}:{number}"
        if part not in PARTS or not rest or not rest[0].endswith(".patch") or "/" in rest[0]:
            raise OverlayError(f"{place}: 'PART NAME.patch [VERSION...]' is expected, with one of the parts "
                               f"{', '.join(PARTS)}: {text.strip()}")
        line = _Line(number, part, rest[0], tuple(rest[1:]))
        unknown = [version for version in line.versions if version not in source.VERSIONS]
        if unknown:
            raise OverlayError(f"{place}: {unknown[0]} is no kernel version; there are: {', '.join(source.VERSIONS)}")
        if any(line.name == earlier.name for earlier in found):
            raise OverlayError(f"{place}: {line.name} is in the list twice")
        if found and PARTS.index(part) < PARTS.index(found[-1].part):
            raise OverlayError(f"{place}: {line.name} of the part {part} comes after a hook of the part "
                               f"{found[-1].part}: the order of the parts is {', '.join(PARTS)}")
        found.append(line)
    return found


def _refuse_strays(listing: Path, lines: list[_Line]) -> None:
    """A hook that the list does not name would be left out without a word."""
    listed = {line.name: line.versions for line in lines}
    for folder in ("common", *source.VERSIONS):
        for path in sorted((listing.parent / folder).glob("*.patch")):
            if path.name not in listed:
                raise OverlayError(f"{path} is not in {listing}: list it there, or remove it")
            if listed[path.name] and folder != "common" and folder not in listed[path.name]:
                raise OverlayError(f"{path} is for a version that {listing} leaves that hook out of")
