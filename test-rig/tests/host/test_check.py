# SPDX-License-Identifier: GPL-2.0-only
"""How the rig reads what checkpatch, sparse and the compiler say."""

from __future__ import annotations

from pathlib import Path

from kgdbrig.judging.check import bench, diagnostics, patches

PATCH = """\
From 0 Mon Sep 17 00:00:00 2001
Subject: [PATCH] a thing

---
diff --git a/kernel/a.c b/kernel/a.c
new file mode 100644
--- /dev/null
+++ b/kernel/a.c
@@ -0,0 +1,4 @@
+void a(void)
+{
+}
+NOKPROBE_SYMBOL(a);
"""


def test_a_notice_of_checkpatch_has_its_file_and_line(tmp_path: Path) -> None:
    patch = tmp_path / "0001-a.patch"
    patch.write_text(PATCH, encoding="utf-8")
    said = (f"{patch}:6: WARNING:FILE_PATH_CHANGES: added file(s), does MAINTAINERS need updating?\n"
            f"{patch}:13: CHECK:LINE_SPACING: Please use a blank line after function\n"
            f"{patch}:10: CHECK:LINE_SPACING: Please use a blank line after function\n")
    found = patches.notices(said, patch)
    assert [(notice.kind, notice.file, notice.line) for notice in found] == [
        ("FILE_PATH_CHANGES", "kernel/a.c", "new file mode 100644"),
        ("LINE_SPACING", "kernel/a.c", "NOKPROBE_SYMBOL(a);"),
        ("LINE_SPACING", "kernel/a.c", "void a(void)")]
    assert [notice.explained() is not None for notice in found] == [True, True, False]


def test_only_new_messages_count() -> None:
    before = "kernel/a.c:10:3: warning: old\ninclude/h.h:5:1: warning: everywhere\n  CC      kernel/a.o\n"
    after = ("kernel/a.c:12:3: warning: old\nkernel/a.c:40:3: warning: old\nkernel/b.c:1:1: error: new\n"
             "include/h.h:5:1: warning: everywhere\ninclude/h.h:5:1: warning: everywhere\n")
    assert diagnostics.new_messages(before, after, ["kernel/a.c", "kernel/b.c"]) == [
        "kernel/a.c:40:3: warning: old", "kernel/b.c:1:1: error: new"]


def test_what_objtool_says_has_no_line() -> None:
    """It names the object, and an offset that any other change moves."""
    before = "kernel/a.o: warning: objtool: f+0x10: call without frame pointer save/setup\n"
    after = ("kernel/a.o: warning: objtool: f+0x30: call without frame pointer save/setup\n"
             "kernel/a.o: warning: objtool: f+0x50: call without frame pointer save/setup\n"
             "kernel/a.o: warning: objtool: g+0x5: call to h() leaves .noinstr.text section\n")
    assert diagnostics.new_messages(before, after, ["kernel/a.c"]) == [
        "kernel/a.o: warning: objtool: f+0x50: call without frame pointer save/setup",
        "kernel/a.o: warning: objtool: g+0x5: call to h() leaves .noinstr.text section"]


def test_an_object_that_two_makes_compile_is_named() -> None:
    """At the same time, they would write the same files: what one of them reads may be half written."""
    once = "  CC      arch/x86/kernel/kgdb.o\n  AS      arch/x86/power/asm.o\n"
    assert bench.compiled_twice(once) == ""
    assert bench.compiled_twice(f"{once}  CC      arch/x86/kernel/kgdb.o\n").startswith(
        "error: two makes compile arch/x86/kernel/kgdb.o: ")


def test_patterns_of_maintainers() -> None:
    assert patches.covered("kernel/debug/watchpoint/a/b.c", ["kernel/debug/watchpoint/"])
    assert patches.covered("arch/x86/kernel/kgdb-watch.c", ["include/x.h", "arch/*/kernel/kgdb-watch.c"])
    assert not patches.covered("arch/x86/y/kernel/kgdb-watch.c", ["arch/*/kernel/kgdb-watch.c"])
    assert not patches.covered("kernel/debug/watchpoint", ["kernel/debug/watchpoint/"])
    assert not patches.covered("kernel/debug/core.c", ["kernel/debug/watchpoint/"])
