# SPDX-License-Identifier: GPL-2.0-only
"""Every arrow between the files of the kernel code points one way, and a planted one that does not is found."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kgdbrig import paths
from kgdbrig.errors import RigError
from kgdbrig.judging import direction


def compiled(directory: Path, planted: dict[str, str]) -> list[Path]:
    """An object for each file of USES: it defines NAME_of_its_own, or is what is `planted`."""
    for name in direction.USES:
        source = planted.get(name, f"int {name.replace('-', '_')}_of_its_own(void) {{ return 0; }}\n")
        path = directory / f"{name}.c"
        path.write_text(source, encoding="utf-8")
        subprocess.run(["gcc", "-c", "-o", str(path.with_suffix(".o")), str(path)], check=True)
    return sorted(directory.glob("*.o"))


def test_includes_go_one_way() -> None:
    assert direction.bad_includes() == []


def test_nobody_uses_whoever_uses_him() -> None:
    """The list itself has no circle, nor with the calls down that go by struct kgdb_slot_arch.

    Only kgdb_hit_record() goes up again, as <linux/kgdb_slots.h> says.
    """
    assert not direction.circles(direction.USES)
    assert not direction.circles({**direction.USES, "slots": direction.USES["slots"] | {"kgdb-slots"}})
    assert direction.circles({**direction.USES, "kgdb-state": {"kgdb-qemu"}}) in (
        ["kgdb-state", "kgdb-qemu", "kgdb-state"], ["kgdb-qemu", "kgdb-state", "kgdb-qemu"])


def test_every_file_is_in_the_picture() -> None:
    files = {path.stem for top in ("gdbstub", "arch/x86") for path in (paths.REPOSITORY / top).glob("*.c")
             if "kunit" not in path.stem}
    assert files == direction.USES.keys()
    picture = (paths.REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    assert not [name for name in files if f"{name}.c" not in picture]


@pytest.mark.parametrize("file, line", [("gdbstub/slots.c", '#include "table.h"'),
                                        ("arch/x86/kgdb-check.c", '#include "../../gdbstub/slots.h"'),
                                        ("arch/x86/kgdb-slots.c", "#include <linux/kgdb_watch.h>"),
                                        ("gdbstub/tests/fuzz.c", '#include "../slots.h"'),
                                        ("gdbstub/include/linux/kgdb_watch.h", '#include "slots.h"')])
def test_a_planted_include_is_found(tmp_path: Path, file: str, line: str) -> None:
    for top in ("gdbstub", "arch"):
        shutil.copytree(paths.REPOSITORY / top, tmp_path / top)
    path = tmp_path / file
    path.write_text(f"{line}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    header = re.split('["<>]', line)[1]
    assert direction.bad_includes(tmp_path) == [f"{file} includes {header}"]


def test_a_planted_back_call_is_found(tmp_path: Path) -> None:
    assert direction.bad_calls(compiled(tmp_path, {})) == []
    back = {"slots": "int table_of_its_own(void); int go(void) { return table_of_its_own(); }\n",
            "kgdb-slots": "int hit_of_its_own(void); int up(void) { return hit_of_its_own(); }\n"}
    assert direction.bad_calls(compiled(tmp_path, back)) == ["kgdb-slots.o uses hit_of_its_own of hit.o",
                                                             "slots.o uses table_of_its_own of table.o"]


def test_the_architecture_reports_hits(tmp_path: Path) -> None:
    assert direction.bad_calls(compiled(tmp_path, {
        "hit": f"void {direction.UP}(void) {{ }}\n",
        "kgdb-slots": f"void {direction.UP}(void); void report(void) {{ {direction.UP}(); }}\n"})) == []


def test_what_was_not_built_is_missed(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="no object of slots was built"):
        direction.bad_calls([path for path in compiled(tmp_path, {}) if path.stem != "slots"])
