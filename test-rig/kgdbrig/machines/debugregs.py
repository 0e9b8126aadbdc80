# SPDX-License-Identifier: GPL-2.0-only
"""What x86's debug registers say (SDM vol. 3B, 18.2.4)."""

from __future__ import annotations

from collections.abc import Mapping

#: DR7's two bits for a length, in bytes.
LENGTHS = {1: 0, 2: 1, 8: 2, 4: 3}
#: And for what stops: stores, or loads as well.
STORES, LOADS_AND_STORES = 1, 3

#: A register that is enabled: its address, and DR7's bits for what stops and for the length.
Register = tuple[int, int, int]


def each(registers: Mapping[str, int]) -> list[Register | None]:
    """Of one CPU's registers, by name, what DR0 to DR3 hold; None for one that is not enabled."""
    dr7 = registers["DR7"]
    return [(registers[f"DR{number}"], dr7 >> 16 + 4 * number & 3, dr7 >> 18 + 4 * number & 3)
            if dr7 >> 2 * number & 3 else None for number in range(4)]


def enabled(registers: Mapping[str, int]) -> list[Register]:
    """Those that are enabled, sorted."""
    return sorted(filter(None, each(registers)))
