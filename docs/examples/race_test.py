# SPDX-License-Identifier: GPL-2.0-only
"""Two CPUs that write one variable: who comes when, and what the other one then finds."""

from itertools import pairwise

from kgdbrig.testing.plugin import Boot

ROUNDS = 5
#: On CPU 0 the values 1, 2, ..., on CPU 1 the values 11, 12, ...
WRITER = "taskset {mask} sh -c 'for i in {numbers}; do echo {cpu}$i > /proc/sys/kernel/panic; done' & "


def test_each_write_of_both(boot: Boot) -> None:
    numbers = " ".join(str(number) for number in range(1, ROUNDS + 1))
    guest = boot(smp=2)
    guest.watch("panic_timeout")
    accesses = guest.accesses("".join(WRITER.format(mask=1 << cpu, numbers=numbers, cpu=cpu) for cpu in (0, 1)) + "wait")
    for cpu in (0, 1):
        written = [int(access.new) for access in accesses if access.cpu == cpu]
        assert written == [10 * cpu + number for number in range(1, ROUNDS + 1)]
    # Nothing was written between two of them that we have not seen.
    for before, after in pairwise(accesses):
        assert after.old == before.new
