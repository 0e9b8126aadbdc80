# SPDX-License-Identifier: GPL-2.0-only
"""What `rig check` finds in the machine code of the exception entries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kgdbrig.judging.check import entry

CODE = """
	.text
asm_exc_debug:
	mov %gs:{assembly}(%rip), %eax
	call exc_debug
	ret
asm_exc_nmi:
	ret
paranoid_entry:
	mov __per_cpu_offset(,%rax,8), %rax
	ret
paranoid_exit:
	ret
exc_debug:
	testb $3, 8(%rsp)
	jne 2f
1:	incl %gs:cpu_db_depth(%rip)
	mov %gs:cpu_dr7(%rip), %rax
	mov %gs:behind(%rip), %rbx
	ret
2:	mov %gs:{branch}(%rip), %eax
	jmp 1b
exc_nmi:
	testb $3, 8(%rsp)
	jne 3f
	mov %db7, %rax
	mov %gs:behind(%rip), %rbx
	ret
3:	jmp __x86_return_thunk
	mov %gs:behind(%rip), %rbx
	ret
"""


def found(tmp_path: Path, **symbols: str) -> list[str]:
    source, built = tmp_path / "entry.s", tmp_path / "entry.o"
    source.write_text(CODE.format(**symbols), encoding="ascii")
    subprocess.run(["as", "--64", "-o", built, source], check=True)
    return entry.touched([built], tmp_path)


def test_what_is_refused_may_be_touched(tmp_path: Path) -> None:
    """And what is touched behind the look at cpu_dr7 or DR7, or behind a jump that leaves, does not count."""
    assert found(tmp_path, assembly="x86_spec_ctrl_current", branch="cpu_dr7") == []


@pytest.mark.parametrize(("place", "function"), [("assembly", "asm_exc_debug"), ("branch", "exc_debug")])
def test_anything_else_is_named(tmp_path: Path, place: str, function: str) -> None:
    symbols = {"assembly": "cpu_dr7", "branch": "cpu_dr7", place: "planted"}
    assert found(tmp_path, **symbols) == [f"{function} touches planted with breakpoints enabled"]


def test_a_function_that_is_not_there(tmp_path: Path) -> None:
    """exc_debug_kernel() may be a part of its caller; the others have to be found."""
    assert entry.touched([], tmp_path) == [f"{name}: no such function was built" for name in (
        *entry.ASSEMBLY, "exc_debug", "exc_nmi")]
