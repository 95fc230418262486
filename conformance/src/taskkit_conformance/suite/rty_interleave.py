"""RTY and RES, interleaved: how a claim ends, looked at and done twice."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import Outcome
from taskkit_conformance.check import proves
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import Step, claim, on, settle

_LATER = 5_000_000


def _running(stage: Stage) -> tuple[str, int]:
    """Put a task, claim it for w1 and return the claim."""
    stage.tasks(1)
    stage.workers("w1", "w2")
    [held] = stage.claimed("w1")
    return held


def retry_in_one_step(stage: Stage) -> None:
    """Readers look at a task while it is retried."""
    held = _running(stage)
    due = stage.draw(st.sampled_from((0, None, _LATER)))
    stage.actor(settle("w1", Outcome.RETRY, held, due=due))
    states = ["running", "queued", "waiting"]
    looks = [on("get", held[0]), Step("count"), Step("list", {"states": states})]
    for _ in range(stage.several(3) - 1):
        stage.actor(*stage.draw(st.lists(st.sampled_from(looks), min_size=1, max_size=3)))
    for look in stage.play():
        if look.kind == "get":
            found = look.answer[held[0]]
            shown = found and (found["state"], found["retries"], found["worker"])
            back = "waiting" if due else "queued"
            stage.require(
                shown in (("running", 0, "w1"), (back, 1, None)),
                f"expected the task running, or {back} with one retry; found {shown}",
                look,
            )
        elif look.kind == "count":
            total = sum(count for _, _, count in look.answer)
            stage.require(total == 1, f"expected to count one task, found {total}", look)
        elif look.kind == "list":
            stage.require(
                [row[0] for row in look.answer] == [held[0]],
                f"expected the task in the listing once, found {len(look.answer)}",
                look,
            )


def retried_twice(stage: Stage) -> None:
    """The same retry is settled several times at once."""
    held = _running(stage)
    times = stage.several(3)
    for _ in range(times):
        stage.actor(settle("w1", Outcome.RETRY, held))
    claimer = stage.draw(st.booleans()) and stage.actor(claim("w2"))
    played = stage.play()
    found = stage.seen(held[0])[held[0]]
    stage.require(
        found is not None and found["retries"] == 1,
        f"expected a retry that is settled {times} times to count once, found "
        f"{found and found['retries']}",
    )
    stood = [one.answer for one in played if one.kind == "settle"]
    stage.require(any(stood) and (claimer or all(stood)), "expected the repetition to stand")
    again = [pair for one in played for pair in one.claims]
    again += stage.do(claim("w2", 2)).claims
    stage.require(len(again) == 1, f"expected one copy in the queue, found {len(again)}")


def retry_of_the_deleted(stage: Stage) -> None:
    """A task is deleted while it is retried."""
    held = _running(stage)
    outcome = stage.draw(st.sampled_from((Outcome.RETRY, Outcome.RETRY, Outcome.RELEASE)))
    stage.actor(settle("w1", outcome, held))
    stage.actor(on("delete", held[0]))
    deleted = next(one for one in stage.play() if one.kind == "delete")
    found = stage.seen(held[0])[held[0]]
    stage.require(
        deleted.answer == {held[0]: "done"} and found is None,
        f"expected the task to be gone, found it {found and found['state']}",
    )
    left = stage.do(claim("w2")).claims
    stage.require(not left, "expected nothing to claim after the delete, found the task")


def first_outcome_stands(stage: Stage) -> None:
    """Several outcomes are settled for one claim."""
    held = _running(stage)
    kinds = [Outcome.SUCCEED, Outcome.FAIL, Outcome.CANCEL, Outcome.RETRY, Outcome.DISCARD]
    chosen = stage.draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=3, unique=True))
    for outcome in chosen:
        stage.actor(settle("w1", outcome, held))
    stood = [one.arguments["outcome"] for one in stage.play() if one.answer is True]
    stage.require(
        len(stood) == 1,
        f"expected one of {', '.join(chosen)} to stand, found {' and '.join(stood)}",
    )
    found = stage.seen(held[0])[held[0]]
    shown = "discard" if found is None else _SHOWN[found["state"]]
    stage.require(
        shown == stood[0],
        f"expected the task as the outcome that stands left it, {stood[0]}; found {shown}",
    )
    if found is not None:
        stage.require(
            (found["result"] is None) == (shown != "succeed"),
            f"expected a result only with a success, found {found}",
        )


_SHOWN = {"succeeded": "succeed", "failed": "fail", "cancelled": "cancel", "queued": "retry"}


def done_with_its_outcome(stage: Stage) -> None:
    """Readers look at a task while it is finished."""
    held = _running(stage)
    outcome = stage.draw(st.sampled_from((Outcome.SUCCEED, Outcome.FAIL)))
    stage.actor(settle("w1", outcome, held))
    for _ in range(stage.several(3) - 1):
        stage.actor(*[on("get", held[0])] * stage.some(1, 3))
    for look in stage.play():
        if look.kind != "get":
            continue
        found = look.answer[held[0]]
        shown = found and (
            found["state"],
            found["done"],
            found["result"] is not None,
            found["failure"] is not None,
        )
        stage.require(
            shown
            in (
                ("running", False, False, False),
                ("succeeded", True, True, False),
                ("failed", True, False, True),
            ),
            f"expected the task running, or done with its outcome; found {found}",
            look,
        )


proves("RTY-01", lane="interleave")(interleaved(retry_in_one_step))
proves("RTY-06", lane="interleave")(interleaved(retried_twice))
proves("RTY-07", lane="interleave")(interleaved(retry_of_the_deleted))
proves("RES-04", lane="interleave")(interleaved(first_outcome_stands))
proves("RES-08", lane="interleave")(interleaved(done_with_its_outcome))
