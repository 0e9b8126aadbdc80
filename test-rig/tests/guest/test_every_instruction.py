# SPDX-License-Identifier: GPL-2.0-only
"""The round-up at every instruction of what must not just be interrupted by a change of the debug registers.

`make test` takes one instruction of so many, `make test-all` each of them.
"""

from __future__ import annotations

import concurrent.futures
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from conftest import Boot, Stride
from kgdbrig.clients.hwbp import PerfEvent, hits, watch_own_variable
from kgdbrig.clients.stepper import Call
from windows import CPU, OFF, Bench, Watch, bench

HIT, OTHER, THIRD, PERFS = Watch(0), Watch(64), Watch(128), Watch(256)


@dataclass(frozen=True)
class Change:
    """What is watched, in turn: gdb makes the next of these from the one before during a round-up."""

    name: str
    tables: tuple[tuple[Watch, ...], ...]

    def __str__(self) -> str:
        return self.name


#: What comes instead gets the same slot; the first one's slot is the lower one; the first of all, and the last of all.
REPLACED = Change("replaced", ((HIT,), (OTHER,)))
FIRST_AND_LAST = Change("first-and-last", ((), (HIT,)))
#: What a window is tested with.
CHANGES = (REPLACED, pytest.param(FIRST_AND_LAST, marks=pytest.mark.only_in_test_all))


class Turns:
    """Goes through the tables of a change, with one made at each call; what else is watched stays."""

    def __init__(self, it: Bench, change: Change) -> None:
        self._it = it
        self._next = itertools.cycle(change.tables)
        self._changed = set(itertools.chain(*change.tables))
        self.gone: list[Watch] = []
        it.set(add=[watch for watch in next(self._next) if watch not in it.watched])

    def change(self) -> None:
        """At a stop: the next table."""
        wanted = next(self._next)
        self.gone = [watch for watch in self._it.watched if watch in self._changed.difference(wanted)]
        self._it.change(remove=self.gone, add=[watch for watch in wanted if watch not in self._it.watched])

    def expect_right(self) -> None:
        """Of a guest that runs: registers and hits are those of the table."""
        self._it.expect_registers()
        self._it.expect_hits(*self.gone)


def each(it: Bench, begin: Callable[[], int], change: Change, stride: Stride) -> Iterator[None]:
    """CPU 1 held at one instruction after another of a window, at each with every table of the change.

    begin() has it held at the first, and returns where it is when it has left
    the window.  What is armed decides which way it takes.
    """
    paths: dict[tuple[Watch, ...], list[int]] = {}

    def hold(number: int) -> None:
        behind = begin()
        table = tuple(it.watched)
        if table not in paths:
            paths[table] = it.path(until=behind)
            number = len(paths[table]) - 1
        else:
            it.stepper.follow(CPU, paths[table], number)
        it.at(number, paths[table])

    for _ in change.tables:
        hold(0)
        yield
    assert len(paths) == len(change.tables)
    for number in stride(min(map(len, paths.values())) - 1):
        for _ in change.tables:
            hold(number)
            yield


def hit_path(it: Bench, watch: Watch) -> list[int]:
    """The way of CPU 1 from #DB's first instruction to where it has the debugger's lock."""
    it.arm(it.symbol("asm_exc_debug"))
    it.start_store(watch)
    it.arrive()
    path = it.path(locks=True)
    it.stepper.go()
    it.expect_hit(watch, it.rsp.wait_stop())
    it.proceed()
    it.target.trigger.finish()
    return path


def rounded_up_in_hit(it: Bench, watch: Watch, path: list[int], number: int) -> bool:
    """CPU 1 hits, and is rounded up at one instruction of what follows."""
    it.arm(it.symbol("asm_exc_debug"))
    it.start_store(watch)
    it.arrive()
    it.stepper.follow(CPU, path, number)
    it.at(number, path)
    return it.round_up()


def assert_once_in_the_debugger(interrupted: list[bool]) -> None:
    """CPU 1 gets an NMI up to where it has entered the debugger, and from there on none."""
    assert interrupted[0] and interrupted == sorted(interrupted, reverse=True)


@pytest.mark.i386
def test_a_hit_that_is_removed(boot: Boot, stride: Stride) -> None:
    """Another watchpoint has got its register: it is not blamed for the hit, which is not reported."""
    with bench(boot) as it:
        turns = Turns(it, REPLACED)
        path = hit_path(it, HIT)
        interrupted = []
        for number in stride(len(path) - 1):
            interrupted.append(rounded_up_in_hit(it, it.watched[0], path, number))
            turns.change()
            it.proceed()
            it.target.trigger.finish()
            turns.expect_right()
        assert_once_in_the_debugger(interrupted)


@pytest.mark.only_in_test_all
@pytest.mark.i386
def test_a_hit_whose_register_goes_to_another(boot: Boot, stride: Stride) -> None:
    """It is reported as what it is, while the other one goes from, and comes to, the slot before it."""
    with bench(boot, OTHER, HIT) as it:
        # One after the other: OTHER is in the first slot.
        turns = Turns(it, Change("moved", ((OTHER, HIT), (HIT,))))
        paths = {}
        for table in (HIT,), (OTHER, HIT):
            it.set(remove=[watch for watch in it.watched if watch not in table],
                   add=[watch for watch in table if watch not in it.watched])
            paths[table[0]] = hit_path(it, HIT)
        interrupted = []
        for number in stride(min(map(len, paths.values())) - 1):
            for first in OTHER, HIT:
                interrupted.append(rounded_up_in_hit(it, HIT, paths[first], number))
                turns.change()
                it.proceed()
                it.expect_hit(HIT, it.rsp.wait_stop())
                it.proceed()
                it.target.trigger.finish()
                turns.expect_right()
        assert interrupted[0] and not interrupted[-1]


@pytest.mark.rest_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_the_way_out_of_a_hit(boot: Boot, stride: Stride, change: Change) -> None:
    """From where CPU 1 has let go of the debugger that it was master of to where it was interrupted by #DB."""
    stays = Watch(512)
    with bench(boot, stays) as it:
        turns = Turns(it, change)

        def begin() -> int:
            it.start_store(stays)
            it.expect_hit(stays, it.rsp.wait_stop())
            behind = it.rsp.read_pc()
            it.arm(it.symbol("kgdb_watch_leave"))
            it.proceed()
            it.arrive()
            return behind

        for _ in each(it, begin, change, stride):
            it.round_up()
            turns.change()
            it.proceed()
            it.target.trigger.finish()
            turns.expect_right()


@pytest.mark.rest_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_the_way_out_of_a_round_up(boot: Boot, stride: Stride, change: Change) -> None:
    """From where CPU 1, which was held, does not count as held any more to where the NMI had come; the next comes there."""
    with bench(boot) as it:
        turns = Turns(it, change)
        access = it.target.symbol("trigger_perform")

        def begin() -> int:
            it.arm(access)
            it.start_store(HIT)
            it.arrive()
            assert it.round_up()
            it.arm(it.symbol("kgdb_watch_leave"))
            it.proceed()
            it.arrive()
            return access

        for _ in each(it, begin, change, stride):
            assert it.round_up(comes_at=access)
            turns.change()
            it.proceed()
            # It goes on to the access at once.
            if HIT in it.watched:
                it.expect_hit(HIT, it.rsp.wait_stop())
                it.proceed()
            it.target.trigger.finish()
            turns.expect_right()


@pytest.mark.only_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_hit_of_perf_s(boot: Boot, stride: Stride, change: Change) -> None:
    """Perf counts it, once, and KGDB's registers are right after it, though #DB was not KGDB's."""
    with bench(boot) as it:
        address = it.base + PERFS.offset
        with PerfEvent(it.target.console, address, PERFS.size, cpus=[CPU]) as event:
            it.foreign.append(PERFS)
            turns = Turns(it, change)

            def begin() -> int:
                it.arm(it.symbol("asm_exc_debug"))
                it.start_store(PERFS)
                it.arrive()
                return it.return_address()

            for count, _ in enumerate(each(it, begin, change, stride), 1):
                assert it.round_up()
                turns.change()
                it.proceed()
                it.target.trigger.finish()
                assert event.counts() == [count]
                turns.expect_right()


@pytest.mark.only_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_debug_exception_of_nobody_s(boot: Boot, stride: Stride, change: Change) -> None:
    """#DB with nothing in DR6, while maybe nothing is armed: what is set in its midst is armed after it."""
    with bench(boot) as it:
        turns = Turns(it, change)
        _, behind = it.target.trigger.raised()

        def begin() -> int:
            it.arm(it.symbol("asm_exc_debug"))
            it.target.console.start(f"taskset {1 << CPU:x} sh -c '{it.target.trigger.raise_command(0)}'")
            it.arrive()
            return behind

        for _ in each(it, begin, change, stride):
            assert it.round_up()
            turns.change()
            it.proceed()
            it.target.console.finish()
            turns.expect_right()


@pytest.mark.rest_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_debug_exception_from_user_mode(boot: Boot, stride: Stride, change: Change) -> None:
    """A task's own watchpoint: the kernel leaves the registers armed in that #DB."""
    with bench(boot) as it:
        turns = Turns(it, change)

        def begin() -> int:
            it.arm(it.symbol("asm_exc_debug"))
            it.target.console.start(f"taskset {1 << CPU:x} {watch_own_variable('task', 1)}")
            it.arrive()
            return it.return_address()

        for _ in each(it, begin, change, stride):
            assert it.round_up()
            turns.change()
            it.proceed()
            assert hits(it.target.console.finish()) == 1
            turns.expect_right()


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_an_nmi_that_is_a_round_up_too(boot: Boot, stride: Stride) -> None:
    """The debugger is entered while CPU 1 is on its way to a store in an NMI handler.

    Its round-up's NMI is put off, or is the one that is handled: KGDB's handler takes CPU 1 into
    the debugger, and the other one stores when it has been let go.
    """
    with bench(boot, HIT) as it:
        handler = it.target.symbol("trigger_perform")

        def begin() -> None:
            it.arm(it.symbol("asm_exc_nmi"))
            it.target.trigger.start("write", size=HIT.size, offset=HIT.offset, value=it.next_value(), cpu=CPU,
                                    context="nmi")
            it.arrive()

        def expect_hit() -> None:
            it.expect_hit(HIT, it.rsp.wait_stop())
            it.proceed()
            it.target.trigger.finish()

        begin()
        path = it.path(until=handler)
        it.stepper.go()
        expect_hit()
        for number in stride(len(path) - 1):
            begin()
            it.stepper.follow(CPU, path, number)
            it.at(number, path)
            it.round_up(put_off=True)
            it.proceed()
            expect_hit()
        it.expect_registers()
        it.expect_hits()


@pytest.mark.rest_in_test_all
@pytest.mark.i386
@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("function", ["arch_install_hw_breakpoint", "arch_uninstall_hw_breakpoint"])
def test_perf_changes_a_register(boot: Boot, stride: Stride, function: str, change: Change) -> None:
    """KGDB and perf change registers at the same time: both have what they want, in records and registers."""
    installs = function == "arch_install_hw_breakpoint"
    with bench(boot) as it, concurrent.futures.ThreadPoolExecutor(1) as other:
        turns = Turns(it, change)
        address = it.base + PERFS.offset

        def have_event() -> PerfEvent:
            return PerfEvent(it.target.console, address, PERFS.size, cpus=[CPU])

        work: concurrent.futures.Future[PerfEvent | None]

        def begin() -> int:
            nonlocal work
            if installs:
                it.arm(it.symbol(function))
                work = other.submit(have_event)
            else:
                event = have_event()
                it.arm(it.symbol(function))
                work = other.submit(event.close)
            it.arrive()
            return it.return_address()

        for _ in each(it, begin, change, stride):
            assert it.round_up()
            turns.change()
            it.proceed()
            event = work.result()
            it.foreign[:] = [PERFS] if event else []
            turns.expect_right()
            if event:
                it.start_store(PERFS)
                it.target.trigger.finish()
                assert event.counts() == [1]
                event.close()
                it.foreign.clear()
                it.expect_registers()


def enter_restore(it: Bench) -> Call:
    """Hold CPU 1, in a store that does not hit, at the beginning of hw_breakpoint_restore(), with all registers off."""
    it.arm(it.target.symbol("trigger_perform"))
    it.start_store(PERFS)
    it.arrive()
    for number, value in {7: OFF, 0: 0, 1: 0, 2: 0, 3: 0}.items():
        it.stepper.set_debug_register(CPU, number, value)
    return it.stepper.enter(CPU, it.symbol("hw_breakpoint_restore"))


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_the_registers_are_put_back(boot: Boot, stride: Stride) -> None:
    """By whoever had them disabled: after text was poked, or after the turn of a KVM guest."""
    with bench(boot) as it:
        turns = Turns(it, REPLACED)
        call: Call

        def begin() -> int:
            nonlocal call
            call = enter_restore(it)
            return call.behind

        for _ in each(it, begin, REPLACED, stride):
            assert it.round_up()
            it.arm(call.behind)
            turns.change()
            it.proceed()
            it.arrive()
            it.stepper.leave(call)
            it.stepper.go()
            it.target.trigger.finish()
            turns.expect_right()


@pytest.mark.rest_in_test_all
@pytest.mark.i386
def test_a_change_within_a_change(boot: Boot) -> None:
    """CPU 1 applies what one round-up has left to it, and the next one removes that: nothing of before may stay enabled."""
    with bench(boot, HIT, OTHER) as it:
        call = enter_restore(it)
        applies = it.symbol("kgdb_registers_lent")
        # Between two of the registers, so that the round-up leaves its change to the end of that.
        while it.target.machine.debug_registers()[CPU]["DR0"] == 0:
            it.stepper.step(CPU)
        assert it.round_up()
        it.arm(applies)
        it.change(remove=[HIT, OTHER], add=[THIRD])
        it.proceed()
        assert it.arrive() == applies
        assert it.round_up()
        it.arm(call.behind)
        it.change(remove=[THIRD])
        it.proceed()
        it.arrive()
        it.stepper.leave(call)
        it.stepper.go()
        it.target.trigger.finish()
        it.expect_registers()
        it.expect_hits(HIT, OTHER, THIRD)
