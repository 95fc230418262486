"""Tokens, across processes, clients and restarts of the store."""

from __future__ import annotations

from itertools import pairwise

from taskkit.records import Outcome
from taskkit_conformance import steps
from taskkit_conformance.accounting import shrinking_tokens
from taskkit_conformance.aftermath import judge
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import LEASE, troupe
from taskkit_conformance.check import proves
from taskkit_conformance.storm import storm


@proves("LEA-01", lane="chaos", capability="shared")
def tokens_grow_across_restarts(case: Case) -> None:
    """Tokens grow from worker to worker, from client to client, and beyond the store's death."""
    with troupe(case) as cast:
        task = case.task()
        cast.sure(steps.put(task))
        tokens: list[int] = []
        for opening in range(4):
            if opening == 2:
                cast.restart()
            worker = f"w{opening}"
            cast.sure(steps.register(worker, LEASE * 100))
            [[_, token, _]] = cast.sure(steps.claim(worker))["claims"]
            outcome = (Outcome.RELEASE, Outcome.RETRY)[opening % 2]
            cast.sure(steps.settle(worker, outcome, (task.id, token)))
            tokens.append(token)
            cast.reopen()
        growing = all(earlier < later for earlier, later in pairwise(tokens))
        cast.require(growing, f"expected growing tokens of {task.id}, found {tokens}", task.id)
    found = storm(case)
    case.exercised += found.killed_with
    judge(case, found, shrinking_tokens(found.history))
