# SPDX-License-Identifier: GPL-2.0-only
"""The series for a mailing list: git am takes it on a bare tree, and it makes what the rig builds.

No guest is booted; the kernel's source is what these tests share with those.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ONE_VERSION, Platform
from kgdbrig import paths
from kgdbrig.errors import OverlayError, RigError, SeriesError
from kgdbrig.judging import check
from kgdbrig.judging.check import size
from kgdbrig.judging.check.report import Report
from kgdbrig.kernels import build, hooks, overlay, series, source
from kgdbrig.kernels.overlay import Overlay

#: The mails of each part, cover letter first.
Mails = dict[str, tuple[Path, ...]]


@pytest.fixture(scope="module")
def mails(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Mails:
    return series.write(platform.version, tmp_path_factory.mktemp(f"series-{platform.version}"), None)


def _originals(pristine: source.Source, laid: Overlay) -> dict[str, bytes]:
    """What the pristine source has of the files that an overlay brings or patches."""
    return {name: (pristine.directory / name).read_bytes() for name in {*laid.files, *overlay.touched(laid)}
            if (pristine.directory / name).exists()}


@pytest.fixture
def bare_tree(platform: Platform, tmp_path: Path) -> Path:
    """A git repository whose only commit has of the pristine source what the series is to change, and no more.

    The whole source would take a minute.  A patch of any other file does not apply here.
    """
    pristine = source.find(platform.version)
    tree = tmp_path / "bare"
    for name, content in _originals(pristine, overlay.load(platform.version, upto=hooks.MAILED[-1])).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
        (tree / name).chmod((pristine.directory / name).stat().st_mode)
    git(tree, "init", "--quiet")
    for setting in ("user.name=bare", "user.email=bare@tree.invalid", "gc.auto=0"):
        git(tree, "config", *setting.split("="))
    git(tree, "add", "--all", "--force", ".")
    git(tree, "commit", "--quiet", "--message=bare")
    return tree


def git(tree: Path, *arguments: str) -> str:
    result = subprocess.run(["git", "-C", str(tree), *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"git {' '.join(arguments)}:\n{result.stdout}{result.stderr}"
    return result.stdout


def files(tree: Path) -> dict[str, bytes]:
    """The content of each file in a git repository's checkout, by its name."""
    return {name: (tree / name).read_bytes() for name in git(tree, "ls-files", "--cached", "--others", "-z").split("\0")[:-1]}


def test_git_am_makes_the_tree_the_rig_builds(platform: Platform, mails: Mails, bare_tree: Path) -> None:
    """Each part is what the rig builds up to that part; no file's mode changes."""
    originals = files(bare_tree)
    patches = [mail for part in mails.values() for mail in part[1:]]
    git(bare_tree, "am", "--quiet", *map(str, patches))
    assert git(bare_tree, "status", "--porcelain") == ""
    assert len(git(bare_tree, "log", "--format=%h").split()) == 1 + len(patches)
    assert " mode change " not in git(bare_tree, "log", "--summary", "--format=%h")

    pristine = source.find(platform.version)
    tip = git(bare_tree, "rev-parse", "HEAD").strip()
    for number, part in enumerate(mails):
        behind = [mail for later in list(mails)[number + 1:] for mail in mails[later][1:]]
        git(bare_tree, "checkout", "--quiet", "--detach", f"{tip}~{len(behind)}")
        laid = overlay.load(platform.version, upto=part)
        assert files(bare_tree) == {**originals, **_laid(pristine, laid)}, f"after the part {part}"


@pytest.mark.one_version
def test_readmes_commands_make_it_too(platform: Platform, tmp_path: Path) -> None:
    text = (paths.REPOSITORY / "README.md").read_text(encoding="utf-8")
    match = re.search(r"^```\nR=/path/to/this/checkout V=6\.12\ncd /path/to/linux\n(.*?)^```$", text, re.M | re.S)
    assert match, "README does not say any more how to do it without git"
    pristine = source.find(platform.version)
    laid = overlay.load(platform.version, upto=hooks.MAILED[-1])
    for name in {*laid.files, *overlay.touched(laid)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    for name, content in _originals(pristine, laid).items():
        (tmp_path / name).write_bytes(content)
    shutil.rmtree(tmp_path / "kernel/debug/watchpoint")
    commands = match[1].replace("Documentation/dev-tools", overlay.documentation(platform.version))
    subprocess.run(["sh", "-eu", "-c", commands], cwd=tmp_path, check=True, capture_output=True,
                   env={**os.environ, "R": str(paths.REPOSITORY), "V": platform.version})
    made = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*")
            if path.is_file() and path.suffix != ".orig"}  # patch's own backups
    assert made == _laid(pristine, laid)


def _laid(pristine: source.Source, laid: Overlay) -> dict[str, bytes]:
    """The content of every file that an overlay brings or patches, none of which it removes."""
    patched = overlay.patched(pristine, laid)
    return {**laid.files, **{name: content for name, content in patched.items() if content is not None}}


@pytest.mark.parametrize("part", hooks.MAILED)
def test_each_part_reads_like_a_series(platform: Platform, mails: Mails, part: str) -> None:
    letter_path, *patches = mails[part]
    count = len(patches)
    letter = letter_path.read_text(encoding="utf-8")
    assert letter_path.name == "0000-cover-letter.patch"
    assert re.search(rf"^Subject: \[PATCH {0:0{len(str(count))}}/{count}\] (kgdb|kdb): ", letter, re.MULTILINE)
    assert re.search(r"^ \d+ files? changed, \d+ insertions", letter, re.MULTILINE) and "***" not in letter
    assert "@" not in re.sub(r"<\S+@\S+>", "", letter), "a placeholder was not filled in"
    for number, mail in enumerate(patches, 1):
        text = mail.read_text(encoding="utf-8")
        assert f"Subject: [PATCH {number:0{len(str(count))}}/{count}] " in text
        assert re.search(r"^Signed-off-by: .+ <.+>\n---\n", text, re.MULTILINE)
        assert re.search(r"^ \d+ files? changed", text, re.MULTILINE)
    assert f"{paths.REPOSITORY}/" not in "".join(mail.read_text(encoding="utf-8") for mail in mails[part])


@pytest.mark.rest_in_test_all
def test_it_is_the_same_every_time(platform: Platform, mails: Mails, tmp_path: Path) -> None:
    # The second time over what is there, with a part that there is none of any more.
    (tmp_path / "4-extra").mkdir()
    (tmp_path / "4-extra/0009-Gone.patch").touch()
    for again in (series.write(platform.version, tmp_path, None), series.write(platform.version, tmp_path, None)):
        assert list(again) == list(mails)
        assert sorted(path for path in tmp_path.rglob("*.patch")) == sorted(sum(again.values(), ()))
        for part, written in again.items():
            assert [path.name for path in written] == [path.name for path in mails[part]]
            assert [path.read_bytes() for path in written] == [path.read_bytes() for path in mails[part]]


@pytest.mark.rest_in_test_all
def test_a_part_alone_is_the_same(platform: Platform, mails: Mails, tmp_path: Path) -> None:
    [(part, written)] = series.write(platform.version, tmp_path, None, part="feature").items()
    assert part == "feature"
    assert sorted(tmp_path.iterdir()) == list(written)
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in mails["feature"]]


def feature_words(laid: Overlay, patch: str) -> list[str]:
    """What the lines that a patch adds, and the names of its files, have of the files and the option of the feature."""
    added = "\n".join(line for line in patch.splitlines() if line.startswith("+"))
    words = {"KGDB_WATCHPOINT", "watchpoint/", *laid.files}
    headers = {name for name in laid.files if name.endswith(".h")}
    words |= {name.rpartition("include/")[2] for name in headers} | {f'"{Path(name).name}"' for name in headers}
    return sorted(word for word in words if word in added)


def test_the_fixes_are_hooks_alone(platform: Platform) -> None:
    fixes, whole = overlay.load(platform.version, upto="fixes"), overlay.load(platform.version)
    assert not fixes.files
    assert fixes.hooks and {hook.part for hook in fixes.hooks} == {"fixes"}
    found = {hook.path.name: words for hook in fixes.hooks
             if (words := feature_words(whole, hook.path.read_text(encoding="utf-8")))}
    assert not found, f"a fix needs the feature: {found}"


@pytest.mark.parametrize("line, word", [
    ("#include <linux/kgdb_watch.h>", "linux/kgdb_watch.h"), ("#include <linux/kgdb_slots.h>", "linux/kgdb_slots.h"),
    ("#include <asm/kgdb_watch.h>", "asm/kgdb_watch.h"), ('#include "kgdb-x86.h"', '"kgdb-x86.h"'),
    ('#include "table.h"', '"table.h"'), ("#ifdef CONFIG_KGDB_WATCHPOINT", "KGDB_WATCHPOINT"),
    ("obj-y += watchpoint/", "watchpoint/"),
    ("++ b/kernel/debug/watchpoint/table.c", "kernel/debug/watchpoint/table.c")])
def test_a_fix_that_needs_the_feature_is_found(line: str, word: str) -> None:
    whole = overlay.load(ONE_VERSION)
    assert word in feature_words(whole, f"about {line}\n---\n+++ b/kernel/debug/debug_core.c\n+{line}\n")
    assert feature_words(whole, f"about {line}\n---\n+++ b/kernel/debug/debug_core.c\n {line}\n-{line}\n") == []


def test_each_fix_can_be_left_out(platform: Platform) -> None:
    """Or else it is said which other one needs it; the rest applies without it."""
    pristine = source.find(platform.version)
    hooks_ = overlay.load(platform.version, upto="fixes").hooks
    for left_out in hooks_:
        laid = overlay.load(platform.version, upto="fixes", without=[left_out.path.name])
        assert laid.hooks == tuple(hook for hook in hooks_ if hook != left_out)
        try:
            overlay.patched(pristine, laid)
        except OverlayError as error:
            assert f"{left_out.path.name} cannot be left out alone: " in str(error)


def test_a_kernel_knows_its_part(platform: Platform) -> None:
    def recipe(stock: bool = False, part: str = hooks.PARTS[-1], without: tuple[str, ...] = ()) -> build._Recipe:
        return build._recipe(platform.version, platform.arch, stock, None, "default", part, without, None)

    fix = overlay.load(platform.version, upto="fixes").hooks[0].path.name
    found = [recipe(), recipe(stock=True), recipe(part="fixes"), recipe(part="fixes", without=(fix,)),
             recipe(part="feature"), recipe(part="extra"), recipe(without=("kdb-share-the-watchpoints.patch",))]
    assert len({each.key() for each in found}) == len(found)
    stock, fixes, reverted = found[1:4]
    assert stock.fragments == fixes.fragments == reverted.fragments != found[0].fragments
    assert fixes.family == reverted.family not in (stock.family, found[0].family)
    # All of them may begin with what was compiled for another one of them.
    for each in found:
        others = {other.family for other in build._others(each)}
        assert {each.family, *others} >= {other.family for other in found} and each.family not in others
        assert each.siblings == found[0].siblings
    with pytest.raises(RigError, match="a stock kernel has no part of the series"):
        recipe(stock=True, part="fixes")
    with pytest.raises(OverlayError, match=r"kdb-share-the-watchpoints.patch cannot be left out: it is not among"):
        recipe(part="fixes", without=("kdb-share-the-watchpoints.patch",))


@pytest.mark.rest_in_test_all
def test_a_directory_of_something_else_is_left_alone(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(SeriesError, match=r"thesis.tex"):
        series.write(platform.version, tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "thesis.tex").unlink()
    (tmp_path / "1-fixes").mkdir()
    (tmp_path / "1-fixes/notes").touch()
    with pytest.raises(SeriesError, match="1-fixes/notes"):
        series.write(platform.version, tmp_path, None)
    assert (tmp_path / "1-fixes/notes").exists()


def test_nothing_is_left_out(platform: Platform) -> None:
    laid = overlay.load(platform.version, upto=hooks.MAILED[-1])
    steps = series.steps(platform.version, laid)
    assert sorted(name for step in steps for name in step.files) == sorted(laid.files)
    assert tuple(step.hook for step in steps if step.hook is not None) == laid.hooks
    assert series.prefixes(platform.version, laid)[-1][1] == laid

    unclaimed = Overlay({**laid.files, "arch/vax/kernel/kgdb-watch.c": b""}, laid.hooks)
    with pytest.raises(SeriesError, match=r"arch/vax/kernel/kgdb-watch.c"):
        series.steps(platform.version, unclaimed)
    unwired = Overlay(laid.files, tuple(hook for hook in laid.hooks if "offer" not in hook.path.name))
    with pytest.raises(SeriesError, match="kgdb-offer-hardware-watchpoints"):
        series.steps(platform.version, unwired)


@pytest.mark.rest_in_test_all
def test_the_size_of_the_feature(platform: Platform) -> None:
    pristine = source.find(platform.version)
    lines = size.added(platform.version, pristine)
    assert lines["kernel/debug/Makefile"] == 1
    assert "MAINTAINERS" not in lines and not any(name.startswith("Documentation/") for name in lines)
    assert not set(lines) & set(overlay.load(platform.version, upto=hooks.MAILED[-1]).files), "a new file was counted"
    without = size.added(platform.version, pristine, uncounted=("kgdb-offer-hardware-watchpoints.patch",))
    assert set(lines) - set(without) == {"kernel/debug/Makefile", "lib/Kconfig.kgdb"}
    said: list[str] = []
    report = Report(said.append)
    size.check(platform.version, pristine, report, limit=sum(lines.values()))
    assert not report.failed
    size.check(platform.version, pristine, report, limit=sum(lines.values()) - 1)
    assert report.failed and any("kernel/debug/debug_core.c" in line for line in said)


def test_reviewers_tools_have_nothing_to_say(platform: Platform) -> None:
    """With all builds in `make test-all`; without each step of the series, and other architectures, in `make test`."""
    said: list[str] = []
    whole = bool(os.environ.get("TEST_ALL"))
    assert check.run(platform.version, platform.arch, said.append, whole=whole), "\n".join(said)
