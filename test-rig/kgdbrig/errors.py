# SPDX-License-Identifier: GPL-2.0-only
"""The errors the rig raises.

Every error meant for a person derives from RigError.  Its message says what
went wrong, where, and what to do about it; the command line prints it without
a traceback and exits with its status.
"""

from __future__ import annotations

from pathlib import Path


class RigError(Exception):
    """Something a person can act on; str() is the whole message."""

    status = 1


class MissingDependency(RigError):
    """A program or a package that has to be installed is not there."""

    def __init__(self, what: str, package: str = "") -> None:
        command = f"test-rig/install-deps.sh {package}".strip()
        super().__init__(f"{what} is not installed: run {command}")


class SourceError(RigError):
    """Kernel source that is missing, damaged or of an unknown version."""


class OverlayError(RigError):
    """A part of the overlay, or one of the kernel patches, cannot be laid over a tree."""


class SeriesError(RigError):
    """The series of patches for a mailing list cannot be made."""


class BuildError(RigError):
    """A build that failed; the message ends with the tail of its log."""

    def __init__(self, step: str, log: Path, tail: str) -> None:
        super().__init__(f"{step} failed; the end of {log}:\n{tail}")
        self.step = step
        self.log = log


class MachineError(RigError):
    """The emulator did not start, ended early, or did not answer."""


class QmpError(MachineError):
    """QEMU's monitor refused a command or went away."""


class RigTimeout(RigError):
    """A deadline passed.

    `awaited` names what was waited for, `seconds` how long; `tail` holds the
    last lines of the console, gdb or wire, whichever shows why.
    """

    def __init__(self, awaited: str, seconds: float, tail: str = "") -> None:
        message = f"no {awaited} within {seconds:g} s"
        if tail:
            message += f"; last seen:\n{tail}"
        super().__init__(message)
        self.awaited = awaited
        self.seconds = seconds
        self.tail = tail
