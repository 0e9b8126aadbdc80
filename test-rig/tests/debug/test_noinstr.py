# SPDX-License-Identifier: GPL-2.0-only
"""Code that must not be instrumented (noinstr) calls none that may be: objtool looks at the whole kernel."""

from __future__ import annotations

import pytest

from kgdbrig.kernels.kernel import Kernel


@pytest.mark.one_version
def test_it_leaves_its_section_for_nothing(debug_kernel: Kernel) -> None:
    """local_db_save(), the entries of #DB and NMI, and what they call of ours."""
    assert debug_kernel.config["CONFIG_NOINSTR_VALIDATION"] == "y"
    said = (debug_kernel.directory / "build.log").read_text(encoding="utf-8", errors="replace")
    assert "vmlinux.o" in said
    assert not [line for line in said.splitlines() if ".noinstr.text" in line]
