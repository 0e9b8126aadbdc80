# SPDX-License-Identifier: GPL-2.0-only
"""Compiles programs for the initramfs: the guest's own, test-rig/guest/user/*.c, and the kernel's tests of breakpoints.

They are static, because the guest has no C library.
"""

from __future__ import annotations

from pathlib import Path

from kgdbrig import arches, compiler, paths
from kgdbrig.kernels import source
from kgdbrig.kernels.kernel import Kernel

_FLAGS = ("-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-Werror")
#: As the kernel compiles its tests, which have warnings: the variables that they read into are not used.
_TEST_FLAGS = ("-std=gnu11", "-static", "-O0", "-w")


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


def selftests(kernel: Kernel) -> dict[str, Path]:
    """The kernel's own tests in tools/testing/selftests/breakpoints that are for programs on x86, by name."""
    tests = source.find(kernel.version, progress=None).directory / "tools/testing/selftests"
    name = "breakpoint_test"
    return {name: compiler.compiled(f"compiling the kernel's {name}.c", name, [tests / "breakpoints" / f"{name}.c"],
                                    (*_TEST_FLAGS, *arches.find(kernel.arch).user_flags, "-I", str(tests)),
                                    paths.cache_dir("user"), headers=[tests / "kselftest.h"])}
