"""What must hold for every concurrent history, however its operations are ordered.

Cheap, so it is asked before ``linearize`` and of histories that are too long for that. Each
function returns findings: what is wrong, in words, and the operations that show it. What some order
of overlapping operations could explain is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

from taskkit_conformance.history import Operation
from taskkit_conformance.timeline import Words

FREEING: Final = frozenset({"reclaim", "retire", "beat"})
"""Operations that may take a claim away without naming it."""
_GIVING_BACK: Final = frozenset({"retry", "release", "lose"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that no order of the operations explains."""

    sentence: str
    operations: tuple[Operation, ...] = ()


Findings: TypeAlias = list[Finding]


# ---- totals


@dataclass(slots=True)
class Account:
    """What became of the tasks of a history that ended with a full drain."""

    lost: list[str] = field(default_factory=list)
    """Acknowledged, never deleted, and now unknown to the store or unfinished."""
    unexpected: list[str] = field(default_factory=list)
    """Claimed, or known to the store, although nobody put it."""
    duplicated: list[str] = field(default_factory=list)
    """Claimed once more than anything in the history explains."""
    recovered: list[str] = field(default_factory=list)
    """There, although nobody was told that the put took effect."""

    def findings(self) -> Findings:
        """Return what must not be; a recovered task may."""
        kinds = (
            ("lost", self.lost),
            ("unexpected", self.unexpected),
            ("duplicated", self.duplicated),
        )
        return [
            Finding(f"expected every put to end once, found {task_id} {kind}")
            for kind, ids in kinds
            for task_id in ids
        ]


def account(operations: Sequence[Operation], finals: Mapping[str, str | None]) -> Account:
    """Return the account of a history.

    Args:
        operations: All that was done, the drain at the end included.
        finals: The state of each task at the end, None where the store does not know it.
    """
    found = Account()
    put, maybe, gone = _puts(operations)
    claims = Counter(task_id for operation in operations for task_id, _ in operation.claims)
    for task_id in sorted(put | maybe):
        state = finals.get(task_id)
        if (
            task_id in put
            and task_id not in gone
            and state in (None, "queued", "waiting", "running")
        ):
            found.lost.append(task_id)
        if task_id not in put and state is not None:
            found.recovered.append(task_id)
    known = {task_id for task_id, state in finals.items() if state is not None}
    found.unexpected = sorted((set(claims) | known) - put - maybe)
    found.duplicated = sorted({one.operations[1].claims[0][0] for one in _doubles(operations)})
    return found


def _puts(operations: Iterable[Operation]) -> tuple[set[str], set[str], set[str]]:
    """Return the ids that were put, those that perhaps were, and those that may be gone."""
    put: set[str] = set()
    maybe: set[str] = set()
    gone: set[str] = set()
    for operation in operations:
        if operation.kind in ("put", "advance"):
            ids = {task["id"] for task in operation.arguments["tasks"]}
            if operation.ending == "unknown":
                maybe |= ids
            elif operation.kind == "advance":
                put |= ids if operation.answer else set()
            elif operation.ending == "ok":
                put |= {task_id for task_id, status in operation.answer if status != "duplicate"}
        elif operation.kind == "delete" and operation.ending != "refused":
            gone |= set(operation.arguments["ids"])
        elif operation.kind == "settle" and operation.arguments["outcome"] == "discard":
            gone.add(operation.claim[0])
    return put, maybe, gone


def _doubles(operations: Sequence[Operation]) -> Findings:
    """Return claims of a task that was running, as far as everybody knew."""
    words = Words(operations, {})
    found: Findings = []
    for task_id, touching in by_task(operations).items():
        claims = claims_of(task_id, touching)
        for (token, first), (later_token, second) in pairwise(claims):
            if not _explained(task_id, token, first, second, touching, operations):
                found.append(
                    Finding(
                        f"expected {words.claim(task_id, token)} to be over before "
                        f"{words.claim(task_id, later_token)} was given",
                        (first, second),
                    )
                )
    return found


def claims_of(task_id: str, touching: Iterable[Operation]) -> list[tuple[int, Operation]]:
    """Return the claims of a task by token."""
    claims = [
        (token, operation)
        for operation in touching
        for claimed, token in operation.claims
        if claimed == task_id
    ]
    return sorted(claims, key=lambda pair: pair[0])


def _explained(
    task_id: str,
    token: int,
    first: Operation,
    second: Operation,
    touching: Iterable[Operation],
    operations: Iterable[Operation],
) -> bool:
    """Return whether something may have ended the first claim before the second was given."""

    def in_between(operation: Operation) -> bool:
        return not second.before(operation) and not operation.before(first)

    for operation in touching:
        if not in_between(operation) or operation.ending == "refused":
            continue
        if operation.kind == "settle" and operation.claim == (task_id, token):
            back = operation.arguments["outcome"] in _GIVING_BACK
            if back and operation.answer is not False:
                return True
        elif operation.kind in ("requeue", "delete", "put"):
            return True
    return any(one.kind in FREEING and in_between(one) for one in operations)


def by_task(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    """Return the operations that concern each task."""
    found: dict[str, list[Operation]] = {}
    for operation in operations:
        for task_id in operation.ids():
            found.setdefault(task_id, []).append(operation)
    return found


# ---- the life of each task


def automaton(operations: Sequence[Operation]) -> Findings:
    """Return what is wrong with single tasks: tokens, live claims, outcomes."""
    return [
        *shrinking_tokens(operations),
        *_doubles(operations),
        *second_outcomes(operations),
        *risen(operations),
    ]


def shrinking_tokens(operations: Sequence[Operation]) -> Findings:
    """Return claims whose token is not larger than that of an earlier one (LEA-01)."""
    found: Findings = []
    for task_id, touching in by_task(operations).items():
        claims = claims_of(task_id, touching)
        for place, (token, operation) in enumerate(claims):
            for later_token, later in claims[place + 1 :]:
                if token == later_token or later.before(operation):
                    found.append(
                        Finding(
                            f"expected each claim of {task_id} to have a larger token than those "
                            f"before it, found {later_token} given "
                            f"{'twice' if token == later_token else f'before {token}'}",
                            (operation, later),
                        )
                    )
    return found


def second_outcomes(operations: Sequence[Operation]) -> Findings:
    """Return settlements that stand beside another one of the same claim (RES-04)."""
    stood: dict[tuple[str, int], Operation] = {}
    found: Findings = []
    for operation in operations:
        if operation.kind != "settle" or operation.answer is not True:
            continue
        first = stood.setdefault(operation.claim, operation)
        if first.arguments["outcome"] != operation.arguments["outcome"]:
            found.append(
                Finding(
                    "expected one outcome of a claim to stand, found "
                    f"{first.arguments['outcome']} and {operation.arguments['outcome']}",
                    (first, operation),
                )
            )
    return found


def risen(operations: Sequence[Operation]) -> Findings:
    """Return claims of tasks that had finished or were gone, and were not requeued (EXC-05)."""
    found: Findings = []
    for task_id, touching in by_task(operations).items():
        ends = [operation for operation in touching if _finishes(operation, task_id)]
        back = [one for one in touching if one.kind in ("requeue", "put", "delete")]
        for end in ends:
            for operation in touching:
                claimed = any(one == task_id for one, _ in operation.claims)
                if not claimed or not end.before(operation):
                    continue
                if not any(_may_revive(one, task_id, end, operation) for one in back):
                    found.append(
                        Finding(
                            f"expected {task_id} never to be claimed after it had ended",
                            (end, operation),
                        )
                    )
    return found


def _may_revive(back: Operation, task_id: str, end: Operation, claim: Operation) -> bool:
    if claim.before(back) or back.before(end):
        return False
    if back.kind == "put" and back.ending == "ok":
        # Only what was gone can be put again.
        discarded = end.arguments["outcome"] == "discard"
        return discarded and [task_id, "put"] in [list(pair) for pair in back.answer]
    return back.kind != "put"


def _finishes(operation: Operation, task_id: str) -> bool:
    return (
        operation.kind == "settle"
        and operation.claim[0] == task_id
        and operation.answer is True
        and operation.arguments["outcome"] in ("succeed", "fail", "discard", "cancel")
    )
