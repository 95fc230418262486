"""DUR and CTL, raced: nothing is lost among threads and processes, and everybody hears a pause."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import Outcome
from taskkit_conformance.accounting import account, automaton
from taskkit_conformance.case import LEASE
from taskkit_conformance.check import proves
from taskkit_conformance.race import racing
from taskkit_conformance.stage import Stage
from taskkit_conformance.steps import Step, beat, claim, on, put, reclaim, register, settle

_ROUNDS = 50
"""Claims of ten after which a drain that has not come to its end never will."""


def _programs(stage: Stage, worker: str) -> st.SearchStrategy[list[Step]]:
    """Return what a worker or client of a busy place may do."""
    steps = [claim(worker, 2), claim(worker), settle(worker), settle(worker), reclaim()]
    steps += [settle(worker, outcome) for outcome in (Outcome.RETRY, Outcome.RELEASE)]
    steps += [settle(worker, Outcome.FAIL), beat(worker, LEASE), register(worker, LEASE)]
    steps += [put(stage.task()) for _ in range(3)]
    return st.lists(st.sampled_from(steps), min_size=5, max_size=12)


def _drain(stage: Stage) -> None:
    """Claim and finish until nothing is left; what nobody holds is taken back first."""
    stage.expire()
    stage.do(reclaim())
    stage.workers("w0")
    for _ in range(_ROUNDS):
        claims = stage.claimed("w0", 10)
        if not claims:
            return
        for held in claims:
            stage.do(settle("w0", held=held))
    stage.violated("expected the drain to come to an end")


def nothing_is_lost(stage: Stage) -> None:
    """A busy place, then a full drain: each task is accounted for."""
    stage.tasks(stage.some(1, 6))
    # One whose worker is dead already: its task returns while the others work.
    stage.workers("w9")
    stage.claimed("w9")
    stage.expire()
    for number in range(1, stage.some(2, stage.most_actors) + 1):
        worker = f"w{number}"
        stage.workers(worker)
        stage.actor(*stage.draw(_programs(stage, worker)))
    stage.play()
    _drain(stage)
    ids = list(stage.case.names)
    finals = {
        task_id: None if found is None else found["state"]
        for task_id, found in stage.seen(*ids).items()
    }
    stage.none(account(stage.story, finals).findings())
    stage.none(automaton(stage.story))


def one_client_for_all(stage: Stage) -> None:
    """Threads share one client and do everything that there is to do."""
    ids = stage.tasks(stage.some(2, 6))
    reads = [on("get", *ids), Step("count"), Step("find", {"limit": 2}), Step("workers")]
    changes = [on("cancel", ids[0]), on("requeue", *ids), on("delete", ids[-1]), Step("purge")]
    for number in range(1, stage.some(2, stage.most_actors) + 1):
        worker = f"w{number}"
        stage.workers(worker)
        own = [claim(worker, 2), settle(worker), beat(worker, LEASE), put(stage.task())]
        drawn = st.lists(st.sampled_from([*own, *own, *reads, *changes]), min_size=5, max_size=12)
        stage.actor(*stage.draw(drawn))
    stage.none(automaton(stage.play()))


def everybody_hears(stage: Stage) -> None:
    """Groups are paused and resumed while workers beat."""
    names = [f"w{number}" for number in range(1, stage.some(1, stage.most_actors - 1) + 1)]
    stage.workers(*names)
    pauses = [Step("pause", {"groups": ["g"]})]
    pauses += [Step("resume", {"groups": ["g"]})] * stage.some(0, 1)
    stage.actor(*pauses)
    for name in names:
        stage.actor(*[beat(name, LEASE, ())] * stage.some(2, 6))
    played = stage.play()
    played += [stage.do(beat(name, LEASE, ())) for name in names]
    steered = [one for one in played if one.kind in ("pause", "resume")]
    for one in played:
        if one.kind != "beat" or any(other.overlaps(one) for other in steered):
            continue
        before = [other.kind for other in steered if other.before(one)]
        expected = ["g"] if before and before[-1] == "pause" else []
        stage.require(
            one.answer["paused"] == expected,
            f"expected the heartbeat to tell {' '.join(expected) or 'nothing'} as paused, found "
            f"{' '.join(one.answer['paused']) or 'nothing'}",
            one,
            *steered,
        )


proves("DUR-04", lane="race")(racing(nothing_is_lost))
proves("DUR-07", lane="race")(racing(one_client_for_all, only_threads=True))
proves("CTL-01", lane="race")(racing(everybody_hears))
