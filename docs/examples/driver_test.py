# SPDX-License-Identifier: GPL-2.0-only
"""A driver's variable, from before its module's first instruction on."""

from kgdbrig.testing import WRITE, Guest

MODULE = "/lib/modules/$(uname -r)/kgdb_values.ko"


def test_who_stores_to_the_counter(guest: Guest) -> None:
    guest.watch("values_counter")
    accesses = guest.accesses(f"insmod {MODULE}; echo counter 5 > /sys/kernel/debug/kgdb_values")
    assert [(access.kind, access.old, access.new) for access in accesses] == [(WRITE, "0", "5")]
    assert accesses[0].functions == ("values_store_counter",)
    assert accesses[0].comm == "sh"
