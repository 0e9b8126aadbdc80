# SPDX-License-Identifier: GPL-2.0-only
"""Compiles what the series touches for architectures that have KGDB and no watchpoints."""

from __future__ import annotations

from dataclasses import dataclass

from kgdbrig import paths
from kgdbrig.judging.check.bench import Bench, Made, fragment
from kgdbrig.judging.check.report import Report, failure, program
from kgdbrig.kernels.build import Kbuild


@dataclass(frozen=True)
class Other:
    """An architecture: kbuild's name for it, and Debian's cross compiler."""

    name: str
    prefix: str
    package: str


OTHERS = (
    Other("arm64", "aarch64-linux-gnu-", "gcc-aarch64-linux-gnu"),
    Other("riscv", "riscv64-linux-gnu-", "gcc-riscv64-linux-gnu"),
)

#: On top of tinyconfig: KGDB with all it has, and the neighbours whose files the series touches.
SETTINGS: dict[str, str] = {
    "SMP": "y", "MODULES": "y", "MODULE_UNLOAD": "y", "PRINTK": "y", "KALLSYMS": "y", "PROC_FS": "y", "SYSFS": "y",
    "TTY": "y", "VT": "y", "MAGIC_SYSRQ": "y", "DEBUG_KERNEL": "y", "KGDB": "y", "KGDB_SERIAL_CONSOLE": "y",
    "KGDB_TESTS": "y", "KGDB_KDB": "y", "PERF_EVENTS": "y", "KPROBES": "y", "WERROR": "y",
}


def build_other(bench: Bench, other: Other, report: Report) -> None:
    """Build the objects that this architecture has as well, with the series on the tree, and its own half of KGDB."""
    program([f"{other.prefix}gcc", "--version"], bench.tree, other.package)  # says what is missing, if it is
    objects = paths.cache_dir("obj", f"{bench.pristine.name}_{other.name}_check")
    kbuild = Kbuild(other.name, bench.pristine, bench.tree, objects, cross=other.prefix)
    with fragment(SETTINGS) as settings:
        kbuild.configure((settings,))
    shared = [name for name in bench.changed if not name.startswith("arch/")]
    made = Made(kbuild, bench.tree, objects, shared, (f"arch/{other.name}/kernel/kgdb.o",))
    worked, said = made.run()
    report.result(f"builds with -Werror: {other.name}, which has no watchpoints", [] if worked else [failure(said)],
                  f"{len(made.objects())} objects")
