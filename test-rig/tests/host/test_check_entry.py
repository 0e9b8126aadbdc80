# SPDX-License-Identifier: GPL-2.0-only
"""What `rig check` finds in the machine code of the exception entries, and whether a guest is asked for all that it lets pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import entry_memory
from kgdbrig.errors import RigError
from kgdbrig.judging.check import entry
from kgdbrig.kernels.kernel import Kernel

CODE = """
	.text
asm_exc_debug:
	mov %gs:{assembly}(%rip), %eax
	call exc_debug
	ret
asm_exc_nmi:
	ret
{labels}
paranoid_entry:
	mov __per_cpu_offset(,%rax,8), %rax
	ret
paranoid_exit:
	ret
exc_debug:
	mov %gs:0x28, %rcx
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
4:	mov %db7, %rax
	mov %gs:behind(%rip), %rbx
	call {exit}
	mov %rax, %db7
	movl $1, %gs:{after}(%rip)
	call {called}
	jne 4b
	ret
3:	jmp __x86_return_thunk
	mov %gs:behind(%rip), %rbx
	ret
taker:
	lea planted(%rip), %rax
	mov 8(%rax), %eax
	ret
caller:
	call helper
	ret
helper:
	mov %gs:{within}(%rip), %eax
	ret
	.section .data..percpu, "aw", @progbits
	.skip 16
	.type static_one, @object
	.size static_one, 8
static_one:
	.quad 0
	.type nmi_state, @object
	.size nmi_state, 4
nmi_state:
	.long 0
"""
#: What of it is refused.
REFUSED = {"assembly": "cpu_dr7", "branch": "cpu_dr7", "after": "nmi_state", "called": "paranoid_exit", "within": "nmi_cr2",
           "exit": "irqentry_nmi_exit"}


def found(tmp_path: Path, **symbols: str) -> list[str]:
    source, built = tmp_path / "entry.s", tmp_path / "entry.o"
    labels = "".join(f"{name}:\n\tret\n" for name in entry.ASSEMBLY if f"\n{name}:" not in CODE)
    source.write_text(CODE.format(labels=labels, **REFUSED | symbols), encoding="ascii")
    subprocess.run(["as", "--64", "-o", built, source], check=True)
    return entry.touched([built], tmp_path)


def test_what_is_refused_may_be_touched(tmp_path: Path) -> None:
    """And what is touched behind the look at cpu_dr7 or DR7, or behind a jump that leaves, does not count."""
    assert found(tmp_path, assembly="x86_spec_ctrl_current") == []
    assert found(tmp_path, called="helper") == []


@pytest.mark.parametrize("symbol", ["planted", "static_one"])
@pytest.mark.parametrize(("place", "function"), [("assembly", "asm_exc_debug"), ("branch", "exc_debug"), ("after", "exc_nmi")])
def test_anything_else_is_named(tmp_path: Path, place: str, function: str, symbol: str) -> None:
    """Whether it is another file's, or one of the file's own, which goes by its place in a section."""
    assert found(tmp_path, **{place: symbol}) == [f"{function} touches {symbol} with breakpoints enabled"]


def test_the_stack_s_canary_has_no_symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "fixed_percpu_data.stack_canary"
    monkeypatch.setattr(entry, "REFUSED", entry.REFUSED - {canary})
    assert found(tmp_path) == [f"exc_debug touches {canary} with breakpoints enabled"]


def test_a_variable_whose_address_is_taken_counts(tmp_path: Path) -> None:
    assert found(tmp_path, called="taker") == ["exc_nmi touches planted with breakpoints enabled"]
    assert found(tmp_path, called="caller", within="planted") == ["exc_nmi touches planted with breakpoints enabled"]


def test_a_restore_that_is_not_found_is_said(tmp_path: Path) -> None:
    assert "exc_nmi has no call of irqentry_nmi_exit: what follows local_db_restore() is not looked at" in \
        found(tmp_path, exit="another_name")


def test_what_is_called_counts(tmp_path: Path) -> None:
    assert found(tmp_path, called="helper", within="planted") == ["exc_nmi touches planted with breakpoints enabled"]
    assert found(tmp_path, called="elsewhere") == ["exc_nmi calls elsewhere with breakpoints enabled"]


def test_a_function_that_is_not_there(tmp_path: Path) -> None:
    """exc_debug_kernel() may be a part of its caller; the others have to be found."""
    assert entry.touched([], tmp_path) == [f"{name}: no such function was built" for name in (
        *entry.ASSEMBLY, "exc_debug", "exc_nmi")]


def kernel(directory: Path, version: str, *options: str, without: str = "") -> Kernel:
    """One that has been built, with all variables that are refused but one, each in a place of its own."""
    directory.mkdir()
    refused = entry.REFUSED | entry.REFUSED_FOR_READS
    names = ["pcpu_hot", "fixed_percpu_data", *sorted(name for name in refused if "." not in name and name != without)]
    table = "".join(f"{64 * at:016x} D {name}\n" for at, name in enumerate(names))
    (directory / "System.map").write_text(table, encoding="ascii")
    (directory / "config").write_text("".join(f"CONFIG_{option}=y\n" for option in options), encoding="ascii")
    return Kernel(version=version, arch="x86_64", stock=False, key="", directory=directory, image=directory / "image",
                  vmlinux=directory / "vmlinux", release=version, source="a source")


def test_a_guest_is_asked_for_all_that_is_refused(tmp_path: Path) -> None:
    """By one version or another, where all is built that a kernel may lack; what is not there otherwise is told by an option."""
    options = sorted({*entry_memory.NEEDS.values()})
    asked = [entry_memory.symbols(kernel(tmp_path / version, version, *options)) for version in ("6.1", "6.12", "7.3")]
    assert set().union(*asked) == entry.REFUSED
    assert entry_memory.read_symbols(kernel(tmp_path / "reads", "7.3", *options)).keys() == entry.REFUSED_FOR_READS
    assert all(len({*found.values()}) == len(found) for found in asked), "two names, and one place"
    bare = entry_memory.symbols(kernel(tmp_path / "bare", "6.12"))
    assert asked[1].keys() - bare.keys() == {"kgdb_db", "nmi_stats", "pcpu_hot.call_depth",
                                              "fixed_percpu_data.stack_canary"}
    # Behind a pointer and two ints, and the number of calls where they are counted.
    assert (bare["pcpu_hot.top_of_stack"], asked[1]["pcpu_hot.top_of_stack"]) == (16, 24)


def test_what_is_refused_and_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="0 symbols called cpu_tlbstate"):
        entry_memory.symbols(kernel(tmp_path / "kernel", "7.3", without="cpu_tlbstate"))
