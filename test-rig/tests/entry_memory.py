# SPDX-License-Identifier: GPL-2.0-only
"""Where a kernel has what its exception entries touch with breakpoints enabled: all that `rig check` takes for refused."""

from __future__ import annotations

from kgdbrig import arches
from kgdbrig.judging.check import entry
from kgdbrig.kernels.kernel import Kernel

#: Not each CPU's own.
OF_ALL_CPUS = frozenset(("__per_cpu_offset", "__cpu_online_mask", "jiffies"))
#: What 6.12 has in a structure, by its names for it, and the variables that other versions have instead.
IN_6_12 = {"pcpu_hot.cpu_number": "cpu_number", "pcpu_hot.call_depth": "__x86_call_depth",
           "pcpu_hot.top_of_stack": "cpu_current_top_of_stack"}
CALL_DEPTH = frozenset(("pcpu_hot.call_depth", "__x86_call_depth"))
CANARY = frozenset(("fixed_percpu_data.stack_canary", "__stack_chk_guard"))
#: What a kernel has, or uses there, with an option only.
NEEDS = {"kgdb_db": "KGDB_WATCHPOINT", "nmi_stats": "NMI_CHECK_CPU", "jiffies": "NMI_CHECK_CPU", "this_cpu_off": "NMI_CHECK_CPU",
         **dict.fromkeys(CANARY, "STACKPROTECTOR"),
         **dict.fromkeys(CALL_DEPTH, "MITIGATION_CALL_DEPTH_TRACKING")}


def symbols(kernel: Kernel) -> dict[str, int]:
    """By the names in entry.REFUSED, what to add __per_cpu_offset to, but for what is OF_ALL_CPUS.

    What the kernel has not is left out by its version and its options, so that no symbol is missed.
    """
    options = _options(kernel)
    without = {name for name, option in NEEDS.items() if option not in options}
    without |= set(IN_6_12.values() if kernel.version == "6.12" else IN_6_12)
    without.add("__stack_chk_guard" if kernel.arch == "x86_64" and kernel.version != "7.3" else "fixed_percpu_data.stack_canary")
    return {name: _place(kernel, name, options) for name in sorted(entry.REFUSED - without)}


def read_symbols(kernel: Kernel) -> dict[str, int]:
    """As symbols(), by the names in entry.REFUSED_FOR_READS."""
    options = _options(kernel)
    return {name: kernel.symbol(name) for name in sorted(entry.REFUSED_FOR_READS)
            if name not in NEEDS or NEEDS[name] in options}


def place(name: str, symbol: int, per_cpu_offset: int) -> int:
    """The address of one of these on the CPU of this offset."""
    return (symbol + (0 if name in OF_ALL_CPUS else per_cpu_offset)) % (1 << 64)


def _options(kernel: Kernel) -> set[str]:
    return {name.removeprefix("CONFIG_") for name, value in kernel.config.items() if value == "y"}


def _place(kernel: Kernel, name: str, options: set[str]) -> int:
    if name in IN_6_12:
        return _hot(kernel, name, options)
    if name == "fixed_percpu_data.stack_canary":    # where the compiler wants it
        return kernel.symbol("fixed_percpu_data") + 40
    return kernel.symbol(name)


def _hot(kernel: Kernel, name: str, options: set[str]) -> int:
    """A field of struct pcpu_hot: behind a pointer there are two ints, the call depth if it is counted, and the stack's top."""
    word = arches.find(kernel.arch).pointer
    depth = word + 8
    offset = {"pcpu_hot.cpu_number": word + 4, "pcpu_hot.call_depth": depth,
              "pcpu_hot.top_of_stack": depth + 8 * (NEEDS["pcpu_hot.call_depth"] in options)}
    return kernel.symbol("pcpu_hot") + offset[name]
