# SPDX-License-Identifier: GPL-2.0-only
"""Compiles the guest's own programs, test-rig/guest/user/*.c, for the initramfs.

They are static, because the guest has no C library.
"""

from __future__ import annotations

from pathlib import Path

from kgdbrig import arches, compiler, paths

_FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-Werror")


def build(arch: str) -> dict[str, Path]:
    """The programs by name, from the cache when nothing in them changed."""
    flags = (*_FLAGS, *arches.find(arch).user_flags)
    multiarch = compiler.ask("-print-multiarch").strip()
    if "-m32" in flags and multiarch:
        # Where the kernel's headers for programs lie, which are the same for both sizes.
        flags = (*flags, "-idirafter", f"/usr/include/{multiarch}")
    directory = paths.cache_dir("user")
    return {source.stem: compiler.compiled(f"compiling {source.name} for the guest", source.stem, [source], flags,
                                           directory)
            for source in sorted(paths.GUEST_USER.glob("*.c"))}
