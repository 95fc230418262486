"""In which order tasks are claimed, and when."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Claim, Outcome
from taskkit.task import After, State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    DEATHS,
    add,
    beat,
    claim_one,
    claimed,
    die,
    drained,
    end,
    get,
    later,
    put,
    state,
    unit,
    worker,
)

_SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=3)
_AHEAD = st.sampled_from([1, 2, 1000, SECOND, 60 * SECOND, 3000 * SECOND])


def _place(task: Any) -> tuple[int, Any, str]:
    return (-task.priority, task.due, task.id)


@proves("ORD-01")
def claims_follow_priority_due_and_id(case: Case) -> None:
    """Whatever the order of the puts and the sizes of the claims."""
    worker(case)
    now, step = case.clock.now(), unit(case)
    dues = case.draw(st.permutations(range(5)))
    priorities = case.draw(st.lists(st.sampled_from([0, 0, 1, -1]), min_size=5, max_size=5))
    tasks = [
        case.task(due=now - due * step, priority=priority)
        for due, priority in zip(dues, priorities, strict=True)
    ]
    cut = case.draw(st.integers(1, 5))
    put(case, *tasks[:cut])
    put(case, *tasks[cut:])
    expected = [task.id for task in sorted(tasks, key=_place)]
    case.equal(drained(case, sizes=case.draw(_SIZES)), expected, "the order of the claims")


@proves("ORD-02")
def nothing_is_claimed_before_its_due(case: Case) -> None:
    """Not when it is put, and not one step before it."""
    worker(case)
    ahead = max(case.draw(_AHEAD), unit(case))
    due = case.clock.now() + ahead
    given = After(ahead) if case.draw(st.booleans()) else due
    task_id = add(case, due=given, priority=case.draw(values.priorities()))
    case.equal(claimed(case), [], f"what is claimed {ahead} µs before its due")
    case.clock.set(due - unit(case))
    case.equal(claimed(case), [], "what is claimed one step before its due")
    case.equal(state(case, task_id), State.WAITING, "the state one step before its due")


@proves("ORD-03")
def a_task_is_claimable_at_its_due(case: Case) -> None:
    """Put when it is due, or waited for."""
    worker(case)
    ahead = case.draw(st.just(0) | _AHEAD)
    ahead = ahead and max(ahead, unit(case))
    waiting = [add(case, due=case.clock.now() + ahead) for _ in range(case.draw(st.integers(1, 3)))]
    if ahead and case.draw(st.booleans()):
        case.equal(claimed(case), [], "what is claimed before its due")
    later(case, ahead)
    case.equal(state(case, waiting[0]), State.QUEUED, "the state at its due")
    case.equal(sorted(claimed(case, most=5)), sorted(waiting), "what is claimed at its due")


@proves("ORD-04")
def equal_dues_are_claimed_by_ascending_id(case: Case) -> None:
    """Not by arrival, not by hash."""
    worker(case)
    drawn = case.draw(values.number_ids("g", case.draw(st.integers(3, 6))))
    due = case.clock.now() - case.draw(st.integers(0, 3))
    tasks = [case.task(id=task_id, due=due) for task_id in drawn]
    cut = case.draw(st.integers(0, len(tasks)))
    put(case, *tasks[:cut])
    put(case, *tasks[cut:])
    case.equal(drained(case, sizes=case.draw(_SIZES)), sorted(drawn), "the order of equal dues")


@proves("ORD-05")
def a_claim_keeps_to_its_group(case: Case) -> None:
    """Each of many names that are easily taken for each other gives its own task alone."""
    worker(case)
    names = case.draw(values.crowds())
    task_ids = put(case, *[case.task(name) for name in names])
    for name, task_id in zip(names, task_ids, strict=True):
        case.equal(claimed(case, name, 5), [task_id], f"what a claim of {name!r} gives")


@proves("ORD-06")
def claims_go_on_until_nothing_is_left(case: Case) -> None:
    """Each of many due tasks is given once, while others are settled."""
    worker(case)
    count = case.draw(st.integers(10, 24))
    now = case.clock.now()
    dues = case.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    tasks = [case.task(due=now - due, priority=due % 3) for due in dues]
    put(case, *tasks)
    given: list[str] = []
    for _ in range(count):
        claims = case.claim(most=case.draw(st.integers(1, 3)))
        given += [claim.task.id for claim in claims]
        if claims and case.draw(st.booleans()):
            end(case, claims[0])
        if not claims:
            break
    given += drained(case)
    case.equal(sorted(given), sorted(task.id for task in tasks), "all that was claimed")


@proves("ORD-07")
def a_retried_task_takes_its_place_by_its_new_due(case: Case) -> None:
    """Before, between or behind the others."""
    worker(case)
    now = case.clock.now()
    step = unit(case)
    moved = add(case, due=now - 100 * step)
    claim = claim_one(case)
    others = [case.task(due=now - due * step) for due in (50, 30, 10)]
    put(case, *others)
    due = now - case.draw(st.sampled_from([200, 60, 40, 20, 0])) * step
    end(case, claim, Outcome.RETRY, due=due)
    places = sorted([*((task.due, task.id) for task in others), (due, moved)])
    case.equal(drained(case), [task_id for _, task_id in places], "the order after a retry")


@proves("ORD-08")
def a_reclaimed_task_keeps_its_place(case: Case) -> None:
    """However its worker died."""
    worker(case)
    now = case.clock.now()
    step = unit(case)
    first = add(case, due=now - case.draw(st.sampled_from([60, 40, 31])) * step)
    claim = die(case, case.draw(st.sampled_from(DEATHS)))
    case.equal(get(case, first).task.due, claim.task.due, "the due of a reclaimed task")
    before = add(case, due=now - 70 * step)
    behind = add(case, due=now - 30 * step)
    case.equal(drained(case), [before, first, behind], "the order after a reclaim")


@proves("ORD-10")
def a_clock_that_steps_back_loses_and_repeats_nothing(case: Case) -> None:
    """Each task is given once, and never before its due as the clock has it then."""
    worker(case, lease=10_000 * SECOND)
    start = case.clock.now()
    offsets = case.draw(st.lists(st.integers(0, 9), min_size=3, max_size=5))
    dues = {add(case, due=start + offset * SECOND): offset for offset in offsets}
    held: list[Claim] = []
    for moment in [*case.draw(st.lists(st.integers(0, 12), min_size=2, max_size=5)), 9, 0, 4]:
        case.clock.set(start + moment * SECOND)
        got = case.claim(most=case.draw(st.integers(0, 2)))
        early = [claim.task.id for claim in got if dues[claim.task.id] > moment]
        case.equal(early, [], f"what is claimed before its due, {moment} s from the start")
        held += got
        case.require(beat(case, "w1", *held).alive, "a heartbeat after a step back is answered")
        case.backend.reclaim()
    new = add(case, due=case.clock.now())
    dues[new] = 0
    case.require(new in drained(case), "what is put after a step back is claimable")
    case.clock.set(start + 12 * SECOND)
    drained(case)
    attempts = {task_id: get(case, task_id).attempt for task_id in dues}
    case.equal(attempts, dict.fromkeys(dues, 1), "how often each task was given in the end")
