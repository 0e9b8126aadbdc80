# SPDX-License-Identifier: GPL-2.0-only
"""Every way to be rid of a watchpoint frees its slot on all CPUs, and nobody is stopped any more."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import back_over_int3, go_on, prepare, stop_in_gdb, stop_storing, store_all_the_time, watched
from kgdbrig.clients.console import BREAK_IN
from kgdbrig.clients.target import Target
from kgdbrig.judging.klog import complaints

CPUS = 2


@pytest.fixture
def armed(boot: Boot) -> Target:
    target = boot(smp=CPUS)
    prepare(target)
    return target


def assert_free(target: Target) -> None:
    """Nothing armed, and perf can have all four slots of each CPU."""
    target.expect_armed(0)
    for cpu in range(CPUS):
        target.trigger.run("write", size=4, offset=0, value=0x100 + cpu, cpu=cpu)


@pytest.mark.parametrize("command", ["delete", "delete 1", "disable", "disable 1"])
def test_delete_and_disable(armed: Target, command: str) -> None:
    gdb = armed.attach_gdb()
    gdb.command(f"watch {watched(armed, 0, 4)}")
    armed.resume(gdb)
    armed.expect_armed(1)
    stop_in_gdb(armed, gdb, "write", size=4, offset=0, value=1, cpu=1)
    gdb.command(command)
    go_on(armed, gdb)
    assert_free(armed)

    if command == "disable":
        armed.break_in()
        gdb.wait_stop()
        gdb.command("enable")
        armed.resume(gdb)
        armed.expect_armed(1)
        assert "hit Hardware watchpoint 1: " in stop_in_gdb(armed, gdb, "write", size=4, offset=0, value=2)


@pytest.mark.parametrize("command", ["detach", "kill"])
def test_detach_and_kill(armed: Target, command: str) -> None:
    """The machine goes on, without its watchpoints."""
    gdb = armed.attach_gdb()
    gdb.command(f"watch {watched(armed, 0, 4)}")
    armed.resume(gdb)
    stop_in_gdb(armed, gdb, "write", size=4, offset=0, value=1, cpu=1)
    gdb.command(command)
    armed.trigger.finish()
    assert_free(armed)


def test_sigkill_while_it_runs_and_reconnect(armed: Target) -> None:
    """gdb dies; its watchpoint stays armed and stops the machine for the next gdb, which hears why."""
    gdb = armed.attach_gdb()
    gdb.command(f"watch {watched(armed, 0, 4)}")
    armed.resume(gdb)
    gdb.kill()
    armed.tap.wait_client_gone()
    armed.trigger.start("write", size=4, offset=0, value=1, cpu=1)

    mark = armed.tap.mark()
    gdb = armed.reattach_gdb()
    asked = next(index for index, packet in enumerate(armed.tap.since(mark)) if packet.data == b"?")
    answer = next(packet for packet in armed.tap.since(mark)[asked:]
                  if packet.direction == "kgdb>" and packet.data.startswith((b"T", b"S")))
    assert re.fullmatch(rf"T05thread:[0-9a-f]+;watch:{armed.trigger.address():0{armed.hex_digits}x};", answer.data.decode())
    go_on(armed, gdb)
    assert_free(armed)


def test_sigkill_while_it_is_stopped_and_reconnect(armed: Target) -> None:
    gdb = armed.attach_gdb()
    gdb.command(f"watch {watched(armed, 0, 4)}")
    armed.resume(gdb)
    stop_in_gdb(armed, gdb, "write", size=4, offset=0, value=1, cpu=1)
    gdb.kill()
    armed.tap.wait_client_gone()
    gdb = armed.reattach_gdb()
    go_on(armed, gdb)
    assert_free(armed)

    # The same machine serves the new gdb as it served the first.
    armed.break_in()
    gdb.wait_stop()
    gdb.command(f"watch {watched(armed, 0, 4)}")
    armed.resume(gdb)
    assert "hit Hardware watchpoint 1: " in stop_in_gdb(armed, gdb, "write", size=4, offset=0, value=9, cpu=0)


def test_a_stop_for_another_cause_says_nothing_of_watchpoints(armed: Target) -> None:
    rsp = armed.attach_rsp()
    assert rsp.request(f"Z2,{armed.trigger.address():x},4") == "OK"
    rsp.send("c")
    armed.back()
    armed.trigger.start("write", size=4, offset=0, value=1)
    assert rsp.wait_stop().reason == "watch"
    rsp.send("c")
    armed.trigger.finish()
    armed.break_in()
    said = rsp.wait_stop()
    assert re.fullmatch(r"T05thread:[0-9a-f]+;", said.text)
    assert rsp.request("?") == "S05"
    rsp.send("c")
    armed.back()
    assert_free(armed)




@pytest.mark.only_in_test_all
@pytest.mark.parametrize("how", ["removed", "detached"])
def test_a_breakpoint_that_was_executed_already(boot: Boot, how: str) -> None:
    """CPUs that have executed the same int3 go on with the instruction it stood in for, once that is back.

    Some wait for the debugger by then, others are rounded up before they know what it is about.
    """
    target = boot(smp=4, parallel=True)
    prepare(target)
    code = target.symbol("trigger_write_4")
    masters = target.symbol("masters_in_kgdb")
    store_all_the_time(target)
    rsp = target.attach_rsp()
    waited, rounds = 0, 0
    while waited < 10 or rounds < 20:
        rounds += 1
        assert rounds < 200, f"in {rounds} rounds only {waited} CPUs had to wait"
        assert rsp.request(f"Z0,{code:x},1") == "OK"
        rsp.send("c")
        assert rsp.wait_stop().reason is None
        waited += int.from_bytes(rsp.read_memory(masters, 4), "little") - 1
        back_over_int3(rsp, code)
        mark = target.tap.mark()
        if how == "removed":
            assert rsp.request(f"z0,{code:x},1") == "OK"
            rsp.send("c")
        else:
            assert rsp.request("D") == "OK"
        target.back()
        assert not [packet for packet in target.tap.since(mark) if packet.data.startswith(b"T")]
        if how == "removed":
            target.break_in()
            assert rsp.wait_stop().reason is None
        else:
            # Linux 7.3 says nothing of the stop until the machine goes on; the packet waits for it at the port.
            target.console.start(BREAK_IN)
            rsp.request("?")
    rsp.send("c")
    target.back()
    stop_storing(target)
    assert not complaints(target.kernel_log())
