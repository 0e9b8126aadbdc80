# SPDX-License-Identifier: GPL-2.0-only
"""What can be expected of accesses, what is written of them, and the statuses that docs/who.md lists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kgdbrig import paths
from kgdbrig.clients import noanswer
from kgdbrig.clients.accesses import READ, WRITE, Access, Place, Wanted
from kgdbrig.commands import cli
from kgdbrig.commands.told import Told
from kgdbrig.errors import RigError
from kgdbrig.judging import expect
from kgdbrig.kernels.given import NotOurs, given

PLACES = (Place("inner", "a.c", 3, "*x = 1;", True), Place("outer", None, None, None, False),
          Place("caller", "b.c", 5, None, False))


def access(number: int, new: str = "7", kind: str = WRITE, places: tuple[Place, ...] = PLACES) -> Access:
    return Access(number, "x", kind, "0", new, 0xffffffff81000000, True, places, 1, 36, "sh", "irq")


TWO = [access(1), access(2, "9")]
ELSEWHERE = access(3, places=PLACES[2:])


@pytest.mark.parametrize("words, accesses, missed", [
    ("none", [], ""), ("none", TWO, "there were 2 accesses, not none"),
    ("2", TWO, ""), ("0", [], ""), ("3", TWO, "there were 2 accesses, not 3"),
    ("=9", TWO, ""), ("= 9", TWO, ""), ("=7", TWO, "access 2 left x = 9, not 7"), ("=9", [], "there was no access"),
    ("in inner", TWO, ""), ("in outer", TWO, ""), ("in caller", TWO, "access 1 is in inner in outer, not in caller"),
    ("in inner", [*TWO, ELSEWHERE], "access 3 is in caller, not in inner"), ("in inner", [], "there was no access"),
])
def test_what_is_expected(words: str, accesses: list[Access], missed: str) -> None:
    said = expect.parse(words).missed(accesses)
    assert said.startswith(missed) and bool(said) == bool(missed)


@pytest.mark.parametrize("words", ["", "some", "-1", "=", "= ", "in", "in a b", "inner"])
def test_what_cannot_be(words: str) -> None:
    with pytest.raises(RigError, match="nothing can be expected as"):
        expect.parse(words)


def test_for_a_person() -> None:
    assert str(access(1)) == ("1  x: 0 -> 7, written by sh (36) on CPU 1, irq\n   inner at a.c:3: *x = 1;\n   inlined in outer\n"
                              "   called by caller\n")
    assert str(access(4, kind=READ, places=PLACES[2:])) == "4  x: 7, read by sh (36) on CPU 1, irq\n   caller at b.c:5\n"


def test_the_table() -> None:
    told = Told([Wanted("x")], [], accesses=[*TWO, ELSEWHERE])
    assert told.table() == ("count  access  of  at\n    2  write   x   inner at a.c:3\n    1  write   x   caller at b.c:5")
    assert Told([Wanted("x")], []).table() == "no access"


def test_for_programs(tmp_path: Path) -> None:
    told = Told([Wanted("x")], [expect.parse("2"), expect.parse("none")], accesses=TWO)
    stored = json.loads(told.json())
    assert stored["accesses"][0]["places"][0] == {"function": "inner", "file": "a.c", "line": 3, "text": "*x = 1;",
                                                  "inlined": True}
    assert [one["missed"] for one in stored["expected"]] == [None, "there were 2 accesses, not none"]
    for error, counts in ((None, ("2", "1", "0")), (noanswer.Died("it \x1b[6ndied\0"), ("2", "0", "2"))):
        told.write_junit(tmp_path / "junit.xml", error)
        suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == counts


def test_each_status_is_listed() -> None:
    text = (paths.REPOSITORY / "docs/who.md").read_text(encoding="utf-8")
    listed = [int(status) for status in re.findall(r"^\| (\d{1,3}) \| [^-]", text.partition("## The status")[2], re.MULTILINE)]
    kinds = [noanswer.NoAnswer, *noanswer.NoAnswer.__subclasses__()]
    assert sorted(listed) == sorted([0, 1, 130, *(kind.status for kind in kinds)])
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("words", [["--no-such-option"], ["x", "--seconds", "soon"], ["x", "--expect", "some"],
                                   ["x", "--vmlinux", "vmlinux"]])
def test_what_is_no_question_is_no_answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """git bisect would go on with argparse's status."""
    assert cli.main(["who", *words]) == noanswer.NoAnswer.status
    assert capsys.readouterr().err


def test_a_kernel_of_others(tmp_path: Path) -> None:
    """What is no kernel, has no symbols or no patches is refused with the reason."""
    source, built, image = tmp_path / "kernel.c", tmp_path / "vmlinux", tmp_path / "image"
    image.touch()

    def build(text: str) -> None:
        source.write_text(text, encoding="ascii")
        subprocess.run(["gcc", "-c", "-o", str(built), str(source)], check=True)

    def refused(error: type[RigError], words: str) -> None:
        with pytest.raises(error, match=words), given(built, image, "x86_64"):
            pass

    refused(RigError, "vmlinux is not there")
    built.write_text("text", encoding="ascii")
    refused(RigError, "no vmlinux with symbols")
    build('const char *linux_banner = "Linux version 6.12.1-mine (me)";')
    refused(NotOurs, "without our patches .*'make series'")
    build("void kgdb_watch_enter(void) { }")
    refused(RigError, "no Linux kernel")
    build('const char *linux_banner = "Linux version 6.12.1-mine (me)"; void kgdb_watch_enter(void) { }')
    with given(built, image, "x86_64") as kernel:
        assert (kernel.version, kernel.release, kernel.config) == ("6.12", "6.12.1-mine", {})
        assert kernel.symbol("kgdb_watch_enter") == 0
    assert not kernel.directory.exists()
    (tmp_path / ".config").write_text("CONFIG_KGDB=y\n# CONFIG_KGDB_SERIAL_CONSOLE is not set\n", encoding="ascii")
    refused(RigError, "CONFIG_KGDB_SERIAL_CONSOLE is n, and is to be y")
