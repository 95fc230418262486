"""Time-tables, as the core keeps them: on the Scheduler, over the backend under test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from taskkit import CronSchedule, IntervalSchedule, Kit, RegularSchedule, ScheduleEntry
from taskkit.clock import SECOND, to_instant
from taskkit.records import Query, ScheduleState
from taskkit.schedule import OnlyEarliest, OnlyLatest
from taskkit.schedule.scheduler import STORED, Scheduler
from taskkit.task import NewTask
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.plain import PlainHandler
from taskkit_conformance.steps import later

_MINUTE = 60 * SECOND
_POLICIES = st.sampled_from([None, "latest", "earliest", "all", "none"])


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


def _entry(key: str, schedule: Any, **options: Any) -> ScheduleEntry:
    return ScheduleEntry(key, schedule, "g", key, b"", **options)


def _ticks(case: Case, name: str | None = None) -> list[int]:
    """Return the ticks of all tasks of an entry, in order."""
    records = case.backend.find(Query(name=name), 5000).records
    return sorted(record.task.scheduled or 0 for record in records)


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
    policies = case.draw(st.lists(_POLICIES, min_size=1, max_size=3))
    every = case.draw(st.lists(st.sampled_from([1, 2, 5]), min_size=3, max_size=3))
    entries = [
        _entry(f"e{n}", IntervalSchedule(every[n] * 60), missed=policy)
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
        case.equal(_ticks(case, f"e{number}"), _left(missed, policy), what)


@proves("SCH-07")
def regular_schedules_keep_their_duplication_policy(case: Case) -> None:
    """``OnlyLatest``, ``OnlyEarliest``, or one of the user's."""
    policy, name = case.draw(
        st.sampled_from(
            [
                (OnlyLatest(), "latest"),
                (OnlyEarliest(), "earliest"),
                (lambda points, _last: points, "all"),
                (lambda points, _last: [], "none"),
            ]
        )
    )
    entry = _entry("e", RegularSchedule(duplication_policy=policy))
    Scheduler(case.backend, "s", [entry]).step()
    down = case.clock.now()
    later(case, case.draw(st.integers(2, 30)) * _MINUTE + 30 * SECOND)
    Scheduler(case.backend, "s", [entry]).step()
    missed = _minutes(down, case.clock.now())
    case.equal(_ticks(case, "e"), _left(missed, name), f"the ticks that {name} leaves of the missed")


# ---- clocks that change

_Change = tuple[str, datetime, datetime]

# A zone, the local day, and the instant at which its clock changes.
_GAPS: list[_Change] = [
    ("Europe/Berlin", datetime(2027, 3, 28), datetime(2027, 3, 28, 1)),  # noqa: DTZ001
    ("America/New_York", datetime(2027, 3, 14), datetime(2027, 3, 14, 7)),  # noqa: DTZ001
]
_OVERLAPS: list[_Change] = [
    ("Europe/Berlin", datetime(2026, 10, 25), datetime(2026, 10, 25, 1)),  # noqa: DTZ001
    ("America/New_York", datetime(2026, 11, 1), datetime(2026, 11, 1, 6)),  # noqa: DTZ001
]
_CHANGES = st.sampled_from([*_GAPS, *_OVERLAPS])


def _fixed(change: _Change, hour: int, minute: int) -> datetime:
    """Return when a daily entry fires on that day: at the first instant at which the clock shows
    the time, or at the first one after it where the clock never does."""
    zone, day, instant = change
    local = day.replace(hour=hour, minute=minute, tzinfo=ZoneInfo(zone))
    shown = local.astimezone(UTC).astimezone(ZoneInfo(zone))
    exists = (shown.hour, shown.minute) == (hour, minute)
    return local.astimezone(UTC) if exists else instant.replace(tzinfo=UTC)


def _day(change: _Change) -> tuple[datetime, datetime]:
    """Return the midnights at which that local day begins and ends."""
    zone, day, _ = change
    ends = [day.replace(tzinfo=ZoneInfo(zone)), (day + timedelta(days=1)).replace(tzinfo=ZoneInfo(zone))]
    return ends[0].astimezone(UTC), ends[1].astimezone(UTC)


def _hours(change: _Change) -> st.SearchStrategy[int]:
    # Near the change above all.
    critical = change[2].replace(tzinfo=UTC).astimezone(ZoneInfo(change[0])).hour
    near = [hour % 24 for hour in range(critical - 2, critical + 3)]
    return st.sampled_from(near) | st.integers(0, 23)


def _schedule(case: Case, zone: str, minutes: str, hours: str) -> Any:
    if case.draw(st.booleans()):
        return CronSchedule(f"{minutes} {hours} * * *", zone)
    read = lambda text: "*" if text == "*" else {int(each) for each in text.split(",")}  # noqa: E731
    return RegularSchedule(minutes=read(minutes), hours=read(hours), tzinfo=zone)


def _fired(schedule: Any, begin: datetime, end: datetime) -> list[datetime]:
    fired: list[datetime] = []
    moment = begin - timedelta(microseconds=1)
    while (moment := schedule.next_after(moment).astimezone(UTC)) < end:
        fired.append(moment)
    return fired


@proves("SCH-08", "SCH-11")
def a_daily_entry_fires_once_on_the_day_of_a_change(case: Case) -> None:
    """At its time; in a gap at the first instant after it, in an overlap at the first of two."""
    change = case.draw(_CHANGES)
    hour, minute = case.draw(_hours(change)), case.draw(st.sampled_from([0, 15, 30, 59]))
    schedule = _schedule(case, change[0], str(minute), str(hour))
    what = f"when {hour:02}:{minute:02} in {change[0]} fires on {change[1]:%d %b %Y}, in UTC"
    case.equal(_fired(schedule, *_day(change)), [_fixed(change, hour, minute)], what)


@proves("SCH-08", "SCH-11")
def several_fixed_hours_fire_once_each(case: Case) -> None:
    """Those that the clock never shows as one, at the first instant after the gap."""
    change = case.draw(_CHANGES)
    hours = sorted(case.draw(st.sets(_hours(change), min_size=2, max_size=4)))
    minute = case.draw(st.sampled_from([0, 30]))
    schedule = _schedule(case, change[0], str(minute), ",".join(map(str, hours)))
    expected = sorted({_fixed(change, hour, minute) for hour in hours})
    what = f"when hours {hours} at :{minute:02} in {change[0]} fire on {change[1]:%d %b %Y}"
    case.equal(_fired(schedule, *_day(change)), expected, what)


@proves("SCH-08", "SCH-11")
def entries_of_the_minute_follow_elapsed_time(case: Case) -> None:
    """Every so many minutes, evenly through the change; and intervals."""
    change = case.draw(_CHANGES)
    begin, end = _day(change)
    minutes = case.draw(st.sampled_from(["0", "0,30", "0,20,40", "*"]))
    step = {"0": 60, "0,30": 30, "0,20,40": 20, "*": 1}[minutes]
    interval = case.draw(st.booleans())
    schedule: Any = IntervalSchedule(step * 60) if interval else _schedule(
        case, change[0], minutes, "*"
    )
    count = round((end - begin).total_seconds()) // (60 * step)
    expected = [begin + timedelta(minutes=step * n) for n in range(count)]
    found = _fired(schedule, begin, end)
    what = f"how often minutes {minutes} in {change[0]} fire on {change[1]:%d %b %Y}"
    case.equal(len(found), count, what)
    case.require(found == expected, "they fire evenly", found=found[:100])


@proves("SCH-11")
def the_scheduler_puts_the_ticks_of_a_change(case: Case) -> None:
    """One task for a daily entry, one an hour for an hourly one, with the tick as its due."""
    change = case.draw(_CHANGES)
    hour = case.draw(_hours(change))
    begin, end = _day(change)
    entries = [
        _entry("daily", _schedule(case, change[0], "30", str(hour)), missed="all"),
        _entry("hourly", _schedule(case, change[0], "0", "*"), missed="all"),
    ]
    case.clock.set(to_instant(begin) - 10 * SECOND)
    Scheduler(case.backend, "s", entries, ZoneInfo(change[0])).step()
    stop = to_instant(end) - 10 * SECOND
    while case.clock.now() < stop:
        case.clock.set(min(stop, case.clock.now() + case.draw(st.integers(1, 12)) * 60 * _MINUTE))
        Scheduler(case.backend, "s", entries, ZoneInfo(change[0])).step()
    daily = to_instant(_fixed(change, hour, 30))
    case.equal(_ticks(case, "daily"), [daily], f"the ticks of {hour:02}:30 in {change[0]}")
    hourly = list(range(to_instant(begin), to_instant(end), 60 * _MINUTE))
    case.equal(_ticks(case, "hourly"), hourly, f"the hourly ticks in {change[0]}")


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
    entries = [_entry("e", asked, missed=policy), _entry("m", IntervalSchedule(60))]
    Scheduler(case.backend, "s", entries).step()
    before = len(_ticks(case, "e"))
    down = case.clock.now()
    later(case, case.draw(st.integers(100, 400)) * 86_400 * SECOND)
    asked.times = 0
    Scheduler(case.backend, "s", entries).step()
    most = 2000 if policy == "all" else 300
    sentence = f"after a year, policy {policy}, a schedule is asked at most {most} times"
    case.require(asked.times <= most, sentence, found=asked.times)
    new = len(_ticks(case, "e")) - before
    case.require(new <= (1000 if policy == "all" else 5), "few tasks are put at once", found=new)
    late = [tick for tick in _ticks(case, "m") if down < tick <= case.clock.now()]
    case.equal(len(late), 1, "how many ticks of another entry are put in the same step")


@proves("SCH-10")
def a_clock_that_steps_back_produces_no_tick_twice(case: Case) -> None:
    """By the same scheduler or by a new one, even if the tasks of those ticks are long gone."""
    store = _Watched(case)
    entries = [_entry("e", IntervalSchedule(10))]
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
    case.equal(len(store.ticks), len(set(store.ticks)), "how many ticks were put, each counted once")
    end = max(store.ticks)
    expected = list(range(start - start % (10 * SECOND) + 10 * SECOND, end + 1, 10 * SECOND))
    case.equal(sorted(store.ticks), expected, "all ticks that were put")


@proves("SCH-13")
def entries_change_at_run_time_without_touching_others(case: Case) -> None:
    """Added, changed, paused, resumed, removed: the other entry's ticks come as before."""
    schedules = Kit(case.backend, PlainHandler()).schedules
    scheduler = Scheduler(case.backend, STORED)
    schedules.add(_entry("still", IntervalSchedule(10)))
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
            schedules.add(_entry("other", IntervalSchedule(case.draw(st.sampled_from([7, 10, 13])))))
            known = True
        scheduler.step()
        since = case.clock.now()
        _run(case, scheduler, case.draw(st.integers(11, 30)) * SECOND)
        if paused or not known:
            quiet += [(since + 2 * SECOND, case.clock.now())]
    end = case.clock.now()
    step = 10 * SECOND
    expected = list(range(begin - begin % step + step, end + 1, step))
    found = [tick for tick in _ticks(case, "still") if tick <= end]
    case.equal(found, expected, "the ticks of the entry that nobody touched")
    others = _ticks(case, "other")
    wrong = [t for t in others for since, until in quiet if since < t <= until]
    case.equal(wrong, [], "ticks of the other one while it was paused or gone")
    case.equal(len(others), len(set(others)), "ticks of the other one, each counted once")
    listed = [each.key for each in schedules.list()]
    case.equal(listed, ["other", "still"] if known else ["still"], "the entries that are listed")
