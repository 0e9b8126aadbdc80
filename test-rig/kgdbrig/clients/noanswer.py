# SPDX-License-Identifier: GPL-2.0-only
"""Why nobody can say who accesses a variable."""

from __future__ import annotations

from kgdbrig.errors import RigError


class NoAnswer(RigError):
    """The question cannot be answered; the classes below say why.

    git bisect takes 125 for "skip this one", and ends at a status from 128 on: what is no answer is not taken for one.
    docs/who.md lists the statuses.
    """

    status = 200


class NotHere(NoAnswer):
    """This kernel does not build or boot."""

    status = 125


class NoSymbol(NoAnswer):
    """There is no such variable."""

    status = 201


class NotInMemory(NoAnswer):
    """It is not in memory, or gdb does not know where."""

    status = 202


class TooLong(NoAnswer):
    """The debug registers do not cover it."""

    status = 203


class NeverEnds(NoAnswer):
    """The command did not end in time; the machine lives."""

    status = 204


class Died(NoAnswer):
    """The guest panicked, or had an oops."""

    status = 205


class WentDown(NoAnswer):
    """The guest rebooted or powered off."""

    status = 206


class Hangs(NoAnswer):
    """The guest does not answer."""

    status = 207


class NoPatches(NoAnswer):
    """The kernel has no watchpoints in KGDB."""

    status = 208
