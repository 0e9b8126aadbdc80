# SPDX-License-Identifier: GPL-2.0-only
"""Connects a person's terminal to a guest's console socket."""

from __future__ import annotations

import os
import selectors
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kgdbrig.errors import RigError

#: Ctrl-], telnet's own.
_LEAVE = b"\x1d"


def attach(console: Path) -> None:
    """Pass everything between standard input and output and the console, until Ctrl-] or its end.

    Only one client at a time gets a console; a second one hears nothing.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(str(console))
        except OSError as error:
            raise RigError(f"cannot connect to the console {console}: {error.strerror}; does its machine run?") \
                from error
        print(f"rig: the console of {console.parent}; Ctrl-] leaves it", file=sys.stderr, flush=True)
        with _raw(), selectors.PollSelector() as events:  # epoll takes no files
            events.register(line, selectors.EVENT_READ)
            events.register(sys.stdin.fileno(), selectors.EVENT_READ)
            if sys.stdin.isatty():
                line.sendall(b"\n")  # for a prompt
            while _pass_on(line, events):
                pass
    print("\nrig: left the console", file=sys.stderr)


def _pass_on(line: socket.socket, events: selectors.BaseSelector) -> bool:
    for key, _ in events.select():
        if key.fileobj is line:
            received = line.recv(65536)
            if not received:
                return False
            os.write(sys.stdout.fileno(), received)
        else:
            typed = os.read(sys.stdin.fileno(), 65536)
            before, leave, _ = typed.partition(_LEAVE)
            line.sendall(before)
            if leave or not typed:
                return False
    return True


@contextmanager
def _raw() -> Iterator[None]:
    """The terminal in raw mode, so that Ctrl-C and the rest reach the guest; no terminal, no change."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
