# SPDX-License-Identifier: GPL-2.0-only
"""From whatever is on a console, a login or a shell, to a shell at our prompt."""

from __future__ import annotations

from collections.abc import Callable

import pexpect
from pexpect import fdpexpect

from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.machines.description import Login
from kgdbrig.wait import Deadline

#: What is looked for, in the order of _SIGNS: what answers what it has the shell say first, a message that ends like a
#: prompt last.  Behind a prompt a shell may ask the terminal something.
_SHELL_ANSWERS, _LOGIN, _PASSWORD, _SHELL = range(4)
_END = r" *(?:\x1b\[[0-9;?]*[A-Za-z] *)*$"
_SIGNS = ["shell-42", f"ogin:{_END}", f"assword:{_END}", f"[#$]{_END}"]
#: How long the shell, or the login, may take to answer before it is asked again, in seconds.
_ANSWER_SECONDS = 5.0
#: How often it does not when there is no use in asking again.
_UNANSWERED = 3
#: How often the login may ask for who it is: something may have been typed into it before.
_LOGINS = 3
#: The share of bytes that are no text, from which on a line has another rate.
_GARBAGE = 0.2


class LogIn:
    """One way to a shell, on a console that is read through `shell` and written to with `send`.

    A call goes on with it for so many seconds: RigTimeout when it takes longer,
    and the next call goes on from there.  RigError when there is no way.  When it
    returns, the shell was given `prompt`, which is the next thing that it says.
    """

    def __init__(self, shell: fdpexpect.fdspawn, send: Callable[[str], None], tail: Callable[[], str], login: Login,
                 prompt: str) -> None:
        self._shell, self._send, self._tail, self._login = shell, send, tail, login
        # What the terminal echoes of this is neither the sum nor the prompt.
        self._ask = f"stty cols 4096; export PS1='{prompt[:3]}''{prompt[3:]}'; echo shell-$((6*7))\n"
        self._asked = self._unanswered = 0
        self._patience = Deadline(0)

    def __call__(self, timeout: float) -> None:
        deadline = Deadline(timeout)
        while True:
            if self._patience.passed():
                # A message may have come behind the prompt.
                self._type("\n")
            try:
                found = self._shell.expect(_SIGNS, timeout=min(self._patience.left(), deadline.left()))
            except pexpect.TIMEOUT:
                self._unanswered += self._patience.passed()
                why = _garbage(self._shell.before)
                if deadline.passed() or (why and self._shell.before and self._unanswered >= _UNANSWERED):
                    raise RigTimeout(f"login or shell on the console{why}", deadline.seconds, self._tail()) from None
            except (pexpect.EOF, OSError):
                raise RigError(f"the console was closed; its last lines:\n{self._tail()}") from None
            else:
                if found == _SHELL_ANSWERS:
                    return
                self._answer(found)

    def _answer(self, found: int) -> None:
        if found == _SHELL:
            self._type(self._ask)
        elif found == _LOGIN:
            self._asked += 1
            if self._asked > _LOGINS:
                raise RigError(f"the console does not let {self._login.user} in:\n{self._tail()}")
            self._type(f"{self._login.user}\n")
        elif self._login.password is None:
            raise RigError(f"the console wants a password of {self._login.user}: --login {self._login.user}:PASSWORD")
        else:
            self._type(f"{self._login.password}\n")

    def _type(self, text: str) -> None:
        self._send(text)
        self._patience = Deadline(_ANSWER_SECONDS)


def _garbage(text: str) -> str:
    """What to add to an error when what has come is no text."""
    if not text:
        return " (nothing comes: is it the right line, and does the machine run?)"
    strange = sum(not (character.isprintable() or character in "\r\n\t\x1b") or character == "\ufffd" for character in text)
    if strange > _GARBAGE * len(text):
        return " (what comes is no text: the line has another rate, or other settings than 8N1)"
    return ""
