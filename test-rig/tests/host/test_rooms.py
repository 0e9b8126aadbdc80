# SPDX-License-Identifier: GPL-2.0-only
"""The rig's modules lie in rooms, and use what docs/rig.md states: their own room and those before it."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest

from kgdbrig import paths

PACKAGE = paths.REPOSITORY / "test-rig/kgdbrig"


def stated() -> list[str]:
    """The rooms, in the order of the table in docs/rig.md."""
    return re.findall(r"^\| `(\w+)/` \|", (paths.REPOSITORY / "docs/rig.md").read_text(encoding="utf-8"), re.MULTILINE)


def named() -> set[str]:
    """The modules and packages that the table names, by their paths."""
    found: set[str] = set()
    room = ""
    text = (paths.REPOSITORY / "docs/rig.md").read_text(encoding="utf-8")
    for first, second in re.findall(r"^\| (`\w+/`)? *\| (`.*?) \|", text, re.MULTILINE):
        room = first.strip("`/") or room
        if room:
            found.update(f"{room}/{name.rstrip('/')}" for name in re.findall(r"`(\w+\.py|\w+/)`", second))
    return found


def uses(package: Path) -> dict[str, set[str]]:
    """What each module of a package imports of the others, by their paths ("ROOM/NAME.py")."""
    modules = {path.relative_to(package).as_posix() for path in package.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name in modules:
        used = found.setdefault(name, set())
        for node in ast.walk(ast.parse((package / name).read_text(encoding="utf-8"))):
            # One form of import, which is the one that is read here.
            assert not isinstance(node, ast.Import) or not any(alias.name.startswith("kgdbrig") for alias in node.names), name
            assert not isinstance(node, ast.ImportFrom) or not node.level, name
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kgdbrig":
                place = "/".join((node.module or "").split(".")[1:])
                # A module that is named, a package's own code, or a module of it.
                for path in (f"{place}.py", f"{place}/__init__.py",
                             *(f"{place}/{alias.name}.py".lstrip("/") for alias in node.names)):
                    if path in modules and (package / path).stat().st_size:
                        used.add(path)
    return found


def wrong(package: Path, rooms: list[str]) -> list[str]:
    """Imports that go upwards or in a circle, and folders that are no room."""
    order = ["", *rooms]
    used = uses(package)

    def room(name: str) -> str:
        return name.split("/")[0] if "/" in name else ""

    found = [f"{name} lies in no room" for name in sorted(used) if room(name) not in order]
    found += [f"{name} imports {other}" for name in sorted(used) for other in sorted(used[name])
              if room(name) in order and room(other) in order[order.index(room(name)) + 1:]]
    try:
        graphlib.TopologicalSorter({name: others - {name} for name, others in used.items()
                                    if not name.endswith("__init__.py")}).prepare()
    except graphlib.CycleError as error:
        found.append("a circle: " + " ".join(error.args[1]))
    return found


def test_the_table_names_each_module() -> None:
    there = {path.relative_to(PACKAGE).as_posix() for room in stated() for path in (PACKAGE / room).iterdir()
             if not path.name.startswith("__")}
    assert named() == there


def test_every_import_goes_down() -> None:
    assert stated() == [room for room in stated() if (PACKAGE / room).is_dir()] != []
    assert wrong(PACKAGE, stated()) == []
    assert "machines/qmp.py" in uses(PACKAGE)["machines/qemu.py"]


@pytest.mark.parametrize("text", ["import kgdbrig.high.b\n", "from ..high import b\n"])
def test_another_form_of_import_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"^a\.py"):
        wrong(tmp_path, [])


@pytest.mark.parametrize("planted, said", [
    ({"low/a.py": "from kgdbrig.high import b\n", "high/b.py": "x = 1\n"}, ["low/a.py imports high/b.py"]),
    ({"low/a.py": "def f():\n    from kgdbrig.high.b import x\n", "high/b.py": "x = 1\n"}, ["low/a.py imports high/b.py"]),
    ({"a.py": "from kgdbrig.low import b\n", "low/b.py": "x = 1\n"}, ["a.py imports low/b.py"]),
    ({"low/a.py": "from kgdbrig.low import b\n", "low/b.py": "from kgdbrig.low.a import f\n"}, ["a circle: "]),
    ({"attic/a.py": "x = 1\n"}, ["attic/a.py lies in no room"]),
    ({"a.py": "x = 1\n", "low/a.py": "from kgdbrig import a\n", "high/b.py": "from kgdbrig.low.a import x\n"}, [])])
def test_one_that_goes_up_is_found(tmp_path: Path, planted: dict[str, str], said: list[str]) -> None:
    for name, text in planted.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = wrong(tmp_path, ["low", "high"])
    assert len(found) == len(said) and all(line.startswith(start) for line, start in zip(found, said, strict=True)), found


def test_the_trigger_s_files_use_each_other_in_no_circle() -> None:
    """What a file of the guest's module defines for the others, and who names it."""
    texts = {path.name: re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
             for path in paths.TRIGGER.glob("*.c")}
    definition = re.compile(r"^(?!static)[a-z][\w \t*]*?\b((?:kgdb_)?trigger_\w+)[\[(][^;]*?(?:\n\{|;$)", re.MULTILINE)
    defined = {symbol: name for name, text in texts.items() for symbol in definition.findall(text)}
    assert (defined["trigger_get_line"], defined["trigger_perform"]) == ("line.c", "access.c")
    graph = {name: {defined[symbol] for symbol in re.findall(r"\b(?:kgdb_)?trigger_\w+", text) if symbol in defined} - {name}
             for name, text in texts.items()}
    assert graph["run.c"] == {"access.c", "line.c", "run_line.c"}
    graphlib.TopologicalSorter(graph).prepare()
