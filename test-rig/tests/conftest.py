# SPDX-License-Identifier: GPL-2.0-only
"""What the tests share: the kernels under test, booted targets, and what a failure prints."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# For what runs with other debuggers as well.
sys.path.insert(0, str(Path(__file__).resolve().parent / "guest"))

from kgdbrig import arches, paths
from kgdbrig.clients.gdb import Debugger
from kgdbrig.clients.target import Target
from kgdbrig.judging import endurance, klog
from kgdbrig.kernels import build, source
from kgdbrig.kernels.hooks import PARTS
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines import qemu
from kgdbrig.machines.description import Description

#: A factory of booted targets, each ended with its test; its arguments are those of a Description.
Boot = Callable[..., Target]

#: The version whose 32-bit kernel is tested.
I386_VERSION = "6.12"

#: The version for what is tested on one version only, if that is among those that are tested.
ONE_VERSION = "6.12"

#: Parts of the names of tests that take long.
LONG = ("test_endurance.py", "test_series.py", "test_soak.py", "test_compare.py", "test_fuzz.py", "test_cut_off.py")

#: How many tests, and how many stops at watchpoints, there are in Bochs for a kernel version where all were to run; fewer
#: is a failure.  In `make test-all`; and in `make test`, for ONE_VERSION and for each other one.
BOCHS_ALL, BOCHS_ONE_VERSION, BOCHS_OTHERS = (85, 1340), (52, 327), (7, 51)
#: The version whose kernel in Bochs has no code at all that makes up for QEMU; the others ask CPUID when they run.
BOCHS_WITHOUT_QUIRKS = "7.3"

#: What a test records that shows which debugger it ran with, by this name, for the end of the run.
CLIENT = "client"

_booted = pytest.StashKey[list[Target]]()
_states = pytest.StashKey[Path]()
_failed = pytest.StashKey[bool]()
_shared_bochs: pytest.StashKey[SharedBochs] = pytest.StashKey()
_BOCHS = "bochs"


@dataclasses.dataclass(frozen=True)
class Platform:
    """A kernel version and an architecture to test."""

    version: str
    arch: str

    def __str__(self) -> str:
        return f"{self.version}-{self.arch}"


#: One object for each: pytest keeps a fixture for as long as its parameter is the same object, not an equal one.
_one_platform = functools.cache(Platform)


def platforms(*, i386: bool = False, one_version: bool = False, rest_in_test_all: bool = False,
              i386_too: bool = False) -> list[Platform]:
    """What is to be tested: KVER and ARCH from the environment, or all there is.

    On i386 only the tests marked so, on the one version that is supported there; of those whose rest is for `make
    test-all` only those that say i386=True (`i386_too`).
    """
    versions = os.environ.get("KVER", "").split() or list(source.VERSIONS)
    arches_ = os.environ.get("ARCH", "").split() or list(arches.ARCHES)
    if one_version or (rest_in_test_all and not os.environ.get("TEST_ALL")):
        versions = [ONE_VERSION if ONE_VERSION in versions else versions[0]]
        i386 = i386 and i386_too and not one_version
    found = [_one_platform(version, "x86_64") for version in versions if "x86_64" in arches_]
    if i386 and "i386" in arches_ and I386_VERSION in versions:
        found.append(_one_platform(I386_VERSION, "i386"))
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rig", "the kernel under test")
    group.addoption("--series", choices=PARTS, default=PARTS[-1], help="has the series up to and including this part")
    group.addoption("--config", metavar="NAME", default="default", help="is built with configs/NAME.config as well")
    group.addoption("--without", metavar="NAME.patch", action="append", default=[], help="lacks this hook of the series")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "i386: a test that also runs on a 32-bit kernel")
    config.addinivalue_line("markers", "one_version: a test that one version is enough for, and no 32-bit kernel")
    config.addinivalue_line("markers", "complains(REGEX, ...): a test whose guests' kernels write such complaints, and no others")
    config.addinivalue_line("markers", "not_on(VERSION, ...): a test of what these versions do not have")
    config.addinivalue_line("markers", "rest_in_test_all(i386=False): a test that runs on one version, and with TEST_ALL on all")
    config.addinivalue_line("markers", "only_in_test_all: a test that runs with TEST_ALL alone")
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
        marked = {mark: metafunc.definition.get_closest_marker(mark) is not None
                  for mark in ("i386", "one_version", "rest_in_test_all")}
        rest = metafunc.definition.get_closest_marker("rest_in_test_all")
        marked["i386_too"] = rest is not None and bool(rest.kwargs.get("i386"))
        marked["i386"] &= _BOCHS not in metafunc.fixturenames
        # A build of minutes: on other versions as well only if they are named.
        marked["one_version"] |= metafunc.config.option.config != "default" and not os.environ.get("KVER")
        metafunc.parametrize("platform", platforms(**marked), ids=str, scope="session")


@pytest.hookimpl(hookwrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """One platform after another, so that few kernels are waited for; the tests that take longest first in each.

    Those that are short then even out what the workers of pytest-xdist have to do.  What runs in Bochs is for one worker,
    which boots it once.
    """
    for item in items:
        if f"test_{_BOCHS}_" in item.nodeid or _BOCHS in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(f"{_BOCHS}-{_platform(item)}"))
    yield
    needless = [item for item in items for mark in item.iter_markers("not_on")
                if any(_platform(item).startswith(f"{version}-") for version in mark.args)]
    if not os.environ.get("TEST_ALL"):
        needless += [item for item in items if item.get_closest_marker("only_in_test_all")]
    if needless:
        items[:] = [item for item in items if item not in needless]
        config.hook.pytest_deselected(items=needless)
    found = [*dict.fromkeys(map(_platform, items))]
    # Last those that boot a machine in Bochs of their own, which is the end of the one that others share.
    items.sort(key=lambda item: (found.index(_platform(item)), not any(name in item.nodeid for name in LONG),
                                 f"test_{_BOCHS}_" in item.nodeid and _BOCHS not in getattr(item, "fixturenames", ())))


def _platform(item: pytest.Item) -> str:
    return str(item.callspec.params.get("platform", "")) if isinstance(item, pytest.Function) and \
        hasattr(item, "callspec") else ""


#: Gives the numbers below one, or some of them where not everything is to be tested.
Stride = Callable[[int], list[int]]

#: How many those are.
_STRIDES = 3


@pytest.fixture
def stride() -> Stride:
    """stride(count) gives each number below count in `make test-all`, and 3 of them, or some more, in `make test`."""
    def numbers(count: int) -> list[int]:
        step = 1 if os.environ.get("TEST_ALL") else max(1, count // _STRIDES)
        return sorted({*range(count)[::step], *range(count)[-1:]})
    return numbers


#: Gives the kernel that build.build() with these arguments gives, and shows how far a build is.
Build = Callable[..., Kernel]


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest) -> Build:
    def made(version: str, arch: str, **arguments: Any) -> Kernel:
        # Minutes, if it is not in the cache: not to be spent in silence.
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            return build.build(version, arch, progress=sys.stderr, **arguments)
    return made


@pytest.fixture(scope="session")
def kernel(request: pytest.FixtureRequest, platform: Platform, built: Build) -> Kernel:
    """The patched kernel, or what --series, --without and --config ask for; built if it is not in the cache."""
    return built(platform.version, platform.arch, series=request.config.option.series, config=request.config.option.config,
                 without=request.config.option.without)


@pytest.fixture(scope="session")
def bochs_kernel(platform: Platform, built: Build) -> Kernel:
    """The patched kernel for tests in Bochs."""
    if platform.version == BOCHS_WITHOUT_QUIRKS:
        return built(platform.version, platform.arch, series="extra")
    return built(platform.version, platform.arch)


@pytest.fixture(scope="session")
def stock_kernel(platform: Platform, built: Build) -> Kernel:
    """The same source and configuration without our patches."""
    return built(platform.version, platform.arch, stock=True)


@pytest.fixture(scope="session")
def fixes_kernel(request: pytest.FixtureRequest, platform: Platform, built: Build) -> Kernel:
    """An otherwise stock kernel with the fixes of the series, but for those that --without names."""
    return built(platform.version, platform.arch, series="fixes", without=request.config.option.without)


#: Gives the kernel with the fixes of the series but for those that are named ("NAME.patch").
Without = Callable[..., Kernel]


@pytest.fixture(scope="session")
def fixes_without(platform: Platform, built: Build) -> Without:
    """fixes_without("NAME.patch") gives the kernel on which a test of that fix has to fail."""
    def made(*names: str) -> Kernel:
        return built(platform.version, platform.arch, series="fixes", without=names)
    return made


@pytest.fixture(scope="session")
def debug_kernel(request: pytest.FixtureRequest, platform: Platform, built: Build) -> Kernel:
    """As `kernel`, with lockdep and KASAN (configs/debug.config)."""
    return built(platform.version, platform.arch, config="debug", series=request.config.option.series,
                 without=request.config.option.without)


@pytest.fixture(scope="session")
def rt_kernel(request: pytest.FixtureRequest, platform: Platform, built: Build) -> Kernel:
    """As `kernel`, real-time, with lockdep (configs/rt.config)."""
    return built(platform.version, platform.arch, config="rt", series=request.config.option.series,
                 without=request.config.option.without)


@pytest.fixture(scope="session")
def hibernating_kernel(request: pytest.FixtureRequest, platform: Platform, built: Build) -> Kernel:
    """As `kernel`, which can put itself onto a disk (configs/hibernation.config)."""
    return built(platform.version, platform.arch, config="hibernation", series=request.config.option.series,
                 without=request.config.option.without)


@pytest.fixture(scope="session")
def mitigated_kernel(request: pytest.FixtureRequest, platform: Platform, built: Build) -> Kernel:
    """As `kernel`, with every mitigation (configs/mitigations.config; 6.1's own fragment has them)."""
    config = "default" if platform.version == "6.1" else "mitigations"
    return built(platform.version, platform.arch, config=config, series=request.config.option.series,
                 without=request.config.option.without)


@pytest.fixture(scope="session")
def kernel_without_watchpoints(platform: Platform, built: Build) -> Kernel:
    """The patched kernel with CONFIG_KGDB_WATCHPOINT=n (configs/nowatch.config)."""
    return built(platform.version, platform.arch, config="nowatch")


@pytest.fixture(scope="session")
def states(request: pytest.FixtureRequest) -> Path:
    """Where the states of booted machines are kept, for the next test that wants one like it, in whichever process."""
    return request.config.stash[_states]


def _machine(kernel: Kernel, states: Path, debugger: Debugger, *, starts_cpus: bool = False, visits: Sequence[int] = (),
             **wanted: Any) -> Target:
    """A Target that is not started yet; see boot().

    Where instructions are counted from a later time on than power-on, the one
    that boots and the one that goes on from there are two machines anyway.
    """
    wanted.setdefault("parallel", False)
    described = Description(kernel, **wanted)
    if described.machine == _BOCHS:
        return Target(described, debugger=debugger)
    starts = dataclasses.replace(described, counted=not described.parallel and
                                 qemu.starts_counted(kernel.version, described.smp))
    if described.kgdboc in ("early", "wait") or visits or described.disk_mb:
        return Target(starts, visits=visits, debugger=debugger)
    goes_on = starts if starts_cpus else dataclasses.replace(described, counted=not described.parallel)
    if goes_on.counted != starts.counted:
        append = f"{described.append} {qemu.COUNTED_TSC}"
        starts, goes_on = dataclasses.replace(starts, append=append), dataclasses.replace(goes_on, append=append)
    # The oracle is not part of the guest.
    state = states / hashlib.sha256(repr(dataclasses.replace(goes_on, oracle=False)).encode()).hexdigest()[:16]
    # 256 locks are enough for all there will ever be.
    with paths.locked(f"state-{state.name[:2]}", None):
        if not state.exists():
            with Target(starts) as it:
                # Once for all tests.
                it.await_random_numbers(120)
                complained = klog.complaints(it.kernel_log())
                assert not complained, f"the kernel complains as it boots: {complained}"
                it.machine.save(state)
    return Target(dataclasses.replace(goes_on, state=state), debugger=debugger)


@pytest.fixture
def debugger() -> Debugger:
    """The gdb of the tests: the machine's; a module can have another one."""
    return Debugger()


@pytest.fixture
def boot(request: pytest.FixtureRequest, kernel: Kernel, states: Path, debugger: Debugger) -> Iterator[Boot]:
    """boot(smp=..., oracle=..., kernel=...) gives a Target that ends with the test.

    Its CPUs take turns, unless parallel=True: for tests of what happens at the same instant.
    It has really booted with these arguments, but maybe for an earlier test; not
    where somebody looks at the boot itself, nor with a disk or machine="bochs".  With starts_cpus=True the test has
    CPUs come online, which not every kernel can do while instructions are counted.

    At the end of the test the kernels must have had nothing to complain of but what its mark `complains` names.
    """
    targets = request.node.stash.setdefault(_booted, [])
    with contextlib.ExitStack() as stack:
        usual = kernel

        def start(*, kernel: Kernel | None = None, **arguments: Any) -> Target:
            if request.config.option.config == "debug":
                arguments.setdefault("memory_mb", endurance.MEMORY_MB)
            if kernel is None:
                kernel = request.getfixturevalue("bochs_kernel") if arguments.get("machine") == _BOCHS else usual
            target = _machine(kernel, states, debugger, **arguments)
            targets.append(target)
            return stack.enter_context(target)
        yield start
        if not request.node.stash.get(_failed, True):
            expect_no_complaint(targets, *(said for mark in request.node.iter_markers("complains") for said in mark.args))


def expect_no_complaint(targets: Iterable[Target], *expected: str) -> None:
    """The logs of the kernels that can be looked at have no complaint but lines with a match of one of `expected`."""
    for target in targets:
        if target.machine.reads_memory and target.machine.alive():
            complained = klog.complaints(klog.read(target.machine), *expected)
            assert not complained, f"the kernel complains: {complained}"


@pytest.fixture
def target(boot: Boot) -> Target:
    """One CPU, the patched kernel, the shell at its prompt."""
    return boot()


class SharedBochs:
    """One booted machine for all tests in Bochs of a kernel; another one after a test that failed."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._stack = contextlib.ExitStack()
        self._target: Target | None = None

    def get(self) -> Target:
        if self._target is None:
            self._target = self._stack.enter_context(Target(Description(self._kernel, machine=_BOCHS)))
        return self._target

    def drop(self) -> None:
        self._target = None
        self._stack.close()


@pytest.fixture(scope="session")
def shared_bochs(request: pytest.FixtureRequest, bochs_kernel: Kernel) -> Iterator[SharedBochs]:
    shared = request.config.stash[_shared_bochs] = SharedBochs(bochs_kernel)
    yield shared
    shared.drop()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The machine in Bochs takes a whole core for as long as it is there, idle or not: it ends with the last test of a row."""
    shared = item.config.stash.get(_shared_bochs, None)
    if shared is not None and (nextitem is None or _BOCHS not in getattr(nextitem, "fixturenames", ())):
        shared.drop()


@pytest.fixture
def bochs(request: pytest.FixtureRequest, shared_bochs: SharedBochs) -> Iterator[Target]:
    """As `target`, in Bochs, where debug registers are a processor's.

    It is shared by all such tests.  A test may leave it stopped or not, with
    any watchpoints; they are removed, no debug register is enabled then, and the
    kernel must have had nothing to complain of.
    """
    target = shared_bochs.get()
    request.node.stash.setdefault(_booted, []).append(target)
    mark = target.tap.mark()
    yield target
    if request.node.stash.get(_failed, True):
        shared_bochs.drop()
        return
    try:
        hits = sum(packet.data.startswith(b"T05") and b"watch:" in packet.data for packet in target.tap.since(mark))
        target.let_go()
        target.expect_armed(0)
        complained = klog.complaints(target.kernel_log())
        assert not complained, f"the kernel complains: {complained}"
        target.renew()
    except BaseException:
        shared_bochs.drop()
        raise
    request.node.user_properties.append((_BOCHS, (str(target.kernel.version), hits)))


def _recorded(config: pytest.Config, wanted: str) -> Iterator[Any]:
    """What tests have recorded by that name."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    for report in itertools.chain(*reporter.stats.values()) if reporter else ():
        if getattr(report, "when", "") == "teardown":
            yield from (value for name, value in report.user_properties if name == wanted)


def _in_bochs(config: pytest.Config) -> dict[str, list[int]]:
    """By kernel version, how many hits each test had that passed in Bochs."""
    found: dict[str, list[int]] = {}
    for version, hits in _recorded(config, _BOCHS):
        found.setdefault(version, []).append(hits)
    return found


def _too_few_in_bochs(config: pytest.Config) -> list[str]:
    """What is missing where everything was to run: no K=, no KVER=, and the whole directory."""
    guest = Path(__file__).parent / "guest"
    whole = any(guest == path or guest in path.parents or path in guest.parents
                for path in (Path(argument).resolve() for argument in config.args) if path.is_dir())
    if not whole or config.option.keyword or config.option.markexpr or os.environ.get("KVER") or os.environ.get("ARCH"):
        return []
    too_few = []
    for version in source.VERSIONS:
        tests, hits = BOCHS_ALL if os.environ.get("TEST_ALL") else BOCHS_ONE_VERSION if version == ONE_VERSION else BOCHS_OTHERS
        found = _in_bochs(config).get(version, [])
        if len(found) < tests or sum(found) < hits:
            too_few.append(f"Linux {version} in Bochs: {len(found)} tests with {sum(found)} hits, not {tests} and {hits}")
    return too_few


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if not _worker_input(session.config) and session.exitstatus == pytest.ExitCode.OK and _too_few_in_bochs(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for version, hits in sorted(_in_bochs(config).items()):
        terminalreporter.write_line(f"Linux {version} in Bochs: {len(hits)} tests with {sum(hits)} hits passed")
    for text in _too_few_in_bochs(config):
        terminalreporter.write_line(f"too few: {text}", red=True)
    for client in sorted({*_recorded(config, CLIENT)}):
        terminalreporter.write_line(f"with {client}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call":
        item.stash[_failed] = report.failed
    if report.failed:
        for target in item.stash.get(_booted, []):
            report.sections.append((f"Linux {target.kernel.release}", target.report()))
