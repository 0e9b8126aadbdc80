# SPDX-License-Identifier: GPL-2.0-only
"""What `make test` leaves to `make test-all` is listed in docs/rig.md, file by file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from kgdbrig import paths

TESTS = Path(__file__).parents[1]


def uses(text: str, mark: str) -> bool:
    """Whether a module gives a mark to a test, to one of its parameters, or to all."""
    return any(isinstance(node, ast.Attribute) and node.attr == mark for node in ast.walk(ast.parse(text)))


def files_with(mark: str) -> set[str]:
    return {path.name for folder in ("guest", "host") for path in (TESTS / folder).glob("test_*.py")
            if uses(path.read_text(encoding="utf-8"), mark)}


def listed(mark: str) -> set[str]:
    """The files in the first column of the first table that begins behind the mark's name, or in whose head that is."""
    _, _, behind = (paths.REPOSITORY / "docs/rig.md").read_text(encoding="utf-8").partition(f"(`{mark}`)")
    rows = re.search(r"^\|.*?\n\n", behind, re.MULTILINE | re.DOTALL)
    assert rows, f"docs/rig.md has no table of {mark}"
    return set(re.findall(r"`(test_\w+\.py)`", "\n".join(row.split("|")[1] for row in rows[0].splitlines() if row)))


@pytest.mark.parametrize("mark", ["only_in_test_all", "rest_in_test_all"])
def test_the_list_is_complete(mark: str) -> None:
    assert listed(mark) == files_with(mark)


@pytest.mark.parametrize("text", ["@pytest.mark.only_in_test_all\ndef test_one(): pass\n",
                                  "@pytest.mark.parametrize('a', [pytest.param(1, marks=pytest.mark.only_in_test_all)])\n"
                                  "def test_one(a): pass\n", "pytestmark = [pytest.mark.only_in_test_all]\n"])
def test_a_mark_is_found(text: str) -> None:
    assert uses(text, "only_in_test_all") and not uses(text, "rest_in_test_all")
