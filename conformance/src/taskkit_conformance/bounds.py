"""Bounds that concurrent claims must keep: order within a group, how many at once, how fast.

As in ``accounting``, a finding is what no order of the overlapping operations explains.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from taskkit_conformance.accounting import FREEING, Finding, Findings, by_task, claims_of
from taskkit_conformance.history import NEVER, Operation

# ---- order


def inversions(
    operations: Sequence[Operation],
    rank: Callable[[str], tuple[int, ...] | tuple[int, int, str]],
    groups: Mapping[str, str],
) -> Findings:
    """Return claims that passed over a task although nothing else was done to it (ORD-09).

    Args:
        operations: The history.
        rank: Where a task stands in its group; the smallest goes first. Only of tasks that are
            due, without lock, in groups without limits.
        groups: The group of each of these tasks.
    """
    by_id = by_task(operations)
    found: Findings = []
    for claim in operations:
        if claim.kind != "claim" or claim.ending != "ok" or not claim.answer["alive"]:
            continue
        taken = [task_id for task_id, _ in claim.claims]
        for task_id, touching in by_id.items():
            group = groups.get(task_id)
            if group not in claim.arguments["wants"] or task_id in taken:
                continue
            same = [one for one in taken if groups.get(one) == group]
            behind = [one for one in same if rank(one) > rank(task_id)]
            spare = len(same) < claim.arguments["wants"][group]
            if (behind or spare) and _lay_still(claim, task_id, touching):
                what = f"took {behind[0]} behind it" if behind else "took fewer than it wanted"
                found.append(
                    Finding(f"expected the claim not to pass over {task_id}; it {what}", (claim,))
                )
    return found


def _lay_still(claim: Operation, task_id: str, touching: Iterable[Operation]) -> bool:
    """Return whether a task was certainly claimable during all of a claim.

    What ends claims without naming them does nothing to a task that lies in the queue.
    """
    before: list[Operation] = []
    for operation in touching:
        if operation is claim or operation.kind == "get":
            continue
        if operation.before(claim):
            before.append(operation)
        elif not claim.before(operation):
            return False
    if not before:
        return False
    last = max(before, key=lambda operation: operation.called)
    if any(other is not last and other.overlaps(last) for other in before):
        return False
    return _leaves_queued(last, task_id)


def _leaves_queued(operation: Operation, task_id: str) -> bool:
    if operation.ending != "ok":
        return False
    if operation.kind == "put":
        return [task_id, "put"] in [list(pair) for pair in operation.answer]
    if operation.kind == "settle":
        given = operation.arguments
        return (
            operation.answer is True
            and given["outcome"] in ("retry", "release")
            and (given["due"] is None or given["due"] <= 0)
        )
    if operation.kind in ("requeue", "reschedule"):
        return bool(operation.answer.get(task_id) == "done")
    return False


# ---- limits


def too_many_running(
    operations: Sequence[Operation], tasks: Collection[str], most: int
) -> Findings:
    """Return moments at which more than ``most`` of these tasks certainly ran (LIM-01, LIM-04).

    A claim certainly runs from the return of the claim to the call of what may end it.
    """
    wide = sorted(op.called for op in operations if op.kind in FREEING)
    edges: list[tuple[int, int, Operation]] = []
    for task_id, touching in by_task(operations).items():
        if task_id not in tasks:
            continue
        for token, claim in claims_of(task_id, touching):
            ends = [op.called for op in touching if _may_end(op, task_id, token)]
            ends += [moment for moment in wide if moment > claim.called]
            end = min(ends, default=NEVER)
            if end > claim.returned:
                edges += [(claim.returned, 1, claim), (end, 0, claim)]
    running: list[Operation] = []
    for _, starts, claim in sorted(edges, key=lambda edge: (edge[0], edge[1])):
        if not starts:
            running.remove(claim)
            continue
        running.append(claim)
        if len(running) > most:
            sentence = f"expected at most {most} to run at once, found {len(running)}"
            return [Finding(sentence, tuple(running))]
    return []


def _may_end(operation: Operation, task_id: str, token: int) -> bool:
    if operation.kind == "settle":
        return operation.claim == (task_id, token)
    return operation.kind in ("delete", "requeue")


def too_fast(
    operations: Sequence[Operation], tasks: Collection[str], most: int, period: int
) -> Findings:
    """Return more than ``most`` claims that certainly fell into one period (LIM-05).

    ``period`` is in the unit of the history's moments.
    """
    claims = sorted(
        (op for op in operations for task_id, _ in op.claims if task_id in tasks),
        key=lambda op: op.called,
    )
    for place, first in enumerate(claims):
        inside = [op for op in claims[place:] if op.returned < first.called + period]
        if len(inside) > most:
            sentence = f"expected at most {most} claims in a period, found {len(inside)}"
            return [Finding(sentence, tuple(inside))]
    return []
