# SPDX-License-Identifier: GPL-2.0-only
"""The accesses a test asks for, made by the guest's kgdb_trigger module.

The module is described at the top of test-rig/guest/trigger/main.c, the lines
that it takes in run_line.c beside it, and the sequences of op=random and
op=mixed in run.c.  line() and random_line() write such lines, predict()
computes what a random one will do, and Trigger has them performed through the
guest's shell.

An access that makes gdb stop the machine stops the shell as well: start() it,
deal with the stop in gdb, then finish().
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kgdbrig.clients.console import Console
from kgdbrig.errors import RigError

Op = Literal["read", "write", "add", "rmw", "probed"]
Context = Literal["task", "softirq", "hardirq", "irqsoff", "nmi", "kprobe", "kretprobe", "ftrace"]
#: What a debug register stops at.
RegisterType = Literal["x", "w", "rw"]

#: Bytes in the module's buffer, which begins on a multiple of this.
BUFFER_SIZE = 4096

_DIRECTORY = "/sys/kernel/debug/kgdb_trigger"
_MODULES = "/lib/modules/$(uname -r)"
#: How often a held CPU goes round its loop at most: minutes, should nobody let it go.
_HOLD_ITERATIONS = 1_000_000_000
#: The file that takes lines, for shell commands that do more than a Trigger does.
RUN = f"{_DIRECTORY}/run"


@dataclass(frozen=True)
class Access:
    """One access; `value` is what a write stores or an add adds, and of no meaning for a read."""

    op: Op
    size: int
    offset: int
    value: int = 0


def line(op: Op, *, size: int, offset: int = 0, value: int | None = None, count: int = 1,
         cpu: int | None = None, context: Context = "task") -> str:
    """The line for `count` equal accesses of `size` bytes at `offset` in the buffer.

    `value` is stored by a write, added by an add or an rmw, and not for a read.  Without
    `cpu` the guest's shell makes them itself, on whichever CPU it runs.  Wrong
    combinations are left for the module to refuse.
    """
    fields = [f"op={op}", f"size={size}", f"offset={offset}"]
    if value is not None:
        fields.append(f"value={value:x}")
    return " ".join(fields + _common(count, cpu, context))


def random_line(seed: int, count: int, span: int, *, offset: int = 0, cpu: int | None = None,
                context: Context = "task", mixed: bool = False) -> str:
    """The line for `count` random reads and writes of the `span` bytes from `offset` on.

    With `mixed` there are additions among them, and accesses at any alignment.
    """
    return " ".join(["op=mixed" if mixed else "op=random", f"seed={seed}", f"span={span}", f"offset={offset}",
                     *_common(count, cpu, context)])


def _common(count: int, cpu: int | None, context: Context) -> list[str]:
    fields = [f"count={count}"]
    if cpu is not None:
        fields.append(f"cpu={cpu}")
    if context != "task":
        fields.append(f"context={context}")
    return fields


def forever(text: str) -> str:
    """Shell text that performs a line over and over, until it is killed."""
    return f"while echo '{text}' > {RUN}; do :; done 2> /dev/null"


def predict(seed: int, count: int, span: int, *, offset: int = 0, word: int = 8, mixed: bool = False,
            contents: bytes = bytes(BUFFER_SIZE)) -> list[Access]:
    """What random_line() with the same arguments does, in order.

    With `mixed`, on x86: elsewhere no instruction adds to memory, and those
    are stores.  `word` is the size of a long in the guest, 8 or 4 bytes.
    `contents` is the whole buffer before the run: all zero after load(), later
    Trigger.expected().
    """
    memory = bytearray(contents)
    state = seed
    sizes = 4 if word == 8 else 3

    def draw() -> int:
        nonlocal state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        return state

    accesses = []
    for _ in range(count):
        a, b, c, d = draw(), draw(), draw(), draw()
        size = 1 << a % sizes
        where = offset + (b % (span - size + 1) if mixed and a & 1 << 18 else size * (b % (span // size)))
        if not a & 1 << 16:
            accesses.append(Access("read", size, where))
            continue
        value = (d << 32 | c) & (1 << 8 * size) - 1
        before = int.from_bytes(memory[where:where + size], "little")
        adds = mixed and bool(a & 1 << 17)
        if adds:
            value = value or 1
            after = (before + value) % (1 << 8 * size)
        else:
            value ^= value == before
            after = value
        memory[where:where + size] = after.to_bytes(size, "little")
        accesses.append(Access("add" if adds else "write", size, where, value))
    return accesses


class Trigger:
    """The module in one guest, driven through that guest's console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._address: int | None = None
        self._word: int | None = None
        self._started: Sequence[str] = ()

    def load(self) -> None:
        """Load the module unless that has been done."""
        self._console.run(f"test -d {_DIRECTORY} || insmod {_MODULES}/kgdb_trigger.ko",
                          check=True)

    def address(self, offset: int = 0) -> int:
        """The guest's virtual address of the buffer's byte `offset`."""
        if self._address is None:
            self._address = int(self._search("address", r"^0x([0-9a-f]+)\s*$"), 16)
        return self._address + offset

    def count(self) -> int:
        """Accesses completed since the module was loaded."""
        return int(self._search("count", r"^(\d+)\s*$"))

    def expected(self) -> bytes:
        """The buffer's contents as the module knows them, without an access to it."""
        memory = bytearray(BUFFER_SIZE)
        for offset, text in re.findall(r"^([0-9a-f]{3}) ([0-9a-f]{64})\s*$",
                                       self._read("expected"), re.MULTILINE):
            memory[int(offset, 16):int(offset, 16) + 32] = bytes.fromhex(text)
        return bytes(memory)

    def word(self) -> int:
        """Bytes in a long of the guest's kernel: 8 or 4."""
        if self._word is None:
            machine = self._console.run("uname -m")
            self._word = 4 if re.search(r"\bi[3-6]86\b", machine) else 8
        return self._word

    def predict(self, seed: int, count: int, span: int, *, offset: int = 0) -> list[Access]:
        """What a random run with these arguments would do if it were the next thing done."""
        return predict(seed, count, span, offset=offset, word=self.word(), contents=self.expected())

    def run(self, op: Op, *, size: int, offset: int = 0, value: int | None = None, count: int = 1,
            cpu: int | None = None, context: Context = "task", timeout: float = 30) -> None:
        """Make the accesses of line(), which must not stop in gdb; RigError if one is refused."""
        self.run_lines(line(op, size=size, offset=offset, value=value, count=count, cpu=cpu,
                            context=context), timeout=timeout)

    def start(self, op: Op, *, size: int, offset: int = 0, value: int | None = None,
              count: int = 1, cpu: int | None = None, context: Context = "task") -> None:
        """Begin the accesses of line(); finish() waits for their end."""
        self.start_lines(line(op, size=size, offset=offset, value=value, count=count, cpu=cpu,
                              context=context))

    def run_lines(self, *lines: str, timeout: float = 30) -> None:
        """Perform lines that do not stop in gdb, all at the same time; RigError if one fails."""
        self._check(lines, self._console.run(_command(lines), timeout))

    def start_lines(self, *lines: str, meanwhile: str = ":", afterwards: str = ":") -> None:
        """Begin to perform lines, all at the same time; finish() waits for the end of all.

        `meanwhile` is run by the guest's shell while they are performed, `afterwards` when all have been.
        """
        self._started = lines
        self._console.start(_command(lines, meanwhile, afterwards))

    def finish(self, timeout: float = 30) -> None:
        """Wait for what was started; RigError if the module refused it or could not do it.

        `timeout` is in seconds; a guest that does not get there by then, say because
        the debugger still has it stopped, is the console's error.
        """
        self._check(self._started, self._console.finish(timeout))

    def start_init(self, value: int, *, offset: int = 0) -> None:
        """Begin to load a module whose init function stores 4 bytes to the buffer; finish_init() is for its end.

        expected() does not learn of it.
        """
        self._console.start(f"insmod {_MODULES}/kgdb_trigger_init.ko address={self.address(offset):#x} value={value}")

    def finish_init(self, timeout: float = 30) -> None:
        """Wait until the module of start_init() is loaded, and remove it."""
        output = self._console.finish(timeout)
        if self._console.status:
            raise RigError(f"kgdb_trigger_init did not load: {output.strip()}")
        self._console.run("rmmod kgdb_trigger_init", check=True)

    def memory(self, command: str) -> None:
        """Have memory, give it back, or store there: see memory.c."""
        self._write("memory", command)

    def memory_command(self, command: str) -> str:
        """The shell command for memory() that stops the machine."""
        return f"echo '{command}' > {_DIRECTORY}/memory"

    def memory_address(self) -> int:
        """Where that memory is."""
        return int(self._read("memory"), 16)

    def store(self) -> tuple[int, int]:
        """The addresses of the store that op=probed executes, and of the instruction behind it."""
        return self._two_addresses("store")

    def probe(self, on: bool) -> None:
        """Set or remove a kprobe on that store which traps and has a post-handler."""
        self._write("probe", str(int(on)))

    def probe_counts(self) -> tuple[int, int]:
        """How often its pre-handler and its post-handler have run since it was set."""
        before, after = self._read("probe").split()
        return int(before), int(after)

    def hold(self, cpu: int) -> None:
        """Keep a CPU in an NMI handler from now on; see hold.c for what that means to the guest.

        The guest's shell must not need it (boot with isolcpus= and irqaffinity=).
        """
        self._write("hold", f"{cpu} {_HOLD_ITERATIONS}")

    def let_go(self) -> None:
        """Let all CPUs go that are held."""
        self._write("letgo", "1")

    def start_call_in(self, cpu: int, callin: int, callback: int) -> None:
        """Begin to have an NMI handler call the debugger in on a CPU, and the others join; finish() is for its end.

        The addresses are those of kgdb_nmicallin() and kgdb_nmicallback().
        """
        line_of_it = f"{cpu} {callin:#x} {callback:#x}"
        self._started = (f"callin: {line_of_it}",)
        self._console.start(f"echo '{line_of_it}' > {_DIRECTORY}/callin")

    def debug_register_command(self, cpu: int, register: int, address: int, kind: RegisterType, length: int) -> str:
        """The shell command that programs a debug register past every check."""
        return f"echo '{cpu} {register} {address:#x} {kind} {length}' > {_DIRECTORY}/debugreg"

    def raise_command(self, dr6: int) -> str:
        """The shell command that raises #DB with these bits in DR6, of 0x400f (SDM vol. 3B, 18.2.3)."""
        return f"echo {dr6:x} > {_DIRECTORY}/raise"

    def raised(self) -> tuple[int, int]:
        """The addresses of the int3 that leads to it, and of what is behind the instruction that raises it."""
        return self._two_addresses("raise")

    def _two_addresses(self, name: str) -> tuple[int, int]:
        text = self._read(name).strip()
        match = re.fullmatch(r"0x([0-9a-f]+) 0x([0-9a-f]+)", text)
        if match is None:
            raise RigError(f"kgdb_trigger's {name} reads {text!r}, which are no two addresses")
        return int(match[1], 16), int(match[2], 16)

    def _write(self, name: str, line: str) -> None:
        self._check((f"{name}: {line}",), self._console.run(f"echo '{line}' > {_DIRECTORY}/{name}"))

    def _check(self, lines: Sequence[str], output: str) -> None:
        if self._console.status:
            reason = self._console.run("dmesg | grep 'kgdb_trigger: ' | tail -n 1")
            raise RigError(f"kgdb_trigger did not do {' and '.join(repr(each) for each in lines)}: "
                           f"{output.strip()}; the last it said: {reason.strip() or 'nothing'}")

    def _read(self, name: str) -> str:
        return self._console.run(f"cat {_DIRECTORY}/{name}", check=True)

    def _search(self, name: str, pattern: str) -> str:
        output = self._read(name)
        match = re.search(pattern, output, re.MULTILINE)
        if match is None:
            raise RigError(f"kgdb_trigger's {name} reads {output!r}, which is none")
        return match[1]


def _command(lines: Sequence[str], meanwhile: str = ":", afterwards: str = ":") -> str:
    """Shell text that writes each line to `run`; its status is 0, or that of a failure."""
    if len(lines) == 1 and meanwhile == afterwards == ":":
        return f"echo '{lines[0]}' > {RUN}"
    # A shell of its own: the console's would report each job's end between the lines.
    # Short, because the console takes a thousand bytes and there may be a line for each CPU.
    quoted = " ".join(f"'{each}'" for each in lines)
    return (f"( cd {_DIRECTORY}; s=0; for l in {quoted}; do echo \"$l\" > run & p=\"$p $!\"; done; "
            f"{meanwhile}; for i in $p; do wait $i || s=$?; done; {afterwards}; exit $s )")
