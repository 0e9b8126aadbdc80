# SPDX-License-Identifier: GPL-2.0-only
"""An armed machine that another kernel takes over, at a reboot and at a crash: it goes there, with nothing armed."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Callable, Iterator

import pytest

from conftest import Boot
from kgdbrig.clients.rsp import Rsp
from kgdbrig.clients.stepper import Stepper
from kgdbrig.clients.target import Target
from kgdbrig.machines.debugregs import enabled
from kgdbrig.machines.initramfs import NEXT_INITRAMFS, NEXT_KERNEL
from test_going_down import DROPS_HITS, LET_GO

CPUS = 2

#: Written on the way to the next kernel, with nobody there who would continue.
WRITTEN = {"load": "system_state", "crash": "crashing_cpu"}
#: How the next kernel is started.
STARTS = {"load": "kexec exec", "crash": "echo c > /proc/sysrq-trigger"}

#: For a test whose kernel crashes: its log is still in memory when the next one runs.
CRASHES = pytest.mark.complains("Call Trace")

#: The kernel's log (CONFIG_LOG_BUF_SHIFT).
LOG_BYTES = 1 << 17

#: ELF-64: the header, a program header, a note's header (System V ABI, gabi 4.1, chapters 4 and 5).
_EHDR, _PHDR, _NHDR = "<16sHHIQQQIHHHHHH", "<IIQQQQQQ", "<III"
_PT_LOAD, _PT_NOTE, _NT_PRSTATUS = 1, 4, 1


def by_nobody(target: Target, variable: str) -> None:
    """No debugger was ever there."""


def by_gdb(target: Target, variable: str) -> None:
    gdb = target.attach_gdb()
    gdb.command(f"watch {variable}")
    target.resume(gdb)


def by_a_gdb_that_died(target: Target, variable: str) -> None:
    gdb = target.attach_gdb()
    gdb.command(f"watch {variable}")
    target.resume(gdb)
    gdb.close()


def by_kdb(target: Target, variable: str) -> None:
    kdb = target.attach_kdb()
    kdb.command(f"bph {variable} dataw 4")
    kdb.go()
    target.back()


#: Who watches WRITTEN, and in how many debug registers.
ARMED: dict[Callable[[Target, str], None], int] = {by_nobody: 0, by_gdb: 1, by_a_gdb_that_died: 1, by_kdb: 1}


@pytest.fixture(params=[pytest.param(arm, marks=[] if arm is by_gdb else [pytest.mark.only_in_test_all]) for arm in ARMED])
def arm(request: pytest.FixtureRequest) -> Callable[[Target, str], None]:
    found: Callable[[Target, str], None] = request.param
    return found


@pytest.fixture(params=[pytest.param(way, marks=[CRASHES] if way == "crash" else []) for way in STARTS])
def way(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def loaded(boot: Boot, way: str) -> Target:
    """A machine that can start the next kernel; at a panic it restarts, and asks no debugger."""
    target = boot(smp=CPUS, next_kernel=True, starts_cpus=True, append="crashkernel=160M")
    # The boot CPU of the machine must not be started as if it were another one.
    parameters = "$(sed 's/crashkernel=[^ ]*/%s/' /proc/cmdline)" % ("nr_cpus=1" if way == "crash" else "")
    target.console.run(f'kexec {way} {NEXT_KERNEL} {NEXT_INITRAMFS} "{parameters}" && echo 1 > /proc/sys/kernel/panic',
                       check=True)
    return target


@contextlib.contextmanager
def stops_at_its_start(target: Target) -> Iterator[Rsp]:
    """The machine stops as the next kernel comes to start_kernel(), which is where this one's is."""
    with Rsp(target.machine.stub()) as qemu:
        qemu.synchronize()
        assert qemu.request(f"Z1,{target.kernel.symbol('start_kernel'):x},1") == "OK"
        qemu.send("c")
        yield qemu
        assert qemu.request("D") == "OK"


@pytest.mark.rest_in_test_all
def test_the_next_kernel_starts_with_nothing_armed(boot: Boot, arm: Callable[[Target, str], None], way: str) -> None:
    """A watched store on the way stops for nobody, and DR7 is 0 then, but for the bit that is always set.

    The console has that the debugger lets go where it does; at a crash nothing is said there (a dump has it).
    """
    target = loaded(boot, way)
    arm(target, WRITTEN[way])
    target.expect_armed(ARMED[arm])
    with stops_at_its_start(target) as qemu:
        target.console.start(STARTS[way])
        qemu.wait_stop(120)
        assert [registers["DR7"] for registers in target.machine.debug_registers()] == [0x400] * CPUS
        # All that the old kernel had to say.
        said = target.machine.console_log.read_text(encoding="utf-8", errors="replace")
    assert said.count(LET_GO) == (way == "load" and ARMED[arm] > 0)
    target.console.wait_for_next_kernel()
    assert bool(re.search("elfcorehdr", target.console.run("cat /proc/cmdline"))) == (way == "crash")


@pytest.mark.only_in_test_all
@CRASHES
def test_no_watchpoint_is_armed_in_kdump_s_nmi_handler(boot: Boot) -> None:
    """Where that handler begins, which halts the other CPU. When it has halted, the test above looks."""
    target = loaded(boot, "crash")
    by_gdb(target, WRITTEN["crash"])
    target.expect_armed(1)
    with Stepper(target.machine) as stepper:
        stepper.stop_at(target.kernel.symbol("crash_nmi_callback"))
        stepper.go()
        target.console.start(f"taskset 1 sh -c '{STARTS['crash']}'")
        assert stepper.wait().cpu == 1
        stepper.stop_at()
        assert not enabled(target.machine.debug_registers()[1])
        stepper.go()
    target.console.wait_for_next_kernel()


def vmcore(target: Target, length: int, offset: int = 0) -> bytes:
    """Bytes of the dump of the kernel that crashed, by its successor."""
    first = offset % 4
    text = target.console.run(f"dd if=/proc/vmcore bs=4 skip={offset // 4} count={(first + length + 3) // 4} 2> /dev/null | "
                              """hexdump -v -e '64/1 "%02x" "\\n"'""", check=True)
    return bytes.fromhex("".join(text.split()))[first:first + length]


@pytest.mark.rest_in_test_all
@CRASHES
def test_a_crash_is_dumped_as_ever(boot: Boot, arm: Callable[[Target, str], None]) -> None:
    """The notes of all CPUs, and the kernel's memory: among it what was stored where a watchpoint was, and what the log says."""
    target = loaded(boot, "crash")
    arm(target, "crashing_cpu")
    target.expect_armed(ARMED[arm])
    banner = target.console.run("cat /proc/version").encode().strip()
    target.console.start(f"taskset 2 sh -c '{STARTS['crash']}'")
    target.console.wait_for_next_kernel()

    header = struct.unpack(_EHDR, vmcore(target, 64))
    assert header[0][:5] == b"\x7fELF\x02"
    table = vmcore(target, header[9] * header[10], header[5])
    segments = [struct.unpack_from(_PHDR, table, header[9] * i) for i in range(header[10])]

    def memory(address: int, length: int) -> bytes:
        found = [s for s in segments if s[0] == _PT_LOAD and s[3] <= address < s[3] + s[6]]
        return vmcore(target, length, found[0][2] + address - found[0][3])

    notes = next(vmcore(target, s[5], s[2]) for s in segments if s[0] == _PT_NOTE)
    at, kinds = 0, []
    while at + 12 <= len(notes):
        name, description, kind = struct.unpack_from(_NHDR, notes, at)
        kinds.append(kind if notes[at + 12:at + 16] == b"CORE" else None)
        at += 12 + (name + 3 & ~3) + (description + 3 & ~3)
    assert kinds.count(_NT_PRSTATUS) == CPUS
    assert memory(target.kernel.symbol("linux_banner"), len(banner)) == banner
    assert memory(target.kernel.symbol("crashing_cpu"), 4) == struct.pack("<i", 1), "the watched store was made"
    log = memory(target.kernel.symbol("__log_buf"), LOG_BYTES)
    assert log.count(DROPS_HITS.encode()) == (ARMED[arm] > 0), "the log has that the store was reported to nobody"
