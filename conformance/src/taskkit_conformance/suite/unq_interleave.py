"""UNQ, interleaved: puts, claims and retries race for one unique key."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import Outcome
from taskkit.task import SUPERSEDED
from taskkit_conformance.check import proves
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import Step, claim, put, settle

_KEY = "k"


def _unclaimed(stage: Stage) -> list[str]:
    return [row[0] for row in stage.do(Step("list", {"states": ["queued", "waiting"]})).answer]


def one_for_each_key(stage: Stage) -> None:
    """Several puts of one key, and perhaps a worker that claims and retries."""
    putters = stage.several(3)
    for _ in range(putters):
        stage.actor(put(stage.task(unique_key=_KEY)))
    works = stage.draw(st.booleans())
    if works:
        stage.workers("w1")
        stage.actor(claim("w1"), settle("w1", Outcome.RETRY))
    played = stage.play()
    stored = [one for one in played if one.kind == "put" and one.answer[0][1] == "put"]
    claims = sum(len(one.claims) for one in played)
    stage.require(
        1 <= len(stored) <= 1 + claims,
        f"{putters} puts of one unique key, {claims} claims: expected one to be stored, and "
        f"another for each claim at most; found {len(stored)}",
    )
    left = _unclaimed(stage)
    stage.require(
        len(left) <= 1, f"expected at most one unclaimed task of the key, found {len(left)}"
    )
    stage.seen(*stage.case.names)
    stage.linearizable()


def duplicates_name_the_first(stage: Stage) -> None:
    """Several puts of one key: all but one are told which task holds it."""
    tasks = [stage.task(unique_key=_KEY) for _ in range(stage.several())]
    for task in tasks:
        stage.actor(put(task))
    played = stage.play()
    found = stage.seen(*(task.id for task in tasks))
    holders = [task_id for task_id, record in found.items() if record is not None]
    stage.require(
        len(holders) == 1, f"expected one of {len(tasks)} puts to be stored, found {len(holders)}"
    )
    for one in played:
        [[told, status]] = one.answer
        mine = one.arguments["tasks"][0]["id"]
        stage.require(
            told == holders[0] and status == ("put" if mine == told else "duplicate"),
            f"expected {stage.case.names[holders[0]]} as the holder of the key, found "
            f"{status} of {stage.case.names[told]}",
            one,
        )


def returning_to_a_taken_key(stage: Stage) -> None:
    """A task is retried or released while another is put with its key."""
    first, second = stage.task(unique_key=_KEY), stage.task(unique_key=_KEY)
    stage.do(put(first))
    stage.workers("w1")
    [held] = stage.claimed("w1")
    outcome = stage.draw(st.sampled_from((Outcome.RETRY, Outcome.RELEASE)))
    stage.actor(settle("w1", outcome, held))
    stage.actor(put(second))
    answer = next(one.answer for one in stage.play() if one.kind == "put")
    found = stage.seen(first.id, second.id)
    if answer[0][1] == "put":
        back = found[first.id]
        stage.require(
            (back["state"], back["failure"], back["about"]) == ("cancelled", SUPERSEDED, second.id),
            f"expected the task that came back to be superseded by t2, found it {back['state']}, "
            f"{back['failure']}",
        )
    else:
        stage.require(
            found[second.id] is None and found[first.id]["state"] == "queued",
            "expected the key to belong to the task that came back first",
        )
    left = _unclaimed(stage)
    stage.require(len(left) == 1, f"expected one unclaimed task of the key, found {len(left)}")


proves("UNQ-01", lane="interleave")(interleaved(one_for_each_key))
proves("UNQ-02", lane="interleave")(interleaved(duplicates_name_the_first))
proves("UNQ-05", lane="interleave")(interleaved(returning_to_a_taken_key))
