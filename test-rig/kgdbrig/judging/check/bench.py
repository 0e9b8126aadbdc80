# SPDX-License-Identifier: GPL-2.0-only
"""The tree the checks work on: the series laid over a copy of the source, and objects made of what it touches."""

from __future__ import annotations

import collections
import contextlib
import re
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TextIO

from kgdbrig import paths
from kgdbrig.arches import Arch
from kgdbrig.kernels import build, overlay
from kgdbrig.kernels.build import Kbuild
from kgdbrig.kernels.overlay import Overlay
from kgdbrig.kernels.source import Source

#: Objects to build where a header changed and none of the changed files has all that it is used for.
HEADER_USERS: dict[str, tuple[str, ...]] = {
    "arch/x86/include/asm/debugreg.h": ("arch/x86/kernel/traps.o", "arch/x86/kernel/nmi.o"),
}
#: C files that a Makefile lists by the object they become a part of.
PART_OF: dict[str, str] = {"kernel/trace/ftrace.c": "libftrace"}
#: Directories that are built as a whole when something in them changed.
WHOLE = ("kernel/debug/",)
#: Directories that kbuild enters from two others (arch/x86/Makefile gives this one to the top): an object of theirs
#: that is named is compiled by both makes.  With more than one job that is at the same time, into the same files.
ENTERED_TWICE = ("arch/x86/power/",)
#: What nothing here looks at and a third of the compiler's time goes into.
WITHOUT_DEBUGGING = {"DEBUG_INFO_NONE": "y", "DEBUG_INFO_DWARF5": "n", "GDB_SCRIPTS": "n"}


def tree(pristine: Source) -> Path:
    """Where the checks lay the series over a copy of a source."""
    return paths.cache_dir("tree") / f"{pristine.name}-check"


def lock(pristine: Source) -> str:
    """The cache's lock that whoever changes that tree holds."""
    return f"check-{pristine.name}"


class Bench:
    """The tree the checks work on, and make in its object directories."""

    def __init__(self, version: str, arch: Arch, pristine: Source, laid: Overlay, progress: TextIO | None) -> None:
        self.version = version
        self.arch = arch
        self.pristine = pristine
        self.laid = laid
        self.changed = sorted({*laid.files, *overlay.touched(laid)})
        self.tree = tree(pristine)
        self._progress = progress

    def lay(self, laid: Overlay) -> None:
        """Make the tree the pristine one with `laid` on it, and nothing else."""
        overlay.apply(self.pristine, laid, self.tree, self._progress)

    def made(self, settings: dict[str, str], *, stock: bool = False, pristine: bool = False,
             configured: bool = False, more: Collection[str] = ()) -> Made:
        """The objects of the tree, configured as the rig's kernels (`stock`: as its stock kernels) with `settings`.

        `more` objects are built besides those of what the series touches.

        All configurations share one object directory, which saves the tools
        that are built first; `configured` tells that the last one is wanted.
        `pristine` stands for the tree without the series, and has its own.
        """
        tree = self.pristine.directory if pristine else self.tree
        objects = paths.cache_dir("obj", f"{self.pristine.name}_{self.arch.name}_check{'-stock' * pristine}")
        kbuild = Kbuild(self.arch.make_arch, self.pristine, tree, objects)
        if not configured:
            with fragment({**WITHOUT_DEBUGGING, **settings}) as last:
                kbuild.configure((*build.fragments("default", self.version, self.arch.name, stock), last))
        return Made(kbuild, tree, objects, self.changed, more)


class Made:
    """What make says when it builds the objects of files that the series touches (`changed`), and `more` goals."""

    def __init__(self, kbuild: Kbuild, tree: Path, objects: Path, changed: list[str],
                 more: Collection[str] = ()) -> None:
        self._kbuild = kbuild
        self._tree = tree
        self._objects = objects
        self._config = (objects / ".config").read_text(encoding="utf-8")
        self._changed = changed
        self.goals = sorted({*self._find_goals(), *more})

    def run(self, *variables: str, again: bool = True) -> tuple[bool, str]:
        """Whether the build worked, and what it said; `again` compiles what is up to date as well."""
        if again:  # a warning is only seen when it is made
            for path in self.objects():
                path.unlink()
        alone = [goal for goal in self.goals if goal.startswith(ENTERED_TWICE)]
        others = [goal for goal in self.goals if goal not in alone]
        said, worked = "", True
        for goals, jobs in ((alone, 1), (others, None)):
            if goals:
                result = self._kbuild.make(*variables, *goals, jobs=jobs)
                twice = compiled_twice(result.stdout) if jobs != 1 else ""
                said += result.stdout + twice
                worked = worked and result.returncode == 0 and not twice
        return worked, said.replace(f"{self._tree}/", "").replace("../", "")

    def objects(self) -> list[Path]:
        """The objects of the goals that are there."""
        found: set[Path] = set()
        for goal in self.goals:
            place = self._objects / goal
            found.update(place.rglob("*.o") if goal.endswith("/") else [place] if place.exists() else [])
        return sorted(found)

    def unbuilt(self) -> list[str]:
        """The C files of the series that the goals leave out."""
        return [name for name in self._changed if name.endswith(".c") and not name.startswith(WHOLE) and
                f"{name[:-2]}.o" not in self.goals]

    def _find_goals(self) -> set[str]:
        found: set[str] = set()
        for name in self._changed:
            if not (self._tree / name).is_file():
                continue
            found.update(whole for whole in WHOLE if name.startswith(whole))
            found.update(HEADER_USERS.get(name, ()))
            if name.endswith(".c") and not name.startswith(WHOLE) and self._listed(name):
                found.add(f"{name[:-2]}.o")
        return found

    def _listed(self, name: str) -> bool:
        """Whether the Makefile beside a file has it compiled in this configuration."""
        path = self._tree / name
        makefile = (path.parent / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
        for symbol, value in re.findall(r"^obj-(?:y|\$\((CONFIG_\w+)\))\s*[+:]?=(.*)$", makefile, re.MULTILINE):
            if f"{PART_OF.get(name, path.stem)}.o" in value.split() and \
                    (not symbol or re.search(rf"^{symbol}=[ym]$", self._config, re.MULTILINE)):
                return True
        return False


def compiled_twice(said: str) -> str:
    """Of what make said: a complaint about objects that two makes have compiled, or nothing."""
    times = collections.Counter(re.findall(r"^  (?:CC|AS) +(\S+)$", said, re.MULTILINE))
    twice = sorted(name for name, number in times.items() if number > 1)
    return f"error: two makes compile {', '.join(twice)}: add the directory to ENTERED_TWICE (bench.py)\n" if twice else ""


@contextlib.contextmanager
def fragment(settings: dict[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rig-check-") as temporary:
        path = Path(temporary) / "check.config"
        path.write_text("".join(f"CONFIG_{symbol}={value}\n" if value != "n" else f"# CONFIG_{symbol} is not set\n"
                                for symbol, value in settings.items()), encoding="utf-8")
        yield path
