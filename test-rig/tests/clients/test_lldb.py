# SPDX-License-Identifier: GPL-2.0-only
"""lldb sets hardware watchpoints through KGDB, and stops at the access."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conftest import CLIENT
from kgdbrig.clients.target import Target
from lldb_client import Lldb
from test_session import GET, SET

pytestmark = pytest.mark.one_version


@pytest.mark.parametrize(("kind", "letter", "access"), [("modify", "2", SET.format(7)), ("write", "2", SET.format(7)),
                                                        ("read", "3", GET), ("read_write", "4", GET)])
def test_a_watchpoint(target: Target, record_property: Callable[[str, object], None], kind: str, letter: str,
                      access: str) -> None:
    with Lldb(target.kernel.vmlinux) as lldb:
        record_property(CLIENT, lldb.version)
        target.break_in()
        lldb.connect(target.line)
        assert "kgdb_breakpoint" in lldb.command("bt 1")
        mark = target.tap.mark()
        assert "Watchpoint created: Watchpoint 1: " in lldb.command(f"watchpoint set variable -w {kind} panic_timeout")
        lldb.command("continue")
        target.back()
        assert [packet.data[:2].decode() for packet in target.tap.since(mark) if packet.data[:1] == b"Z"] == [f"Z{letter}"]
        target.console.start(access)
        said = lldb.await_said(r"stop reason = watchpoint 1")
        if letter == "2":
            assert "old value: 0\nnew value: 7" in said
        assert "do_proc_dointvec_conv" in said
        lldb.command("watchpoint delete")
        lldb.command("process detach")
    target.console.finish()
    target.expect_armed(0)
