# SPDX-License-Identifier: GPL-2.0-only
"""What the tests share: the kernels under test, booted targets, and what a failure prints."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kgdbrig import arches, build, source  # noqa: E402
from kgdbrig.build import Kernel  # noqa: E402
from kgdbrig.target import Target  # noqa: E402

#: A factory of booted targets, each ended with its test; see Target's arguments.
Boot = Callable[..., Target]

#: The version whose 32-bit kernel is tested.
I386_VERSION = "6.12"

_booted = pytest.StashKey[list[Target]]()


@dataclass(frozen=True)
class Platform:
    """A kernel version and an architecture to test."""

    version: str
    arch: str

    def __str__(self) -> str:
        return f"{self.version}-{self.arch}"


def platforms(*, i386: bool) -> list[Platform]:
    """What is to be tested: KVER and ARCH from the environment, or all there is.

    On i386 only the tests marked so, on the one version that is supported there.
    """
    versions = os.environ.get("KVER", "").split() or list(source.VERSIONS)
    arches_ = os.environ.get("ARCH", "").split() or list(arches.ARCHES)
    found = [Platform(version, "x86_64") for version in versions if "x86_64" in arches_]
    if i386 and "i386" in arches_ and I386_VERSION in versions:
        found.append(Platform(I386_VERSION, "i386"))
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "i386: a test that also runs on a 32-bit kernel")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "platform" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("i386") is not None
        metafunc.parametrize("platform", platforms(i386=marked), ids=str, scope="session")


@pytest.fixture(scope="session")
def kernel(platform: Platform) -> Kernel:
    """The patched kernel, built if it is not in the cache."""
    return build.build(platform.version, platform.arch)


@pytest.fixture(scope="session")
def stock_kernel(platform: Platform) -> Kernel:
    """The same source and configuration without our patches."""
    return build.build(platform.version, platform.arch, stock=True)


@pytest.fixture
def boot(request: pytest.FixtureRequest, kernel: Kernel) -> Iterator[Boot]:
    """boot(smp=..., oracle=..., kernel=...) gives a Target that ends with the test."""
    targets = request.node.stash.setdefault(_booted, [])
    with contextlib.ExitStack() as stack:
        def start(*, kernel: Kernel = kernel, **arguments: object) -> Target:
            target = Target(kernel, **arguments)  # type: ignore[arg-type]
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
