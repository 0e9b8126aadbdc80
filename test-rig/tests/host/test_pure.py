# SPDX-License-Identifier: GPL-2.0-only
"""Packets, plans and matches on the host, under AddressSanitizer and UBSan, for both word sizes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from build_pure import build, run

#: What gdbstub/tests/test_*.c have; checked against what the program lists.
TESTS = ("parse_table", "table_has_every_reason", "parse_every_prefix", "parse_every_byte", "parse_every_insertion",
         "parse_every_number_of_digits", "format_table", "format_everything", "offer_table", "offer_everything", "round_trip",
         "plan_table", "plan_everything", "plan_far_and_wide", "plan_bytes",
         "match_table", "match_random_scenes", "match_emulated_scenes", "match_all_pairs",
         "oracle_agrees_with_the_tables")

PROGRAMS = {64: "test_pure", 32: "test_pure32"}

#: The program for a word size, built when it is first asked for.
Program = Callable[[int], Path]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    directory = tmp_path_factory.mktemp("pure")

    @lru_cache
    def built(bits: int) -> Path:
        if bits == 32 and not compiles_for_32_bits(directory):
            pytest.fail("gcc does not link for 32 bits here: apt-get install gcc-12-multilib")
        return build(PROGRAMS[bits], directory)
    return built


def compiles_for_32_bits(directory: Path) -> bool:
    source = directory / "probe.c"
    source.write_text("#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n", encoding="ascii")
    return run(["gcc", "-m32", "-fsanitize=address,undefined", "-o", "probe", source.name], directory).returncode == 0


@pytest.mark.parametrize("bits", PROGRAMS)
def test_the_list_is_complete(program: Program, bits: int) -> None:
    listed = run([str(program(bits))], program(bits).parent)
    assert listed.stdout.split() == list(TESTS)
    assert listed.returncode == 0


@pytest.mark.parametrize("bits", PROGRAMS)
@pytest.mark.parametrize("name", TESTS)
def test_pure(program: Program, bits: int, name: str) -> None:
    done = run([str(program(bits)), name], program(bits).parent)
    assert done.returncode == 0, done.stdout
    summary = re.search(rf"^{name}: (\d+) checks, 0 failed$", done.stdout, re.MULTILINE)
    assert summary and int(summary[1]) > 0, done.stdout
