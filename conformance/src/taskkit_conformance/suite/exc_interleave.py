"""EXC, interleaved: a task is claimed by one at a time, and is always in one place."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit_conformance.actors import claim
from taskkit_conformance.check import proves
from taskkit_conformance.stage import Stage, interleaved


def claimers_share(stage: Stage) -> None:
    """N claimers of one task each, M due tasks."""
    tasks = stage.tasks(stage.some(1, 4))
    claimers = stage.several()
    for number in range(1, claimers + 1):
        stage.workers(f"w{number}")
        stage.actor(claim(f"w{number}"))
    got = [task_id for operation in stage.play() for task_id, _ in operation.claims]
    twice = {task_id for task_id in got if got.count(task_id) > 1}
    stage.require(not twice, "expected each task to be claimed once, found one claimed twice", *twice)
    expected = min(claimers, len(tasks))
    stage.require(
        len(got) == expected,
        f"{claimers} claimers of one task each, {len(tasks)} due tasks: expected {expected} "
        f"claims, found {len(got)}",
    )


proves("EXC-02", lane="interleave")(interleaved(claimers_share))
