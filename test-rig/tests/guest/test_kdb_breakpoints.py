# SPDX-License-Identifier: GPL-2.0-only
"""What kdb says of its hardware breakpoints as they are set and listed, and that setting them touches nothing."""

from __future__ import annotations

import re

import pytest

from conftest import Boot
from drive import prepare
from kgdbrig.clients import trigger
from kgdbrig.clients.kdb import Kdb
from kgdbrig.clients.target import Target

PLACE = 64
SYMBOL = f"kgdb_trigger_buffer+0x{PLACE:x}"


def attach(target: Target) -> Kdb:
    prepare(target)
    return target.attach_kdb()


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("kind", ["dataw 4", "datar 4", "dataw", "inst"])
def test_setting_one_writes_nothing(boot: Boot, kind: str) -> None:
    """A device or another CPU may be looking: the data is not stored to in order to see whether it can be."""
    target = boot(oracle=True)
    kdb = attach(target)
    witness = target.oracle()
    witness.watch(target.trigger.address(PLACE), 8)
    witness.drain()
    assert "BP #0 at" in kdb.command(f"bph {SYMBOL} {kind}")
    assert [access for access in witness.drain() if access.store] == []
    kdb.command("bc *")
    assert [access for access in witness.drain() if access.store] == []


@pytest.mark.rest_in_test_all
def test_memory_that_is_not_there(target: Target) -> None:
    """An address that nothing is mapped at is refused, and is not in the list."""
    kdb = attach(target)
    digits = "f" * (target.hex_digits - 3)
    assert "Invalid address" in kdb.command(f"bph 0x{digits}000 dataw 4")
    assert kdb.command("bl").strip() == ""


@pytest.mark.rest_in_test_all
def test_a_refusal_is_said_at_once(target: Target) -> None:
    """With its reason, and nothing is left of it; what was there stays."""
    kdb = attach(target)
    for slot in range(4):
        assert "length 4, armed" in kdb.command(f"bph kgdb_trigger_buffer+0x{64 * slot:x} dataw 4")
    said = kdb.command("bph kgdb_trigger_buffer+0x100 dataw 4")
    assert "Refused: needs 1 slot, 0 free: the debugger holds 4" in said and "BP #" not in said
    assert len(re.findall("BP #", kdb.command("bl"))) == 4
    kdb.command("bd 3")
    assert "length 4, armed" in kdb.command("bph kgdb_trigger_buffer+0x100 dataw 4")
    said = kdb.command("be 3")
    assert "Refused: needs 1 slot, 0 free" in said and "enabled" not in said
    assert len(re.findall("is disabled", kdb.command("bl"))) == 1
    kdb.go()
    target.back()
    target.expect_armed(4)
    target.trigger.run("write", size=4, offset=192, value=1)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("command", ["bph idt_table dataw 4", f"bph {SYMBOL} dataw 0"])
def test_other_refusals(target: Target, command: str) -> None:
    kdb = attach(target)
    assert "Refused: " in kdb.command(command)
    assert kdb.command("bl").strip() == ""
    kdb.go()
    target.back()
    target.expect_armed(0)


def test_the_list(target: Target) -> None:
    """Kind, length, and whether it is armed."""
    kdb = attach(target)
    kdb.command(f"bph {SYMBOL} dataw 8")
    kdb.command("bph kgdb_trigger_buffer+0x80 datar 2")
    kdb.command("bph trigger_write_1 inst")
    kdb.command("bd 1")
    found = re.findall(r"^(\S.*?) BP #(\d) at .*\n +is (\w+).*\n +(.*)$", kdb.command("bl"), re.MULTILINE)
    assert found == [("Data Write", "0", "enabled", "length 8, armed"),
                     ("Data Access", "1", "disabled", "length 2, not armed"),
                     ("Instruction(Register)", "2", "enabled", "length 1, armed")]
    kdb.go()
    target.back()
    target.expect_armed(2)


@pytest.mark.rest_in_test_all
@pytest.mark.parametrize("place, kind, length", [("panic_timeout", "dataw", 4), ("linux_banner", "datar", 8),
                                                 (SYMBOL, "dataw", 1), ("trigger_write_1", "inst", 1)])
def test_without_a_length(target: Target, place: str, kind: str, length: int) -> None:
    """As much of the symbol as a slot can watch; one byte of what is not the beginning of one.  It says how much."""
    kdb = attach(target)
    said = kdb.command(f"bph {place} {kind}")
    assert f"length {length}, armed" in said
    assert (f"No length given: taking {length} byte" in said) == (kind != "inst")
    kdb.go()
    target.back()
    target.expect_armed(1)


@pytest.mark.rest_in_test_all
def test_memory_that_is_given_back(target: Target) -> None:
    """A watchpoint goes with the module that it was in: kdb says so, and does not put it back."""
    kdb = attach(target)
    kdb.command(f"bph {SYMBOL} dataw 4")
    kdb.go()
    target.back()
    target.expect_armed(1)
    target.console.run("rmmod kgdb_trigger", check=True)
    target.expect_armed(0)
    target.break_in()
    kdb.entered()
    assert re.search(r"is disabled.*\n +length 4, not armed", kdb.command("bl"))
    kdb.go()
    target.back()
    target.expect_armed(0)
    assert "not removed" not in target.kernel_log("KGDB: ")


@pytest.mark.rest_in_test_all
def test_a_switch_to_another_cpu_is_no_step(boot: Boot) -> None:
    """Neither to a CPU that waits with a hit of its own, nor back to the one that hit first."""
    target = boot(smp=2, parallel=True)
    kdb = attach(target)
    kdb.command("bph kgdb_trigger_buffer dataw 4")
    kdb.command("bph kgdb_trigger_buffer+0x40 dataw 4")
    kdb.go()
    target.back()
    waited = 0
    # Whether one hits before the other rounds it up is up to the host.
    while not waited:
        target.trigger.start_lines(*(trigger.line("write", size=4, offset=64 * cpu, value=1, cpu=cpu, count=4)
                                     for cpu in range(2)))
        for _ in range(8):
            said = kdb.entered()
            first = re.search(r"on processor (\d) due to watchpoint at", said)
            assert first, said
            other = 1 - int(first[1])
            switched = kdb.command(f"cpu {other}")
            assert "due to cpu switch" in switched and "SS trap" not in switched
            waited += "it waits with a hit of its own" in switched
            back = kdb.command(f"cpu {first[1]}")
            assert "due to cpu switch" in back and "SS trap" not in back and "waits" not in back
            kdb.go()
        target.trigger.finish()
