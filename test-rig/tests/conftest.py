# SPDX-License-Identifier: GPL-2.0-only
"""What the tests share: the kernels under test, booted targets, and what a failure prints."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kgdbrig import build  # noqa: E402
from kgdbrig.build import Kernel  # noqa: E402
from kgdbrig.target import Target  # noqa: E402

#: A factory of booted targets, each ended with its test; see Target's arguments.
Boot = Callable[..., Target]

_booted = pytest.StashKey[list[Target]]()


@pytest.fixture(scope="session")
def kver() -> str:
    return os.environ.get("KVER", "6.12")


@pytest.fixture(scope="session")
def arch() -> str:
    return os.environ.get("ARCH", "x86_64")


@pytest.fixture(scope="session")
def kernel(kver: str, arch: str) -> Kernel:
    """The patched kernel, built if it is not in the cache."""
    return build.build(kver, arch)


@pytest.fixture(scope="session")
def stock_kernel(kver: str, arch: str) -> Kernel:
    """The same source and configuration without our patches."""
    return build.build(kver, arch, stock=True)


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
