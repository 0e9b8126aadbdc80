# SPDX-License-Identifier: GPL-2.0-only
"""Holds the kernel code against the order of its files: every arrow points one way.

The order is the one that docs/architecture.md states.  What a file includes is
read from its source, what it calls from the symbols that its object imports.
"""

from __future__ import annotations

import graphlib
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from kgdbrig import paths
from kgdbrig.errors import MissingDependency, RigError

_LIST = paths.REPOSITORY / "docs/architecture.md"


def _stated() -> dict[str, frozenset[str]]:
    """The list in docs/architecture.md: the block that is marked `uses`, with a line "FILE: OTHERS" for each file."""
    block = re.search(r"^```uses\n(.*?)^```$", _LIST.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if block is None:
        raise RigError(f"{_LIST} has no block marked `uses`: what each file may use is not stated")
    return {name: frozenset(others.split()) for name, _, others in (line.partition(":") for line in block[1].splitlines())}


#: What each file of gdbstub/ and arch/x86/ may use of the others, by their names without the ending.
USES = _stated()

#: The only function of gdbstub/ that the architecture calls.
UP = "kgdb_hit_record"

#: What the kernel's own inline functions call, wherever those are used: local_db_restore() does.
_INLINE = frozenset({"kgdb_nested_dr7"})

#: What an architecture knows of the core.
_CONTRACT = "linux/kgdb_slots.h"

#: Headers without a .c file of their own, which any file may include.
_SHARED = ("pure.h", "kgdb-x86.h")


def bad_includes(repository: Path = paths.REPOSITORY) -> list[str]:
    """Includes that go against USES, climb out of a directory, or give a private header to whoever includes a public one.

    Nor may an architecture's file include another of the core's headers than the contract.  "FILE includes HEADER" for
    each.
    """
    found = []
    for path in sorted(path for top in ("gdbstub", "arch") for path in (repository / top).rglob("*.[ch]")):
        name = path.relative_to(repository)
        text = path.read_text(encoding="utf-8")
        public = "include" in name.parts
        for header in re.findall(r'^#include "([^"]+)"', text, re.MULTILINE):
            if public or "/" in header or not _may_include(path.stem, header):
                found.append(f"{name} includes {header}")
        if name.parts[0] == "arch" and not public:
            found += [f"{name} includes {header}" for header in re.findall(r"^#include <(linux/kgdb_\w+\.h)>", text, re.MULTILINE)
                      if header != _CONTRACT]
    return found


def circles(uses: Mapping[str, Collection[str]]) -> list[str]:
    """Files that use each other, directly or by way of others: those of such a circle, in the order of their use."""
    try:
        graphlib.TopologicalSorter(uses).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _may_include(name: str, header: str) -> bool:
    if header in _SHARED or name not in USES or Path(header).stem == name:
        return True  # tests may include what they test
    return Path(header).stem in USES[name]


def bad_calls(objects: Iterable[Path]) -> list[str]:
    """Symbols that an object imports from another one against USES: "OBJECT uses SYMBOL of OBJECT" for each.

    Only objects of the files in USES count.  RigError when one of them is not there.
    """
    listed = {path.stem: _symbols(path) for path in objects if path.stem in USES}
    missing = sorted(USES.keys() - listed.keys())
    if missing:
        raise RigError(f"no object of {', '.join(missing)} was built: what it calls cannot be told")
    home = {symbol: name for name, (defined, _) in listed.items() for symbol in defined}
    found = []
    for name, (_, needed) in sorted(listed.items()):
        for symbol in sorted(needed & home.keys()):
            if symbol in _INLINE or (symbol == UP and name.startswith("kgdb-")):
                continue
            if home[symbol] != name and home[symbol] not in USES[name] and not _is_contract(name, home[symbol]):
                found.append(f"{name}.o uses {symbol} of {home[symbol]}.o")
    return found


def _is_contract(name: str, other: str) -> bool:
    """Down to the architecture's operations, by the one symbol that slots.c knows."""
    return name == "slots" and other == "kgdb-slots"


def _symbols(path: Path) -> tuple[set[str], set[str]]:
    """What an object defines for others, and what it needs of them."""
    try:
        said = subprocess.run(["nm", "--extern-only", str(path)], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise MissingDependency("binutils") from error
    except subprocess.CalledProcessError as error:
        raise RigError(f"{path} is no object: {error.stderr.strip()}") from error
    defined: set[str] = set()
    needed: set[str] = set()
    for kind, symbol in re.findall(r"^[0-9a-f ]+ (\w) (\S+)$", said, re.MULTILINE):
        (needed if kind == "U" else defined).add(symbol)
    return defined, needed
