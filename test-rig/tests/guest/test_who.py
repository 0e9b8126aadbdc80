# SPDX-License-Identifier: GPL-2.0-only
"""'rig who' on real kernels: what it says, how it ends, and what it says where there is no answer."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conftest import Platform
from kgdbrig import paths
from kgdbrig.clients import noanswer
from kgdbrig.clients.accesses import Wanted
from kgdbrig.commands import who
from kgdbrig.judging import expect
from kgdbrig.kernels.kernel import Kernel
from kgdbrig.machines.description import Description

pytestmark = pytest.mark.rest_in_test_all

SET = "echo {} > /proc/sys/kernel/panic"
#: What stores there, by version.
PLACES = {"7.3": "proc_int_u2k_conv_uop"}

#: Of four bytes each.
NAMES = ("panic_timeout", "panic_on_oops", "console_printk[0]", "pid_max", "kptr_restrict")

Ask = Callable[..., int]


@pytest.fixture
def ask(kernel: Kernel) -> Ask:
    """Asks one question of a machine of its own."""
    def ask(*expressions: str, run: str | None = None, expected: tuple[str, ...] = (), seconds: float = 60, smp: int = 1,
            from_boot: bool = False, files: tuple[Path, Path] | None = None, added: tuple[Path, ...] = (),
            **kinds: bool) -> int:
        question = who.Question(tuple(Wanted(expression, **kinds) for expression in expressions), run, seconds, from_boot,
                                tuple(map(expect.parse, expected)))
        json_file, junit = files or (None, None)
        return who.run(question, lambda: Description(kernel, smp=smp, parallel=False, kgdboc="early" if from_boot else "late",
                                                     added=added), json=json_file, junit=junit)
    return ask


def test_two_writes(ask: Ask, kernel: Kernel, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is said, and written for other programs; a write of the same value is none, for who does not want it."""
    files = (tmp_path / "told.json", tmp_path / "junit.xml")
    place = PLACES.get(kernel.version, "do_proc_dointvec_conv")
    run = "; ".join(SET.format(value) for value in (7, 7, 9))
    assert ask("panic_timeout", run=run, expected=("2", "=9", f"in {place}", "none"), files=files) == 1
    said = capsys.readouterr().out
    assert re.search(r"^1  panic_timeout: 0 -> 7, written by sh \(\d+\) on CPU 0, task\n"
                     rf"   {place} at kernel/sysctl\.c:\d+: WRITE_ONCE\(.*\n(   inlined in .*\n)?"
                     r"   called by .*, vfs_write, ksys_write, .*\n$", said, re.MULTILINE), said
    assert re.search(rf"^    2  write   panic_timeout  {place} at kernel/sysctl\.c:\d+$", said, re.MULTILINE), said
    assert "entry_SYSCALL_64\n" in said
    assert said.count("not as expected") == 1
    assert "not as expected (none): there were 2 accesses, not none" in said

    told = json.loads(files[0].read_text(encoding="utf-8"))
    assert [(access["old"], access["new"]) for access in told["accesses"]] == [("0", "7"), ("7", "9")]
    assert [expected["missed"] for expected in told["expected"]] == [None, None, None, "there were 2 accesses, not none"]
    assert (told["status"], told["machine"], told["complaints"]) == (0, "QEMU", [])
    suite = ElementTree.parse(files[1]).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["none"]


@pytest.mark.only_in_test_all
def test_from_the_first_lines(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a variable that only the boot writes."""
    assert ask("system_state", seconds=0, from_boot=True, expected=("3",)) == 0
    said = capsys.readouterr().out
    values = re.findall(r"system_state: (\w+) -> (\w+), written", said)
    assert values == [("SYSTEM_BOOTING", "SYSTEM_SCHEDULING"), ("SYSTEM_SCHEDULING", "SYSTEM_FREEING_INITMEM"),
                      ("SYSTEM_FREEING_INITMEM", "SYSTEM_RUNNING")]


@pytest.mark.parametrize("expression, error, words", [
    ("panic_timeou", noanswer.NoSymbol, "has no variable panic_timeou: is it panic_timeout"),
    ("values_counter", noanswer.NotInMemory, "kgdb_values: no such module was loaded"),
    ("panic_timeout + 1", noanswer.NotInMemory, "a value, not a place in memory"),
    ("$rax", noanswer.NotInMemory, "a value, not a place in memory"),
    ("panic_timeout +", noanswer.NotInMemory, "A syntax error"),
    ("init_task", noanswer.TooLong, "bytes; there are 4, and each covers up to 8 bytes at a multiple of that"),
])
@pytest.mark.only_in_test_all
def test_what_cannot_be_watched(ask: Ask, expression: str, error: type[noanswer.NoAnswer], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        ask(expression, seconds=0)


@pytest.mark.only_in_test_all
def test_what_the_registers_do_not_cover(ask: Ask, tmp_path: Path) -> None:
    """Five are one more than there are; the file for the CI says why there is no answer."""
    files = (tmp_path / "told.json", tmp_path / "junit.xml")
    with pytest.raises(noanswer.TooLong, match="panic_timeout has 4 bytes, panic_on_oops has 4 bytes"):
        ask(*NAMES, files=files)
    suite = ElementTree.parse(files[1]).getroot()
    assert suite.get("errors") == "1"


@pytest.mark.parametrize("run, error, words", [
    ("sleep 1000000", noanswer.NeverEnds, "no end of 'echo 12345 > /proc/sys/kernel/pid_max; sleep 1000000'"),
    ("echo c > /proc/sysrq-trigger", noanswer.Died, "sysrq_handle_crash"),
    ("echo 1 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger", noanswer.WentDown, "has rebooted, or powered off"),
    ("while :; do echo words; done", noanswer.NeverEnds, "no end of"),
    ("trap '' INT; while :; do echo words; done", noanswer.Hangs, "no prompt of the shell after Ctrl-C"),
    ("reboot -f", noanswer.WentDown, "has rebooted, or powered off"),
])
@pytest.mark.only_in_test_all
def test_no_end(ask: Ask, capsys: pytest.CaptureFixture[str], run: str, error: type[noanswer.NoAnswer], words: str) -> None:
    """What was seen until then is told."""
    with pytest.raises(error, match=re.escape(words)):
        ask("pid_max", run=f"echo 12345 > /proc/sys/kernel/pid_max; {run}", seconds=20)
    assert re.search(r"pid_max: \d+ -> 12345, written by", capsys.readouterr().out)


@pytest.mark.only_in_test_all
@pytest.mark.parametrize("smp", [1, 2])
def test_a_module_s_variable(ask: Ask, capsys: pytest.CaptureFixture[str], smp: int) -> None:
    """It is watched from before the module's first instruction on, beside one of the kernel proper."""
    load = "insmod /lib/modules/$(uname -r)/kgdb_values.ko"
    assert ask("values_counter", "panic_timeout", run=f"{load}; echo counter 5 > /sys/kernel/debug/kgdb_values; {SET.format(7)}",
               smp=smp, expected=("2",)) == 0
    said = capsys.readouterr().out
    assert re.search(r"^1  values_counter: 0 -> 5, written by sh .*\n   \w+ at \S*kgdb_values\.c:\d+: ", said, re.MULTILINE), said
    assert re.search(r"^2  panic_timeout: 0 -> 7, written by sh ", said, re.MULTILINE), said


@pytest.mark.only_in_test_all
def test_what_was_added(ask: Ask, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = tmp_path / "twice.sh"
    script.write_text("echo 3 > /proc/sys/kernel/panic\n\n# a comment\necho 4 > /proc/sys/kernel/panic\nexit 5\n")
    assert ask("panic_timeout", run="sh /root/twice.sh", added=(script,), expected=("2",)) == 0
    assert "'sh /root/twice.sh' ended with status 5" in capsys.readouterr().out


def rig(platform: Platform, *words: str) -> list[str]:
    return [str(paths.RIG / "rig"), "who", "--kernel", platform.version, "--arch", platform.arch, *words]


@pytest.mark.only_in_test_all
def test_ctrl_c(platform: Platform) -> None:
    """What is known is told, and nothing is left running."""
    with subprocess.Popen(rig(platform, "panic_timeout", "--run", f"{SET.format(7)}; sleep 1000"), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "0 -> 7" in line:
                os.kill(process.pid, signal.SIGINT)
                break
        rest = process.stdout.read()
        assert process.wait() == 128 + signal.SIGINT
    assert re.search(r"^ +1  write +panic_timeout", rest, re.MULTILINE), rest


@pytest.mark.only_in_test_all
def test_a_kernel_that_is_given(platform: Platform, kernel: Kernel) -> None:
    """By its files alone; with the symbols of another program it is refused, by a status that ends a bisection."""
    words = rig(platform, "panic_timeout", "--image", str(kernel.image), "--run", SET.format(7), "--expect", "=7")
    assert subprocess.run([*words, "--vmlinux", str(kernel.vmlinux)], check=False).returncode == 0
    done = subprocess.run([*words, "--vmlinux", "/bin/busybox"], check=False, capture_output=True, text=True)
    assert (done.returncode, "no vmlinux with symbols" in done.stderr) == (200, True), done.stderr


@pytest.mark.only_in_test_all
@pytest.mark.one_version
def test_git_bisect(platform: Platform, kernel: Kernel, tmp_path: Path) -> None:
    """A made-up history of a kernel tree, of seven commits: the fourth does not build, and the sixth begins to write."""
    tree = tmp_path / "linux"
    source = next(path for path in paths.cache_dir("src").glob(f"linux-source-{platform.version}-*") if path.is_dir())
    subprocess.run(["cp", "--archive", "--link", str(source), str(tree)], check=True)
    changed = tree / "kernel/utsname_sysctl.c"
    original = changed.read_text(encoding="utf-8")
    hook = "\tstruct ctl_table uts_table;\n"
    assert hook in original

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(tree), "-c", "user.name=rig", "-c", "user.email=rig@localhost", *words],
                              check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    versions = [original, *(f"{original}\n/* {number} */\n" for number in (1, 2)), f"{original}\n#error\n", original]
    wrong = original.replace(hook, f"{hook}\textern int panic_timeout;\n\n\tpanic_timeout = 11;\n", 1)
    versions += [wrong, f"{wrong}\n/* more */\n"]
    for number, text in enumerate(versions):
        changed.unlink()
        changed.write_text(text, encoding="utf-8")
        git("add", "--force", "kernel/utsname_sysctl.c")
        git("commit", "--quiet", "--message", f"commit {number}")
    git("bisect", "start", "HEAD", "HEAD~6")
    ask = rig(platform, "panic_timeout", "--source", ".", "--run", "cat /proc/sys/kernel/domainname", "--expect", "none")
    said = git("bisect", "run", *ask)
    assert "is the first bad commit" in said, said
    assert "# skip: " in git("bisect", "log")
    assert "commit 5" in git("show", "--no-patch", "refs/bisect/bad"), shlex.join(ask)
