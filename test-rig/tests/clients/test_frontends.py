# SPDX-License-Identifier: GPL-2.0-only
"""What editors and IDEs see of a watchpoint: gdb's machine interface, and its Debugger Adapter Protocol."""

from __future__ import annotations

import re
import sys

import pytest

from frontends import Dap, Mi
from kgdbrig.clients import gdb
from kgdbrig.clients.gdb import Debugger
from kgdbrig.clients.target import Target
from test_session import GET, SET

pytestmark = pytest.mark.one_version

#: This machine's gdb, and those of the suites.
GDBS = ("", "trixie", "forky")


def of_suite(suite: str) -> Debugger:
    return gdb.of_suite(suite, sys.stderr) if suite else Debugger()


@pytest.mark.parametrize("suite", GDBS)
def test_machine_interface(target: Target, suite: str) -> None:
    """Each kind of watchpoint gives one stop for one access, with its reason."""
    with Mi(of_suite(suite), target.kernel.vmlinux) as mi:
        target.break_in()
        assert mi.command(f"kgdb-connect {target.line}").startswith("^done")
        for kind, expected in (("", r'\^done,wpt={number="1",exp="panic_timeout"}'),
                               (" -r", r'\^done,hw-rwpt={number="2",exp="panic_timeout"}'),
                               (" -a", r'\^done,hw-awpt={number="3",exp="panic_timeout"}')):
            assert re.match(expected, mi.command(f"-break-watch{kind} panic_timeout"))
        for number, command, fields in (
                (1, SET.format(7), ('reason="watchpoint-trigger"', 'wpt={number="1",exp="panic_timeout"}',
                                    'value={old="0",new="7"}')),
                (2, GET, ('reason="read-watchpoint-trigger"', 'hw-rwpt={number="2",exp="panic_timeout"}', 'value={value="7"}')),
                (3, GET, ('reason="access-watchpoint-trigger"', 'hw-awpt={number="3",exp="panic_timeout"}',
                          'value={new="7"}'))):
            # One at a time: what one access does to several is not gdb's to say in this interface.
            assert mi.command("-break-disable 1 2 3").startswith("^done")
            assert mi.command(f"-break-enable {number}").startswith("^done")
            mi.events.clear()
            assert mi.command("-exec-continue").startswith("^running")
            target.back()
            target.console.start(command)
            said = mi.stopped()
            assert [field for field in (*fields, 'func="do_proc_dointvec_conv"') if field not in said] == [], said
            assert re.match(r'\^done,stack=\[frame={level="0",', mi.command("-stack-list-frames 0 3"))
            assert mi.command("-exec-continue").startswith("^running")
            printed = target.console.finish()
            # A second stop for the access would be before this one.
            target.break_in()
            broke = mi.stopped()
            assert 'reason="signal-received"' in broke
            assert [event for event in mi.events if event.startswith("*stopped")] == [said, broke]
            assert printed.strip() == ("7" if command == GET else "")
        assert mi.command("-break-delete 1 2 3").startswith("^done")
        assert mi.command("-target-detach").startswith("^done")
    target.back()
    target.expect_armed(0)


@pytest.mark.parametrize("suite", GDBS[1:])
def test_debugger_adapter(target: Target, suite: str) -> None:
    """Watchpoints are set by its "repl", since it has no request for them; a hit is a "data breakpoint"."""
    with Dap(of_suite(suite), target.kernel.vmlinux) as dap:
        can = dap.request("initialize", adapterID="rig")
        assert not can.get("supportsDataBreakpoints")
        target.break_in()
        attached = dap.ask("attach", program=str(target.kernel.vmlinux), target=str(target.line))
        dap.event("initialized")
        dap.request("configurationDone")
        dap.answer(attached)
        assert dap.event("stopped")["reason"] == "attach"
        assert "Hardware watchpoint 1: panic_timeout" in dap.request(
            "evaluate", expression="watch panic_timeout", context="repl")["result"]
        dap.request("continue", threadId=1)
        target.console.finish()
        target.console.start(SET.format(7))
        stopped = dap.event("stopped")
        assert stopped["reason"] == "data breakpoint", stopped
        frames = dap.request("stackTrace", threadId=stopped["threadId"])["stackFrames"]
        assert "proc_dointvec" in frames[0]["name"]
        dap.request("evaluate", expression="delete", context="repl")
        dap.end()
    target.console.finish()
    target.expect_armed(0)
