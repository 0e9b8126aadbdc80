# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own KGDB tests, for long, on a busy machine whose kernel checks itself ('make endurance').

kgdbts stops the machine at every fork (F) or at every open (S), steps over the
breakpoint and goes on, a thousand times and more, on whichever CPU it happens,
while all CPUs fork, read directories and make the trigger's accesses.  The
kernel is that of configs/debug.config: lockdep, KASAN, and checks of sleeping
where one must not.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from kgdbrig.clients import trigger
from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError, RigTimeout
from kgdbrig.judging.klog import complaints
from kgdbrig.kernels import build
from kgdbrig.machines.description import Description
from kgdbrig.progress import Progress

CPUS = 4
CONFIG = "debug"
#: KASAN's shadow and quarantine want some.
MEMORY_MB = 1024
#: CPUs that take turns may let the guest's watchdog of clocks wait for milliseconds.  It takes the TSC for broken then, which
#: switches static keys, and KGDB can remove no breakpoint while a CPU that it holds is about to poke text.
APPEND = "tsc=nowatchdog"
#: What kgdbts is told: a thousand breakpoints at forks, ten thousand at opens.
TESTS = ("V1F1000", "V1S10000")
#: The same for less than a minute.
SHORT = ("V1F50I20", "V1S200I20")

#: How long the guest may be without a sign of progress, in seconds; it gives one at each hundred breakpoints.
_PATIENCE = 300.0
_PARAMETER = "/sys/module/kgdbts/parameters/kgdbts"
_WATCHPOINTS = "kgdbts:RUN access write breakpoint test"
_END = "Unregistered I/O driver kgdbts"
_runs = itertools.count(1)


class EnduranceError(RigError):
    """The kernel complained, or a test did not come to its end."""


@contextlib.contextmanager
def busy(target: Target) -> Iterator[None]:
    """Have every CPU fork, read directories and access memory while the block runs."""
    target.trigger.load()
    for cpu in range(target.smp):
        line = trigger.random_line(1 + cpu, 1_000, 1024, offset=1024 * cpu % trigger.BUFFER_SIZE, cpu=cpu)
        for load in (trigger.forever(line), "while :; do /bin/true; done",
                     "while :; do ls -lR /sys/kernel /proc/self > /dev/null 2>&1; done"):
            # Bound to its CPU, so that none is idle, and none is without the trigger, which lets the others have their turn.
            target.console.run(f'taskset {1 << cpu:x} sh -c "{load}" &')
    yield
    target.console.run("kill $(jobs -p); wait", 120)


def kgdbts(target: Target, tests: str, line: Progress) -> None:
    """Run kgdbts once, to its end; EnduranceError if the kernel complains, or has not tried watchpoints as well."""
    console = target.console
    console.run("dmesg -c > /dev/null; exec 3< /dev/kmsg")
    # That begins with the oldest record there is, whatever dmesg has cleared.
    mark = f"rig: run {next(_runs)}"
    console.run(f"echo '{mark}' > /dev/kmsg; grep -m 1 '{mark}$' <&3")
    console.run(f"echo kgdbts={tests} > {_PARAMETER} & t=$!")
    while True:
        # A record at a time, as it is written: what is behind the match stays for the next grep.
        try:
            said = console.run(f"grep -m 1 -E 'kgdbts:RUN|kgdbts: ERROR|WARNING|BUG|{_END}' <&3", _PATIENCE)
        except RigTimeout as error:
            raise EnduranceError(f"kgdbts={tests} does not go on: {error}\n{target.report()}") from error
        if "kgdbts:RUN" not in said:
            break
        line.update(said.rpartition("kgdbts:RUN ")[2].strip())
    console.run("wait $t; exec 3<&-", _PATIENCE)
    log = target.kernel_log()
    found = complaints(log)
    if found or _END not in log or _WATCHPOINTS not in log:
        raise EnduranceError(f"kgdbts={tests}: {found or 'it does not end'}\n{log}")


def run(version: str, arch: str, times: int, *, config: str = CONFIG, parallel: bool = False,
        progress: TextIO | None = sys.stderr) -> int:
    """Build if need be, boot, and run all tests `times` over; 0, or EnduranceError."""
    kernel = build.build(version, arch, config=config)
    print(f"Linux {kernel.release} {arch} ({kernel.source}), configuration {config}, {CPUS} CPUs", flush=True)
    with Target(Description(kernel, smp=CPUS, kgdboc="none", memory_mb=MEMORY_MB, append=APPEND, parallel=parallel)) as target:
        endure(target, TESTS, times, progress)
    print(f"kgdbts={' and kgdbts='.join(TESTS)}: {times} times without a complaint of the kernel", flush=True)
    return 0


def endure(target: Target, tests: Sequence[str], times: int = 1, progress: TextIO | None = None) -> None:
    """Run the tests `times` over on a machine that is kept busy; EnduranceError at the first complaint."""
    found = complaints(target.kernel_log())
    if found:
        raise EnduranceError(f"the kernel complains before anything was tried: {found}")
    target.await_random_numbers(_PATIENCE)
    with busy(target):
        for number, test in itertools.product(range(1, times + 1), tests):
            line = Progress(f"kgdbts={test}, {number} of {times}", progress)
            try:
                kgdbts(target, test, line)
            except BaseException:
                line.failed()
                raise
            line.done("no complaint")
