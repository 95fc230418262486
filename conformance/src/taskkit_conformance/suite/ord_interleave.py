"""ORD and BLK, interleaved: how many tasks claims get, in which order, and what they pass over."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Outcome
from taskkit.task import NewTask
from taskkit_conformance.bounds import inversions
from taskkit_conformance.check import proves
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import claim, put, settle


def _mixed(stage: Stage, number: int) -> list[NewTask]:
    """Return due tasks of different priority and due, not put yet."""
    now = stage.case.clock.now()
    ranks = st.tuples(st.integers(-1, 1), st.integers(0, 2))
    drawn = stage.draw(st.lists(ranks, min_size=number, max_size=number))
    return [stage.task(priority=high, due=now - ago * SECOND) for high, ago in drawn]


def _rank(task: NewTask) -> tuple[int, int, str]:
    assert isinstance(task.due, int)
    return -task.priority, task.due, task.id


def nothing_is_passed_over(stage: Stage) -> None:
    """Claims, puts and releases overlap; a task that lies still is not overtaken."""
    tasks = _mixed(stage, stage.some(3, 5))
    later = stage.some(0, 2)
    stage.do(put(*tasks[later:]))
    stage.workers("w1", "w2")
    stage.actor(claim("w1"), claim("w1", stage.some(1, 2)))
    steps = [claim("w2"), claim("w2"), settle("w2", Outcome.RELEASE, due=None)]
    stage.actor(*stage.draw(st.lists(st.sampled_from(steps), min_size=1, max_size=3)))
    if later:
        stage.actor(*[put(task) for task in tasks[:later]])
    stage.play()
    ranks = {task.id: _rank(task) for task in tasks}
    stage.none(inversions(stage.story, ranks.__getitem__, dict.fromkeys(ranks, "g")))


def up_to_n(stage: Stage) -> None:
    """Claims of several tasks overlap."""
    tasks = _mixed(stage, stage.some(2, 5))
    stage.do(put(*tasks))
    wanted: list[int] = []
    for number in range(1, stage.several(3) + 1):
        stage.workers(f"w{number}")
        wanted.append(stage.some(1, 3))
        stage.actor(claim(f"w{number}", wanted[-1]))
    played = stage.play()
    ranks = {task.id: _rank(task) for task in tasks}
    for one in played:
        got = [task_id for task_id, _ in one.claims]
        most = one.arguments["wants"]["g"]
        stage.require(len(got) <= most, f"expected at most {most} tasks, found {len(got)}", one)
        stage.require(
            got == sorted(set(got), key=ranks.__getitem__),
            "expected the tasks of one claim to be distinct and in order",
            one,
        )
    total = sum(len(one.claims) for one in played)
    expected = min(sum(wanted), len(tasks))
    stage.require(
        total == expected,
        f"claims of {' and '.join(map(str, wanted))} over {len(tasks)} tasks: expected {expected} "
        f"in all, found {total}",
    )


proves("ORD-09", lane="interleave")(interleaved(nothing_is_passed_over))
proves("BLK-06", lane="interleave")(interleaved(up_to_n))
