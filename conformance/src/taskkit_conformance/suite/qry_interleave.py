"""QRY and INT, interleaved: counting, paging and requeueing while others work."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import Outcome
from taskkit_conformance.check import proves
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import Step, claim, on, put, settle
from taskkit_conformance.verbs import noted


def counts_add_up(stage: Stage) -> None:
    """Counting while tasks are claimed, finished and released."""
    number = stage.some(1, 3)
    stage.tasks(number)
    stage.workers("w1")
    outcomes = st.sampled_from((Outcome.SUCCEED, Outcome.RELEASE, Outcome.RETRY))
    for _ in range(stage.several(3) - 1):
        stage.actor(claim("w1", stage.some(1, 2)), settle("w1", stage.draw(outcomes)))
    stage.actor(*[Step("count")] * stage.some(1, 3))
    for one in stage.play():
        if one.kind != "count":
            continue
        total = sum(count for _, _, count in one.answer)
        stage.require(
            total == number, f"expected to count {number} tasks in all, found {total}", one
        )


def pages_show_each_once(stage: Stage) -> None:
    """A listing is paged through while tasks before and behind the page come and go."""
    still = stage.tasks(stage.some(1, 4))
    busy = stage.tasks(stage.some(1, 3), "b")
    # The pager asks for all groups, so that what others do lies between what lies still.
    ids = sorted([*still, *busy])
    stage.workers("w1")
    stage.actor(Step("find", {"limit": stage.some(1, 2)}))
    changes = [claim("w1", 1, "b"), settle("w1"), on("delete", busy[0]), on("delete", busy[-1])]
    changes += [on("cancel", task_id) for task_id in busy]
    for _ in range(stage.several(3) - 1):
        new = put(stage.task("b"))
        drawn = st.lists(st.sampled_from([new, *changes]), min_size=1, max_size=4)
        stage.actor(*stage.draw(drawn))
    for one in stage.play():
        if one.kind != "find":
            continue
        wrong = [task_id for task_id in still if one.answer.count(task_id) != 1]
        stage.require(
            not wrong,
            f"expected each task that does not change on one page, found {len(wrong)} of "
            f"{len(still)} missing or twice",
            one,
        )
        stage.require(
            one.answer == sorted(one.answer) and len(set(one.answer)) == len(one.answer),
            f"expected ascending ids, each once, of {len(ids)} tasks and the new ones",
            one,
        )


def requeued_once(stage: Stage) -> None:
    """A finished task is requeued by several at once."""
    [task_id] = stage.tasks(1)
    stage.workers("w1")
    [held] = stage.claimed("w1")
    outcome = stage.draw(st.sampled_from((Outcome.FAIL, Outcome.CANCEL)))
    stage.do(settle("w1", outcome, held))
    times = stage.several(3)
    for _ in range(times):
        stage.actor(on("requeue", task_id))
    played = stage.play()
    done = [one for one in played if one.answer == {task_id: "done"}]
    stage.require(
        len(done) == 1, f"{times} requeues of one task: expected one to do it, found {len(done)}"
    )
    found = stage.seen(task_id)[task_id]
    stage.require(
        (found["state"], found["attempt"], found["ended"]) == ("queued", 1, noted(stage.case, 1)),
        f"expected the task queued, its one attempt remembered; found {found}",
    )
    again = stage.do(claim("w1", 2)).claims
    stage.require(len(again) == 1, f"expected one copy in the queue, found {len(again)}")


proves("QRY-01", lane="interleave")(interleaved(counts_add_up))
proves("QRY-02", "INT-07", lane="interleave")(interleaved(pages_show_each_once))
proves("QRY-03", lane="interleave")(interleaved(requeued_once))
