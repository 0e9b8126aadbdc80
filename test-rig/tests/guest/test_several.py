# SPDX-License-Identifier: GPL-2.0-only
"""One access to several watchpoints: one stop that names all of them, for a client that takes that (multi-wp-addr)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conftest import Boot
from drive import go_on_wire, prepare, set_and_go_on, stop_on_wire, stops_on_wire
from kgdbrig.clients import trigger
from kgdbrig.clients.kdb import Kdb
from kgdbrig.clients.rsp import Rsp, StopReply
from kgdbrig.clients.target import Target
from kgdbrig.clients.trigger import Op, line

HERE = 64
OFFER = "multi-wp-addr+"
#: What gdb 18 offers, in part.
OFFERS = ("multiprocess+", "swbreak+", "hwbreak+", "error-message+", OFFER)

Hit = tuple[str, int]
#: Sets of watchpoints, as type, offset from HERE and length; an access of 4 bytes at HERE; and the stops that say so, each
#: as reason and offset from HERE: for a client that takes several at once, and for any other.
CASES: dict[str, tuple[list[tuple[int, int, int]], Op, list[list[Hit]], list[list[Hit]]]] = {
    "apart": ([(2, 0, 2), (2, 2, 2)], "write", [[("watch", 0), ("watch", 2)]], [[("watch", 0)], [("watch", 2)]]),
    "nested": ([(4, 0, 4), (2, 0, 2)], "write", [[("watch", 0), ("awatch", 0)]], [[("watch", 0)]]),
    "nested and apart": ([(2, 0, 1), (2, 2, 2), (4, 0, 4)], "write", [[("watch", 0), ("awatch", 0), ("watch", 2)]],
                         [[("watch", 0)], [("watch", 2)]]),
    "of one kind": ([(2, 0, 4), (2, 0, 1)], "write", [[("watch", 0)]], [[("watch", 0)]]),
    "four": ([(2, 0, 1), (4, 1, 1), (2, 2, 1), (4, 3, 1)], "write",
             [[("watch", 0), ("awatch", 1), ("watch", 2), ("awatch", 3)]],
             [[("watch", 0)], [("awatch", 1)], [("watch", 2)], [("awatch", 3)]]),
    "a read of two kinds": ([(3, 0, 4), (4, 0, 4)], "read", [[("rwatch", 0), ("awatch", 0)]], [[("rwatch", 0)]]),
    "a read of two, apart": ([(3, 0, 2), (4, 2, 2)], "read", [[("rwatch", 0), ("awatch", 2)]],
                             [[("rwatch", 0)], [("awatch", 2)]]),
    "a write beside one for reads": ([(3, 0, 2), (2, 2, 2)], "write", [[("watch", 2)]], [[("watch", 2)]]),
    "one of two": ([(2, 0, 2), (2, 8, 2)], "write", [[("watch", 0)]], [[("watch", 0)]]),
}


def connect(target: Target, *offers: str) -> Rsp:
    """A client as gdb is one: its offer, then '?'."""
    target.break_in()
    rsp = Rsp(target.line, target.kernel.arch)
    if offers:
        accepted = rsp.offer(*offers)
        assert accepted == ";".join(each for each in ("error-message+", OFFER) if each in offers)
    assert rsp.request("?") == "S05"
    return rsp


def stops(target: Target, rsp: Rsp, op: Op) -> list[list[Hit]]:
    """What the stops of an access of 4 bytes at HERE say; the machine runs again."""
    value = None if op == "read" else 0x11223344
    said = stops_on_wire(target, rsp, line(op, size=4, offset=HERE, value=value))
    rsp.send("c")
    target.back()
    return [told(target, each) for each in said]


def told(target: Target, said: StopReply) -> list[Hit]:
    """Each reason of a stop, with its offset from HERE; the reply has no other field than these and the thread."""
    assert said.signal == 5
    assert said.text == f"T05thread:{said.thread};" + "".join(
        f"{reason}:{address:0{target.hex_digits}x};" for reason, address in said.hits)
    return [(reason, address - target.trigger.address(HERE)) for reason, address in said.hits]


def packets(target: Target, watches: list[tuple[int, int, int]]) -> list[str]:
    return [f"{kind},{target.trigger.address(HERE + offset):x},{length:x}" for kind, offset, length in watches]


@pytest.mark.rest_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("offered", [True, False], ids=["offered", "not offered"])
def test_what_a_stop_names(target: Target, offered: bool) -> None:
    """Each hit is reported once, in as few stops as the client takes; and so again for the next access."""
    prepare(target)
    with connect(target, *OFFERS[:len(OFFERS) if offered else -1]) as rsp:
        for name, (watches, op, at_once, one_by_one) in CASES.items():
            specs = packets(target, watches)
            set_and_go_on(target, rsp, *(f"Z{spec}" for spec in specs))
            for _ in range(2):
                assert stops(target, rsp, op) == (at_once if offered else one_by_one), name
            target.break_in()
            assert rsp.wait_stop().reason is None
            for spec in specs:
                assert rsp.request(f"z{spec}") == "OK"
        rsp.send("c")
        target.back()
    target.expect_armed(0)


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_the_reason_again(target: Target) -> None:
    """'?' is answered with all that the stop reply named, though it removes the watchpoints; nothing is left for another stop."""
    prepare(target)
    with connect(target, *OFFERS) as rsp:
        set_and_go_on(target, rsp, *(f"Z{spec}" for spec in packets(target, [(2, 0, 2), (4, 2, 2)])))
        said = stop_on_wire(target, rsp, "write", size=4, offset=HERE, value=1)
        assert told(target, said) == [("watch", 0), ("awatch", 2)]
        # A client offers before it asks.
        assert rsp.offer(*OFFERS) == f"error-message+;{OFFER}"
        assert rsp.request("?") == rsp.request("?") == said.text
        go_on_wire(target, rsp)
    target.expect_armed(0)


#: What comes between a client that offers and the next, which does not, and does not say so either.
def detaches(target: Target, rsp: Rsp) -> None:
    target.break_in()
    rsp.wait_stop()
    assert rsp.request("D") == "OK"
    target.back()


def detaches_at_once(target: Target, rsp: Rsp) -> None:
    """At the very stop at which it offers."""
    target.break_in()
    rsp.wait_stop()
    rsp.offer(*OFFERS)
    assert rsp.request("D") == "OK"
    target.back()


def kills(target: Target, rsp: Rsp) -> None:
    target.break_in()
    rsp.wait_stop()
    rsp.send("k")
    target.back()


def goes_away(_target: Target, _rsp: Rsp) -> None:
    """Its line is cut while the machine runs."""


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("leaves", [detaches, detaches_at_once, kills, goes_away])
def test_who_comes_after(target: Target, leaves: Callable[[Target, Rsp], None]) -> None:
    """What one client has offered the next does not get: neither several watchpoints, nor texts."""
    prepare(target)
    specs = packets(target, [(2, 0, 2), (2, 2, 2)])
    with connect(target, *OFFERS) as rsp:
        rsp.send("c")
        target.back()
        leaves(target, rsp)
    target.tap.wait_client_gone()
    target.break_in()
    with Rsp(target.line, target.kernel.arch) as rsp:
        if leaves is goes_away:
            # The stub was told of nobody's leaving: its stop reply is waiting for whoever comes.
            rsp.synchronize()
            assert rsp.request("?") == "S05"
        for spec in specs:
            assert rsp.request(f"Z{spec}") == "OK"
        assert rsp.request("Z2,400000,4") == "E22"
        rsp.send("c")
        target.back()
        assert stops(target, rsp, "write") == [[("watch", 0)], [("watch", 2)]]
        # It may still say what it takes.
        target.break_in()
        rsp.wait_stop()
        assert rsp.offer(*OFFERS) == f"error-message+;{OFFER}"
        assert rsp.request("Z2,400000,4") == "E.the address is in user space"
        rsp.send("c")
        target.back()
        assert stops(target, rsp, "write") == [[("watch", 0), ("watch", 2)]]


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("offers", [(), ("multi-wp-addr-",), ("xmulti-wp-addr+",), ("multi-wp-addr+x",)],
                         ids=["nothing", "not", "another", "more"])
def test_an_offer_that_is_none(target: Target, offers: tuple[str, ...]) -> None:
    """Each takes back what was offered before."""
    prepare(target)
    with connect(target, *OFFERS) as rsp:
        assert rsp.offer(*offers) == ""
        set_and_go_on(target, rsp, *(f"Z{spec}" for spec in packets(target, [(2, 0, 2), (2, 2, 2)])))
        assert stops(target, rsp, "write") == [[("watch", 0)], [("watch", 2)]]


def kgdb(kdb: Kdb, packet: str) -> None:
    assert kdb.packet(packet) == "OK"


@pytest.mark.rest_in_test_all
def test_kdb_in_between(target: Target) -> None:
    """gdb gives the line to kdb, which lets the machine go on; gdb is back at the next stop, without a word, as what it was."""
    prepare(target)
    with target.attach_kdb() as kdb:
        kdb.to_gdb()
        assert kdb.packet(f"qSupported:{OFFER}") == OFFER
        for spec in packets(target, [(2, 0, 2), (2, 2, 2)]):
            kgdb(kdb, f"Z{spec}")
        kdb.to_kdb()
        kdb.go()
        target.back()
        target.trigger.start("write", size=4, offset=HERE, value=1)
        assert "due to watchpoint" in kdb.entered()
        kdb.go()
        # The other one: kdb names one at a time.
        assert "due to watchpoint" in kdb.entered()
        kdb.to_gdb()
        kdb.send_packet("c")
        target.trigger.finish()
        target.trigger.start("write", size=4, offset=HERE, value=2)
        base = target.trigger.address(HERE)
        assert kdb.receive_packet().endswith(f";watch:{base:x};watch:{base + 2:x};")
        kdb.send_packet("c")
        target.trigger.finish()


@pytest.mark.rest_in_test_all
def test_kdb_s_are_apart(target: Target) -> None:
    """What only kdb watches is no field of gdb's, which would not know it: it is a stop of its own, with a text."""
    prepare(target)
    with connect(target, *OFFERS) as rsp:
        base = target.trigger.address(HERE)
        rsp.request(f"qRcmd,{f'bph 0x{base + 1:x} dataw 1'.encode().hex()}")
        set_and_go_on(target, rsp, *(f"Z{spec}" for spec in packets(target, [(2, 0, 1), (2, 2, 1), (4, 3, 1)])))
        target.expect_armed(4)
        rsp.output.clear()
        assert told(target, stop_on_wire(target, rsp, "write", size=4, offset=HERE, value=1)) == [("watch", 0)]
        rsp.send("c")
        assert told(target, rsp.wait_stop()) == []
        assert f"kdb's watchpoint at 0x{base + 1:x}" in "".join(rsp.output)
        rsp.send("c")
        assert told(target, rsp.wait_stop()) == [("watch", 2), ("awatch", 3)]
        go_on_wire(target, rsp)
        target.break_in()
        rsp.wait_stop()
        rsp.request(f"qRcmd,{b'bc *'.hex()}")
        rsp.send("c")
        target.back()


def name_of(rsp: Rsp, said: StopReply) -> str:
    """What KGDB calls the thread of a stop."""
    return bytes.fromhex(rsp.request(f"qThreadExtraInfo,{said.thread}")).rstrip(b"\0").decode()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("removed", [False, True], ids=["left", "one removed"])
def test_other_cpus_have_stops_of_their_own(boot: Boot, removed: bool) -> None:
    """CPUs hit the same two at once: one stop for each, with its thread, and both of them, as far as they are still there.

    A hit waits while another CPU is in the debugger, and gdb may remove one of the two there: as often as it takes for
    some to have waited.  It is the one that QEMU does not name: hardware names both, QEMU the shorter.
    """
    target = boot(smp=4)
    prepare(target)
    specs = packets(target, [(2, 0, 1), (2, 2, 2)])
    masters = target.kernel.symbol("masters_in_kgdb")
    with connect(target, *OFFERS) as rsp:
        set_and_go_on(target, rsp, *(f"Z{spec}" for spec in specs))
        waited = rounds = 0
        while waited < 3:
            rounds += 1
            assert rounds < 40, f"in {rounds} rounds only {waited} hits had to wait"
            target.trigger.start_lines(*(trigger.line("write", size=4, offset=HERE, value=cpu, cpu=cpu) for cpu in range(4)))
            left, names = [("watch", 0), ("watch", 2)], []
            for number in range(4):
                said = rsp.wait_stop()
                assert told(target, said) == left, (rounds, number)
                names.append(name_of(rsp, said))
                # The CPU in the debugger, and those that wait to get there with a hit of their own.
                waited += int.from_bytes(rsp.read_memory(masters, 4), "little") - 1
                if removed and not number:
                    assert rsp.request(f"z{specs[1]}") == "OK"
                    left = left[:1]
                if removed and number == 3:
                    assert rsp.request(f"Z{specs[1]}") == "OK"
                rsp.send("c")
            target.trigger.finish()
            assert sorted(names) == [f"kgdb_trigger/{cpu}" for cpu in range(4)]
