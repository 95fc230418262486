"""Priorities: high first, among what is due."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.errors import InvalidTask
from taskkit.limits import MAX_PRIORITY, MIN_PRIORITY
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import add, claimed, drained, find, get, kit_of, put, worker


@proves("PRI-01")
def the_higher_priority_is_claimed_first(case: Case) -> None:
    """From end to end of the range, however long the others have been due."""
    worker(case)
    drawn = case.draw(st.lists(values.priorities(), min_size=3, max_size=6, unique=True))
    now = case.clock.now()
    ages = case.draw(st.lists(st.integers(0, 5), min_size=len(drawn), max_size=len(drawn)))
    tasks = [
        case.task(priority=priority, due=now - age * SECOND)
        for priority, age in zip(drawn, ages, strict=True)
    ]
    put(case, *tasks)
    expected = [task.id for task in sorted(tasks, key=lambda task: -task.priority)]
    sizes = case.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    case.equal(drained(case, sizes=sizes), expected, "the order by priority")


@proves("PRI-02")
def priorities_within_the_range_are_kept_and_others_refused(case: Case) -> None:
    """Both ends are within."""
    priority = case.draw(values.priorities())
    case.equal(get(case, add(case, priority=priority)).task.priority, priority, "the priority")
    outside = case.draw(
        st.sampled_from([MIN_PRIORITY - 1, MAX_PRIORITY + 1])
        | st.integers(MAX_PRIORITY + 1, 2**40)
        | st.integers(-(2**40), MIN_PRIORITY - 1)
    )
    task = case.task(priority=outside)
    try:
        kit_of(case).put_new([task])
    except InvalidTask:
        case.equal(find(case, task.id), None, "what is stored of a refused task")
    else:
        case.violated(f"the priority {outside} is refused", found=get(case, task.id))


@proves("PRI-03")
def priority_never_beats_due(case: Case) -> None:
    """What is not due waits, however urgent."""
    worker(case)
    ahead = case.draw(st.sampled_from([1, 1000, SECOND, 1000 * SECOND]))
    ahead = max(ahead, case.capabilities.time_resolution)
    low, high = sorted(
        case.draw(st.lists(values.priorities(), min_size=2, max_size=2, unique=True))
    )
    urgent = add(case, priority=high, due=case.clock.now() + ahead)
    due = add(case, priority=low)
    case.equal(claimed(case, most=5), [due], f"what is claimed {ahead} µs before the urgent one")
    case.clock.set(case.clock.now() + ahead)
    case.equal(claimed(case, most=5), [urgent], "what is claimed once the urgent one is due")
