"""The basic properties, tested by the plainest means: others build on them."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import Outcome, Settlement
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves


@proves("ORD-03")
def due_now(case: Case) -> None:
    """A task that is due now is claimed."""
    case.worker()
    count = case.draw(st.integers(1, 4))
    case.backend.put([case.task(due=case.clock.now()) for _ in range(count)])
    case.equal(len(case.claim(most=count)), count, "claims of tasks that are due now")


@proves("RES-03")
def four_answers(case: Case) -> None:
    """Unknown, unfinished, succeeded."""
    case.worker()
    task = case.task()
    case.require(case.backend.get([task.id])[task.id] is None, "an unknown id has no record")
    case.backend.put([task])
    result = case.draw(st.binary(max_size=4))
    [claim] = case.claim()
    settled = case.backend.settle("w1", [Settlement(task.id, claim.token, Outcome.SUCCEED, result)])
    case.equal(settled, [True], "the settlement")
    record = case.backend.get([task.id])[task.id]
    assert record is not None
    case.equal(record.result, result, "the result")


@proves("BLK-08")
def one_entry_each(case: Case) -> None:
    """A lookup has one entry for each id."""
    tasks = [case.task() for _ in range(case.draw(st.integers(0, 3)))]
    case.backend.put(tasks)
    ids = [task.id for task in tasks]
    answer = case.backend.get([*ids, *ids, "nobody"])
    case.equal(sorted(answer), sorted({*ids, "nobody"}), "the ids that are answered")


@proves("SCH-04")
def state_comes_back(case: Case) -> None:
    """State bytes come back."""
    case.equal(case.backend.load_schedule("s").version, 0, "the version before the first store")
    state = case.draw(st.binary(max_size=8))
    case.require(case.backend.advance_schedule("s", 0, state, []), "the first store succeeds")
    case.equal(case.backend.load_schedule("s").state, state, "the state")
