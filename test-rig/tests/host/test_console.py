# SPDX-License-Identifier: GPL-2.0-only
"""A command's end and output in what the guest's console says, where the kernel's messages may be anywhere."""

from __future__ import annotations

import re

import pytest

from kgdbrig.clients.console import end_of_command, printed

MESSAGE = "[    7.054813] sysrq: DEBUG\r\n"


@pytest.mark.parametrize("said", [
    "mark=0\r\nrig# ",
    f"ma{MESSAGE}rk=0\r\nrig# ",
    f"mark={MESSAGE}0\r\nrig# ",
    f"mark=0{MESSAGE}\r\nrig# ",
    f"mark=0\r{MESSAGE}\nrig# ",
    f"mark=0\r\n{MESSAGE}rig# ",
    f"mark=0\r\nri{MESSAGE}g# ",
    f"ma{MESSAGE}{MESSAGE}rk=0\r{MESSAGE}\nrig{MESSAGE}# ",
])
def test_it_is_found(said: str) -> None:
    found = re.search(end_of_command("mark"), f"what it said\r\n{said}", re.DOTALL)
    assert found and found[1] == "0"


@pytest.mark.parametrize("said", ["mark=$?\r\nrig# ", "mark=0\r\n", "mark=0 rig# ", f"mark=0\r{MESSAGE}rig# "])
def test_it_is_not_there_yet(said: str) -> None:
    assert not re.search(end_of_command("mark"), said, re.DOTALL)


def test_what_was_printed() -> None:
    said = "cat x; echo mark=$?\r\none\r\ntwo\r\n"
    assert printed(said, "mark") == "one\ntwo\n"
    for place in range(len(said) + 1):
        assert printed(said[:place] + MESSAGE + said[place:], "mark") == "one\ntwo\n", place
