# SPDX-License-Identifier: GPL-2.0-only
"""What the rig has to know about each architecture, in one table."""

from __future__ import annotations

from dataclasses import dataclass

from kgdbrig.errors import RigError


@dataclass(frozen=True)
class Arch:
    """One architecture: how its kernel is built and which machine runs it.

    `early` holds the kernel parameters that make the kgdb port a boot console
    KGDB can use before the serial driver is there.  `debian` is what Debian
    calls the architecture where its programs are not those of this machine,
    and have to be fetched; `user_flags` makes the compiler's programs run there.
    """

    name: str
    make_arch: str              # ARCH= of kbuild
    configs: tuple[str, ...]    # fragments of its configuration, without .config
    pointer: int                # bytes
    text_offset: int            # what to take from an address in vmlinux for that in physical memory, without KASLR
    image: str                  # target of kbuild
    image_path: str             # where that lies in the object directory
    qemu: str
    machine: tuple[str, ...]    # QEMU's options for the machine
    cpu: str                    # what QEMU calls its CPU
    debian: str
    user_flags: tuple[str, ...]
    console_tty: str
    kgdb_tty: str
    early: str
    objects: int                # files a full build makes, about


ARCHES: dict[str, Arch] = {
    "x86_64": Arch(
        name="x86_64", make_arch="x86_64", configs=("x86", "x86_64"), pointer=8, text_offset=0xffffffff80000000,
        image="bzImage", image_path="arch/x86/boot/bzImage",
        qemu="qemu-system-x86_64", machine=("-machine", "pc"), cpu="qemu64", debian="", user_flags=(),
        console_tty="ttyS0", kgdb_tty="ttyS1", early="earlycon=uart8250,io,0x2f8,115200", objects=1260),
    "i386": Arch(
        name="i386", make_arch="i386", configs=("x86", "i386"), pointer=4, text_offset=0xc0000000,
        image="bzImage", image_path="arch/x86/boot/bzImage",
        qemu="qemu-system-i386", machine=("-machine", "pc"), cpu="qemu32", debian="i386", user_flags=("-m32",),
        console_tty="ttyS0", kgdb_tty="ttyS1", early="earlycon=uart8250,io,0x2f8,115200", objects=1260),
}


def find(name: str) -> Arch:
    """The architecture called `name`; RigError for one there is no entry for."""
    try:
        return ARCHES[name]
    except KeyError:
        raise RigError(f"architecture {name} is not supported; there are: {', '.join(ARCHES)}") from None
