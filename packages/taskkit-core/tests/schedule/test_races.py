"""SCH-02, 03, 06: many schedulers of one name, in threads, killed and taken over."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskkit import IntervalSchedule, ManualClock, RegularSchedule, ScheduleEntry
from taskkit.clock import SECOND
from taskkit.memory.backend import MemoryBackend
from taskkit.records import Query
from taskkit.schedule.scheduler import Scheduler
from taskkit.task import State

START = 1_767_225_600 * SECOND
SECONDLY = ScheduleEntry("a", RegularSchedule("*"), "g", "a", b"", missed="all")
HALVES = ScheduleEntry("b", IntervalSchedule(0.5), "g", "b", b"", missed="all")


class Killed(BaseException):
    """The process of a scheduler died."""


class Killing:
    """A backend whose client dies around a write: before it, or after it took effect."""

    def __init__(self, backend, before, after):
        self.backend, self.before, self.after = backend, before, after

    def load_schedule(self, name):
        return self.backend.load_schedule(name)

    def advance_schedule(self, name, version, state, tasks):
        if self.before:
            raise Killed
        done = self.backend.advance_schedule(name, version, state, tasks)
        if self.after:
            raise Killed
        return done


class Recording:
    """A backend that remembers which tasks each successful write has put."""

    def __init__(self, backend):
        self.backend = backend
        self.put = []
        self.lost = 0

    def load_schedule(self, name):
        return self.backend.load_schedule(name)

    def advance_schedule(self, name, version, state, tasks):
        done = self.backend.advance_schedule(name, version, state, tasks)
        if done:
            self.put.extend(task.id for task in tasks)
        else:
            self.lost += 1
        return done


def put_ticks(backend, name):
    return sorted(each.task.scheduled for each in backend.find(Query(name=name), 10_000).records)


def test_four_schedulers_in_threads_put_each_tick_once():
    clock = ManualClock(START)
    backend = MemoryBackend(clock)
    recorders = [Recording(backend) for _ in range(4)]
    rounds = 100
    barrier = threading.Barrier(5, timeout=15)
    failures = []

    def run(recorder):
        scheduler = Scheduler(recorder, "s", [SECONDLY, HALVES])
        try:
            for _ in range(rounds):
                barrier.wait()
                scheduler.step()
                barrier.wait()
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(each,), daemon=True) for each in recorders]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        barrier.wait()
        barrier.wait()
        clock.advance(1)
    for thread in threads:
        thread.join(15)
    assert not failures
    put = [task for recorder in recorders for task in recorder.put]
    assert len(put) == len(set(put))
    end = clock.now() - SECOND
    assert [t for t in put_ticks(backend, "a") if t <= end] == [
        START + n * SECOND for n in range(1, rounds)
    ]
    assert [t for t in put_ticks(backend, "b") if t <= end] == [
        START + n * SECOND // 2 for n in range(1, 2 * rounds - 1)
    ]


def test_the_loser_of_a_race_sees_what_the_winner_did_and_puts_nothing():
    clock = ManualClock(START)
    backend = MemoryBackend(clock)

    class Overtaken(Recording):
        """Between our load and our write, another scheduler does both."""

        def advance_schedule(self, name, version, state, tasks):
            Scheduler(backend, "s", [SECONDLY]).step()
            return super().advance_schedule(name, version, state, tasks)

    Scheduler(backend, "s", [SECONDLY]).step()
    clock.advance(10)
    overtaken = Overtaken(backend)
    Scheduler(overtaken, "s", [SECONDLY]).step()
    assert (overtaken.put, overtaken.lost) == ([], 1)
    assert put_ticks(backend, "a") == [START + n * SECOND for n in range(1, 13)]


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 2), st.booleans(), st.booleans(), st.sampled_from([0.3, 1, 7, -3])
        ),
        max_size=40,
    )
)
def test_killed_and_taken_over_and_set_back_each_tick_comes_once(steps):
    clock = ManualClock(START)
    backend = MemoryBackend(clock)
    recorder = Recording(backend)
    Scheduler(recorder, "s", [SECONDLY]).step()
    running = [None, None, None]
    furthest = START
    for which, before, after, pause in steps:
        scheduler = running[which] or Scheduler(recorder, "s", [SECONDLY])
        scheduler._backend = Killing(recorder, before, after)
        try:
            scheduler.step()
            running[which] = scheduler
        except Killed:
            running[which] = None
        clock.advance(pause)
        furthest = max(furthest, clock.now())
    clock.set(furthest + 60 * SECOND)
    Scheduler(recorder, "s", [SECONDLY]).step()
    assert len(recorder.put) == len(set(recorder.put))
    ticks = put_ticks(backend, "a")
    assert ticks == [START + n * SECOND for n in range(1, len(ticks) + 1)]
    assert ticks[-1] >= clock.now()


@pytest.mark.parametrize("state", [State.WAITING, State.QUEUED])
def test_a_tick_whose_task_is_already_there_changes_nothing(state):
    clock = ManualClock(START)
    backend = MemoryBackend(clock)
    Scheduler(backend, "s", [SECONDLY]).step()
    before = backend.find(Query(name="a"), 100).records
    if state is State.QUEUED:
        clock.advance(5)
    again = Scheduler(backend, "s", [SECONDLY])
    version = backend.load_schedule("s").version
    assert backend.advance_schedule("s", version, b'{"v":1,"entries":{}}', ())
    again.step()
    after = {each.task.id: each.task for each in backend.find(Query(name="a"), 100).records}
    assert all(after[each.task.id] == each.task for each in before)
