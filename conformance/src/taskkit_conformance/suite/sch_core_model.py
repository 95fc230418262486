"""Time-tables, as the core keeps them: on the Scheduler, over the backend under test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hypothesis import strategies as st

from taskkit import IntervalSchedule, RegularSchedule
from taskkit.clock import SECOND
from taskkit.records import Query, ScheduleState
from taskkit.schedule import OnlyEarliest, OnlyLatest
from taskkit.schedule.scheduler import STORED, Scheduler
from taskkit.task import NewTask
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import entry, kit_of, later, ticks_of

_MINUTE = 60 * SECOND
_EVERY = (None, "latest", "earliest", "all", "none")
_POLICIES = st.sampled_from(_EVERY)


class _Watched:
    """The backend's schedules, and which ticks were put through them."""

    def __init__(self, case: Case) -> None:
        self._backend = case.backend
        self.ticks: list[int] = []

    def load_schedule(self, name: str) -> ScheduleState:
        return self._backend.load_schedule(name)

    def advance_schedule(
        self, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
    ) -> bool:
        done = self._backend.advance_schedule(name, version, state, tasks)
        if done:
            self.ticks += [task.scheduled or 0 for task in tasks]
        return done


def _run(case: Case, scheduler: Scheduler, duration: int) -> None:
    """Step when the scheduler asks for it, until so many microseconds have passed."""
    end = case.clock.now() + duration
    while case.clock.now() < end:
        pause = round(scheduler.step() * SECOND)
        case.clock.set(min(end, case.clock.now() + max(pause, 1)))
    scheduler.step()


def _minutes(start: int, end: int, every: int = 1) -> list[int]:
    """Return the instants after ``start`` and up to ``end`` that are on a minute."""
    step = every * _MINUTE
    return list(range(start - start % step + step, end + 1, step))


def _left(missed: list[int], policy: str | None) -> list[int]:
    chosen = {"earliest": missed[:1], "all": missed, "none": []}
    return chosen.get(policy or "latest", missed[-1:])


@proves("SCH-07", "SCH-12")
def missed_ticks_follow_the_policy_of_their_entry(case: Case) -> None:
    """Each entry its own, beside the others; the latest unless told otherwise."""
    policies = case.draw(st.permutations(_EVERY))[:3]
    every = case.draw(st.lists(st.sampled_from([1, 2, 5]), min_size=3, max_size=3))
    entries = [
        entry(f"e{n}", IntervalSchedule(every[n] * 60), missed=policy)
        for n, policy in enumerate(policies)
    ]
    Scheduler(case.backend, "s", entries).step()
    down = case.clock.now()
    later(case, case.draw(st.integers(0, 40)) * _MINUTE + 30 * SECOND)
    for _ in range(case.draw(st.integers(1, 2))):
        Scheduler(case.backend, "s", entries).step()
    for number, policy in enumerate(policies):
        missed = _minutes(down, case.clock.now(), every[number])
        what = f"the ticks of an entry with the policy {policy} that missed {len(missed)}"
        case.equal(ticks_of(case, f"e{number}"), _left(missed, policy), what)


@proves("SCH-07")
def regular_schedules_keep_their_duplication_policy(case: Case) -> None:
    """``OnlyLatest``, ``OnlyEarliest``, or one of the user's."""
    policy, name = case.draw(
        st.sampled_from(
            [
                (OnlyLatest(), "latest"),
                (OnlyEarliest(), "earliest"),
                (lambda points, _last: points, "all"),
                (lambda _points, _last: [], "none"),
            ]
        )
    )
    one = entry("e", RegularSchedule(duplication_policy=policy))
    Scheduler(case.backend, "s", [one]).step()
    down = case.clock.now()
    later(case, case.draw(st.integers(2, 30)) * _MINUTE + 30 * SECOND)
    Scheduler(case.backend, "s", [one]).step()
    missed = _minutes(down, case.clock.now())
    case.equal(
        ticks_of(case, "e"), _left(missed, name), f"the ticks that {name} leaves of the missed"
    )


# ---- downtime, clocks that step back, changes at run time


class _Asked:
    """A schedule of every second that counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0
        self._inner = RegularSchedule("*")

    def next_after(self, moment: datetime) -> datetime | None:
        self.times += 1
        return self._inner.next_after(moment)


@proves("SCH-09", examples=0.5)
def a_year_of_downtime_costs_little(case: Case) -> None:
    """An entry of every second: few tasks, few questions; all of them come in batches."""
    policy = case.draw(_POLICIES)
    asked = _Asked()
    entries = [entry("e", asked, missed=policy), entry("m", IntervalSchedule(60))]
    Scheduler(case.backend, "s", entries).step()
    before = len(ticks_of(case, "e"))
    down = case.clock.now()
    later(case, case.draw(st.integers(100, 400)) * 86_400 * SECOND)
    asked.times = 0
    Scheduler(case.backend, "s", entries).step()
    most = 2000 if policy == "all" else 300
    sentence = f"after a year, policy {policy}, a schedule is asked at most {most} times"
    case.require(asked.times <= most, sentence, found=asked.times)
    new = len(ticks_of(case, "e")) - before
    case.require(new <= (1000 if policy == "all" else 5), "few tasks are put at once", found=new)
    late = [tick for tick in ticks_of(case, "m") if down < tick <= case.clock.now()]
    case.equal(len(late), 1, "how many ticks of another entry are put in the same step")


@proves("SCH-10")
def a_clock_that_steps_back_produces_no_tick_twice(case: Case) -> None:
    """By the same scheduler or by a new one, even if the tasks of those ticks are long gone."""
    store = _Watched(case)
    entries = [entry("e", IntervalSchedule(10))]
    scheduler = Scheduler(store, "s", entries)
    start = case.clock.now()
    for _ in range(case.draw(st.integers(2, 4))):
        _run(case, scheduler, case.draw(st.integers(5, 40)) * SECOND)
        later(case, -case.draw(st.integers(1, 60)) * SECOND)
        case.backend.delete([record.task.id for record in case.backend.find(Query(), 1000).records])
        if case.draw(st.booleans()):
            scheduler = Scheduler(store, "s", entries)
        scheduler.step()
    _run(case, scheduler, 300 * SECOND)
    once = len(set(store.ticks))
    case.equal(len(store.ticks), once, "how many ticks were put, each counted once")
    end = max(store.ticks)
    expected = list(range(start - start % (10 * SECOND) + 10 * SECOND, end + 1, 10 * SECOND))
    case.equal(sorted(store.ticks), expected, "all ticks that were put")


@proves("SCH-13")
def entries_change_at_run_time_without_touching_others(case: Case) -> None:
    """Added, changed, paused, resumed, removed: the other entry's ticks come as before."""
    schedules = kit_of(case).schedules
    scheduler = Scheduler(case.backend, STORED)
    schedules.add(entry("still", IntervalSchedule(10)))
    begin = case.clock.now()
    known, paused, quiet = False, False, []
    for _ in range(case.draw(st.integers(2, 5))):
        ways = ["add", "remove", "pause", "resume", "change"] if known else ["add"]
        way = case.draw(st.sampled_from(ways))
        if way == "remove":
            schedules.remove("other")
            known = paused = False
        elif way in ("pause", "resume"):
            getattr(schedules, way)("other")
            paused = way == "pause"
        else:
            schedules.add(entry("other", IntervalSchedule(case.draw(st.sampled_from([7, 10, 13])))))
            known = True
        scheduler.step()
        since = case.clock.now()
        _run(case, scheduler, case.draw(st.integers(11, 30)) * SECOND)
        if paused or not known:
            quiet += [(since + 2 * SECOND, case.clock.now())]
    end = case.clock.now()
    step = 10 * SECOND
    expected = list(range(begin - begin % step + step, end + 1, step))
    found = [tick for tick in ticks_of(case, "still") if tick <= end]
    case.equal(found, expected, "the ticks of the entry that nobody touched")
    others = ticks_of(case, "other")
    wrong = [t for t in others for since, until in quiet if since < t <= until]
    case.equal(wrong, [], "ticks of the other one while it was paused or gone")
    case.equal(len(others), len(set(others)), "ticks of the other one, each counted once")
    listed = [each.key for each in schedules.list()]
    case.equal(listed, ["other", "still"] if known else ["still"], "the entries that are listed")
