# SPDX-License-Identifier: GPL-2.0-only
"""What somebody wants a machine to be."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from kgdbrig import arches
from kgdbrig.arches import Arch
from kgdbrig.errors import RigError
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines import endpoint
from kgdbrig.machines.endpoint import Endpoint

#: The kinds of machine that the rig boots, by the name that `rig boot --machine` takes.
MACHINES = ("qemu", "bochs")
#: One that it does not.
REMOTE = "remote"
#: When the guest's debugger takes its port, or what else the port is.
KGDBOC = ("late", "early", "wait", "console", "none")
#: What only QEMU's can be.  `parallel` is nothing to Bochs: its CPUs take turns.
_QEMU_ONLY = ("oracle", "counted", "instruction_ns", "hypervisor", "cpu", "state", "next_kernel", "disk_mb", "disk",
              "qemu_arguments")


@dataclasses.dataclass(frozen=True)
class Lines:
    """How a machine is reached that the rig does not boot."""

    console: Endpoint
    kgdb: Endpoint

    @classmethod
    def parse(cls, console: str | None, kgdb: str | None) -> Lines | None:
        """From what endpoint.parse() takes; None where neither is named, RigError where one is."""
        if console is None and kgdb is None:
            return None
        if console is None or kgdb is None:
            raise RigError("a machine that runs already has a --console, and a --line that its KGDB has")
        return cls(endpoint.parse(console), endpoint.parse(kgdb))


@dataclasses.dataclass(frozen=True)
class Login:
    """Who logs in where a console has a login, with a password if it is asked for one."""

    user: str = "root"
    password: str | None = None

    @classmethod
    def parse(cls, text: str) -> Login:
        """From USER or USER:PASSWORD."""
        user, colon, password = text.partition(":")
        return cls(user, password if colon else None)


@dataclasses.dataclass(frozen=True)
class Description:
    """A machine that runs `kernel`; RigError for one that there cannot be.

    `kgdboc` says when the guest's debugger takes the second port: "late" with
    its driver, "wait" likewise and waiting there for gdb, "early" before
    anything else and waiting there, "console" with its driver while the kernel's
    messages go there as well (the shell has the first port), or "none" never.  `append` is added to the
    kernel's command line.  With `kaslr` the kernel is not where vmlinux says.

    `parallel` gives each virtual CPU a thread of the host.  Without it they
    take turns in one, so that nothing happens at the same instant, but a CPU
    that is held in the debugger takes no time from the one that works: where
    the host has fewer cores than the guest, a stop takes milliseconds, not a
    tenth of a second.  The guest's clock then counts instructions: a host that
    has other things to do makes the guest slow, and none of its timeouts pass.
    `counted` overrides that: see starts_counted() in qemu.py.  `instruction_ns`
    is what one takes then, a power of two; by default as little as lets each
    CPU execute as many in a second as one alone does.  The longer, the fewer
    are executed while CPUs wait for a time to pass.

    With `selftests` the guest has the kernel's own tests of breakpoints.  What is `added`, files or directories, is
    in its /root.

    With `oracle` the oracle's plugin watches the guest.  With `next_kernel` the
    guest can start another kernel; see initramfs.build().  With `disk_mb` it
    has an empty disk of that size, /dev/vda where the kernel has the driver,
    and a reboot starts it anew; without, a reboot is its end.

    `hypervisor=False` keeps the guest from knowing that it is one: it takes
    QEMU's debug registers for a processor's.  `cpu` is another of QEMU's models
    than the one that machines with this kernel have.

    `initramfs` is somebody's own in place of the rig's; `disk` is an image that
    the guest has as /dev/vda, and leaves as it is.  Their console has a `login`,
    or a shell.  QEMU gets `qemu_arguments` as well.

    With `lines`, machine="remote" is one that the rig does not boot.

    `state`, made by save() on a machine of the same description, is where the
    guest goes on from, instead of from its reset.
    """

    kernel: Kernel
    machine: str = "qemu"
    smp: int = 1
    kgdboc: str = "late"
    append: str = ""
    memory_mb: int = 512
    kaslr: bool = False
    parallel: bool = True
    oracle: bool = False
    counted: bool | None = None
    instruction_ns: int | None = None
    hypervisor: bool = True
    cpu: str | None = None
    state: Path | None = None
    next_kernel: bool = False
    selftests: bool = False
    added: tuple[Path, ...] = ()
    lines: Lines | None = None
    initramfs: Path | None = None
    disk: Path | None = None
    login: Login = Login()
    qemu_arguments: tuple[str, ...] = ()
    disk_mb: int = 0

    def __post_init__(self) -> None:
        if self.machine not in (*MACHINES, REMOTE):
            raise RigError(f"there is no machine {self.machine}: there are {' and '.join(MACHINES)}")
        if self.kgdboc not in KGDBOC:
            raise RigError(f"kgdboc is one of {', '.join(KGDBOC)}, not {self.kgdboc}")
        if self.smp < 1:
            raise RigError(f"a machine has at least one CPU, not {self.smp}")
        if self.machine != "qemu":
            for field in dataclasses.fields(self):
                if field.name in _QEMU_ONLY and getattr(self, field.name) != field.default:
                    raise RigError(f"a machine that is not QEMU's has no {field.name}")

    @property
    def own_root(self) -> bool:
        """Whether the guest's root is somebody's own, and its console what he has made it."""
        return self.lines is not None or self.initramfs is not None or self.root_on_disk

    @property
    def root_on_disk(self) -> bool:
        """Whether the kernel's parameters say so: an initramfs of the rig's would be the root otherwise."""
        return self.disk is not None and re.search(r"(^|\s)root=", self.append) is not None

    @property
    def arch(self) -> Arch:
        return arches.find(self.kernel.arch)
