"""Claims of many: as many as are asked for and there, of one group and of several."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import claimed, put, worker


@proves("BLK-06")
def a_claim_gives_as_many_as_are_asked_and_there(case: Case) -> None:
    """Distinct, in order, fewer only if no more can be claimed."""
    worker(case)
    due = case.draw(st.integers(1, 8))
    now = case.clock.now()
    step = case.capabilities.time_resolution
    tasks = [case.task(due=now - (9 - n) * step) for n in range(due)]
    blocked = [case.task(lock_key="k", due=now - 20 * step, lock_limit=1) for _ in range(3)]
    put(case, *case.draw(st.permutations([*tasks, *blocked, case.task(due=now + SECOND)])))
    [holder] = claimed(case)
    case.require(holder in {task.id for task in blocked}, "the oldest is given first", found=holder)
    left = [task.id for task in tasks]
    for _ in range(4):
        most = case.draw(st.integers(0, 5))
        given = claimed(case, most=most)
        case.equal(given, left[:most], f"what a claim of {most} gives, {len(left)} being there")
        left = left[most:]


@proves("BLK-06", examples=2)
def a_claim_of_several_groups_is_filled(case: Case) -> None:
    """Groups that run dry on the way do not leave the others' tasks behind."""
    worker(case)
    sizes = case.draw(st.lists(st.integers(1, 8), min_size=2, max_size=4))
    put(case, *[case.task(f"g.{n}") for n, size in enumerate(sizes) for _ in range(size)])
    left = sum(sizes)
    while left:
        most = case.draw(st.integers(1, max(1, left)))
        given = claimed(case, most=most)
        case.equal(
            len(given), most, f"how many of {left} in groups of {sizes} a claim of {most} gives"
        )
        left -= most
    case.equal(claimed(case, most=5), [], "what is given once nothing is left")


@proves("BLK-06")
def every_want_of_a_claim_is_filled(case: Case) -> None:
    """Several groups in one call: each gives what is asked of it, or all that it has."""
    worker(case)
    groups = case.draw(st.lists(st.sampled_from("abcd"), min_size=2, max_size=4, unique=True))
    sizes = {group: case.draw(st.integers(0, 3)) for group in groups}
    wants = {group: case.draw(st.integers(0, 4)) for group in groups}
    put(case, *[case.task(group) for group in groups for _ in range(sizes[group])])
    given = [claim.task.group for claim in case.backend.claim("w1", wants).claims]
    got = {group: given.count(group) for group in groups}
    expected = {group: min(sizes[group], wants[group]) for group in groups}
    case.equal(got, expected, f"what a claim of {wants} gives, {sizes} being there")
