"""CTL and SCH, interleaved: cancels meet claims and settlements, schedulers meet each other."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import Outcome
from taskkit_conformance.case import LEASE
from taskkit_conformance.check import proves
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import Step, beat, claim, on, settle, to_fields


def cancelled_before_claimed(stage: Stage) -> None:
    """A queued task is cancelled while it is claimed."""
    [task_id] = stage.tasks(1)
    claimers = stage.several(3) - 1
    for number in range(1, claimers + 1):
        stage.workers(f"w{number}")
        stage.actor(claim(f"w{number}"))
    stage.actor(on("cancel", task_id))
    played = stage.play()
    claims = [pair for one in played for pair in one.claims]
    answer = next(one.answer[task_id] for one in played if one.kind == "cancel")
    stage.require(answer in ("done", "requested"), f"expected to be able to cancel, found {answer}")
    stage.require(
        len(claims) == (0 if answer == "done" else 1),
        f"the cancel answered {answer}: expected {'no' if answer == 'done' else 'one'} claim, "
        f"found {len(claims)}",
    )
    found = stage.seen(task_id)[task_id]
    expected = ("cancelled", False) if answer == "done" else ("running", True)
    stage.require(
        (found["state"], found["cancelling"]) == expected,
        f"the cancel answered {answer}: expected the task {expected[0]}, found it {found['state']}",
    )


_ENDS = {
    Outcome.SUCCEED: "succeeded",
    Outcome.FAIL: "failed",
    Outcome.RETRY: "queued",
    Outcome.RELEASE: "queued",
}


def first_of_cancel_and_settle(stage: Stage) -> None:
    """A running task is cancelled while its worker settles it and sends heartbeats."""
    [task_id] = stage.tasks(1)
    stage.workers("w1")
    held = stage.claimed("w1")
    outcome = stage.draw(st.sampled_from(list(_ENDS)))
    stage.actor(on("cancel", task_id))
    stage.actor(settle("w1", outcome, held[0]))
    if stage.draw(st.booleans()):
        stage.actor(beat("w1", LEASE, held), beat("w1", LEASE, held))
    played = stage.play()
    cancel = next(one for one in played if one.kind == "cancel")
    end = next(one for one in played if one.kind == "settle")
    answer = cancel.answer[task_id]
    stage.require(end.answer is True, "expected the settlement of a running task to stand")
    expected = _ENDS[outcome] if answer == "refused" else "cancelled"
    found = stage.seen(task_id)[task_id]
    stage.require(
        found is not None and found["state"] == expected,
        f"the cancel answered {answer}, the worker reported {outcome.value}: expected the task "
        f"{expected}, found it {found and found['state']}",
    )
    for one in played:
        if one.kind == "beat" and cancel.before(one) and one.before(end):
            stage.require(
                one.answer["cancelled"] == [task_id],
                "expected the heartbeat to tell the worker of the cancel",
                one,
            )
    stage.linearizable()


def one_scheduler_wins(stage: Stage) -> None:
    """Several schedulers advance from the same version."""
    version = stage.some(0, 1)
    for before in range(version):
        stage.do(_advance(before, "earlier", []))
    states: dict[str, list[str]] = {}
    for number in range(1, stage.several() + 1):
        tasks = [stage.task() for _ in range(stage.some(0, 2))]
        states[f"s{number}"] = [task.id for task in tasks]
        plain = [to_fields(task) for task in tasks]
        stage.actor(_advance(version, f"s{number}", plain))
    if stage.draw(st.booleans()):
        stage.actor(Step("schedule", {"name": "s"}))
    played = stage.play()
    won = [one.arguments["state"] for one in played if one.answer is True]
    stage.require(
        len(won) == 1,
        f"{len(states)} schedulers at one point: expected one to win, found {len(won)}",
    )
    now = stage.do(Step("schedule", {"name": "s"})).answer
    stage.require(
        now == [version + 1, won[0]],
        f"expected version {version + 1} with the state of the one that won, found {now}",
    )
    ids = [task_id for tasks in states.values() for task_id in tasks]
    there = [task_id for task_id, found in stage.seen(*ids).items() if found]
    stage.require(
        there == states[won[0]],
        f"expected the {len(states[won[0]])} tasks of the one that won, found {len(there)}",
    )


def _advance(version: int, state: str, tasks: list[dict[str, object]]) -> Step:
    given = {"name": "s", "version": version, "state": state, "tasks": tasks}
    return Step("advance", given)


proves("CTL-03", lane="interleave")(interleaved(cancelled_before_claimed))
proves("CTL-04", lane="interleave")(interleaved(first_of_cancel_and_settle))
proves("SCH-02", lane="interleave")(interleaved(one_scheduler_wins))
