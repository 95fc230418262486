"""A source of news that asks: how often, whom it wakes, and when it stops."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from taskkit.errors import Unavailable
from taskkit_relational import polling
from taskkit_relational.polling import Polling, Sign


class Room:
    """Who waits: for as many rounds as are asked for."""

    def __init__(self, rounds, claimers=True, awaited=()):
        self.rounds = rounds
        self.claimers = claimers
        self.awaited = set(awaited)
        self.told = []

    def is_wanted(self):
        self.rounds -= 1
        return self.rounds >= 0

    def is_closing(self):
        return self.rounds < 0

    def has_claimers(self):
        return self.claimers

    def has_awaited(self):
        return bool(self.awaited)

    def listening(self):
        self.told.append("listening")

    def claimable(self):
        self.told.append("claimable")

    def finished(self, over=None):
        self.told.append(("finished", over(self.awaited)))


class Bell:
    """Stands in for an event: notes how long was slept, and moves the clock."""

    def __init__(self, clock):
        self.clock = clock
        self.pauses = []
        self.rung = set()

    def wait(self, seconds):
        self.pauses.append(seconds)
        self.clock[0] += seconds
        return len(self.pauses) in self.rung

    def set(self):
        pass

    def clear(self):
        pass


class Store:
    def unfinished(self, cursor, ids):
        return {task_id for task_id in ids if task_id != "over"}


class Broken(Exception):
    pass


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(polling, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def polled(clock):
    """Watch with these signs, one for each look (the last one for all that follow)."""

    def watch(room, *signs, rung=()):
        looks = []

        def look(cursor):
            looks.append(cursor)
            found = signs[min(len(looks), len(signs)) - 1]
            if found is Broken:
                raise Broken
            return found

        @contextmanager
        def connecting():
            yield "cursor"

        source = Polling(connecting, look, Store(), (Broken,), lambda error: Unavailable("lost"))
        bell = source._rung = Bell(clock)
        bell.rung = set(rung)
        source.watch(room)
        return bell.pauses, looks

    return watch


NOTHING = Sign((0, 0), is_there=False)


def something(n):
    return Sign((0, n), is_there=True)


def test_looks_become_rare_while_nothing_happens(polled):
    room = Room(200)
    pauses, looks = polled(room, NOTHING)
    assert room.told == ["listening"]
    assert len(looks) == 201
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.01
    # At most 14 in a second, and half of them come within 36 ms.
    assert set(pauses[-100:]) == {0.072}


def test_a_change_wakes_and_is_looked_behind(polled):
    room = Room(40)
    pauses, _ = polled(room, *[NOTHING] * 30, something(1), NOTHING)
    assert room.told == ["listening", "claimable", "claimable"]
    assert pauses[28] == 0.072
    assert pauses[29] == pauses[30] == 0.005
    assert pauses[31] > 0.005


def test_what_nobody_here_can_claim_wakes_once_a_second(polled, clock):
    room = Room(100)
    pauses, _ = polled(room, something(1))
    assert room.told.count("claimable") == int(sum(pauses))
    assert pauses[-1] == 0.072


def test_the_end_of_tasks_is_looked_for_alone(polled):
    room = Room(3, claimers=False, awaited=["over", "under way"])
    _, looks = polled(room, NOTHING)
    assert room.told == ["listening"] + [("finished", {"over"})] * 3
    assert len(looks) == 1


def test_whoever_comes_is_looked_after_at_once(polled):
    room = Room(60)
    pauses, _ = polled(room, NOTHING, rung=[50])
    assert pauses[49] == 0.072
    assert pauses[50] < 0.01


def test_errors_are_told_in_taskkits_words(polled):
    room = Room(5)
    with pytest.raises(Unavailable, match="lost"):
        polled(room, NOTHING, NOTHING, Broken)
    assert room.told == ["listening"]


def test_nothing_is_missed_before_it_listens(polled):
    """The first look comes before whoever waits is told that nothing is missed any more."""
    room = Room(1)
    polled(room, NOTHING, something(1))
    assert room.told == ["listening", "claimable"]
