# SPDX-License-Identifier: GPL-2.0-only
"""Two CPUs that write one variable: each write of both is told, also where they come at the same instant."""

from collections import Counter

from kgdbrig.testing import WRITE
from kgdbrig.testing.plugin import Boot

ROUNDS = 5
#: On CPU 0 the values 1, 2, ..., on CPU 1 the values 11, 12, ...
WRITER = "taskset {mask} sh -c 'for i in {numbers}; do echo {cpu}$i > /proc/sys/kernel/panic; done' & "


def test_each_write_of_both(boot: Boot) -> None:
    numbers = " ".join(str(number) for number in range(1, ROUNDS + 1))
    guest = boot(smp=2)
    # Of two writes at once, the machine stops for the first when the second has been done: that one then changes nothing.
    guest.watch("panic_timeout", unchanged=True)
    accesses = guest.accesses("".join(WRITER.format(mask=1 << cpu, numbers=numbers, cpu=cpu) for cpu in (0, 1)) + "wait")
    assert {access.kind for access in accesses} == {WRITE}
    assert Counter(access.cpu for access in accesses) == {0: ROUNDS, 1: ROUNDS}
    for access in accesses:
        # The value is what the variable has when the machine has stopped: mostly what this CPU has written.
        assert int(access.new) in range(1, ROUNDS + 1) or int(access.new) in range(11, 11 + ROUNDS)
