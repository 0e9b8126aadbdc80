# SPDX-License-Identifier: GPL-2.0-only
"""gdb has all threads, also where the line spoils what is said about them and it has to be said again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from kgdbrig.clients.gdb import Gdb
from kgdbrig.clients.target import Target
from kgdbrig.line.tap import FROM_GDB, FROM_KGDB
from kgdbrig.line.wire import Framer

#: gdb asks for the threads with the first of these, and with the second as long as there are more.
FIRST, MORE = b"$qfThreadInfo#", b"$qsThreadInfo#"

#: More threads than there were in a packet of 1024 bytes.
MANY = 300


@dataclass
class Once:
    """Spoils one thing on the line, the first of its kind after a request."""

    request: bytes
    #: "request", "reply" or "acknowledgment" (that of the request).
    what: str
    asked: bool = False
    done: list[bytes] = field(default_factory=list)

    def __call__(self, direction: str, raw: bytes) -> list[bytes]:
        if direction == FROM_GDB and raw.startswith(self.request):
            self.asked = True
            spoil = self.what == "request"
        else:
            of_stub = self.asked and direction == FROM_KGDB
            spoil = of_stub and (raw == b"+" if self.what == "acknowledgment" else
                                 self.what == "reply" and raw.startswith(b"$"))
        if not spoil or self.done:
            return [raw]
        self.done.append(raw)
        # A wrong checksum, or nothing.
        return [] if raw == b"+" else [raw[:-2] + b"%02x" % (int(raw[-2:], 16) ^ 1)]


def threads(gdb: Gdb) -> list[str]:
    """The ids that gdb knows its threads by, after it has asked for them."""
    return sorted(re.findall(r"^[* ] +\d+ +Thread (\d+)", gdb.command("info threads"), re.MULTILINE))


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("what", ["request", "reply", "acknowledgment"])
@pytest.mark.parametrize("request_", [
    pytest.param(FIRST, id="first"), pytest.param(MORE, id="more", marks=pytest.mark.only_in_test_all)])
def test_gdb_keeps_its_threads(target: Target, request_: bytes, what: str) -> None:
    """What was spoiled is sent again, and the list is the same; gdb's own thread is in it."""
    gdb = target.attach_gdb()
    all_of_them = threads(gdb)
    assert len(all_of_them) > 20
    spoils = Once(request_, what)
    target.tap.fault = spoils
    said = threads(gdb)
    target.tap.fault = None
    assert len(spoils.done) == 1
    assert said == all_of_them
    assert "Thread" in gdb.command("thread")


def test_a_request_that_is_sent_again_has_the_same_reply(target: Target) -> None:
    """gdb acknowledges the reply that it discards, so the stub cannot know that it is asked again."""
    rsp = target.attach_rsp()
    first = rsp.request("qfThreadInfo")
    rest = rsp.request("qsThreadInfo")
    assert rsp.request("qsThreadInfo") == rest
    assert rsp.request("qfThreadInfo") == first
    assert rsp.request("qfThreadInfo") == first


@pytest.mark.rest_in_test_all
def test_more_threads_than_fit_into_the_buffer(target: Target) -> None:
    """All of them are in one reply."""
    target.console.run(f"for i in $(seq {MANY}); do sleep 1000 & done > /dev/null", 120)
    gdb = target.attach_gdb()
    mark = target.tap.mark()
    known = threads(gdb)
    assert len(known) > MANY
    replies = [packet for packet in target.tap.since(mark) if packet.direction == FROM_KGDB and packet.data[:1] == b"m"]
    assert len(replies) == 1 and replies[0].data.count(b",") == len(known) - 1
    assert next(iter(Framer().feed(replies[0].raw))).valid
    gdb.resume()
    target.back()
