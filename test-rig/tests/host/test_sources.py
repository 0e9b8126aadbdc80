# SPDX-License-Identifier: GPL-2.0-only
"""Where kernel sources and programs come from: trees of the user's, and a real apt on a miniature mirror, signed and all."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kgdbrig.errors import SourceError
from kgdbrig.kernels import source
from kgdbrig.kernels.source import DebianPackage, LaterPackage
from kgdbrig.packages import apt, later

SUITES = ("none", "later", "latest")


@dataclass(frozen=True)
class Deb:
    """A package that is not a kernel's source: its files, which are programs, and other fields of its description."""

    name: str
    version: str
    files: dict[str, str] = field(default_factory=dict)
    fields: str = ""


class Mirror:
    """A mirror of Debian's archive in a directory, and the key that signs it."""

    def __init__(self, directory: Path, keys: Path) -> None:
        self.directory = directory
        self._keys = keys
        self.suite("bookworm")

    @property
    def uri(self) -> str:
        # "file://" would leave the packages where they are.
        return f"copy://{self.directory}"

    def suite(self, name: str, *packages: Deb | tuple[str, str]) -> None:
        """Publish a suite, signed; (package, version) is a kernel's source."""
        listed = "".join(self._package(package) if isinstance(package, Deb) else self._source(*package)
                         for package in packages).encode()
        place = self.directory / "dists" / name
        index = f"main/binary-{_architecture()}/Packages"
        (place / index).parent.mkdir(parents=True, exist_ok=True)
        (place / index).write_bytes(listed)
        (place / "Release").write_text(
            f"Origin: Debian\nSuite: {name}\nCodename: {name}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
            f"Architectures: {_architecture()}\nComponents: main\nSHA256:\n"
            f" {hashlib.sha256(listed).hexdigest()} {len(listed)} {index}\n")
        self.sign(name)

    def sign(self, name: str) -> None:
        place = self.directory / "dists" / name
        (place / "InRelease").unlink(missing_ok=True)
        _gpg(self._keys, "--clearsign", "--output", str(place / "InRelease"), str(place / "Release"))

    def _source(self, name: str, version: str) -> str:
        build = self._described(name, version, "")
        series = name.removeprefix("linux-source-").partition("-")[0]
        archive = build / f"usr/src/{name}.tar.xz"
        archive.parent.mkdir(parents=True)
        with tarfile.open(archive, "w:xz") as tar:
            for path, content in tree(series).items():
                info = tarfile.TarInfo(f"{name}/{path}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content.encode()))
        return self._listed(build)

    def _package(self, package: Deb) -> str:
        build = self._described(package.name, package.version, package.fields)
        for path, content in package.files.items():
            (build / path).parent.mkdir(parents=True, exist_ok=True)
            (build / path).write_text(content)
            (build / path).chmod(0o755)
        return self._listed(build)

    def _described(self, name: str, version: str, fields: str) -> Path:
        build = self.directory / f"{name}_{version}"
        (build / "DEBIAN").mkdir(parents=True)
        (build / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
            f"{fields}Description: a miniature\n")
        return build

    def _listed(self, build: Path) -> str:
        """Make the package, and what the suite's list has of it."""
        deb = self.directory / "pool" / f"{build.name}_all.deb"
        deb.parent.mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(build), str(deb)], check=True,
                       capture_output=True)
        return (f"{(build / 'DEBIAN/control').read_text()}Filename: pool/{deb.name}\nSize: {deb.stat().st_size}\n"
                f"SHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n\n")


def tree(series: str) -> dict[str, str]:
    version, level = series.split(".")
    return {"Kbuild": "# a kernel\n", "Makefile": f"VERSION = {version}\nPATCHLEVEL = {level}\nSUBLEVEL = 9\nEXTRAVERSION =\n"}


def user_tree(directory: Path, series: str) -> Path:
    directory.mkdir()
    for name, content in tree(series).items():
        (directory / name).write_text(content)
    return directory


def _architecture() -> str:
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def _gpg(keys: Path, *arguments: str) -> None:
    subprocess.run(["gpg", "--homedir", str(keys), "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback",
                    "--passphrase", "", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A key ring with one key, and keyring.gpg with its public half."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    _gpg(home, "--quick-generate-key", "rig <rig@example.org>", "rsa2048", "sign", "never")
    _gpg(home, "--output", str(home / "keyring.gpg"), "--export")
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KGDB_RIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """apt's configuration as if this machine had sources.list and sources.list.d here."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").touch()
    configuration = tmp_path / "apt.conf"
    configuration.write_text(f'Dir::Etc::Parts "/dev/null";\nDir::Etc::SourceList "{tmp_path}/sources.list";\n'
                             f'Dir::Etc::SourceParts "{tmp_path}/sources.list.d";\n'
                             f'APT::Update::Post-Invoke {{ "touch {tmp_path}/invoked"; }};\n'
                             'Acquire::AllowInsecureRepositories "true";\n')
    monkeypatch.setenv("APT_CONFIG", str(configuration))
    return tmp_path


@pytest.fixture
def mirror(machine: Path, cache: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The mirror this machine uses."""
    monkeypatch.setattr(apt, "KEYRING", keys / "keyring.gpg")
    monkeypatch.setattr(apt, "codename", lambda: "bookworm")
    found = Mirror(machine / "mirror", keys)
    (machine / "sources.list").write_text(f"deb {found.uri} bookworm main\n")
    return found


def kernel(name: str = "linux-source-7.3") -> LaterPackage:
    return LaterPackage(name, SUITES)


class TestMirror:
    """The mirror the machine's apt has; example.org is never asked."""

    @pytest.fixture(autouse=True)
    def _bookworm(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apt, "codename", lambda: "bookworm")

    def mirror(self, machine: Path) -> str:
        return apt._mirror(machine)

    @pytest.mark.parametrize("line", [
        "deb http://example.org/debian bookworm main",
        "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://example.org/debian/ bookworm main non-free",
        "deb http://example.org/debian stable main"])
    def test_one_line_format(self, machine: Path, line: str) -> None:
        (machine / "sources.list").write_text(
            "# deb http://commented.example.org/debian bookworm main\n"
            "deb http://security.example.org/debian-security bookworm-security main\n"
            f"deb cdrom:[Debian]/ bookworm main\n{line}\n")
        assert self.mirror(machine).rstrip("/") == "http://example.org/debian"

    def test_deb822_format(self, machine: Path) -> None:
        (machine / "sources.list.d/debian.sources").write_text(
            "Types: deb deb-src\nURIs: http://example.org/debian-security\nSuites: bookworm-security\nComponents: main\n\n"
            "Types: deb\nURIs: http://example.org/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
            "Enabled: no\nTypes: deb\nURIs: http://off.example.org/debian\nSuites: bookworm\nComponents: main\n")
        assert self.mirror(machine).rstrip("/") == "http://example.org/debian"

    def test_none(self, machine: Path) -> None:
        with pytest.raises(SourceError, match="no mirror of Debian's main archive"):
            self.mirror(machine)


def test_the_package_is_unpacked_and_no_network_is_needed_again(mirror: Mirror, cache: Path, machine: Path) -> None:
    mirror.suite("later", ("linux-source-7.2", "7.2.1-1"))
    mirror.suite("latest", ("linux-source-7.3", "7.3~rc7-1~exp1"), ("linux-source-7.4", "7.4-1"))
    said = io.StringIO()
    found = kernel().source("7.3", said)
    assert (found.version, found.linux, found.exact) == ("7.3", "7.3", True)
    assert found.identity == "linux-source-7.3 7.3~rc7-1~exp1"
    assert (found.directory / "Makefile").read_text().startswith("VERSION = 7\nPATCHLEVEL = 3\n")
    assert "fetching linux-source-7.3 7.3~rc7-1~exp1 from Debian latest" in said.getvalue()
    assert not list(cache.rglob("*.deb")) and not list((cache / "tmp").iterdir()), "the package was left behind"
    assert not (machine / "invoked").exists(), "the machine's hooks of apt's were run"
    shutil.rmtree(mirror.directory)
    assert kernel().source("7.3", None) == found


def test_where_the_system_has_it_not_it_comes_from_a_suite_that_has(mirror: Mirror) -> None:
    """Debian 13 has no 6.1."""
    mirror.suite("latest", ("linux-source-2.4", "2.4.37-1"), ("linux-source-2.6", "2.6.39-1"))
    found = DebianPackage("linux-source-2.4", SUITES).source("2.4", None)
    assert found.identity == "linux-source-2.4 2.4.37-1"
    with pytest.raises(SourceError, match=r"Debian has no linux-source-2\.5 \(looked in none, later, latest\): give "):
        DebianPackage("linux-source-2.5", SUITES).source("2.5", None)


def test_a_superseded_version_gives_the_newest_of_its_major(mirror: Mirror) -> None:
    mirror.suite("later", ("linux-source-7.9", "7.9.2-1"), ("linux-source-6.19", "6.19-1"), ("linux-source-8.0", "8.0-1"))
    mirror.suite("latest", ("linux-source-7.10", "7.10~rc1-1"), ("linux-source-7.10-extra", "1"))
    for _ in range(2):  # from Debian, and from the cache
        said = io.StringIO()
        found = kernel().source("7.3", said)
        assert (found.version, found.linux, found.exact) == ("7.3", "7.10", False)
        assert "no linux-source-7.3 any more: this is linux-source-7.10 7.10~rc1-1" in said.getvalue()


def test_the_first_suite_counts(mirror: Mirror) -> None:
    mirror.suite("later", ("linux-source-7.3", "7.3.1-1"))
    mirror.suite("latest", ("linux-source-7.3", "7.3.2-1"))
    assert kernel().source("7.3", None).identity == "linux-source-7.3 7.3.1-1"


def test_no_such_package(mirror: Mirror, cache: Path) -> None:
    mirror.suite("later", ("linux-source-6.12", "6.12-1"))
    with pytest.raises(SourceError, match=r"Debian has no linux-source-7.3, and no other linux-source-7"):
        kernel().source("7.3", None)
    assert not list((cache / "src").iterdir())


def test_a_wrong_signature_is_refused(mirror: Mirror, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.suite("latest", ("linux-source-7.3", "7.3-1"))
    (tmp_path / "other").mkdir(mode=0o700)
    _gpg(tmp_path / "other", "--quick-generate-key", "other <other@example.org>", "rsa2048", "sign", "never")
    _gpg(tmp_path / "other", "--output", str(tmp_path / "other.gpg"), "--export")
    subprocess.run(["gpgconf", "--homedir", str(tmp_path / "other"), "--kill", "all"], check=False, capture_output=True)
    monkeypatch.setattr(apt, "KEYRING", tmp_path / "other.gpg")
    with pytest.raises(SourceError, match="is not what Debian signed"):
        kernel().source("7.3", None)


def test_a_suite_that_is_not_signed_is_refused(mirror: Mirror) -> None:
    """Even where the machine's apt would take it: see Acquire::AllowInsecureRepositories above."""
    mirror.suite("latest", ("linux-source-7.3", "7.3-1"))
    (mirror.directory / "dists/latest/InRelease").unlink()
    with pytest.raises(SourceError, match="is not what Debian signed"):
        kernel().source("7.3", None)


@pytest.fixture
def over_http(mirror: Mirror, machine: Path) -> Iterator[Mirror]:
    """The mirror as it mostly is: a server's.  All that apt 3 says of a file that it copies is "Undetermined Error"."""
    handler = functools.partial(_Quiet, directory=str(mirror.directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        (machine / "sources.list").write_text(f"deb http://127.0.0.1:{server.server_port}/ bookworm main\n")
        _no_proxy()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield mirror
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


def _no_proxy() -> None:
    with open(os.environ["APT_CONFIG"], "a", encoding="utf-8") as configuration:
        configuration.write('Acquire::http::Proxy "DIRECT";\n')


def test_a_package_that_was_tampered_with_is_refused(over_http: Mirror, cache: Path) -> None:
    mirror = over_http
    mirror.suite("latest", ("linux-source-7.3", "7.3-1"))
    [deb] = (mirror.directory / "pool").glob("*.deb")
    content = bytearray(deb.read_bytes())
    content[len(content) // 2] ^= 1
    deb.write_bytes(content)
    with pytest.raises(SourceError, match="is not what Debian signed"):
        kernel().source("7.3", None)
    assert not list((cache / "src").iterdir())


def test_no_network(machine: Path, cache: Path) -> None:
    (machine / "sources.list").write_text("deb http://127.0.0.1:1/debian bookworm main\n")
    _no_proxy()
    with pytest.raises(SourceError, match="cannot be reached"):
        kernel().source("7.3", None)


#: A program, what it needs, what that needs, and what is of no use to it.  The loader says how it is run.
TOOL = (
    Deb("tool", "1:2.0-1", {"usr/bin/tool": "the program"}, "Depends: libtool1 (>= 2), loader\nRecommends: manual\n"),
    Deb("tool-extra", "3.0-1"),
    Deb("libtool1", "2.1-1", {"usr/lib/x86_64-linux-gnu/libtool.so.1": "a library"}, "Depends: libdeep1\n"),
    Deb("libdeep1", "0.1-1", {"usr/lib/x86_64-linux-gnu/libdeep.so.1": "another"}),
    Deb("loader", "9-1", {"usr/lib64/ld-linux-x86-64.so.2": '#!/bin/sh\necho "$@"\n'}),
    Deb("manual", "1-1"))


def test_a_package_comes_with_what_it_needs(mirror: Mirror) -> None:
    mirror.suite("later", *TOOL)
    said = io.StringIO()
    with apt.Archive(progress=said) as archive:
        [tool] = [package for package in archive.packages("later", "tool") if package.name == "tool"]
        found = archive.download_all(tool)
        assert [path.name.partition("_")[0] for path in found] == ["libdeep1", "libtool1", "loader", "tool"]
        published = {path.read_bytes() for path in (mirror.directory / "pool").glob("*.deb")}
        assert len(published) == len(TOOL) and {path.read_bytes() for path in found} < published
    assert not any(path.exists() for path in found)
    assert "fetching tool 1:2.0-1 from Debian later, and what it needs: 4 packages, " in said.getvalue()


def test_what_cannot_be_installed_is_not_fetched(mirror: Mirror) -> None:
    mirror.suite("later", TOOL[0])
    with apt.Archive() as archive:
        [tool] = archive.packages("later", "tool")
        with pytest.raises(SourceError, match=r"Debian later from copy:/.*: .*held broken packages"):
            archive.download_all(tool)


def test_a_program_of_a_later_suite_runs_with_its_own_loader(mirror: Mirror, cache: Path) -> None:
    mirror.suite("later", *TOOL)
    found = later.find("tool", "later", None)
    assert str(found) == "tool 1:2.0-1 of Debian later"
    assert (found.root / "usr/lib/x86_64-linux-gnu/libdeep.so.1").read_text() == "another"
    done = subprocess.run([*found.command("usr/bin/tool"), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"--library-path {found.root}/usr/lib/x86_64-linux-gnu {found.root}/usr/bin/tool --version\n"
    assert not list((cache / "tmp").iterdir()), "the packages were left behind"
    # No network is needed again.
    shutil.rmtree(mirror.directory)
    assert later.find("tool", "later", None) == found


def test_a_program_that_is_not_there(mirror: Mirror, cache: Path) -> None:
    """What only begins with its name is another one."""
    mirror.suite("later", TOOL[1])
    for suite in ("later", "none"):
        with pytest.raises(SourceError, match=f"^Debian {suite} has no package tool$"):
            later.find("tool", suite, None)
    assert not list((cache / "programs").iterdir())


def test_a_program_is_there_as_a_whole_or_not_at_all(mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.suite("later", *TOOL)

    def unpack(package: Path, directory: Path) -> None:
        if package.name.startswith("tool_"):    # the last of them
            raise SourceError("the disk is full")
        apt.unpack(package, directory)

    with monkeypatch.context() as broken:
        broken.setattr(later, "unpack", unpack)
        with pytest.raises(SourceError, match="the disk is full"):
            later.find("tool", "later", None)
    assert not list((cache / "programs").iterdir()) and not list((cache / "tmp").iterdir())
    assert later.find("tool", "later", None).version == "1:2.0-1"


@pytest.mark.parametrize("linux, version", [("6.1", "6.1"), ("6.12", "6.12"), ("7.3", "7.3"), ("6.6", "6.1"),
                                            ("6.13", "6.12"), ("7.2", "6.12"), ("9.0", "7.3"), ("5.10", "6.1")])
def test_a_users_tree_gets_the_nearest_series(tmp_path: Path, linux: str, version: str) -> None:
    said = io.StringIO()
    found = source.find("6.12", user_tree(tmp_path / "tree", linux), said)
    assert (found.version, found.linux, found.exact, found.cached) == (version, linux, False, False)
    assert f"is Linux {linux}.9: with the hooks and the configuration for {version}" in said.getvalue()
    assert ("the nearest" in said.getvalue()) == (linux != version)


def test_a_users_tree_is_told_by_its_content(tmp_path: Path) -> None:
    directory = user_tree(tmp_path / "tree", "6.12")
    first = source.find("6.12", directory, None)
    (directory / "x.o").write_text("compiled")
    assert source.find("6.12", directory, None) == first
    (directory / "x.c").write_text("int x;")
    second = source.find("6.12", directory, None)
    assert second.digest != first.digest
    assert second.name == first.name, "the objects of the same tree are to be used again"


@pytest.mark.parametrize("spoil, said", [(lambda tree: (tree / "Kbuild").unlink(), "is not a kernel tree"),
                                         (lambda tree: (tree / "Makefile").write_text("all:\n"), "does not say which version")])
def test_no_kernel_tree(tmp_path: Path, spoil: object, said: str) -> None:
    directory = user_tree(tmp_path / "tree", "6.12")
    assert callable(spoil)
    spoil(directory)
    with pytest.raises(SourceError, match=said):
        source.find("6.12", directory, None)


def test_an_unknown_version() -> None:
    with pytest.raises(SourceError, match=r"5.10 is not supported; there are: 6.1, 6.12, 7.3"):
        source.find("5.10", None, None)
