# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel complains of in any test is heard, whatever the guest does when the test ends."""

from __future__ import annotations

import pytest

from conftest import Boot, expect_no_complaint
from kgdbrig.clients.target import Target
from kgdbrig.judging import klog

PLANTED = "WARNING: rig: planted"
PLANT = f"echo '<4>{PLANTED}' > /dev/kmsg"


def expect_heard(target: Target) -> None:
    """The planted complaint alone, which fails a test that does not expect it, and no other."""
    heard = klog.complaints(klog.read(target.machine))
    assert len(heard) == 1 and heard[0].endswith(PLANTED), heard
    with pytest.raises(AssertionError, match=PLANTED):
        expect_no_complaint([target], "another one")
    expect_no_complaint([target], "another one", "rig: planted$")


@pytest.mark.rest_in_test_all
@pytest.mark.i386
@pytest.mark.complains(PLANTED)
def test_a_planted_complaint_is_heard(boot: Boot) -> None:
    """Of a guest that has cleared its log, that is stopped, and that has two CPUs which run at the same time."""
    quiet, target = boot(), boot(smp=2, parallel=True)
    target.console.run(f"{PLANT}; dmesg -c > /dev/null", check=True)
    expect_heard(target)
    gdb = target.attach_gdb()
    expect_heard(target)
    target.resume(gdb)
    expect_no_complaint([quiet])


@pytest.mark.rest_in_test_all
@pytest.mark.complains("Call Trace")
def test_a_dead_guest_is_heard(boot: Boot) -> None:
    target = boot()
    target.console.run("echo 60 > /proc/sys/kernel/panic", check=True)
    expect_no_complaint([target])
    target.console.start("echo c > /proc/sysrq-trigger")
    target.console.expect("Rebooting in 60 seconds", 60)
    with pytest.raises(AssertionError, match="Call Trace"):
        expect_no_complaint([target])
