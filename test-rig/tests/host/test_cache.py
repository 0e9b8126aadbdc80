# SPDX-License-Identifier: GPL-2.0-only
"""The cache outside the checkout: emptied whole, but not while somebody uses it."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
from pathlib import Path

import pytest

from kgdbrig import paths
from kgdbrig.errors import RigError
from kgdbrig.kernels import build, source


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with something in each of its directories."""
    place = tmp_path / "cache"
    for part in paths.CACHED:
        (place / part / "deep").mkdir(parents=True)
        (place / part / "deep" / "file").write_text("x")
    monkeypatch.setenv("KGDB_RIG_CACHE", str(place))
    return place


def clean() -> subprocess.CompletedProcess[str]:
    return subprocess.run([paths.RIG / "rig", "clean-cache"], text=True, capture_output=True, check=False)


def test_nothing_is_left(cache: Path) -> None:
    done = clean()
    assert (done.returncode, done.stderr) == (0, f"rig: emptied {cache}\n")
    assert not cache.exists()
    # There is nothing to do the second time.
    assert clean().returncode == 0


def test_what_is_not_the_rig_s_stays(cache: Path) -> None:
    (cache / "mine").write_text("y")
    assert clean().returncode == 0
    assert [path.name for path in cache.iterdir()] == ["mine"]


def test_not_while_somebody_uses_it(cache: Path) -> None:
    uses = "from kgdbrig import paths; print(paths.cache_dir('obj'), flush=True); input()"
    # Closing its input ends it, whatever fails here.
    with subprocess.Popen(["/usr/bin/python3", "-c", uses],
                          env=os.environ | {"PYTHONPATH": str(paths.RIG), "PYTHONDONTWRITEBYTECODE": "1"}, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline().strip() == str(cache / "obj")
        before = sorted(cache.rglob("*"))
        done = clean()
        assert done.returncode == 1
        assert done.stderr.startswith(f"rig: {cache} is in use by another rig: end it, ")
        assert sorted(cache.rglob("*")) == before
        user.communicate("\n")
    assert clean().returncode == 0
    assert not cache.exists()


def test_what_was_replaced_before_it_was_locked_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place"
    place.mkdir()
    lock = fcntl.flock

    def late(handle: int, how: int) -> None:
        place.rename(tmp_path / "old")
        place.mkdir()
        lock(handle, how)

    with monkeypatch.context() as slow:
        slow.setattr(fcntl, "flock", late)
        with pytest.raises(FileNotFoundError):
            paths.hold(place, fcntl.LOCK_SH)
    os.close(paths.hold(place, fcntl.LOCK_EX | fcntl.LOCK_NB))
    os.close(paths.hold(tmp_path / "old", fcntl.LOCK_EX | fcntl.LOCK_NB))


def test_a_kernel_that_is_used_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: dict[Path, int] = {}
    monkeypatch.setattr(build, "_in_use", used)
    kernel = tmp_path / "kernel"
    with pytest.raises(FileNotFoundError):
        build._claim(kernel)
    kernel.mkdir()
    for _ in range(2):  # the second time nothing is left open of the first
        build._claim(kernel)
        with pytest.raises(BlockingIOError):
            build._remove(kernel)
    os.close(used.pop(kernel))
    build._remove(kernel)
    assert not any(tmp_path.iterdir())


def test_each_directory_is_listed() -> None:
    """What is not would stay behind when the cache is emptied."""
    with pytest.raises(AssertionError, match="CACHED does not name elsewhere"):
        paths.cache_dir("elsewhere")
    used = {name for path in paths.RIG.rglob("*.py") if path.name != Path(__file__).name
            for name in re.findall(r'cache_dir\("([a-z-]+)"', path.read_text(encoding="utf-8"))}
    assert used == set(paths.CACHED)


def test_too_little_room_is_said_before(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RigError, match=rf"^building Linux needs 1000000000 MB in {cache}, and \d+ MB are free: make room, or "):
        paths.need_room(10**9, "building Linux")
    paths.need_room(0, "nothing")
    monkeypatch.setattr(source, "TREE_MB", 10**9)
    archive = tmp_path / "linux.tar.xz"
    archive.write_bytes(b"")
    with pytest.raises(RigError, match=r"^unpacking linux\.tar\.xz needs "):
        source._unpack(archive, tmp_path / "tree", None)
    assert not (tmp_path / "tree").exists()
