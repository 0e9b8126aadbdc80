# SPDX-License-Identifier: GPL-2.0-only
"""The guest's console: what the kernel says there is all heard, however late the rig comes to listen."""

from __future__ import annotations

import re

from conftest import Boot

MESSAGES = 300
MESSAGE = "said while the rig does something else, number"


def test_nothing_is_lost_while_nobody_listens(boot: Boot) -> None:
    """Linux 7.3 gives up a byte that its port does not take within 10 ms; it had lost some on a busy host."""
    target = boot()
    kdb = target.open_kdb()
    mark = target.tap.mark()
    target.console.start(f"echo on > /proc/sys/kernel/printk_devkmsg; for i in $(seq {MESSAGES}); do "
                         f"echo \"<0>{MESSAGE} $i\" > /dev/kmsg; done; echo g > /proc/sysrq-trigger")
    # Nothing of all this has been taken from the console when the machine is in the debugger.
    target.tap.wait_text(b"Entering kdb", 60, since=mark)
    kdb.entered()
    kdb.go()
    said = target.console.finish(60)
    assert [int(number) for number in re.findall(rf"\] {MESSAGE} (\d+)\n", said)] == list(range(1, MESSAGES + 1))
