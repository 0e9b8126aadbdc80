# SPDX-License-Identifier: GPL-2.0-only
"""Hits in early boot, long before there is a shell, with gdb at hand at each."""

from kgdbrig.testing.plugin import Boot


def test_who_moves_the_system_s_state(boot: Boot) -> None:
    guest = boot(from_boot=True)
    assert "start_kernel" in guest.gdb("backtrace")
    guest.watch("system_state")
    accesses = guest.boot()
    assert [access.new for access in accesses] == ["SYSTEM_SCHEDULING", "SYSTEM_FREEING_INITMEM", "SYSTEM_RUNNING"]
    assert accesses[0].functions[0] == "rest_init" and accesses[0].pid == 0
