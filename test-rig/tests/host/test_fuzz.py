# SPDX-License-Identifier: GPL-2.0-only
"""A short run of the packet fuzzer; `make fuzz` is for long ones."""

from __future__ import annotations

import re
from pathlib import Path

from build_pure import SOURCES, build, run

RUNS = 200_000
SEED = 1

#: What the run must have come across, or it found nothing because it got nowhere.
OUTCOMES = {
    "insert", "remove", "planned",
    "not a Z or z packet", "the type is not one of 0 to 4", "no comma after the type",
    "the address is not a hex number", "the address has too many digits", "no comma after the address",
    "the length is not a hex number", "the length has too many digits", "garbage after the length",
    "not a hardware breakpoint or watchpoint", "the hardware cannot watch for reads alone", "the length is zero",
    "the length is not 1, 2, 4 or 8", "the region wraps around the end of memory",
    "the address is not aligned to the length",
}


def test_fuzz_packet(tmp_path: Path) -> None:
    fuzzer = build("fuzz_packet", tmp_path)
    done = run([str(fuzzer), f"-dict={SOURCES / 'fuzz_packet.dict'}", "-max_len=64", f"-runs={RUNS}", f"-seed={SEED}",
                f"-artifact_prefix={tmp_path}/"], tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"Done {RUNS} runs" in done.stdout

    seen = {what: int(count) for count, what in re.findall(r"^outcome: (\d+) (.*)$", done.stdout, re.MULTILINE)}
    assert set(seen) == OUTCOMES, done.stdout[-4000:]
    packets = sum(count for what, count in seen.items() if what in ("insert", "remove"))
    assert packets > RUNS // 100, "nearly all of the run was spent on text that is no packet"
