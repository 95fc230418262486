"""kit.schedules: entries at run time, beside those in code (SCH-13)."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from taskkit import (
    CronSchedule,
    IntervalSchedule,
    InvalidSchedule,
    Kit,
    OnlyEarliest,
    RegularSchedule,
    ScheduleEntry,
)
from taskkit.clock import SECOND
from taskkit.errors import Unavailable
from taskkit.records import Query
from taskkit.schedule.forms import entry_form, entry_from, schedule_form, schedule_from, with_data
from taskkit.schedule.scheduler import BUSY_POLL, POLL, Scheduler
from taskkit.schedule.stored import MAX_STORED, MAX_STORED_DATA

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(clock):
    """Step a scheduler when it asks for it, until so many seconds have passed."""

    def run(scheduler, duration):
        end = clock.now() + round(duration * SECOND)
        while (pause := round(scheduler.step() * SECOND)) and clock.now() + pause <= end:
            clock.advance(pause / SECOND)
        clock.set(end)

    return run


@pytest.fixture
def scheduler(backend):
    return Scheduler(backend, "stored")


def minutely(key="k", **changes):
    return {
        "key": key,
        "schedule": RegularSchedule(),
        "group": "g",
        "name": "n",
        "data": 1,
    } | changes


def test_an_added_entry_runs_from_then_on(stored, scheduler, clock, run, put_ticks, backend):
    run(scheduler, 90)
    stored.add(minutely(data={"a": [1, "ü"]}, priority=5, labels={"x": True}))
    run(scheduler, 120)
    assert put_ticks() == [120, 180]
    task = backend.find(Query(name="n"), 10).records[0].task
    assert json.loads(task.data) == {"a": [1, "ü"]}
    assert (task.priority, dict(task.labels)) == (5, {"x": True})


def test_both_forms_can_be_added(stored, entry):
    stored.add(entry("a"))
    stored.add(minutely("b"))
    assert [each.key for each in stored.list()] == ["a", "b"]


def test_it_is_seen_within_five_seconds_and_then_within_two(stored, scheduler):
    assert scheduler.step() == POLL
    stored.add(minutely())
    assert scheduler.step() <= BUSY_POLL


def test_a_tick_before_the_entry_was_seen_is_not_lost(stored, scheduler, clock, put_ticks):
    scheduler.step()
    clock.advance(59)
    stored.add(minutely())
    clock.advance(4)
    scheduler.step()
    assert put_ticks() == [60]


def test_a_removed_entry_stops_and_the_others_go_on(stored, scheduler, run, put_ticks):
    stored.add(minutely("a", name="a"))
    stored.add(minutely("b", name="b"))
    run(scheduler, 90)
    stored.remove("a")
    run(scheduler, 60)
    assert (put_ticks("a"), put_ticks("b")) == ([60], [60, 120])


def test_paused_and_resumed_it_makes_up_for_nothing(stored, scheduler, run, put_ticks):
    stored.add(minutely())
    run(scheduler, 90)
    stored.pause("k")
    stored.pause("k")
    run(scheduler, 600)
    assert put_ticks() == [60]
    stored.resume("k")
    stored.resume("k")
    run(scheduler, 60)
    assert put_ticks() == [60, 720]


def test_a_tick_right_after_a_resume_is_not_lost(stored, scheduler, run, clock, put_ticks):
    stored.add(minutely())
    stored.pause("k")
    run(scheduler, 59)
    stored.resume("k")
    clock.advance(1.5)  # before the scheduler has looked again
    scheduler.step()
    assert put_ticks() == [60]


def test_a_resume_never_goes_back_behind_ticks_that_were_put_ahead(stored, scheduler, clock):
    stored.add(minutely(schedule=IntervalSchedule(1)))
    scheduler.step()
    ahead = stored.list()[0].done_until
    assert ahead == START + timedelta(seconds=2)
    stored.pause("k")
    scheduler.step()
    stored.resume("k")
    assert stored.list()[0].done_until == ahead


def test_an_entry_added_paused_waits_to_be_replaced_by_one_that_is_not(
    stored, scheduler, run, put_ticks
):
    stored.add(minutely(paused=True))
    run(scheduler, 90)
    stored.resume("k")
    run(scheduler, 60)
    assert put_ticks() == []
    stored.add(minutely())
    run(scheduler, 60)
    assert put_ticks() == [180]


def test_a_replaced_entry_goes_on_from_its_last_tick_and_stays_paused(
    stored, scheduler, run, put_ticks
):
    stored.add(minutely())
    run(scheduler, 90)
    stored.add(minutely(schedule=IntervalSchedule(20), missed="all"))
    run(scheduler, 10)
    assert put_ticks() == [60, 80, 100]
    stored.pause("k")
    stored.add(minutely())
    run(scheduler, 600)
    assert put_ticks() == [60, 80, 100]


def test_an_entry_in_code_can_be_paused_and_resumed_but_not_replaced_or_removed(
    stored, backend, entry, run, put_ticks
):
    code = Scheduler(backend, "s", [entry(), entry("other", name="other")])
    run(code, 90)
    stored.pause("k", "s")
    run(Scheduler(backend, "s", [entry(), entry("other", name="other")]), 120)
    assert (put_ticks(), put_ticks("other")) == ([60], [60, 120, 180])
    stored.resume("k", "s")
    run(code, 60)
    assert put_ticks() == [60, 240]
    with pytest.raises(InvalidSchedule, match="defined in code"):
        stored.add(minutely(), "s")
    with pytest.raises(InvalidSchedule, match="defined in code"):
        stored.remove("k", "s")
    with pytest.raises(InvalidSchedule, match="defined in code"):
        stored.run_now("k", "s")


def test_code_stands_before_a_stored_entry_of_its_key(stored, backend, entry, run, put_ticks):
    stored.add(minutely(name="from_store"), "s")
    run(Scheduler(backend, "s", [entry(name="from_code")]), 60)
    assert (put_ticks("from_store"), put_ticks("from_code")) == ([], [60])
    run(Scheduler(backend, "s"), 60)
    assert (put_ticks("from_store"), put_ticks("from_code")) == ([120], [60])


def test_list_shows_what_is_known_and_what_comes(stored, backend, entry, run, clock):
    stored.add(minutely(schedule=CronSchedule("30 2 * * *", "Europe/Berlin")))
    (listed,) = stored.list(preview=2)
    assert (listed.scheduler, listed.key, listed.stored) == ("stored", "k", True)
    assert (listed.group, listed.name, listed.paused) == ("g", "n", False)
    assert "30 2 * * *" in listed.schedule
    assert "Europe/Berlin" in listed.schedule
    assert listed.done_until == START
    first = datetime(2026, 1, 1, 1, 30, tzinfo=UTC)
    assert listed.next == (first, first + timedelta(days=1))
    stored.pause("k")
    assert (stored.list()[0].paused, stored.list()[0].next) == (True, ())


def test_list_shows_entries_in_code_once_they_have_run(stored, backend, entry):
    class Mine:
        def next_after(self, moment):
            return moment + timedelta(days=1)

        def __repr__(self):
            return "Mine()"

    assert stored.list("s") == []
    Scheduler(backend, "s", [entry("a"), entry("b", Mine())]).step()
    a, b = stored.list("s", preview=1)
    assert (a.stored, a.group, a.next) == (False, "g", (START + timedelta(minutes=1),))
    assert (b.schedule, b.name, b.next) == ("Mine()", "n", ())


def test_list_shows_entries_in_code_in_the_zone_of_their_scheduler(stored, backend, entry):
    noon = entry(schedule=RegularSchedule(minutes=0, hours=12))
    Scheduler(backend, "s", [noon], ZoneInfo("Asia/Tokyo")).step()
    assert stored.list("s")[0].next[0] == datetime(2026, 1, 1, 3, tzinfo=UTC)


def test_run_now_puts_a_task_at_once_and_leaves_the_ticks_alone(
    stored, scheduler, backend, run, put_ticks
):
    stored.add(minutely())
    stored.pause("k")
    task_id = stored.run_now("k")
    task = backend.get([task_id])[task_id].task
    assert (task.data, task.scheduled, task.due) == (b"1", None, task.created)
    assert stored.run_now("k") != task_id


@pytest.mark.parametrize("method", ["remove", "pause", "resume", "run_now"])
def test_an_unknown_key_is_said_with_those_there_are(stored, method):
    stored.add(minutely("known"))
    with pytest.raises(InvalidSchedule, match="no entry 'other'.*there are: 'known'"):
        getattr(stored, method)("other")
    with pytest.raises(InvalidSchedule, match="there are: none"):
        getattr(stored, method)("other", "elsewhere")


def test_only_what_can_be_read_back_is_stored(stored, backend):
    class Mine:
        def next_after(self, moment):
            return None

    own_policy = RegularSchedule(duplication_policy=lambda points, last: points)
    with pytest.raises(InvalidSchedule, match="only those can be stored"):
        stored.add(minutely(schedule=Mine()))
    with pytest.raises(InvalidSchedule, match="only those can be stored"):
        stored.add(minutely(schedule=own_policy))
    with pytest.raises(InvalidSchedule, match="at most 16384 bytes of data"):
        stored.add(minutely(data="x" * MAX_STORED_DATA))
    with pytest.raises(InvalidSchedule, match="name of a scheduler"):
        stored.add(minutely(), "")
    assert backend.load_schedule("stored").version == 0


def test_there_is_a_limit_to_how_many(stored, backend):
    entries = ",".join(f'"{n}":{{"last":1,"stored":true}}' for n in range(MAX_STORED))
    backend.advance_schedule("stored", 0, f'{{"v":1,"entries":{{{entries}}}}}'.encode(), ())
    with pytest.raises(InvalidSchedule, match="at most 1000 stored entries"):
        stored.add(minutely())


def test_a_stored_entry_that_cannot_be_read_harms_no_other_and_is_kept(
    stored, scheduler, backend, run, put_ticks, caplog
):
    stored.add(minutely("good"))
    state = json.loads(backend.load_schedule("stored").state)
    form = {"schedule": {"kind": "lunar"}, "group": "g"}
    state["entries"]["bad"] = {"last": 1, "stored": True, "form": form}
    backend.advance_schedule("stored", 1, json.dumps(state).encode(), ())
    run(scheduler, 120)
    assert put_ticks() == [60, 120]
    assert len(caplog.records) == 1
    assert [each.key for each in stored.list()] == ["bad", "good"]
    stored.remove("bad")
    assert [each.key for each in stored.list()] == ["good"]


def test_a_schedule_without_zone_gets_the_kits_so_that_all_schedulers_agree(
    stored, backend, run, put_ticks
):
    stored.add(minutely(schedule=RegularSchedule(minutes=0, hours=12)))
    stored.add(minutely("c", schedule=CronSchedule("0 12 * * *")))
    assert {each.next[0] for each in stored.list()} == {START + timedelta(hours=12)}
    assert all("UTC" in each.schedule or "utc" in each.schedule for each in stored.list())


def test_changes_of_many_threads_are_all_kept_while_a_scheduler_runs(stored, scheduler, clock):
    failures = []

    def add(prefix):
        try:
            for n in range(20):
                stored.add(minutely(f"{prefix}{n}"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(prefix,), daemon=True) for prefix in "abcd"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        clock.advance(1)
        scheduler.step()
    assert not failures
    assert len(stored.list()) == 80


def test_a_change_that_never_succeeds_ends(stored, backend):
    class Contended:
        load_schedule = staticmethod(backend.load_schedule)

        @staticmethod
        def advance_schedule(name, version, state, tasks):
            return False

    stored._backend = Contended()
    with pytest.raises(Unavailable, match="try again"):
        stored.add(minutely())


def test_it_hangs_on_the_kit(backend):
    class Handler:
        def handle(self, task):
            return None

        def get_retry_interval(self, task, exception):
            return None

        def encode_data(self, group, task_name, data):
            return json.dumps(data).encode()

        def encode_result(self, task, result):
            return b""

        def decode_result(self, task, encoded):
            return None

    kit = Kit(backend, Handler())
    kit.schedules.add(minutely())
    assert [each.key for each in kit.schedules.list()] == ["k"]


# ---- forms

SCHEDULES = [
    RegularSchedule(),
    RegularSchedule("*", {0, 30}, 3, None, range(5), {1, 7}, "America/New_York", OnlyEarliest()),
    CronSchedule("@daily", "Europe/Berlin"),
    CronSchedule("*/5 * * * * *", start=START, end=START + timedelta(days=1)),
    IntervalSchedule(0.1),
    IntervalSchedule(timedelta(days=400, microseconds=1), START, START + timedelta(days=999)),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_schedule_comes_back_from_json_with_the_same_ticks(schedule):
    back = schedule_from(json.loads(json.dumps(schedule_form(schedule))))
    assert schedule_form(back) == schedule_form(schedule)
    moment = START - timedelta(days=2)
    for _ in range(20):
        tick = schedule.next_after(moment)
        assert back.next_after(moment) == tick
        if tick is None:
            break
        moment = tick


def test_an_entry_comes_back_from_json():
    entry = ScheduleEntry(
        "k", SCHEDULES[4], "g", "n", b"\x00\xff", 5.0, missed="all", priority=-3, timeout=0.5
    )
    form = json.loads(json.dumps(with_data(entry_form(entry), entry.data)))
    back = entry_from("k", form)
    assert (back.data, back.missed, back.priority) == (b"\x00\xff", "all", -3)
    assert with_data(entry_form(back), back.data) == form


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"kind": "lunar"},
        {"kind": "cron", "expression": "* * *", "zone": None, "start": None, "end": None},
        {"kind": "cron", "expression": "* * * * *", "zone": "Nowhere", "start": None, "end": None},
        {"kind": "interval", "every": "x", "start": None, "end": None},
        {"kind": "interval", "every": 10**30, "start": None, "end": None},
        {"kind": "interval", "every": 1, "start": 10**30, "end": None},
        {"kind": "regular", "zone": None, "earliest": False, "seconds": [99]},
    ],
)
def test_what_is_no_schedule_is_refused(form):
    with pytest.raises(InvalidSchedule):
        schedule_from(form)
