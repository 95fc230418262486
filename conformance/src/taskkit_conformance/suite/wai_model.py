"""WAI: what came between the claim and the wait, with nobody else about."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import WorkerInfo
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.waking import LEASE, LONG, WAYS


@proves("WAI-02")
def what_came_before_the_wait_ends_it(case: Case) -> None:
    """One who claims and waits in turn; something becomes claimable after the claim."""
    client = case.backend
    other = case.open() if case.draw(st.sampled_from([False, False, True])) else client
    way = case.draw(st.sampled_from(sorted(WAYS)))
    task_id, act = WAYS[way](case, other)
    client.register(WorkerInfo("claimer", {"g": 8}), LEASE)
    for _ in range(case.draw(st.integers(0, 2))):
        client.wait(["g"], 0)
        case.equal(_claimed(case), [], "what is claimed before there is something")
    act()
    case.require(
        client.wait(["g"], LONG), f"a wait is ended by {way} that came after the last claim"
    )
    case.equal(_claimed(case), [task_id], "what is claimed after the wait")


def _claimed(case: Case) -> list[str]:
    return [claim.task.id for claim in case.backend.claim("claimer", {"g": 1}).claims]
