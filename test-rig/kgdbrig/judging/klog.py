# SPDX-License-Identifier: GPL-2.0-only
"""What a guest's kernel has written to its log, and which of that is a complaint.

The log is read from the guest's memory, so that it can be looked at whatever
the guest does: its shell at work, stopped in the debugger, or dead.
"""

from __future__ import annotations

import re

from kgdbrig import arches
from kgdbrig.errors import RigError
from kgdbrig.machines.anymachine import AnyMachine

#: What a kernel writes when it has something to complain of.
COMPLAINT = re.compile(r"\bERROR\b|WARNING|\bBUG\b|\bINFO: (?!NMI handler)|KASAN: |"
                       r"possible (recursive|circular|irq)|suspicious RCU|inconsistent lock state|"
                       r"detected stall|lockup|LOCKUP|blocked for more|scheduling while atomic|"
                       r"sleeping function|\bOops\b|Call Trace|cut here|Timed out waiting|CPU \d+ did not stop|Uhhuh|"
                       r"re-enter|Recursive entry")

#: Where the log is: an array of 1 << CONFIG_LOG_BUF_SHIFT bytes, with the text of the messages (kernel/printk).
_BUFFER = "__log_buf"
_SHIFT = "CONFIG_LOG_BUF_SHIFT"
#: What lies there between two messages: their headers, and bytes that were never written.
_BETWEEN = re.compile(rb"[^\t\n -~]+")


def complaints(log: str, *expected: str) -> list[str]:
    """The lines of a kernel log that are complaints, and have no match of one of `expected`."""
    return [line for line in log.splitlines() if COMPLAINT.search(line) and not any(re.search(said, line) for said in expected)]


def read(machine: AnyMachine) -> str:
    """The messages that are in the kernel's log, those included that dmesg has cleared, in no certain order.

    RigError for a machine whose memory cannot be read: one that has ended, or
    is not QEMU's.
    """
    kernel = machine.kernel
    shift = kernel.config.get(_SHIFT)
    if shift is None:
        raise RigError(f"{kernel.source} has no {_SHIFT}")
    address = kernel.symbol(_BUFFER) - arches.find(kernel.arch).text_offset
    return _BETWEEN.sub(b"\n", machine.memory(address, 1 << int(shift))).decode("ascii")
