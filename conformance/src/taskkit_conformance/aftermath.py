"""What a storm has left: what is wrong with it, for each property that is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from taskkit.records import Outcome
from taskkit_conformance.accounting import (
    Finding,
    Findings,
    account,
    by_task,
    claims_of,
    risen,
    second_outcomes,
)
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import LEASE, report
from taskkit_conformance.chaos_actor import fate
from taskkit_conformance.history import Operation

SLACK: Final = 20_000_000
"""Nanoseconds by which the store's clock may go slower in one lease than ours."""

UNFINISHED: Final = ("waiting", "queued", "running")


@dataclass(slots=True)
class Report:
    """What is left of a storm."""

    history: list[Operation]
    notes: list[str]
    finals: Mapping[str, str | None]
    """The state of each task at the end."""
    results: Mapping[str, bytes | None]
    names: dict[str, str]
    killed_with: int = 0
    """Claims that players held when they were killed."""
    late: int = 0
    """Settlements of a player that came after its task was given to another."""
    cuts: int = 0
    stuck: str = ""
    """Why the drain did not end, if it did not."""


def judge(case: Case, found: Report, findings: Findings) -> None:
    """Report the first finding, if there is one."""
    for finding in findings[:1]:
        report(case, finding.sentence, found.history, found.notes, finding.operations)


def too_early(history: list[Operation]) -> Findings:
    """Return claims of a task that somebody held whose lease had certainly not ended (EXC-01).

    A lease certainly lasts from the call of the latest heartbeat that was answered.
    """
    settled: dict[tuple[str, int], list[Operation]] = {}
    beats: dict[str, list[Operation]] = {}
    for one in history:
        if one.kind == "settle":
            settled.setdefault(one.claim, []).append(one)
        elif one.kind in ("beat", "register") and one.ending == "ok":
            beats.setdefault(one.arguments["worker"], []).append(one)
    found: Findings = []
    for task_id, claims in _claims(history).items():
        for (token, first), (_, second) in pairwise(claims):
            ends = settled.get((task_id, token), ())
            if any(not second.before(end) and end.answer is not False for end in ends):
                continue
            renewed = [
                beat.called
                for beat in beats.get(first.arguments["worker"], ())
                if beat.before(second) and (beat.kind == "register" or beat.answer["alive"])
            ]
            alive_until = max(renewed, default=0) + LEASE * 1000 - SLACK
            if second.returned < alive_until:
                sentence = f"expected {task_id} not to be given away while its worker was alive"
                found.append(Finding(sentence, (first, second)))
    return found


def outdated(history: list[Operation]) -> Findings:
    """Return settlements that stand although the task had been claimed again before (LEA-05)."""
    claims = _claims(history)
    first_call: dict[tuple[str, int], int] = {}
    found: Findings = []
    for one in history:
        if one.kind != "settle":
            continue
        # To repeat what may have stood is harmless, and answers true.
        repeated = first_call.setdefault(one.claim, one.called) < one.called
        task_id, token = one.claim
        later = [claim for number, claim in claims.get(task_id, ()) if number > token]
        if one.answer is True and not repeated and any(claim.before(one) for claim in later):
            sentence = f"expected a late settlement of {task_id} not to stand"
            found.append(Finding(sentence, (one, later[0])))
    return found


def _claims(history: list[Operation]) -> dict[str, list[tuple[int, Operation]]]:
    return {task_id: claims_of(task_id, ops) for task_id, ops in by_task(history).items()}


def unbalanced(found: Report) -> Findings:
    """Return what is lost, unexpected, or ended as it must not (DUR-04)."""
    findings = account(found.history, found.finals).findings()
    findings += [Finding(found.stuck)] if found.stuck else []
    for task_id, state in found.finals.items():
        expected = _end(task_id)
        if state is not None and state not in UNFINISHED and state != expected:
            findings.append(Finding(f"expected {task_id} to end {expected}, found {state}"))
        elif state == "succeeded" and found.results[task_id] != task_id.encode():
            what = f"found {found.results[task_id]!r}"
            findings.append(Finding(f"expected the result that {task_id} was given, {what}"))
    return [*findings, *second_outcomes(found.history), *risen(found.history)]


def broken(history: list[Operation]) -> Findings:
    """Return operations that raised what the contract does not know."""
    return [
        Finding(f"expected an answer or Unavailable, found {one.error}", (one,))
        for one in history
        if one.broken
    ]


def _end(task_id: str) -> str | None:
    ends = {Outcome.FAIL: "failed", Outcome.DISCARD: None}
    return ends.get(fate(task_id), "succeeded")
