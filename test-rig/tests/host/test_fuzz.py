# SPDX-License-Identifier: GPL-2.0-only
"""A short run of each fuzzer; `make fuzz` is for long ones."""

from __future__ import annotations

import os
import re
from pathlib import Path

from build_pure import SOURCES, build, run

SEED = 1
LONGER = 3 if os.environ.get("TEST_ALL") else 1
#: What the packets start from: libFuzzer may take another way each time, seed or not, and these outcomes are rare on any.
PACKETS = ("Z2,ffffffffffffffff,2", "z4,1000,0", "Z0,1000,1", "Z3,ffffffff81000000,8")

PARSE_REASONS = {
    "not a Z or z packet", "the type is not one of 0 to 4", "no comma after the type",
    "the address is not a hex number", "the address has too many digits", "no comma after the address",
    "the length is not a hex number", "the length has too many digits", "garbage after the length",
}
PLAN_OUTCOMES = {
    "planned", "needs more slots", "not a hardware breakpoint or watchpoint", "the length is zero",
    "the region wraps around the end of memory",
}


def fuzz(name: str, directory: Path, runs: int, *options: str) -> dict[str, int]:
    """Let a fuzzer try `runs` inputs; how often it came to which outcome."""
    fuzzer = build(name, directory)
    done = run([str(fuzzer), *options, f"-runs={runs}", f"-seed={SEED}", f"-artifact_prefix={directory}/"], directory)
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"Done {runs} runs" in done.stdout
    return {what: int(count) for count, what in re.findall(r"^outcome: (\d+) (.*)$", done.stdout, re.MULTILINE)}


def test_fuzz_packet(tmp_path: Path) -> None:
    runs = 100_000 * LONGER
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, packet in enumerate(PACKETS):
        (corpus / f"{number}").write_text(packet, encoding="ascii")
    seen = fuzz("fuzz_packet", tmp_path, runs, f"-dict={SOURCES / 'fuzz_packet.dict'}", "-max_len=64", str(corpus))
    assert set(seen) == {"insert", "remove"} | PARSE_REASONS | PLAN_OUTCOMES
    assert seen["insert"] + seen["remove"] > runs // 100, "nearly all of the run was spent on text that is no packet"


def test_fuzz_plan(tmp_path: Path) -> None:
    runs = 200_000 * LONGER
    seen = fuzz("fuzz_plan", tmp_path, runs, "-max_len=32")
    assert set(seen) == PLAN_OUTCOMES
    assert seen["planned"] > runs // 100, "nearly nothing was planned"


def test_fuzz_match(tmp_path: Path) -> None:
    runs = 80_000 * LONGER
    seen = fuzz("fuzz_match", tmp_path, runs, "-max_len=48")
    assert {"no stop", "one stop", "two stops", "three stops", "emulator: a stop", "emulator: no stop"} <= set(seen)
    assert seen["one stop"] > runs // 20, "nearly nothing was hit"
    assert seen["two stops"] > runs // 500, "next to no access was reported by more than one stop"
