# SPDX-License-Identifier: GPL-2.0-only
"""Two CPUs that write one variable: who comes when, and what the other one then finds."""

from kgdbrig.testing.plugin import Boot

ROUNDS = 5
WRITERS = "for cpu in 0 1; do " \
    "taskset $((1 << cpu)) sh -c \"for i in $(seq {rounds} | tr '\\n' ' '); do echo $cpu\\$i > /proc/sys/kernel/panic; done\" & " \
    "done; wait"


def test_each_write_of_both(boot: Boot) -> None:
    guest = boot(smp=2)
    guest.watch("panic_timeout")
    accesses = guest.accesses(WRITERS.format(rounds=ROUNDS))
    for cpu in (0, 1):
        written = [int(access.new) for access in accesses if access.cpu == cpu]
        assert written == [10 * cpu + number for number in range(1, ROUNDS + 1)]
    # Nothing was written between two of them that we have not seen.
    for before, after in zip(accesses, accesses[1:], strict=False):
        assert after.old == before.new
