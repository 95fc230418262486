"""EXC, ORD, BLK, UNQ, LIM, raced: who claims what, by real threads and processes."""

from __future__ import annotations

from taskkit.records import Outcome
from taskkit_conformance.accounting import automaton, shrinking_tokens
from taskkit_conformance.check import proves
from taskkit_conformance.race import racing
from taskkit_conformance.stage import Stage
from taskkit_conformance.steps import Step, claim, settle
from taskkit_conformance.suite import (
    ctl_interleave,
    exc_interleave,
    lea_interleave,
    lim_interleave,
    ord_interleave,
    rty_interleave,
    unq_interleave,
)
from taskkit_conformance.verbs import unit


def _crowd(stage: Stage, *program: Step) -> list[str]:
    """Add workers that all do the same; return their names."""
    workers = [f"w{number}" for number in range(1, stage.some(2, stage.most_actors) + 1)]
    for worker in workers:
        stage.workers(worker)
        stage.actor(*[_of(step, worker) for step in program])
    return workers


def _of(step: Step, worker: str) -> Step:
    return Step(step.kind, {**step.arguments, "worker": worker})


def nothing_before_its_due(stage: Stage) -> None:
    """A crowd claims more than is due."""
    now = stage.case.clock.now()
    due = stage.tasks(stage.some(1, 6))
    stage.tasks(stage.some(1, 6), due=now + unit(stage.case))
    _crowd(stage, *[claim("", 2)] * 4)
    got = [task_id for one in stage.play() for task_id, _ in one.claims]
    early = set(got) - set(due)
    stage.require(not early, "expected nothing to be claimed before its due", *early)


def nothing_is_skipped(stage: Stage) -> None:
    """A crowd claims until nothing is left."""
    tasks = stage.tasks(stage.some(1, 20))
    most = stage.some(1, 3)
    _crowd(stage, *[claim("", most)] * (len(tasks) // most + 1))
    got = [task_id for one in stage.play() for task_id, _ in one.claims]
    stage.workers("w0")
    rest = stage.claimed("w0", 100)
    stage.require(
        sorted(got) == sorted(tasks) and not rest,
        f"expected the crowd to claim each of {len(tasks)} tasks once, found {len(got)} claims of "
        f"{len(set(got))} tasks and {len(rest)} tasks left",
    )


def tokens_grow(stage: Stage) -> None:
    """A crowd claims and gives back the same few tasks."""
    stage.tasks(stage.some(1, 3))
    _crowd(stage, *[claim(""), settle("", Outcome.RELEASE)] * 5)
    stage.none(shrinking_tokens(stage.play()))


def lives_of_a_crowd(stage: Stage) -> None:
    """A crowd lives on a few tasks: at no instant do two hold one."""
    stage.tasks(stage.some(1, 6))
    for number in range(1, stage.some(2, stage.most_actors) + 1):
        stage.workers(f"w{number}")
        stage.actor(*stage.draw(exc_interleave.lives(f"w{number}")))
    stage.none(automaton(stage.play()))
    stage.seen(*stage.case.names)
    stage.linearizable()


def free_again(stage: Stage) -> None:
    """A crowd works through tasks of one lock; whoever settles lets the next one start."""
    tasks = stage.tasks(stage.some(4, 12), lock_key="k")
    _crowd(stage, claim(""), settle(""))
    stage.play()
    stage.workers("w0")
    done = sum(found["state"] == "succeeded" for found in stage.seen(*tasks).values())
    stage.require(done, "expected somebody in the crowd to get the lock")
    for left in range(len(tasks) - done, 0, -1):
        held = stage.claimed("w0", 10)
        stage.require(
            len(held) == 1,
            f"{left} tasks of one lock left and nobody running: expected to claim one, found "
            f"{len(held)}",
        )
        stage.do(settle("w0", held=held[0]))


_SCENES = {
    "ORD-02": nothing_before_its_due,
    "ORD-06": nothing_is_skipped,
    "ORD-09": ord_interleave.nothing_is_passed_over,
    "EXC-01": lives_of_a_crowd,
    "EXC-02": exc_interleave.claimers_share,
    "EXC-05": exc_interleave.finished_stays_finished,
    "UNQ-01": unq_interleave.one_for_each_key,
    "LIM-01": lim_interleave.locks_hold,
    "LIM-03": free_again,
    "LIM-04": lim_interleave.places_hold,
    "LIM-05": lim_interleave.rates_hold,
    "LEA-01": tokens_grow,
    "LEA-05": lea_interleave.late_success,
    "LEA-06": lea_interleave.late_others,
    "LEA-10": lea_interleave.one_reclaimer_wins,
    "LEA-12": lea_interleave.one_of_settle_and_reclaim,
    "RES-08": rty_interleave.done_with_its_outcome,
    "SCH-02": ctl_interleave.one_scheduler_wins,
    "CTL-04": ctl_interleave.first_of_cancel_and_settle,
}
for _number, _scene in _SCENES.items():
    proves(_number, lane="race")(racing(_scene))
