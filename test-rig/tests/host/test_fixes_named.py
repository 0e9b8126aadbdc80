# SPDX-License-Identifier: GPL-2.0-only
"""Each fix of the series has a test that shows its fault; 'make test-fixes' sees that these tests fail without it."""

from __future__ import annotations

import ast

import pytest

from kgdbrig.judging import fixes
from kgdbrig.judging.fixes import FIXES, Prepares, Result, Shown
from kgdbrig.kernels import hooks, source


def named() -> list[str]:
    """The fixes of all versions."""
    return sorted({hook.path.name for version in source.VERSIONS for hook in hooks.load(version, upto=fixes.PART)})


def test_each_fix_has_its_test() -> None:
    assert fixes.wrong_entries(FIXES, named()) == []


def test_what_is_missing_or_too_much_is_found() -> None:
    assert fixes.wrong_entries({"a": None, "b": None}, ["b", "c"]) == ["no test is named for c",
                                                                      "a is no fix of the series"]


@pytest.mark.parametrize("name", FIXES)
def test_the_named_test_exists(name: str) -> None:
    shown = FIXES[name]
    if isinstance(shown, Prepares):
        assert isinstance(FIXES.get(shown.for_), Shown)
        return
    path, _, function = shown.test.partition("::")
    assert function in functions(path), f"{path} has no test {function}"
    assert name not in shown.beside
    assert set(shown.beside) <= FIXES.keys()


def test_what_works_on_any_kernel_exists() -> None:
    path, _, function = fixes.WORKS.partition("::")
    assert function in functions(path)


def test_what_a_fix_goes_on_top_of() -> None:
    """In the series as well, it comes after that."""
    assert fixes.needed("kgdb-wait-for-the-cpus-that-are-online.patch") == {"kgdb-name-the-cpus-that-did-not-stop.patch"}
    for version in source.VERSIONS:
        order = [hook.path.name for hook in hooks.load(version, upto=fixes.PART)]
        for number, name in enumerate(order):
            assert fixes.needed(name).isdisjoint(order[number:]), name


def functions(path: str) -> set[str]:
    """The test functions of a file below test-rig/tests."""
    tree = ast.parse((fixes.TESTS / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("cases, result, text", [
    ("<testcase/><testcase/>", Result.PASSES, ""),
    ("<testcase/><testcase><failure message='assert 1&#10;more'/></testcase>", Result.FAILS, "assert 1"),
    ("<testcase><failure message='no'/></testcase><testcase><error message='no kernel'/></testcase>",
     Result.IS_NOT_RUN, "no kernel"),
    ("<testcase><skipped message='why'/></testcase>", Result.IS_NOT_RUN, "why"),
    ("", Result.IS_NOT_RUN, "there is no such test")])
def test_only_a_failure_is_one(cases: str, result: Result, text: str) -> None:
    assert fixes.judged(f"<testsuites><testsuite>{cases}</testsuite></testsuites>") == (result, text)
