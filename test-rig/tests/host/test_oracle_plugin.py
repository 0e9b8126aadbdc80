# SPDX-License-Identifier: GPL-2.0-only
"""The oracle is compiled for the QEMU that there is: the interface of its plugins has changed since Debian 12's."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgdbrig.errors import RigError
from kgdbrig.machines import oracle


@pytest.mark.parametrize(("said", "version"), [
    ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", 1), ("QEMU emulator version 8.2.0", 1),
    ("QEMU emulator version 9.1.0", 3), ("QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)", 3)])
def test_the_interface(said: str, version: int) -> None:
    assert oracle.interface(said) == version


def test_a_qemu_that_says_nothing() -> None:
    with pytest.raises(RigError, match="QEMU does not say its version: 'no'"):
        oracle.interface("no")


@pytest.mark.parametrize("version", [1, 3])
def test_it_compiles(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KGDB_RIG_CACHE", str(tmp_path))
    plugin = oracle.compiled(version).read_bytes()
    per_vcpu = b"qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu\0"
    assert (per_vcpu in plugin) == (version == 3)
