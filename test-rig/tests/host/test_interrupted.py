# SPDX-License-Identifier: GPL-2.0-only
"""A build that SIGTERM ends, or a full disk: nothing half-made is left, nothing runs on, and it is said what to do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgdbrig import paths
from kgdbrig.wait import Deadline

#: Of the small disk, in megabytes: an unpacked source, and what is compiled up to where the tests end it.
_DISK_MB = 5_000
#: Until the next file is there; most of a build is as far in less than one.
_SECONDS = 300


class SmallDisk:
    """A disk of its own for the cache: a tmpfs, seen by what runs on it alone, which goes with the last of that.

    It needs no root where there are user namespaces: whoever may have one may mount a tmpfs in it.  In a chroot there are
    none, and it needs root.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir()
        tried = subprocess.run(["unshare", "--user", "--map-root-user", "true"], stderr=subprocess.DEVNULL, check=False)
        self._users = tried.returncode == 0
        self._keeper = subprocess.Popen(  # ends, and the disk with it, as its input does
            ["unshare", *["--user", "--map-root-user"] * self._users, "--mount", "sh", "-c",
             f'mount -t tmpfs -o size={_DISK_MB}m rig "$0" && echo ready && exec cat', str(place)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == "ready\n"
        self.inside = place
        #: The same directory, from outside.
        self.cache = Path(f"/proc/{self._keeper.pid}/root{place}")

    @contextlib.contextmanager
    def building(self) -> Iterator[subprocess.Popen[str]]:
        """Begin to build a kernel, from what there is."""
        with subprocess.Popen(
            ["nsenter", f"--target={self._keeper.pid}", *["--user", "--preserve-credentials"] * self._users, "--mount", "--root",
             f"--wd={paths.REPOSITORY}", paths.RIG / "rig", "kernel", "--kernel=6.12"],
            env=os.environ | {"KGDB_RIG_CACHE": str(self.inside)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as building:
            try:
                yield building
            finally:
                building.terminate()

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """While nothing more can be written."""
        filler = self.cache / "filler"
        with filler.open("wb") as stream:
            taken, more = 0, 1 << 30
            while more:     # the build writes meanwhile
                try:
                    os.posix_fallocate(stream.fileno(), taken, more)
                    taken += more
                except OSError:
                    more //= 2
        yield
        filler.unlink()

    def left(self, *parts: str) -> list[str]:
        """What lies in these parts of the cache."""
        return sorted(str(path.relative_to(self.cache)) for part in parts for path in (self.cache / part).glob("*"))

    def runs(self) -> list[str]:
        """What has the disk for its own, but for what keeps it: command lines."""
        own = os.readlink(f"/proc/{self._keeper.pid}/ns/mnt")
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if process.name != str(self._keeper.pid) and os.readlink(process / "ns/mnt") == own:
                    found.append((process / "cmdline").read_text().replace("\0", " "))
        return found

    def close(self) -> None:
        self._keeper.communicate()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    small = SmallDisk(tmp_path / "disk")
    yield small
    small.close()


def await_files(disk: SmallDisk, building: subprocess.Popen[str], pattern: str, number: int) -> None:
    """Until so many files are there."""
    deadline = Deadline(_SECONDS)
    while sum(1 for _ in disk.cache.glob(pattern)) < number:
        assert not deadline.passed(), f"less than {number} of {pattern}"
        if building.poll() is not None:
            pytest.fail(f"the build ended before: {building.communicate()[0]}")
        time.sleep(0.02)    # what other programs write can only be looked for


@pytest.mark.only_in_test_all
@pytest.mark.parametrize(("pattern", "number", "parts"), [
    pytest.param("src/.unpack-*/kernel/*.c", 20, ("src", "tree", "obj", "kernels"), id="while the source is unpacked"),
    pytest.param("obj/*/init/*.o", 1, ("kernels",), id="while it is compiled")])
def test_nothing_half_made_is_left(disk: SmallDisk, pattern: str, number: int, parts: tuple[str, ...]) -> None:
    with disk.building() as building:
        await_files(disk, building, pattern, number)
        with disk.full():
            said = building.communicate(timeout=_SECONDS)[0]
            assert building.returncode == 1, said
            assert "Traceback" not in said
            assert "make room" in said.splitlines()[-1] or "is the disk full" in said, said
            assert disk.left(*parts) == []
            assert disk.runs() == []

    with disk.building() as building:
        await_files(disk, building, pattern, 2 * number)
        building.send_signal(signal.SIGTERM)
        said = building.communicate(timeout=_SECONDS)[0]
        assert building.returncode == 128 + signal.SIGTERM, said
        assert "Traceback" not in said
        assert disk.left(*parts) == []
        assert disk.runs() == []
