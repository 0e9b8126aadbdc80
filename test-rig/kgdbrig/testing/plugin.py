# SPDX-License-Identifier: GPL-2.0-only
"""The fixtures for tests of other people's kernels: pytest -p kgdbrig.testing.plugin, or 'rig test'.

kernel   the kernel under test, which the options name; it is built once
boot     boot(smp=..., append=..., from_boot=...) gives a Guest that ends with the test
guest    one with one CPU
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kgdbrig.clients.target import Target
from kgdbrig.errors import RigError
from kgdbrig.judging import klog
from kgdbrig.kernels.build import build
from kgdbrig.kernels.given import given
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines.description import REMOTE, Description, Lines, Login
from kgdbrig.testing.guest import Guest

Boot = Callable[..., Guest]

_guests: pytest.StashKey[list[Guest]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rig", "the kernel under test")
    group.addoption("--rig-kernel", metavar="VERSION", default="6.12", help="Debian's, with the patches (default 6.12)")
    group.addoption("--rig-arch", metavar="ARCH", default="x86_64", help="for this architecture (default x86_64)")
    group.addoption("--rig-source", metavar="TREE", type=Path, help="of a tree of your own, with the patches laid over a copy")
    group.addoption("--rig-config", metavar="NAME", default="default", help="with more of the configuration: a fragment")
    group.addoption("--rig-vmlinux", metavar="FILE", type=Path, help="one that is built already, with the patches")
    group.addoption("--rig-image", metavar="FILE", type=Path, help="and what boots of it")
    group.addoption("--rig-modules", metavar="DIR", type=Path, help="and a directory with its *.ko")
    group.addoption("--rig-console", metavar="LINE", help="on a machine that runs already, with this console")
    group.addoption("--rig-line", metavar="LINE", help="and this line that its KGDB has")
    group.addoption("--rig-login", metavar="USER[:PASSWORD]", default="root", help="who logs in there (default root)")
    group.addoption("--rig-machine", metavar="NAME", default="qemu", help="in qemu (default) or bochs")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "complains(REGEX, ...): the guests' kernels write such complaints, and no others")


@pytest.fixture(scope="session")
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """The kernel under test; built if it is not in the cache, which takes minutes and says how far it is."""
    option = request.config.option
    with contextlib.ExitStack() as stack:
        if option.rig_vmlinux is not None:
            yield stack.enter_context(given(option.rig_vmlinux, option.rig_image, option.rig_arch, modules=option.rig_modules))
            return
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            built = build(option.rig_kernel, option.rig_arch, kernel_src=option.rig_source, config=option.rig_config,
                          progress=sys.stderr)
        yield built


@pytest.fixture
def boot(request: pytest.FixtureRequest, kernel: Kernel) -> Iterator[Boot]:
    """Boots guests, which end with the test: boot(smp=2, append="quiet", memory_mb=512, added=(Path("a-test"),)).

    With from_boot=True it is stopped in the first lines of start_kernel(); with
    parallel=True its CPUs really run at the same time, and slower.  At the end no
    kernel may have complained of anything that the mark `complains` does not name.
    """
    guests: list[Guest] = request.node.stash.setdefault(_guests, [])
    with contextlib.ExitStack() as stack:
        targets: list[Target] = []
        # A machine that runs on behind the test is let go before its log is looked at.
        watches = contextlib.ExitStack()

        def start(*, smp: int = 1, append: str = "", memory_mb: int = 512, from_boot: bool = False, parallel: bool = False,
                  added: tuple[Path, ...] = ()) -> Guest:
            option = request.config.option
            lines = Lines.parse(option.rig_console, option.rig_line)
            if lines is None:
                described = Description(kernel, option.rig_machine, smp=smp, append=append, memory_mb=memory_mb,
                                        parallel=parallel, added=added, kgdboc="early" if from_boot else "late")
            else:
                # What is asked of a machine that is made for the test, another one may not have.
                for asked, what in ((append, "kernel parameters"), (from_boot, "a boot of its own"),
                                    (added, "files that are added")):
                    if asked:
                        pytest.skip(f"{what}: not on a machine that runs already")
                described = Description(kernel, REMOTE, lines=lines, login=Login.parse(option.rig_login))
            targets.append(stack.enter_context(Target(described)))
            guest = Guest(targets[-1], from_boot=from_boot)
            guests.append(guest)
            if lines is not None:
                watches.callback(guest._close)
                if int(guest.run("grep -c ^processor /proc/cpuinfo")) < smp:
                    pytest.skip(f"{smp} CPUs: this machine has fewer")
            return guest

        with watches:
            yield start
        expected = [said for mark in request.node.iter_markers("complains") for said in mark.args]
        complained = [line for target in targets for line in _complaints(target, *expected)]
        assert not complained, "the kernel complains:\n" + "\n".join(complained)


@pytest.fixture
def guest(boot: Boot) -> Guest:
    """One CPU, and nothing watched yet."""
    return boot()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test that fails says what its guests did last."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        guests: list[Guest] = item.stash.get(_guests, [])
        for number, guest in enumerate(guests, 1):
            report.sections.append((f"guest {number}", guest.report()))


def _complaints(target: Target, *expected: str) -> list[str]:
    """What the kernel has complained of beside that; nothing where its log cannot be seen any more."""
    with contextlib.suppress(RigError):
        return klog.complaints(klog.read(target.machine) if target.machine.owned else target.new_log(), *expected)
    return []
