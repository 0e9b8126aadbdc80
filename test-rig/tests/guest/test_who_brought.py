# SPDX-License-Identifier: GPL-2.0-only
"""'rig who' with what people bring: a root of their own, a disk, arguments for QEMU, and a configuration."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conftest import Platform
from kgdbrig import paths
from kgdbrig.machines.initramfs import Archive

pytestmark = [pytest.mark.rest_in_test_all, pytest.mark.only_in_test_all]

BUSYBOX = Path("/bin/busybox")
INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
echo "what somebody says as it boots $"
while :; do setsid cttyhack login; done
"""
SET = "echo 7 > /proc/sys/kernel/panic"
#: For a root on a disk.
CONFIG = "CONFIG_BLOCK=y\nCONFIG_VIRTIO_MENU=y\nCONFIG_VIRTIO_PCI=y\nCONFIG_BLK_DEV=y\nCONFIG_VIRTIO_BLK=y\nCONFIG_EXT4_FS=y\n"


def files() -> dict[str, tuple[bytes, int]]:
    """A root with a login, which wants no password."""
    applets = subprocess.run([str(BUSYBOX), "--list"], capture_output=True, text=True, check=True).stdout.split()
    return {"init": (INIT.encode(), 0o755), "bin/busybox": (BUSYBOX.read_bytes(), 0o755),
            "etc/passwd": (b"root::0:0:root:/root:/bin/sh\n", 0o644), "etc/group": (b"root:x:0:\n", 0o644),
            **{f"bin/{applet}": (b"busybox", 0) for applet in applets if applet != "busybox"}}


@pytest.fixture
def initramfs(tmp_path: Path) -> Path:
    archive = Archive()
    for name in ("dev", "proc", "sys", "root", "tmp"):
        archive.directory(name)
    archive.device("dev/console", 5, 1)
    for name, (content, mode) in files().items():
        if mode:
            archive.file(name, content, mode)
        else:
            archive.link(name, content.decode())
    path = tmp_path / "root.cpio"
    path.write_bytes(archive.finish())
    return path


def who(platform: Platform, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(paths.RIG / "rig"), "who", "--kernel", platform.version, "--arch", platform.arch, *words],
                          check=False, capture_output=True, text=True)


@pytest.mark.parametrize("more", [(), ("--from-boot",), ("--machine", "bochs"), ("--qemu=-name", "--qemu=mine", "--smp", "2")])
def test_a_root_of_one_s_own(platform: Platform, initramfs: Path, more: tuple[str, ...]) -> None:
    done = who(platform, "panic_timeout", "--initramfs", str(initramfs), "--run", SET, "--expect", "=7", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"panic_timeout: 0 -> 7, written by sh ", done.stdout), done.stdout


def test_a_disk(platform: Platform, tmp_path: Path) -> None:
    """It is the guest's root, by a kernel with a fragment of the configuration of one's own; and it stays as it is."""
    root, image, fragment = tmp_path / "root", tmp_path / "disk", tmp_path / "disk.config"
    fragment.write_text(CONFIG, encoding="ascii")
    for name in ("dev", "proc", "sys", "root", "tmp", "bin", "etc", "sbin"):
        (root / name).mkdir(parents=True)
    for name, (content, mode) in files().items():
        path = root / ("sbin/init" if name == "init" else name)
        if mode:
            path.write_bytes(content)
            path.chmod(mode)
        else:
            path.symlink_to(content.decode())
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image), "32M"], check=True)
    before = image.read_bytes()
    done = who(platform, "panic_timeout", "--config", str(fragment), "--disk", str(image), "--append", "root=/dev/vda rw",
               "--run", SET, "--expect", "=7")
    assert done.returncode == 0, done.stdout + done.stderr
    assert image.read_bytes() == before
    assert who(platform, "panic_timeout", "--config", str(fragment), "--disk", str(image), "--append", "root=/dev/vda rw",
               "--run", "echo x > /tmp/here && grep -q '/dev/root / ext4\\|/dev/vda / ext4' /proc/mounts && "
               f"{SET}", "--expect", "=7").returncode == 0


def test_a_configuration_without_what_is_needed(platform: Platform, tmp_path: Path) -> None:
    """It is said before anything is compiled."""
    fragment = tmp_path / "mine.config"
    fragment.write_text("# CONFIG_KGDB_SERIAL_CONSOLE is not set\n", encoding="ascii")
    done = who(platform, "panic_timeout", "--config", str(fragment))
    assert done.returncode in (125, 200) and "CONFIG_KGDB_SERIAL_CONSOLE is n, and is to be y: it is the debugger on a serial " \
        "line" in done.stderr, done.stderr
    assert " objects" not in done.stderr


@pytest.mark.parametrize("words, said", [
    (("--initramfs", "there-is-none"), "there-is-none is not there"),
    (("--disk", "there-is-none"), "there-is-none is not there"),
    (("--initramfs", str(BUSYBOX), "--add", str(BUSYBOX)), "are for the rig's own root"),
    (("--config", "there-is-none"), "there is no configuration there-is-none"),
    (("--qemu=-no-such-option",), "-no-such-option: invalid option"),
    (("--add", "there-is-none"), "there-is-none cannot be added to the guest"),
])
def test_what_is_not_there(platform: Platform, words: tuple[str, ...], said: str) -> None:
    done = who(platform, "panic_timeout", *words)
    assert done.returncode >= 125 and said in done.stderr, done.stderr
