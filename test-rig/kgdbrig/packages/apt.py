# SPDX-License-Identifier: GPL-2.0-only
"""Packages of Debian suites the machine does not use itself.

apt-get does the work, with a configuration and a state of the rig's own that
lie in a temporary directory: the system's sources and lists are read once, to
learn which mirror the machine uses, and never changed.  Every suite is
verified with the keys of Debian's archive.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

from kgdbrig import paths
from kgdbrig.errors import MissingDependency, SourceError
from kgdbrig.progress import Progress

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

#: apt's own words, which it has in English with LC_ALL=C, for what went wrong.
_NO_SUITE = re.compile(r"does not have a Release file|404 +Not Found|File not found - .*Release")
_UNSIGNED = re.compile(r"is not signed|is no longer signed|NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|NODATA|"
                       r"invalid signature|not be authenticated|Mismatch|Hash Sum mismatch", re.IGNORECASE)
_NO_NETWORK = re.compile(r"Could not resolve|Temporary failure|Could not connect|Unable to connect|Cannot initiate|"
                         r"Network is unreachable|Connection (?:failed|timed out|refused)", re.IGNORECASE)
_POLL_SECONDS = 0.2

#: {root} is the directory everything lies in.  What the machine configures
#: otherwise (a proxy, above all) stays; its hooks, pins and sources do not.
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets;
#clear APT::Architectures;
#clear APT::Default-Release;
Dir::State "{root}/state";
Dir::State::lists "{root}/state/lists";
Dir::State::status "{root}/status";
Dir::State::extended_states "{root}/extended_states";
Dir::Cache "{root}/cache";
Dir::Cache::archives "{root}/cache/archives";
Dir::Etc::SourceList "{root}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Log "{root}/log";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "{user}";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::IndexTargets::deb::Packages {{
	MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
	flatMetaKey "Packages";
	ShortDescription "Packages";
	Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
	Optional "no";
}};
"""


@dataclass(frozen=True)
class Package:
    """A package as a suite has it; `size` is that of its file, in bytes."""

    name: str
    version: str
    suite: str
    size: int

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class NoSuchSuite(SourceError):
    """The mirror has no suite of this name."""


class Unreachable(SourceError):
    """The mirror cannot be reached: there is no point in asking it for another suite."""


class Archive:
    """The machine's mirror of Debian's archive, with all its suites; a context manager.

    Everything it downloads goes when it ends.  All methods raise SourceError.
    """

    def __init__(self, architecture: str = "", progress: TextIO | None = None) -> None:
        self._progress = progress
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise MissingDependency(program)
        if not KEYRING.is_file():
            raise MissingDependency(f"the keyring of Debian's archive ({KEYRING})", "debian-archive-keyring")
        self._architecture = architecture or _output(["dpkg", "--print-architecture"], None).strip()
        self._root = Path(tempfile.mkdtemp(prefix="apt-", dir=paths.cache_dir("tmp")))
        try:
            self._mirror = _mirror(self._root)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def packages(self, suite: str, prefix: str) -> list[Package]:
        """The packages of `suite` whose names begin with `prefix`; the suite's list is fetched.

        NoSuchSuite, Unreachable, or another SourceError, such as for a wrong signature.
        """
        self._configure(suite)
        line = Progress(f"looking for {prefix}* in Debian {suite}", self._progress)
        try:
            self._run(suite, ["apt-get", "--quiet=2", "--error-on=any", "update"], line, None)
            names = self._output(suite, ["apt-cache", "pkgnames", prefix]).split()
            found = list(self._candidates(suite, sorted(names)))
        except NoSuchSuite:
            line.done("no such suite")
            raise
        except BaseException:
            line.failed()
            raise
        line.done(", ".join(map(str, found)) or "not there")
        return found

    def download(self, package: Package) -> Path:
        """The package's file, verified, in a directory that goes with the Archive."""
        target = self._root / "download" / package.suite
        target.mkdir(parents=True)
        line = Progress(f"fetching {package} from Debian {package.suite}", self._progress)
        try:
            self._run(package.suite, ["apt-get", "--quiet=2", "download", f"{package.name}={package.version}"],
                      line, package, target)
            [found] = target.glob("*.deb")
        except ValueError:
            line.failed()
            raise SourceError(f"apt-get downloaded {package}, and left no file of it") from None
        except BaseException:
            line.failed()
            raise
        line.done(f"{found.stat().st_size / 1e6:.0f} MB")
        return found

    def download_all(self, package: Package) -> list[Path]:
        """The files of a package and of all that it depends on, verified, in a directory that goes with the Archive."""
        line = Progress(f"fetching {package} from Debian {package.suite}, and what it needs", self._progress)
        try:
            self._run(package.suite, ["apt-get", "--quiet=2", "--yes", "--no-install-recommends", "--download-only",
                                      "install", f"{package.name}={package.version}"], line, None)
        except BaseException:
            line.failed()
            raise
        found = sorted((self._root / package.suite / "cache/archives").glob("*.deb"))
        if not any(path.name.startswith(f"{package.name}_") for path in found):
            line.failed()
            raise SourceError(f"apt-get downloaded {package}, and left no file of it")
        line.done(f"{len(found)} packages, {sum(path.stat().st_size for path in found) / 1e6:.0f} MB")
        return found

    def _configure(self, suite: str) -> None:
        root = self._root / suite
        for part in ("state/lists/partial", "cache/archives/partial", "log"):
            (root / part).mkdir(parents=True)
        (root / "status").touch()
        (root / "sources.list").write_text(
            f"deb [arch={self._architecture} signed-by={KEYRING}] {self._mirror} {suite} main\n", encoding="utf-8")
        # The download user of apt's cannot get into a cache below root's home.
        user = "root" if os.geteuid() == 0 else ""
        (root / "apt.conf").write_text(_CONFIGURATION.format(
            root=root, architecture=self._architecture, user=user), encoding="utf-8")

    def _candidates(self, suite: str, names: Iterable[str]) -> Iterable[Package]:
        for name in names:
            record = self._output(suite, ["apt-cache", "show", "--no-all-versions", name])
            fields = dict(re.findall(r"^(Package|Version|Size): *(\S+)$", record, re.MULTILINE))
            if fields.get("Package") == name:
                yield Package(name, fields["Version"], suite, int(fields["Size"]))

    def _output(self, suite: str, command: list[str]) -> str:
        return _output([command[0], "--config-file", str(self._root / suite / "apt.conf"), *command[1:]], self._root)

    def _run(self, suite: str, command: list[str], line: Progress, package: Package | None,
             directory: Path | None = None) -> None:
        """Run apt-get in `directory`, and show how much of `package` is there."""
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [command[0], "--config-file", str(self._root / suite / "apt.conf"), *command[1:]],
                cwd=directory or self._root, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=said, start_new_session=True)  # its download helpers end with its group
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        status = process.wait(_POLL_SECONDS)
                        break
                    if package is not None and directory is not None:
                        line.update(f"{_size(directory) * 100 // max(package.size, 1)} % of {package.size / 1e6:.0f} MB")
                    else:
                        line.update("fetching")
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait()
                raise
            if status != 0:
                said.seek(0)
                raise _failure(suite, self._mirror, said.read().decode(errors="replace").strip())


def unpack(package: Path, directory: Path) -> None:
    """Unpack a package's files as `directory`, as dpkg-deb does."""
    result = subprocess.run(["dpkg-deb", "--extract", str(package), str(directory)], capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        raise SourceError(f"unpacking {package.name} failed: {result.stderr.strip()}; is the disk full?")


def codename() -> str:
    """The suite this machine runs, such as "bookworm"; "" when it does not say."""
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r'^VERSION_CODENAME="?(\w+)"?$', release, re.MULTILINE)
    return found[1] if found else ""


def _mirror(root: Path) -> str:
    """The address of the mirror of Debian's main archive that the machine's apt is configured with.

    apt-get itself reads the configuration, in whatever format that is, and
    names the addresses an update would ask for.
    """
    lists = root / "lists"
    (lists / "partial").mkdir(parents=True)
    said = _output(["apt-get", "-o", f"Dir::State::Lists={lists}", "update", "--print-uris"], root)
    found = re.findall(r"^'((?!cdrom:)[^']+?)/dists/([^'/]+)/main/binary-", said, re.MULTILINE)
    own = codename()
    # Its own suite's; else, for one that is written "stable", one that is no "stable-updates" or "-security".
    for wanted in (own, r"\w+"):
        for address, suite in found:
            if re.fullmatch(wanted, suite):
                return str(address)
    raise SourceError("apt is configured with no mirror of Debian's main archive (/etc/apt/sources.list and "
                      "sources.list.d): add one, or give a kernel tree of your own (KERNEL_SRC=PATH, --source PATH)")


def _failure(suite: str, mirror: str, said: str) -> SourceError:
    """The error for what apt-get said when it failed."""
    lines = [line.partition(": ")[2] for line in said.splitlines() if line.startswith(("E: ", "W: "))]
    words = "; ".join(dict.fromkeys(lines)) or said or "apt-get gave no reason"
    where = f"Debian {suite} from {mirror}"
    if _NO_NETWORK.search(said):
        return Unreachable(f"{where} cannot be reached ({words}): this needs the network once; "
                           "check it, or give a kernel tree of your own (KERNEL_SRC=PATH, --source PATH)")
    if _UNSIGNED.search(said):
        return SourceError(f"{where} is not what Debian signed ({words}): nothing of it is used; "
                           "check the mirror, and that debian-archive-keyring is up to date")
    if _NO_SUITE.search(said):
        return NoSuchSuite(f"{where} does not exist ({words})")
    return SourceError(f"{where}: {words}")


def _size(directory: Path) -> int:
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # apt renames what is complete
                total += (Path(folder) / name).stat().st_size
    return total


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}


def _output(command: list[str], directory: Path | None) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory, env=_environment())
    if result.returncode != 0 and not result.stdout:
        raise SourceError(f"{' '.join(command)} failed: {result.stderr.strip()}")
    return result.stdout
