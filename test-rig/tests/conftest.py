# SPDX-License-Identifier: GPL-2.0-only
"""What the tests share: the kernels under test, booted targets, and what a failure prints."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kgdbrig import arches, build, machine, paths, source  # noqa: E402
from kgdbrig.build import Kernel  # noqa: E402
from kgdbrig.target import Target  # noqa: E402

#: A factory of booted targets, each ended with its test; see Target's arguments.
Boot = Callable[..., Target]

#: The version whose 32-bit kernel is tested.
I386_VERSION = "6.12"

#: The version for what is tested on one version only, if that is among those that are tested.
ONE_VERSION = "6.12"

#: Parts of the names of tests that take long.
LONG = ("test_endurance.py", "test_series.py", "test_soak.py", "test_compare.py", "test_fuzz.py")

_booted = pytest.StashKey[list[Target]]()
_states = pytest.StashKey[Path]()


@dataclass(frozen=True)
class Platform:
    """A kernel version and an architecture to test."""

    version: str
    arch: str

    def __str__(self) -> str:
        return f"{self.version}-{self.arch}"


def platforms(*, i386: bool = False, one_version: bool = False) -> list[Platform]:
    """What is to be tested: KVER and ARCH from the environment, or all there is.

    On i386 only the tests marked so, on the one version that is supported there.
    """
    versions = os.environ.get("KVER", "").split() or list(source.VERSIONS)
    arches_ = os.environ.get("ARCH", "").split() or list(arches.ARCHES)
    if one_version:
        versions = [ONE_VERSION if ONE_VERSION in versions else versions[0]]
        i386 = False
    found = [Platform(version, "x86_64") for version in versions if "x86_64" in arches_]
    if i386 and "i386" in arches_ and I386_VERSION in versions:
        found.append(Platform(I386_VERSION, "i386"))
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "i386: a test that also runs on a 32-bit kernel")
    config.addinivalue_line("markers", "one_version: a test that one version is enough for, and no 32-bit kernel")
    told = _worker_input(config)
    config.stash[_states] = Path(told["states"] if told else tempfile.mkdtemp(prefix="rig-states-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["states"] = str(node.config.stash[_states])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _worker_input(config):
        shutil.rmtree(config.stash[_states], ignore_errors=True)


def _worker_input(config: pytest.Config) -> dict[str, Any] | None:
    """What a worker of pytest-xdist is told by the process that controls it; None in that one, or without any."""
    return getattr(config, "workerinput", None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "platform" in metafunc.fixturenames:
        marked = {mark: metafunc.definition.get_closest_marker(mark) is not None for mark in ("i386", "one_version")}
        metafunc.parametrize("platform", platforms(**marked), ids=str, scope="session")


@pytest.hookimpl(hookwrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """One platform after another, so that few kernels are waited for; the tests that take longest first in each.

    Those that are short then even out what the workers of pytest-xdist have to do.
    """
    yield
    found = [*dict.fromkeys(map(_platform, items))]
    items.sort(key=lambda item: (found.index(_platform(item)), not any(name in item.nodeid for name in LONG)))


def _platform(item: pytest.Item) -> str:
    return str(item.callspec.params.get("platform", "")) if isinstance(item, pytest.Function) and \
        hasattr(item, "callspec") else ""


#: Gives the kernel that build.build() with these arguments gives, and shows how far a build is.
Build = Callable[..., Kernel]


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest) -> Build:
    def made(version: str, arch: str, *, stock: bool = False, config: str = "default") -> Kernel:
        # Minutes, if it is not in the cache: not to be spent in silence.
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            return build.build(version, arch, stock=stock, config=config, progress=sys.stderr)
    return made


@pytest.fixture(scope="session")
def kernel(platform: Platform, built: Build) -> Kernel:
    """The patched kernel, built if it is not in the cache."""
    return built(platform.version, platform.arch)


@pytest.fixture(scope="session")
def stock_kernel(platform: Platform, built: Build) -> Kernel:
    """The same source and configuration without our patches."""
    return built(platform.version, platform.arch, stock=True)


@pytest.fixture(scope="session")
def debug_kernel(platform: Platform, built: Build) -> Kernel:
    """The patched kernel with lockdep and KASAN (configs/debug.config)."""
    return built(platform.version, platform.arch, config="debug")


@pytest.fixture(scope="session")
def states(request: pytest.FixtureRequest) -> Path:
    """Where the states of booted machines are kept, for the next test that wants one like it, in whichever process."""
    return request.config.stash[_states]


def _machine(kernel: Kernel, states: Path, *, smp: int = 1, parallel: bool = False, starts_cpus: bool = False,
             append: str = "", **arguments: Any) -> Target:
    """A Target that is not started yet; see boot().

    Where instructions are counted from a later time on than power-on, the one
    that boots and the one that goes on from there are two machines anyway.
    """
    starts_counted = not parallel and machine.starts_counted(kernel.version, smp)
    if arguments.get("kgdboc") in ("early", "wait") or "visits" in arguments:
        return Target(kernel, smp=smp, parallel=parallel, counted=starts_counted, append=append, **arguments)
    counted = starts_counted if starts_cpus else not parallel
    if counted != starts_counted:
        append = f"{append} {machine.COUNTED_TSC}"
    # The oracle is not part of the guest.
    alike = sorted(item for item in arguments.items() if item[0] != "oracle")
    named = repr([kernel.key, smp, parallel, counted, append, alike])
    state = states / hashlib.sha256(named.encode()).hexdigest()[:16]
    # 256 locks are enough for all there will ever be.
    with paths.locked(f"state-{state.name[:2]}", None):
        if not state.exists():
            with Target(kernel, smp=smp, parallel=parallel, counted=starts_counted, append=append, **arguments) as it:
                it.machine.save(state)
    return Target(kernel, smp=smp, parallel=parallel, counted=counted, append=append, state=state, **arguments)


@pytest.fixture
def boot(request: pytest.FixtureRequest, kernel: Kernel, states: Path) -> Iterator[Boot]:
    """boot(smp=..., oracle=..., kernel=...) gives a Target that ends with the test.

    Its CPUs take turns, unless parallel=True: for tests of what happens at the same instant.
    It has really booted with these arguments, but maybe for an earlier test; not
    where somebody looks at the boot itself.  With starts_cpus=True the test has
    CPUs come online, which not every kernel can do while instructions are counted.
    """
    targets = request.node.stash.setdefault(_booted, [])
    with contextlib.ExitStack() as stack:
        def start(*, kernel: Kernel = kernel, **arguments: Any) -> Target:
            target = _machine(kernel, states, **arguments)
            targets.append(target)
            return stack.enter_context(target)
        yield start


@pytest.fixture
def target(boot: Boot) -> Target:
    """One CPU, the patched kernel, the shell at its prompt."""
    return boot()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.failed:
        for target in item.stash.get(_booted, []):
            report.sections.append((f"Linux {target.kernel.release}", target.report()))
