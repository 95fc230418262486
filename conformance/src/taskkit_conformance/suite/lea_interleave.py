"""LEA, interleaved: heartbeats, reclaimers, late workers and new ones meet over one lease."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.records import Outcome
from taskkit_conformance.case import LEASE
from taskkit_conformance.check import proves
from taskkit_conformance.history import Operation
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import Step, beat, claim, on, reclaim, register, retire, settle

_OUTCOMES = (
    Outcome.FAIL,
    Outcome.RETRY,
    Outcome.DISCARD,
    Outcome.RELEASE,
    Outcome.CANCEL,
    Outcome.LOSE,
)


def _orphans(stage: Stage, most: int = 3) -> list[tuple[str, int]]:
    """Let w1 claim some tasks and its lease end; return its claims."""
    number = stage.some(1, most)
    stage.tasks(number)
    stage.workers("w1")
    held = stage.claimed("w1", number)
    stage.expire()
    return held


def _taken(played: list[Operation]) -> int:
    return sum(one.answer["tasks"] for one in played if one.kind == "reclaim")


def living_are_left_alone(stage: Stage) -> None:
    """Reclaimers take the work of a dead worker, beside one that lives."""
    orphans = _orphans(stage, 2)
    stage.workers("w2")
    stage.tasks(stage.some(1, 2))
    held = stage.claimed("w2", 2)
    for _ in range(stage.several(3) - 1):
        stage.actor(reclaim())
    stage.actor(beat("w2", LEASE, held), beat("w2", LEASE, held))
    played = stage.play()
    for one in played:
        told = one.kind == "beat" and (not one.answer["alive"] or one.answer["void"])
        stage.require(
            not told, "expected a living worker to keep its claims; it was told otherwise"
        )
    for task_id, token in held:
        found = stage.seen(task_id)[task_id]
        stage.require(
            (found["state"], found["worker"], found["token"]) == ("running", "w2", token),
            f"expected the living worker to keep {stage.case.names[task_id]}, found it "
            f"{found['state']}",
            task_id,
        )
    stage.require(
        _taken(played) == len(orphans),
        f"expected {len(orphans)} tasks to be reclaimed, found {_taken(played)}",
    )


def newer_claims_are_left_alone(stage: Stage) -> None:
    """Reclaimers meet workers that have claimed again what was reclaimed."""
    orphans = _orphans(stage, 2)
    stage.workers("w2", "w3")
    stage.actor(reclaim(), claim("w2", len(orphans)))
    stage.actor(claim("w3", 1), reclaim())
    if stage.draw(st.booleans()):
        stage.actor(reclaim())
    claims = [pair for one in stage.play() for pair in one.claims]
    for task_id, found in stage.seen(*(task_id for task_id, _ in orphans)).items():
        name = stage.case.names[task_id]
        stage.require(
            found["losses"] == 1,
            f"expected {name} to be lost once, found {found['losses']}",
            task_id,
        )
        again = [token for claimed, token in claims if claimed == task_id]
        stage.require(
            (found["state"] == "running") == bool(again)
            and found["token"] in (*again, *_old(orphans)),
            f"expected a newer claim of {name} to be left alone, found it {found['state']}",
            task_id,
        )


def _old(held: list[tuple[str, int]]) -> list[int]:
    return [token for _, token in held]


def _late_worker(stage: Stage, outcome: Outcome) -> None:
    """A worker that was taken for dead settles, while another one runs the task."""
    [(task_id, token)] = _orphans(stage, 1)
    stage.workers("w2")
    stage.actor(settle("w1", outcome, (task_id, token), result="late"))
    stage.actor(reclaim(), claim("w2"), settle("w2", result="fresh"))
    played = stage.play()
    late = next(one for one in played if one.actor == "a1")
    fresh = [one for one in played if one.kind == "settle" and one.actor == "a2"]
    stage.require(
        late.answer is not bool(_taken(played)),
        f"the claim was {'' if _taken(played) else 'not '}taken back: expected the late "
        f"{outcome.value} {'not ' if _taken(played) else ''}to stand, found otherwise",
    )
    if _taken(played) and fresh:
        stage.require(fresh[0].answer is True, "expected the newer claim's settlement to stand")
        found = stage.seen(task_id)[task_id]
        stage.require(
            found is not None
            and (found["state"], found["result"], found["retries"]) == ("succeeded", "fresh", 0),
            f"expected what the newer claim reported, found {found}",
        )
    stage.seen(task_id)
    stage.linearizable()


def late_success(stage: Stage) -> None:
    """A late success."""
    _late_worker(stage, Outcome.SUCCEED)


def late_others(stage: Stage) -> None:
    """A late failure, retry, discard, release, cancel or loss."""
    _late_worker(stage, stage.draw(st.sampled_from(_OUTCOMES)))


def heartbeat_revives_nothing(stage: Stage) -> None:
    """A worker's heartbeats meet whoever ends its claims."""
    number = stage.some(1, 2)
    stage.tasks(number)
    stage.workers("w1")
    held = stage.claimed("w1", number)
    task_id, token = held[0]
    enders: dict[str, tuple[Step, ...]] = {
        "released": (settle("w1", Outcome.RELEASE, held[0]),),
        "deleted": (on("delete", task_id),),
        "taken back": (retire("w1", lost=True),),
    }
    how = stage.draw(st.sampled_from(list(enders)))
    stage.actor(beat("w1", 2 * LEASE, held), beat("w1", 2 * LEASE, held))
    stage.actor(*enders[how])
    played = stage.play()
    found = stage.seen(task_id)[task_id]
    stage.require(
        found is None or found["worker"] is None,
        f"expected a claim that was {how} to stay lost, found it running",
        *played,
    )
    after = [one for one in played if one.kind == "beat" and played[-1].before(one)]
    for one in after:
        lost = not one.answer["alive"] if how == "taken back" else task_id in one.answer["void"]
        known = how == "released" and token
        stage.require(lost or known, "expected the heartbeat to tell that the claim is void", one)
    if how != "taken back":
        ends = {name: end for name, end, _ in stage.do(Step("workers")).answer}
        expected = stage.case.clock.now() + 2 * LEASE
        stage.require(ends.get("w1") == expected, "expected the heartbeat to extend the lease")


def leases_never_shrink(stage: Stage) -> None:
    """Heartbeats of one worker with different leases overlap."""
    first = stage.some(1, 3) * LEASE
    stage.workers("w1", lease=first)
    leases = [stage.some(1, 4) * LEASE for _ in range(stage.several(3))]
    for lease in leases:
        stage.actor(beat("w1", lease, ()))
    stage.play()
    [[_, expires, _]] = stage.do(Step("workers")).answer
    longest = max(first, *leases)
    stage.require(
        expires == stage.case.clock.now() + longest,
        f"expected the longest of the leases to stand, {longest // LEASE} times the usual one, "
        f"found {(expires - stage.case.clock.now()) / LEASE:g} times",
    )


def the_reborn_stay(stage: Stage) -> None:
    """A worker whose lease has ended registers anew while reclaimers run."""
    orphans = _orphans(stage, 1) if stage.draw(st.booleans()) else []
    if not orphans:
        stage.workers("w1")
        stage.expire()
    for _ in range(stage.several(3) - 1):
        stage.actor(reclaim())
    stage.actor(register("w1", LEASE), beat("w1", LEASE))
    played = stage.play()
    ends = {name: end for name, end, _ in stage.do(Step("workers")).answer}
    stage.require(
        ends.get("w1") == stage.case.clock.now() + LEASE,
        "expected a worker that has registered anew to stay, found it removed",
    )
    for one in played:
        if one.kind == "beat":
            stage.require(
                one.answer["alive"], "expected a worker that has registered to be alive", one
            )


def one_reclaimer_wins(stage: Stage) -> None:
    """Several reclaimers, several orphans."""
    orphans = _orphans(stage)
    reclaimers = stage.several()
    for _ in range(reclaimers):
        stage.actor(reclaim())
    played = stage.play()
    stage.require(
        _taken(played) == len(orphans),
        f"{reclaimers} reclaimers, {len(orphans)} tasks of a dead worker: expected each to be "
        f"taken back by one of them, found {_taken(played)} taken back",
    )
    removed = [worker for one in played for worker in one.answer["workers"]]
    stage.require(removed == ["w1"], f"expected one of them to remove w1, found {removed}")
    for task_id, found in stage.seen(*(task_id for task_id, _ in orphans)).items():
        stage.require(
            (found["state"], found["losses"]) == ("queued", 1),
            f"expected {stage.case.names[task_id]} to be queued, lost once; found it "
            f"{found['state']}, lost {found['losses']} times",
        )


def one_of_settle_and_reclaim(stage: Stage) -> None:
    """A settlement and reclaimers race on one claim."""
    [(task_id, token)] = _orphans(stage, 1)
    outcome = stage.draw(st.just(Outcome.SUCCEED) | st.sampled_from(_OUTCOMES))
    stage.actor(settle("w1", outcome, (task_id, token)))
    for _ in range(stage.several(3) - 1):
        stage.actor(reclaim())
    played = stage.play()
    stands = next(one.answer for one in played if one.kind == "settle")
    stage.require(
        stands + _taken(played) == 1,
        f"expected either the {outcome.value} to stand or the task to be taken back, found "
        f"{'both' if stands else 'neither'}",
    )
    stage.seen(task_id)
    stage.linearizable()


proves("LEA-02", lane="interleave")(interleaved(living_are_left_alone))
proves("LEA-04", lane="interleave")(interleaved(newer_claims_are_left_alone))
proves("LEA-05", lane="interleave")(interleaved(late_success))
proves("LEA-06", lane="interleave")(interleaved(late_others))
proves("LEA-07", lane="interleave")(interleaved(heartbeat_revives_nothing))
proves("LEA-08", lane="interleave")(interleaved(leases_never_shrink))
proves("LEA-09", lane="interleave")(interleaved(the_reborn_stay))
proves("LEA-10", lane="interleave")(interleaved(one_reclaimer_wins))
proves("LEA-12", lane="interleave")(interleaved(one_of_settle_and_reclaim))
