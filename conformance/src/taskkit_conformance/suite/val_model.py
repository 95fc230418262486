"""What goes in comes out, whatever it looks like; what cannot is refused, nothing written."""

from __future__ import annotations

import os
import time  # noqa: TID251 - for tzset: what is local time has to be chosen here
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from taskkit.clock import SECOND, to_instant
from taskkit.errors import InvalidTask, Unsupported
from taskkit.limits import (
    LATEST,
)
from taskkit.records import Limits, Query
from taskkit.task import State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    add,
    beat,
    bring,
    claim_one,
    claimed,
    counts,
    drained,
    end,
    find,
    get,
    ids,
    kit_of,
    later,
    refused,
    state,
    worker,
)

_NOT_NUMBERS = st.sampled_from([float("nan"), float("inf"), float("-inf")])


@proves("VAL-02")
def nan_and_infinity_are_refused(case: Case) -> None:
    """Wherever seconds are given; nothing is changed."""
    number = case.draw(_NOT_NUMBERS)
    kit = kit_of(case)
    ways: dict[str, Callable[[], object]] = {
        "ttl": lambda: kit.initiate_task("g", "n", b"", ttl=number),
        "timeout": lambda: kit.initiate_task("g", "n", b"", timeout=number),
        "due": lambda: kit.initiate_task("g", "n", b"", due=number),
        "expires": lambda: kit.initiate_task("g", "n", b"", expires=number),
        "the period of a rate": lambda: kit.configure("g", rate=(1, number)),
    }
    for name, way in ways.items():
        with refused(case, f"{number} as {name}"):
            way()
        case.equal(counts(case), {}, f"what is put with {number} as {name}")
    limits = {g: one for g, one in case.backend.control().limits.items() if one != Limits()}
    case.equal(limits, {}, f"what is limited with {number}")


_MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2037, 1, 1))  # noqa: DTZ001 - naive on purpose
_ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"])


@contextmanager
def _local_zone(name: str) -> Iterator[ZoneInfo]:
    """Make a zone the one of this process; where the system cannot, nothing is to be seen."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield ZoneInfo(name)
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@proves("VAL-03")
def a_naive_datetime_is_local_time_at_the_kit(case: Case) -> None:
    """And refused below it."""
    if not hasattr(time, "tzset"):
        case.no_means("a local time that can be chosen: this system has no tzset")
    moment = case.draw(_MOMENTS).replace(microsecond=0, fold=case.draw(st.integers(0, 1)))
    name = case.draw(st.sampled_from(["due", "expires"]))
    with _local_zone(case.draw(_ZONES)) as zone:
        result = kit_of(case).initiate_task("g", "n", b"", **{name: moment})
        aware = kit_of(case).initiate_task("g", "n", b"", **{name: moment.replace(tzinfo=UTC)})
    found = getattr(get(case, result.id).task, name)
    expected = to_instant(moment.replace(tzinfo=zone))
    case.equal(found, expected, f"{name} of a task that is put for {moment} in {zone}")
    found = getattr(get(case, aware.id).task, name)
    expected = to_instant(moment.replace(tzinfo=UTC))
    case.equal(found, expected, f"{name} of a task that is put for {moment} UTC")
    with refused(case, "a naive datetime below the Kit"):
        to_instant(moment)


@proves("VAL-04")
def data_is_bytes(case: Case) -> None:
    """And comes back as bytes, also from the claim; text is refused."""
    worker(case)
    data = case.draw(values.blobs())
    task_id = add(case, data=data)
    case.equal(get(case, task_id).task.data, data, "the data of the record")
    claim = claim_one(case)
    case.equal(claim.task.data, data, "the data of the claim")
    result = case.draw(values.blobs())
    beat(case, "w1", claim, progress={task_id: result})
    case.equal(get(case, task_id).progress, result, "the progress")
    end(case, claim, result=result)
    case.equal(get(case, task_id).result, result, "the result")
    wrong = case.draw(st.sampled_from(["text", 1, None, ["list"]]))
    task = case.task(data=wrong)
    with refused(case, f"{wrong!r} as data", InvalidTask):
        kit_of(case).put_new([task])
    case.equal(find(case, task.id), None, "what is written of it")


@proves("VAL-04")
def what_is_like_bytes_becomes_bytes(case: Case) -> None:
    """A copy of them: what is changed afterwards is not what was put."""
    worker(case)
    data = bytearray(case.draw(values.blobs()) or b"x")
    before = bytes(data)
    view = case.draw(st.booleans())
    task = case.task(data=memoryview(data) if view else data)
    kit_of(case).put_new([task])
    data[0] ^= 1
    what = f"the data that was put as a {'memoryview' if view else 'bytearray'}"
    case.equal(get(case, task.id).task.data, before, f"{what}, of the record")
    case.equal(claim_one(case).task.data, before, f"{what}, of the claim")


@proves("VAL-05")
def a_limit_of_zero_gives_nothing_and_a_negative_one_is_refused(case: Case) -> None:
    """Pages, purges, reclaims, claims."""
    worker(case, "dead", SECOND)
    task_id = add(case)
    claim_one(case, worker_id="dead")
    finished = bring(case, State.SUCCEEDED, "h", ttl=0.0)
    worker(case)
    spare = add(case, "i")
    later(case, SECOND)
    case.equal(list(case.backend.find(Query(), 0).records), [], "a page of at most 0")
    case.equal(case.backend.purge(0), 0, "what a purge of at most 0 takes")
    case.equal(case.backend.reclaim(0).tasks, 0, "what a reclaim of at most 0 takes")
    case.equal(claimed(case, "i", 0), [], "what a claim of 0 gives")
    negative = -case.draw(st.integers(1, 1000))
    kind = case.draw(st.sampled_from(["find", "purge", "purge by age", "reclaim", "claim"]))
    with refused(case, f"{kind} with a limit of {negative}"):
        if kind == "find":
            case.backend.find(Query(), negative)
        elif kind == "reclaim":
            case.backend.reclaim(negative)
        elif kind == "claim":
            case.backend.claim("w1", {"i": negative})
        else:
            age = case.clock.now() if kind == "purge by age" else None
            case.backend.purge(negative, older_than=age)
    states = [state(case, each) for each in (task_id, finished, spare)]
    case.equal(states, [State.RUNNING, State.SUCCEEDED, State.QUEUED], "the tasks after all that")


@proves("VAL-07")
def instants_keep_their_order_and_their_microseconds(case: Case) -> None:
    """To the declared resolution, rounded down; fractions of seconds, too."""
    worker(case)
    step = case.capabilities.time_resolution
    now = case.clock.now()
    offsets = case.draw(st.lists(st.integers(0, 3 * step), min_size=2, max_size=4))
    dues = {add(case, due=now - offset): now - offset for offset in offsets}
    for task_id, due in dues.items():
        found = get(case, task_id).task.due
        case.equal(found, due - due % step, f"the due of a task that was put for {due}")
    order = drained(case)
    places = [dues[task_id] - dues[task_id] % step for task_id in order]
    case.equal(places, sorted(places), "the order of the claims")
    ttl = case.draw(st.sampled_from([0.1, 0.000001, 12.25]))
    timeout = case.draw(st.sampled_from([None, 1e-06, 0.1]))
    scheduled = case.draw(st.integers(0, LATEST))
    task = get(case, add(case, ttl=ttl, timeout=timeout, scheduled=scheduled)).task
    case.equal((task.ttl, task.timeout), (ttl, timeout), "ttl and timeout")
    case.equal(task.scheduled, scheduled - scheduled % step, "the tick")


_FAR = [0, 1, 2**31 * SECOND - 1, 2**31 * SECOND, 2**32 * SECOND, LATEST - 999_999, LATEST]


@proves("VAL-08")
def instants_from_1970_to_9999_work(case: Case) -> None:
    """2038 included, in everything that keeps one; earlier and later ones are refused."""
    worker(case)
    now = case.clock.now()
    for drawn in (case.draw(st.sampled_from(_FAR)), case.draw(st.integers(0, LATEST))):
        instant = drawn - drawn % case.capabilities.time_resolution
        task_id = add(case, due=instant, scheduled=instant)
        task = get(case, task_id).task
        case.equal((task.due, task.scheduled), (instant, instant), "due and tick")
        expected = State.QUEUED if instant <= now else State.WAITING
        case.equal(state(case, task_id), expected, f"the state of a task due at {instant}")
        answer = case.backend.claim("w1", {"g": 1})
        given = [claim.task.id for claim in answer.claims]
        case.equal(given, [task_id] if instant <= now else [], "what is claimed")
        case.equal(answer.next_due, instant if instant > now else None, "when to come back")
        case.backend.pause(["g"], instant)
        pauses = dict(case.backend.control().pauses)
        case.equal(pauses, {"g": instant} if instant > now else {}, "the end of a pause")
        case.backend.resume(["g"])
        case.backend.delete([task_id])
    beyond = case.draw(st.sampled_from([-1, -SECOND, -(2**62), LATEST + 1, 2**63, 2**70]))
    with refused(case, f"the instant {beyond}", InvalidTask):
        kit_of(case).put_new([case.task("h", due=beyond)])
    case.equal(ids(case, group="h"), [], "what is written of it")


@proves("VAL-09")
def what_is_not_declared_is_refused(case: Case) -> None:
    """A transaction of a kind that the backend does not know; and nothing is put."""
    task = case.task()
    within = case.draw(st.sampled_from([object(), 1, "a transaction", [], {}]))
    with refused(case, f"putting within {type(within).__name__}", Unsupported):
        case.backend.put([task], within=within)
    case.equal(find(case, task.id), None, "the task")
    declared = case.capabilities
    case.equal(bool(declared.within), declared.transactional_put, "whether `within` is described")
    case.require(declared.name, "capabilities tell the backend's name")
    case.require(declared.wakeup in ("push", "poll"), "wakeup is push or poll")
    case.require(declared.max_batch >= 1, "max_batch is at least 1", found=declared.max_batch)
    case.require(declared.time_resolution >= 1, "time_resolution is at least 1 µs")
