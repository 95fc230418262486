"""The scheduler: each tick once, in good time, whatever the clock and its entries do."""

# ruff: noqa: DTZ001 - naive: readings of a wall clock, and moments that must be refused

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta, timezone

import pytest

from taskkit import CronSchedule, IntervalSchedule, RegularSchedule, ScheduleEntry, TaskRegistry
from taskkit.clock import SECOND, ManualClock
from taskkit.errors import SchemaMismatch
from taskkit.memory.backend import MemoryBackend
from taskkit.records import Query
from taskkit.schedule.scheduler import POLL, Scheduler, schedulers

DAY = 24 * 3600
EVERY_SECOND = RegularSchedule("*")


class Counting:
    """A backend that counts what a scheduler asks of it."""

    def __init__(self, backend):
        self.backend = backend
        self.loads = self.advances = 0

    def load_schedule(self, name):
        self.loads += 1
        return self.backend.load_schedule(name)

    def advance_schedule(self, name, version, state, tasks):
        self.advances += 1
        return self.backend.advance_schedule(name, version, state, tasks)


def run(scheduler, clock, duration):
    """Step when the scheduler asks for it, until so many seconds have passed."""
    end = clock.now() + duration * SECOND
    while (pause := round(scheduler.step() * SECOND)) and clock.now() + pause <= end:
        clock.advance(pause / SECOND)
    clock.set(end)


def test_the_first_start_fires_no_past_tick(backend, clock, entry, put_ticks):
    Scheduler(backend, "s", [entry()]).step()
    assert put_ticks() == []
    assert backend.load_schedule("s").version == 1


def test_a_task_carries_its_tick_and_what_its_entry_says(backend, clock, entry):
    given = entry("k", result_ttl=60.0, priority=7, timeout=5.0, labels={"a": 1})
    scheduler = Scheduler(backend, "s", [given])
    scheduler.step()
    clock.advance(59)
    scheduler.step()
    (record,) = backend.find(Query(name="n"), 10).records
    task = record.task
    assert task.due == task.scheduled == clock.now() + SECOND
    assert (task.group, task.name, task.data) == ("g", "n", b"1")
    assert (task.ttl, task.priority, task.timeout, dict(task.labels)) == (60.0, 7, 5.0, {"a": 1})


def test_ticks_are_put_shortly_before_their_time(backend, clock, entry, put_ticks):
    scheduler = Scheduler(backend, "s", [entry()])
    scheduler.step()
    clock.advance(57.9)
    scheduler.step()
    assert put_ticks() == []
    clock.advance(1.1)
    scheduler.step()
    assert put_ticks() == [60]


def test_stepped_as_it_asks_no_tick_is_late_or_left_out(backend, clock, entry, put_ticks):
    scheduler = Scheduler(backend, "s", [entry(), entry("h", RegularSchedule(minutes=0), name="h")])
    run(scheduler, clock, 2 * 3600)
    records = backend.find(Query(), 10_000).records
    assert put_ticks() == [60 * n for n in range(1, 121)]
    assert put_ticks("h") == [3600, 7200]
    assert all(each.task.created <= each.task.due for each in records)


def test_an_entry_of_every_second_costs_less_than_a_write_a_second(
    backend, clock, entry, put_ticks
):
    counting = Counting(backend)
    run(Scheduler(counting, "s", [entry(schedule=EVERY_SECOND)]), clock, 100)
    assert put_ticks()[:100] == list(range(1, 101))
    assert counting.advances <= 60
    assert counting.loads <= 60


def test_idle_it_looks_every_five_seconds_and_writes_nothing(backend, clock, entry):
    counting = Counting(backend)
    scheduler = Scheduler(counting, "s", [entry(schedule=RegularSchedule(minutes=0, hours=0))])
    run(scheduler, clock, 600)
    assert counting.advances == 1
    assert counting.loads <= 600 / POLL + 1


def test_no_entries_leave_no_trace(backend, clock):
    assert Scheduler(backend, "s").step() == POLL
    assert backend.load_schedule("s").state is None


def test_its_zone_is_that_of_schedules_without_one_and_utc_otherwise(
    backend, clock, entry, put_ticks
):
    noon = RegularSchedule(minutes=0, hours=12)
    tokyo = CronSchedule("0 12 * * *", "+09:00")
    entries = [entry("a", noon, name="a"), entry("b", tokyo, name="b")]
    run(Scheduler(backend, "utc", entries), clock, DAY - 10)
    assert put_ticks("a") == [12 * 3600]
    assert put_ticks("b") == [3 * 3600]
    clock.set(1_767_225_600 * SECOND)
    east = timezone(timedelta(hours=2))
    run(Scheduler(backend, "east", [entry("a", noon, name="c")], east), clock, DAY - 10)
    assert put_ticks("c") == [10 * 3600]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [("latest", [600]), ("earliest", [60]), ("all", [60 * n for n in range(1, 11)]), ("none", [])],
)
def test_after_ten_missed_minutes(backend, clock, entry, put_ticks, missed, expected):
    Scheduler(backend, "s", [entry(missed=missed)]).step()
    clock.advance(630)
    Scheduler(backend, "s", [entry(missed=missed)]).step()
    assert put_ticks() == expected


def test_after_a_year_every_second_one_task_is_put_and_little_is_asked(
    backend, clock, entry, put_ticks
):
    asked = []

    class Asked:
        def next_after(self, moment):
            asked.append(moment)
            return EVERY_SECOND.next_after(moment)

    Scheduler(backend, "s", [entry(schedule=Asked())]).step()
    clock.advance(365 * DAY)
    asked.clear()
    Scheduler(backend, "s", [entry(schedule=Asked())]).step()
    assert put_ticks() == [1, 2, *(365 * DAY + n for n in range(3))]
    assert len(asked) < 150


def test_a_year_of_all_is_made_up_for_in_batches_beside_which_others_run(
    backend, clock, entry, put_ticks
):
    entries = [entry(schedule=EVERY_SECOND, missed="all"), entry("m", name="m")]
    Scheduler(backend, "s", entries).step()
    clock.advance(365 * DAY)
    scheduler = Scheduler(backend, "s", entries)
    assert scheduler.step() == pytest.approx(0.01)
    assert put_ticks() == list(range(1, 503))  # 1 and 2 had been put before the year began
    assert put_ticks("m") == [365 * DAY]
    scheduler.step()
    assert put_ticks() == list(range(1, 1003))


def test_a_clock_that_steps_back_produces_no_tick_twice_and_says_so(
    backend, clock, entry, put_ticks, caplog
):
    scheduler = Scheduler(backend, "s", [entry()])
    run(scheduler, clock, 3600)
    before = put_ticks()
    clock.advance(-1800)
    # Even when the tasks of those ticks are long gone and their ids would be free again.
    backend.delete([each.task.id for each in backend.find(Query(), 10_000).records])
    with caplog.at_level(logging.WARNING, "taskkit.schedule"):
        run(Scheduler(backend, "s", [entry()]), clock, 1700)
    assert put_ticks() == []
    assert len(caplog.records) == 1
    run(scheduler, clock, 280)
    assert before[-1] == 3600
    assert put_ticks() == [3660, 3720, 3780]


def test_a_tick_has_one_id_whoever_computes_it(backend, clock, entry):
    """SCH-03: with its memory lost, a scheduler puts the same ids, which the store knows."""
    ids = []
    for _ in range(2):
        backend.clear()
        clock.set(1_767_225_600 * SECOND)
        run(Scheduler(backend, "s", [entry()]), clock, 300)
        ids.append({each.task.id for each in backend.find(Query(), 100).records})
    assert ids[0] == ids[1]
    assert len(ids[0]) == 5


def test_names_are_independent(backend, clock, entry, put_ticks):
    """SCH-05: the same key under two names is two entries."""
    for name in ("s", "t"):
        Scheduler(backend, name, [entry(name=name)]).step()
    clock.advance(120)
    Scheduler(backend, "s", [entry(name="s")]).step()
    assert (put_ticks("s"), put_ticks("t")) == ([120], [])
    Scheduler(backend, "t", [entry(name="t")]).step()
    assert put_ticks("t") == [120]


# ---- SCH-13


def test_an_entry_added_or_removed_in_code_does_not_reset_the_others(
    backend, clock, entry, put_ticks
):
    Scheduler(backend, "s", [entry("a", name="a"), entry("b", name="b")]).step()
    clock.advance(90)
    changed = Scheduler(backend, "s", [entry("b", name="b"), entry("c", name="c")])
    changed.step()
    assert (put_ticks("a"), put_ticks("b"), put_ticks("c")) == ([], [60], [])
    run(changed, clock, 30)
    assert (put_ticks("a"), put_ticks("b"), put_ticks("c")) == ([], [60, 120], [120])


def test_a_changed_schedule_goes_on_from_its_last_tick(backend, clock, entry, put_ticks):
    run(Scheduler(backend, "s", [entry()]), clock, 60)
    clock.advance(30)
    changed = entry(schedule=IntervalSchedule(20), missed="all")
    Scheduler(backend, "s", [changed]).step()
    assert put_ticks() == [60, 80]


def test_old_and_new_code_side_by_side_lose_nothing_and_repeat_nothing(
    backend, clock, entry, put_ticks
):
    old = Scheduler(backend, "s", [entry("a", name="a"), entry("b", name="b")])
    new = Scheduler(backend, "s", [entry("b", name="b"), entry("c", name="c")])
    for _ in range(601):
        old.step()
        new.step()
        clock.advance(1)
    for name in "abc":
        assert put_ticks(name) == [60 * n for n in range(1, 11)]


def test_an_entry_paused_in_code_goes_on_from_when_it_is_not(backend, clock, entry, put_ticks):
    Scheduler(backend, "s", [entry()]).step()
    run(Scheduler(backend, "s", [entry(paused=True)]), clock, 600)
    assert put_ticks() == []
    run(Scheduler(backend, "s", [entry()]), clock, 60)
    assert put_ticks() == [660]


def test_an_entry_that_is_long_gone_is_forgotten(backend, clock, entry):
    Scheduler(backend, "s", [entry("a"), entry("b")]).step()
    clock.advance(31 * DAY)
    Scheduler(backend, "s", [entry("b")]).step()
    assert b'"a"' not in backend.load_schedule("s").state


# ---- what is broken


class Broken:
    def __init__(self, answer):
        self.answer = answer
        self.asked = 0

    def next_after(self, moment):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(moment) if callable(self.answer) else self.answer


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError("mine"),
        lambda moment: moment,
        lambda moment: moment - timedelta(hours=1),
        datetime(2100, 1, 1),
        "tomorrow",
        5,
    ],
)
def test_a_broken_schedule_is_logged_and_backed_off_and_harms_nobody(
    backend, clock, entry, put_ticks, caplog, answer
):
    broken = Broken(answer)
    entries = [entry("broken", broken, name="broken"), entry()]
    with caplog.at_level(logging.ERROR, "taskkit.schedule"):
        run(Scheduler(backend, "s", entries), clock, 600)
    assert put_ticks() == [60 * n for n in range(1, 11)]
    assert put_ticks("broken") == []
    assert 8 <= broken.asked <= 20  # after 1, 2, 4, 8, 16, 32, 60, 60 … seconds
    assert len(caplog.records) == broken.asked


def test_a_schedule_that_recovers_goes_on(backend, clock, entry, put_ticks):
    broken = Broken(None)
    scheduler = Scheduler(backend, "s", [entry(schedule=broken)])
    scheduler.step()
    broken.answer = RuntimeError("for a while")
    clock.advance(100)
    Scheduler(backend, "s", [entry(schedule=broken)]).step()
    broken.answer = EVERY_SECOND.next_after
    scheduler = Scheduler(backend, "s", [entry(schedule=broken)])
    scheduler.step()
    assert put_ticks() == [100, 101, 102]


def test_a_back_off_does_not_outlast_a_clock_that_is_set_back(
    backend, clock, entry, put_ticks, caplog
):
    broken = Broken(EVERY_SECOND.next_after)
    scheduler = Scheduler(backend, "s", [entry(schedule=broken)])
    scheduler.step()
    clock.advance(3600)
    broken.answer = RuntimeError("for a while")
    scheduler.step()
    broken.answer = EVERY_SECOND.next_after
    clock.advance(-3590)
    scheduler.step()
    assert put_ticks() == [1, 2, 10, 11, 12]


def test_a_schedule_that_has_ended_is_left_in_peace(backend, clock, entry, put_ticks):
    end = datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    run(Scheduler(backend, "s", [entry(schedule=IntervalSchedule(60, end=end))]), clock, 600)
    assert put_ticks() == [60, 120]


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\xff\x00",
        b"null",
        b"[]",
        b'{"v":1}',
        b'{"v":1,"entries":[]}',
        b'{"v":1,"entries":{"k":5}}',
        b'{"v":1,"entries":{"k":{"last":"soon"}}}',
        b'{"v":1,"entries":{"k":{"last":-5}}}',
        b'{"v":1,"entries":{"k":{"last":5,"form":7}}}',
        b"[" * 100_000,
    ],
)
def test_a_state_that_cannot_be_read_is_logged_and_begun_afresh(
    backend, clock, entry, put_ticks, caplog, state
):
    backend.advance_schedule("s", 0, state, ())
    scheduler = Scheduler(backend, "s", [entry()])
    with caplog.at_level(logging.ERROR, "taskkit.schedule"):
        run(scheduler, clock, 60)
    assert "cannot be read" in caplog.text
    assert len(caplog.records) == 1
    assert put_ticks() == [60]


def test_a_state_of_a_newer_taskkit_is_left_alone(backend, clock, entry):
    backend.advance_schedule("s", 0, b'{"v":2,"what":"ever"}', ())
    with pytest.raises(SchemaMismatch, match="upgrade taskkit"):
        Scheduler(backend, "s", [entry()]).step()
    assert backend.load_schedule("s").version == 1


def test_there_is_always_a_scheduler_of_stored_entries(backend, entry):
    assert [each.name for each in schedulers(backend, {})] == ["stored"]
    assert [each.name for each in schedulers(backend, {"s": (entry(),)})] == ["stored", "s"]


def test_tasks_of_ticks_get_what_their_function_declares():
    tasks = TaskRegistry()

    @tasks.task(name="report", timeout=7, lock=True)
    def report(day: int) -> None: ...

    clock = ManualClock()
    backend = MemoryBackend(clock)
    data = tasks.encode_data("default", "report", {"day": 3})
    entries = [ScheduleEntry("each", IntervalSchedule(5), "default", "report", data)]
    scheduler = Scheduler(backend, "s", entries, handler=tasks)
    scheduler.step()
    clock.advance(5)
    scheduler.step()
    (record, *_) = backend.find(Query(), 10).records
    assert record.task.timeout == 7
    assert record.task.lock_key is not None


def test_data_that_does_not_fit_is_put_all_the_same_and_fails_where_it_is_seen():
    tasks = TaskRegistry()

    @tasks.task(name="report", lock="day")
    def report(day: int) -> None: ...

    clock = ManualClock()
    backend = MemoryBackend(clock)
    entries = [ScheduleEntry("each", IntervalSchedule(5), "default", "report", b"[broken")]
    scheduler = Scheduler(backend, "s", entries, handler=tasks)
    scheduler.step()
    clock.advance(5)
    scheduler.step()
    assert backend.find(Query(), 10).records
