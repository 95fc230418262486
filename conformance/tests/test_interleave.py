"""The scheduler: finds a planted race at once, shrinks it, accuses nobody else, never hangs."""

import threading
import time

import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from taskkit_conformance.cooperative import CooperativeLock, adopt, cooperating
from taskkit_conformance.interleave import Interleaving, Stalled
from taskkit_conformance.schedule import Schedule, schedules
from taskkit_conformance.yields import Sources, lines

SEARCH = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
)


class Racy:
    """Looks, then takes: two takers may take the same."""

    def __init__(self, items):
        self.items = list(items)

    def take(self):
        found = self.items[:1]
        if found:
            self.items = [item for item in self.items if item != found[0]]
        return found


class Locked(Racy):
    """The same, right."""

    def __init__(self, items):
        super().__init__(items)
        self.lock = threading.Lock()

    def take(self):
        with self.lock:
            return super().take()


class CheckThenAct(Locked):
    """Locks each half."""

    def take(self):
        with self.lock:
            found = self.items[:1]
        with self.lock:
            self.items = [item for item in self.items if item not in found]
        return found


class Sleepy(Racy):
    """Waits for its turn by sleeping, as one who polls a busy database does."""

    def __init__(self, items):
        super().__init__(items)
        self.busy = threading.Lock()

    def take(self):
        while not self.busy.acquire(blocking=False):
            time.sleep(0.001)
        try:
            return super().take()
        finally:
            self.busy.release()


def play(store, schedule, takers=2, times=1, patience=10.0):
    """Let takers take; return all that they took."""
    taken = []
    sources = Sources(store)
    run = Interleaving(schedule, patience=patience)

    def body():
        for _ in range(times):
            run.edge()
            taken.extend(store.take())

    adopt(store, sources)
    with cooperating(sources):
        run.go({f"a{number}": body for number in range(takers)}, lambda line: lines(sources, line))
    return taken


def programs():
    return st.tuples(st.integers(1, 3), st.integers(1, 3), schedules(3))


def fails(kind):
    def check(program):
        items, times, schedule = program
        taken = play(kind(range(items)), schedule, 3, times)
        return len(taken) != len(set(taken))

    return check


@pytest.mark.parametrize("kind", [Racy, CheckThenAct])
def test_a_planted_race_is_found_and_shrunk(kind):
    items, times, schedule = find(programs(), fails(kind), settings=SEARCH)
    assert (items, times) == (1, 1)
    assert len(schedule.switches) == 1


@pytest.mark.parametrize("kind", [Locked, Sleepy])
def test_a_correct_store_is_not_accused(kind):
    for seed in range(60):
        switches = tuple((1 + (seed * step) % 7, 1 + step % 2) for step in range(1, 12))
        for grain in ("gaps", "locks", "lines", "all"):
            taken = play(kind(range(4)), Schedule(switches, grain, seed % 3), 3, 2)
            assert sorted(taken) == [0, 1, 2, 3]


@pytest.mark.parametrize("grain", ["gaps", "locks", "lines", "all"])
def test_the_same_schedule_gives_the_same_run(grain):
    schedule = Schedule(((2, 1), (3, 2), (1, 1), (9, 1)), grain)
    runs = [play(CheckThenAct(range(5)), schedule, 3, 2) for _ in range(5)]
    assert all(taken == runs[0] for taken in runs)


def test_without_switches_actors_go_on_to_their_end():
    order = []
    run = Interleaving(Schedule(first=1))

    def body(name):
        for _ in range(3):
            run.edge()
            order.append(name)

    run.go({name: lambda name=name: body(name) for name in "abc"})
    assert order == list("bbbcccaaa")


def test_an_error_of_an_actor_is_raised_and_the_others_end():
    run = Interleaving(Schedule(((1, 1),)))
    ended = []

    def broken():
        run.edge()
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        run.go({"a": broken, "b": lambda: ended.append("b")})
    assert ended == ["b"]


class Embrace:
    """Two locks, taken in both orders."""

    def __init__(self):
        self.left, self.right = threading.Lock(), threading.Lock()

    def there(self):
        with self.left, self.right:
            pass

    def back(self):
        with self.right, self.left:
            pass


def test_a_deadlock_is_told_at_once_with_stacks():
    store = Embrace()
    adopt(store, Sources(store))
    run = Interleaving(Schedule(((2, 1),), "locks"))

    def act(method):
        run.edge()
        method()

    began = time.monotonic()
    with pytest.raises(Stalled, match="wait for each other's locks") as raised:
        run.go({"a": lambda: act(store.there), "b": lambda: act(store.back)})
    assert time.monotonic() - began < 5
    assert "in there" in str(raised.value)
    assert "in back" in str(raised.value)
    assert not store.left.locked()
    assert not store.right.locked()


def test_the_watchdog_ends_a_run_that_never_ends():
    never = threading.Event()
    run = Interleaving(Schedule(), patience=0.3)

    def stuck():
        run.edge()
        never.wait()

    with pytest.raises(Stalled, match=r"did not end within 0\.3 s") as raised:
        run.go({"a": stuck, "b": lambda: run.edge()})
    assert "never.wait()" in str(raised.value)
    never.set()


def test_the_watchdog_ends_an_actor_that_spins():
    run = Interleaving(Schedule(), patience=0.3)

    def spin():
        while True:
            run.edge()

    with pytest.raises(Stalled, match="did not end"):
        run.go({"a": spin})
    assert not any(thread.name == "a" for thread in threading.enumerate())


def test_an_actor_stuck_in_the_store_is_passed_over():
    """A lock that nobody has adopted: the others go on after a moment, and so does it."""
    hidden = threading.Lock()
    order = []
    run = Interleaving(Schedule(((2, 1), (1, 1))))

    def holder():
        run.edge()
        with hidden:
            run.edge()
            order.append("holder")

    def waiter():
        run.edge()
        with hidden:
            order.append("waiter")

    run.go({"a": holder, "b": waiter})
    assert sorted(order) == ["holder", "waiter"]


def test_an_adopted_lock_excludes_whoever_has_the_original():
    store = Locked([1])
    real = store.lock
    adopt(store, Sources(store))
    assert isinstance(store.lock, CooperativeLock)
    with store.lock:
        assert real.locked()
        assert not real.acquire(blocking=False)
    assert not real.locked()


def test_patches_are_undone():
    made, slept = threading.Lock, time.sleep
    store = Sleepy([1])
    play(store, Schedule())
    assert threading.Lock is made
    assert time.sleep is slept


def test_a_schedule_says_what_it_does():
    schedule = Schedule(((2, 1), (0, 0), (3, 2)), "locks", 1)
    assert schedule.words(["a1", "a2", "a3"]) == (
        "a2 begins; after 2 steps the next goes on; after 3 steps the 2. next goes on "
        "(a step: an operation or a lock)"
    )
