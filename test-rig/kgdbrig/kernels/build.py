# SPDX-License-Identifier: GPL-2.0-only
"""Builds guest kernels, and keeps the finished ones in the cache.

A finished kernel is a directory kernels/KEY that is complete or absent and
never changes, but for the index that gdb keeps there of vmlinux's symbols;
KEY is the digest of everything that went in.  The tree and the object
directory it was built in stay behind, so that the next build compiles only
what changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from kgdbrig import arches, paths
from kgdbrig.arches import Arch
from kgdbrig.errors import BuildError, MissingDependency, RigError
from kgdbrig.kernels import overlay, reuse, source
from kgdbrig.kernels.hooks import PARTS
from kgdbrig.kernels.kernel import Kernel, require, settings
from kgdbrig.kernels.overlay import Overlay
from kgdbrig.kernels.source import Source
from kgdbrig.progress import Progress

#: Part of every key: a change in how kernels are built makes new ones.
_RECIPE = "1"
#: Finished kernels kept for each version, architecture and kind; the least recently used go first.
_KEPT = 8
#: As many of those that lack a fix, of which each test wants another one.
_KEPT_WITHOUT = 32
_TAIL_LINES = 30
#: What a build from nothing takes, in megabytes, with lockdep and KASAN too, and some more.
_BUILT_MB = 1_700
#: With less than this, a step that failed did so because the disk is full.
_ANY_MB = 16
#: The finished kernels that this process uses: their directories, open and locked.
_in_use: dict[Path, int] = {}
#: What would make two builds of the same input differ.
_REPRODUCIBLE = {"KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970", "KBUILD_BUILD_USER": "rig",
                 "KBUILD_BUILD_HOST": "rig", "KBUILD_BUILD_VERSION": "1", "LC_ALL": "C"}
#: Variables of the caller's that kbuild would take for its own.
_FOREIGN = ("ARCH", "CROSS_COMPILE", "KBUILD_OUTPUT", "KCONFIG_CONFIG", "KERNEL_SRC", "LOCALVERSION", "M",
            "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "O", "STOCK", "V", "W", "KCFLAGS", "KAFLAGS",
            "KBUILD_EXTRA_SYMBOLS")


@dataclass(frozen=True)
class _Recipe:
    """Everything that goes into one build."""

    version: str
    arch: Arch
    stock: bool
    series: str
    config: str
    source: Source
    overlay: Overlay
    fragments: tuple[Path, ...]
    trigger: dict[str, bytes]
    compiler: str

    @property
    def family(self) -> str:
        """Names the object directory: builds of one family reuse each other's objects."""
        return f"{self.source.name}_{self.arch.name}{self.variant.replace('-', '_')}"

    @property
    def what(self) -> str:
        return " ".join(["Linux", self.version, self.arch.name, *self.variant.split("-")[1:]])

    @property
    def variant(self) -> str:
        """Tells the trees of other overlays and configurations apart."""
        overlaid = "-stock" if self.stock else f"-{self.series}" if self.series != PARTS[-1] else ""
        return overlaid + (f"-{_fragment(self.config).stem}" if self.config != "default" else "")

    @property
    def siblings(self) -> str:
        """Names those that differ from each other in what is laid over the source alone."""
        return replace(self, stock=False, series=PARTS[-1]).family

    @property
    def pristine(self) -> bool:
        """Whether it is built of the source itself, and of no copy."""
        return self.stock and self.source.cached

    @property
    def tree(self) -> Path:
        """What it is built of."""
        return self.source.directory if self.pristine else paths.cache_dir("tree") / f"{self.source.name}{self.variant}"

    def key(self) -> str:
        total = hashlib.sha256()

        def add(name: str, content: bytes) -> None:
            total.update(f"{name}\0{len(content)}\n".encode())
            total.update(content)

        for name, text in (("recipe", _RECIPE), ("version", self.version), ("arch", self.arch.name),
                           ("stock", str(self.stock)), ("series", self.series), ("config", _fragment(self.config).stem),
                           ("source", self.source.digest), ("overlay", self.overlay.digest()),
                           ("without", repr(self.overlay.without)), ("compiler", self.compiler)):
            add(name, text.encode())
        for fragment in self.fragments:
            add(f"fragment {fragment.name}", fragment.read_bytes())
        for name, content in sorted(self.trigger.items()):
            add(f"trigger {name}", content)
        return total.hexdigest()[:40]


def build(version: str, arch: str, *, stock: bool = False, kernel_src: Path | None = None,
          config: str = "default", series: str = PARTS[-1], without: Collection[str] = (),
          progress: TextIO | None = sys.stderr) -> Kernel:
    """The kernel for these inputs, built when the cache does not have it.

    `config` other than "default" adds the fragment configs/CONFIG.config, or the file that it is the path of.
    The kernel has the series up to and including the part `series`, but for
    the hooks called `without` ("NAME.patch"); up to "fixes" it is configured
    as the stock kernel is.  It stays in the cache for as long as this process
    runs.  Progress goes to `progress`.  Raises OverlayError, SourceError,
    BuildError.
    """
    recipe = _recipe(version, arch, stock, kernel_src, config, series, without, progress)
    key = recipe.key()
    directory = paths.cache_dir("kernels") / key
    kernel = _finished(directory)
    if kernel is None:
        with paths.locked(f"build-{recipe.family}", progress):
            kernel = _finished(directory)
            if kernel is None:
                _make(recipe, key, directory, progress)
                kernel = _finished(directory)
    if kernel is None:
        raise RigError(f"{directory} is damaged: remove it and build again")
    return kernel


def fragments(config: str, version: str, arch: str, stock: bool, *, emulator: bool = True) -> tuple[Path, ...]:
    """The fragments of a configuration in the order they are merged; a later line wins."""
    required = ["common", *arches.find(arch).configs] + ["watchpoint"] * (not stock) + ["emulator"] * (not stock and emulator)
    optional = [version, f"{version}-{arch}"]
    # Last: who asks for one wants it, whatever the version leaves out.
    asked = [_fragment(config)] * (config != "default")
    named = [paths.CONFIGS / f"{name}.config" for name in required]
    for path in named + asked:
        if not path.is_file():
            raise RigError(f"there is no configuration {path.stem}: {path} is not there")
    found = [paths.CONFIGS / f"{name}.config" for name in optional]
    return tuple([*named, *(path for path in found if path.is_file()), *asked])


def _fragment(config: str) -> Path:
    """The file of a configuration: a user's, where it is called by its path."""
    return Path(config) if os.sep in config or config.endswith(".config") else paths.CONFIGS / f"{config}.config"


def _recipe(version: str, arch: str, stock: bool, kernel_src: Path | None, config: str, series: str,
            without: Collection[str], progress: TextIO | None) -> _Recipe:
    if stock and (series != PARTS[-1] or without):
        raise RigError("a stock kernel has no part of the series, and no hook to leave out: "
                       "ask for one or the other")
    layout = arches.find(arch)
    found = source.find(version, kernel_src, progress)
    version = found.version
    laid = Overlay() if stock else overlay.load(version, upto=series, without=sorted(without))
    compiler = ""
    for program in ("gcc", "ld"):
        try:
            compiler += subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            raise MissingDependency(f"a working {program}") from error
    trigger = {path.name: path.read_bytes() for path in sorted(paths.TRIGGER.glob("*"))
               if path.name in ("Makefile", "Kbuild") or (path.suffix in (".c", ".h", ".S") and ".mod." not in path.name)}
    if not trigger:
        raise RigError(f"{paths.TRIGGER} has no sources: the checkout is not complete")
    return _Recipe(version, layout, stock, series, config, found, laid,
                   fragments(config, version, arch, stock or series == "fixes", emulator=series == PARTS[-1]),
                   trigger, compiler)


def _finished(directory: Path) -> Kernel | None:
    """The kernel in the cache, marked as used, and in use from now on; None when it is not there."""
    try:
        _claim(directory)
        stored = json.loads((directory / "kernel.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RigError(f"{directory} is damaged: remove it and build again") from error
    os.utime(directory)
    image = directory / stored.pop("image")
    stored["without"] = tuple(stored["without"])
    return Kernel(directory=directory, image=image, vmlinux=directory / "vmlinux", **stored)


def _claim(directory: Path) -> None:
    """Keep other rigs from removing a finished kernel while this process lives; FileNotFoundError when there is none."""
    handle = paths.hold(directory, fcntl.LOCK_SH)
    before = _in_use.pop(directory, None)
    if before is not None:
        os.close(before)
    _in_use[directory] = handle


def _make(recipe: _Recipe, key: str, directory: Path, progress: TextIO | None) -> None:
    """Build in the family's object directory, and put the result in place; the caller holds the lock."""
    objects = paths.cache_dir("obj", recipe.family)
    with contextlib.ExitStack() as stack:
        sibling = None
        if not _complete(objects):
            paths.need_room(_BUILT_MB, f"building {recipe.what}")
            # One of them compiles everything, and the others begin with what it has compiled.
            stack.enter_context(paths.locked(f"first-{recipe.siblings}", progress))
            sibling = next((other for other in _others(recipe) if _complete(paths.cache_dir("obj") / other.family)), None)
        if sibling is None:
            _lay(recipe, stack, progress)
        else:
            with paths.locked(f"build-{sibling.family}", progress):
                _lay(recipe, stack, progress)
                shutil.rmtree(objects)
                objects.mkdir()  # it may have the beginning of a build
                reuse.begin(recipe.tree, objects, sibling.tree, paths.cache_dir("obj") / sibling.family)
        _compile(recipe, key, objects, directory, progress)
    _prune(directory.parent, recipe)


def _others(recipe: _Recipe) -> Iterator[_Recipe]:
    """The kernels that differ from this one in what is laid over the source, the likest first."""
    for part in reversed(PARTS):
        if recipe.stock or part != recipe.series:
            yield replace(recipe, stock=False, series=part)
    if not recipe.stock:
        yield replace(recipe, stock=True, series=PARTS[-1])


def _complete(objects: Path) -> bool:
    return (objects / "vmlinux").exists()


def _lay(recipe: _Recipe, stack: contextlib.ExitStack, progress: TextIO | None) -> None:
    """Make the tree what is built, and hold its lock until `stack` ends."""
    if not recipe.pristine:
        # One that builds for long, or often, should not keep the others waiting.
        stack.enter_context(paths.locked(f"tree-{recipe.tree.name}", progress))
        overlay.apply(recipe.source, recipe.overlay, recipe.tree, progress)


def _compile(recipe: _Recipe, key: str, objects: Path, directory: Path, progress: TextIO | None) -> None:
    kbuild = Kbuild(recipe.arch.make_arch, recipe.source, recipe.tree, objects)
    kbuild.configure(recipe.fragments, progress)
    if (own := _fragment(recipe.config)).parent != paths.CONFIGS:
        require(settings((objects / ".config").read_text(encoding="utf-8")), own)
    kbuild.compile(recipe.arch, recipe.what, progress)
    release = (objects / "include/config/kernel.release").read_text(encoding="utf-8").strip()
    trigger = objects.with_name(f"{objects.name}.trigger")  # a path that stays: it is in the debugging information
    shutil.rmtree(trigger, ignore_errors=True)
    trigger.mkdir()
    for name, content in recipe.trigger.items():
        (trigger / name).write_bytes(content)
    kbuild.module(trigger)
    _install(recipe, key, release, objects, trigger, directory)


class Kbuild:
    """make in one object directory, for a tree that came from `origin`.

    `arch` is kbuild's ARCH, and `cross` what the names of the compiler and its
    tools begin with, where that is not this machine's.
    """

    def __init__(self, arch: str, origin: Source, tree: Path, objects: Path, *, cross: str = "") -> None:
        self._variables = (f"ARCH={arch}", *([f"CROSS_COMPILE={cross}"] if cross else []), "LOCALVERSION=")
        self._origin = origin
        self._tree = tree
        self._objects = objects
        self._log = objects / "rig-build.log"
        self._environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        self._environment.update(_REPRODUCIBLE)
        self._log.write_bytes(b"")

    def configure(self, fragments: tuple[Path, ...], progress: TextIO | None = None) -> None:
        """Write .config, and check that every line of the fragments is in it.

        In a tree of another version than the fragments are for, only KGDB's
        own lines must be; `progress` is told of the others.
        """
        wanted = _settings(fragments)
        config, before = self._objects / ".config", self._objects / ".config.before"
        # Linux 6.1's tinyconfig would take over all that it has.
        if config.exists():
            config.replace(before)
        # The fragments are merged beside, so that a .config that stays the same keeps its time.
        with tempfile.TemporaryDirectory(prefix="rig-config-") as temporary:
            merged = Path(temporary) / ".config"
            configured = {**self._environment, "KCONFIG_CONFIG": str(merged)}
            self._run("tinyconfig", self._command("tinyconfig"), configured)
            self._run("merge_config.sh", [str(self._tree / "scripts/kconfig/merge_config.sh"), "-m", "-O", temporary,
                                          str(merged), *map(str, fragments)], configured)
            self._run("olddefconfig", self._command("olddefconfig"), configured)
            content = merged.read_bytes()
        final = settings(content.decode())
        for symbol, (value, place) in wanted.items():
            if final.get(symbol, "n") != value:
                said = (f"{place}: {symbol}={value} does not take in {self._origin.identity} "
                        f"(it is {final.get(symbol, 'n')}): a dependency is missing, or there is no such symbol")
                if self._origin.linux == self._origin.version or symbol.startswith("CONFIG_KGDB"):
                    raise RigError(said)
                if progress is not None:
                    print(f"rig: note: {said}", file=progress, flush=True)
        if before.exists() and before.read_bytes() == content:
            before.replace(config)
        else:
            config.write_bytes(content)

    def compile(self, arch: Arch, what: str, progress: TextIO | None) -> None:
        """Build the image, the modules and the gdb scripts of `what`."""
        counted = self._objects / "rig-objects"
        full = not _complete(self._objects)
        done = sum(name.endswith(".o") for _, _, names in os.walk(self._objects) for name in names) if full else 0
        total = int(counted.read_text(encoding="ascii")) if counted.exists() else arch.objects
        line = Progress(f"building {what}", progress)
        command = self._command(arch.image, "modules", "scripts_gdb")
        with self._log.open("ab") as log, subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT) as make:
            assert make.stdout is not None
            try:
                for output in make.stdout:
                    log.write(output)
                    done += re.match(rb"  (CC|AS|CC \[M\]) ", output) is not None
                    share = f"{done} of {max(done, total)} objects, {min(99, done * 100 // total)} %" if full else \
                        f"{done} objects rebuilt"
                    line.update(share)
            except BaseException:
                make.terminate()  # make takes what it started with it, and removes half-written targets
                make.wait()
                line.failed()
                raise
        if make.returncode != 0:
            line.failed()
            raise self._failure(f"building {what}")
        if full:
            counted.write_text(f"{max(done, 1)}\n", encoding="ascii")
        line.done(f"{done} objects")

    def module(self, directory: Path) -> None:
        """Build the out-of-tree module in `directory` against this kernel."""
        self._run("building the guest's trigger module", self._command(f"M={directory}", "modules"), self._environment)

    def make(self, *targets: str, jobs: int | None = None) -> subprocess.CompletedProcess[str]:
        """Build single targets, `jobs` at a time; their output, and whether it worked, is the caller's to judge."""
        # What two compilers say at once would be mixed within a line.
        command = self._command("--keep-going", "--output-sync=target", *targets, jobs=jobs)
        return subprocess.run(command, env=self._environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)

    def _command(self, *targets: str, jobs: int | None = None) -> list[str]:
        return ["make", f"-j{jobs or len(os.sched_getaffinity(0))}", f"--directory={self._tree}", f"O={self._objects}",
                *self._variables, *targets]

    def _run(self, what: str, command: list[str], environment: dict[str, str]) -> None:
        with self._log.open("ab") as log:
            result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT, check=False)
        if result.returncode != 0:
            raise self._failure(what)

    def _failure(self, what: str) -> RigError:
        """Why a step failed: where the disk is full, its log may not have it."""
        try:
            paths.need_room(_ANY_MB, f"{what} failed: it")
        except RigError as error:
            return error
        return BuildError(what, self._log, _tail(self._log))


def _settings(files: tuple[Path, ...]) -> dict[str, tuple[str, str]]:
    """What fragments ask for: value and place (FILE:LINE) by symbol; a later line wins."""
    found = {}
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for symbol, value in settings(line).items():
                found[symbol] = (value, f"{path}:{number}")
    return found


def _install(recipe: _Recipe, key: str, release: str, objects: Path, trigger: Path, directory: Path) -> None:
    """Collect the result beside its place, and rename it there in one step."""
    temporary = Path(tempfile.mkdtemp(prefix=".finish-", dir=directory.parent))
    try:
        temporary.chmod(0o755)
        image = Path(recipe.arch.image_path).name
        copies = {recipe.arch.image_path: image, "vmlinux": "vmlinux", "System.map": "System.map",
                  ".config": "config", "Module.symvers": "Module.symvers", "rig-build.log": "build.log"}
        for name, target in copies.items():
            shutil.copyfile(objects / name, temporary / target)
        # gdb loads vmlinux-gdb.py from beside vmlinux; links into the tree would change with it
        shutil.copyfile(recipe.tree / "scripts/gdb/vmlinux-gdb.py", temporary / "vmlinux-gdb.py")
        shutil.copytree(objects / "scripts/gdb/linux", temporary / "scripts/gdb/linux",
                        ignore=lambda _, names: [name for name in names if not name.endswith(".py")])
        (temporary / "modules").mkdir()
        in_tree = (objects / "modules.order").read_text(encoding="utf-8").split()
        for module in [objects / name.replace(".o", ".ko") for name in in_tree] + sorted(trigger.glob("*.ko")):
            shutil.copyfile(module, temporary / "modules" / module.name)
        (temporary / "series.txt").write_text("".join(f"{hook.path.name}\n" for hook in recipe.overlay.hooks), encoding="utf-8")
        kernel = Kernel(version=recipe.version, arch=recipe.arch.name, stock=recipe.stock, key=key,
                        directory=directory, image=Path(image), vmlinux=Path("vmlinux"), release=release,
                        source=recipe.source.identity, series=recipe.series, without=recipe.overlay.without)
        stored = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(kernel).items()
                  if name not in ("directory", "vmlinux")}
        (temporary / "kernel.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        temporary.rename(directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _prune(kernels: Path, recipe: _Recipe) -> None:
    """Remove the finished kernels of this kind that were not used for longest, but none that is in use."""
    kind = _kind({"version": recipe.version, "arch": recipe.arch.name, "stock": recipe.stock, "series": recipe.series,
                  "without": recipe.overlay.without})
    same = []
    for listing in kernels.glob("*/kernel.json"):
        with contextlib.suppress(FileNotFoundError):  # another rig removed it just now
            stored = json.loads(listing.read_text(encoding="utf-8"))
            if _kind(stored) == kind:
                same.append((listing.parent.stat().st_mtime, listing.parent))
    for _, old in sorted(same, reverse=True)[_KEPT_WITHOUT if recipe.overlay.without else _KEPT:]:
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            _remove(old)


def _kind(stored: dict[str, Any]) -> tuple[object, ...]:
    """What tells finished kernels apart whose number is limited, from kernel.json; older ones say nothing of a series."""
    return (stored["version"], stored["arch"], stored["stock"], stored.get("series", PARTS[-1]),
            bool(stored.get("without")))


def _remove(kernel: Path) -> None:
    """Remove a finished kernel; BlockingIOError when a rig uses it."""
    handle = paths.hold(kernel, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        # Renamed first: a kernel is complete or absent.
        doomed = kernel.with_name(f".old-{kernel.name}")
        kernel.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    finally:
        os.close(handle)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
