"""EXC, interleaved: a task is claimed by one at a time, and is always in one place."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from taskkit.records import Outcome
from taskkit_conformance.accounting import automaton, risen
from taskkit_conformance.check import proves
from taskkit_conformance.history import Operation
from taskkit_conformance.stage import Stage, interleaved
from taskkit_conformance.steps import Step, beat, claim, on, put, reclaim, settle

_UNCLAIMED: Final = ("queued", "waiting")


def lives(worker: str) -> st.SearchStrategy[list[Step]]:
    """Return programs of a worker that claims and settles."""
    steps = [claim(worker), claim(worker), claim(worker, 2), settle(worker)]
    steps += [settle(worker, outcome) for outcome in (Outcome.RETRY, Outcome.RELEASE, Outcome.FAIL)]
    return st.lists(st.sampled_from(steps), min_size=3, max_size=6)


def one_live_claim(stage: Stage) -> None:
    """Workers claim, settle and give back; at no instant do two hold one task."""
    stage.tasks(stage.some(1, 3))
    for number in range(1, stage.several() + 1):
        stage.workers(f"w{number}")
        stage.actor(*stage.draw(lives(f"w{number}")))
    stage.none(automaton(stage.play()))
    stage.seen(*stage.case.names)
    stage.linearizable()


def claimers_share(stage: Stage) -> None:
    """N claimers of one task each, M due tasks."""
    tasks = stage.tasks(stage.some(1, stage.most_actors))
    claimers = stage.several()
    for number in range(1, claimers + 1):
        stage.workers(f"w{number}")
        stage.actor(claim(f"w{number}"))
    got = [task_id for operation in stage.play() for task_id, _ in operation.claims]
    twice = {task_id for task_id in got if got.count(task_id) > 1}
    stage.require(
        not twice, "expected each task to be claimed once, found one claimed twice", *twice
    )
    expected = min(claimers, len(tasks))
    stage.require(
        len(got) == expected,
        f"{claimers} claimers of one task each, {len(tasks)} due tasks: expected {expected} "
        f"claims, found {len(got)}",
    )


def listed_by_state(stage: Stage) -> None:
    """Listings of the running and of the unclaimed, while tasks are claimed and released."""
    tasks = stage.tasks(stage.some(1, 3))
    stage.workers("w1")
    listings = st.sampled_from([Step("list", {"states": [*chosen]}) for chosen in _LISTINGS])
    stage.actor(*stage.draw(st.lists(listings, min_size=1, max_size=3)))
    stage.actor(claim("w1", stage.some(1, 2)), settle("w1", Outcome.RELEASE), claim("w1"))
    played = stage.play()
    for listing in played:
        if listing.kind != "list":
            continue
        wanted = listing.arguments["states"]
        for _, state, worker in listing.answer:
            stage.require(
                state in wanted and (worker is None) == (state != "running"),
                f"listing the {' and '.join(wanted)}: expected only those, found one that is "
                f"{state}, of worker {worker}",
                listing,
            )
        found = [task_id for task_id, _, _ in listing.answer]
        for task_id in tasks:
            sure = _certain_state(task_id, listing, played)
            if sure is not None:
                stage.require(
                    (task_id in found) == (sure in wanted),
                    f"listing the {' and '.join(wanted)}: {stage.case.names[task_id]} is {sure}, "
                    f"found it {'there' if task_id in found else 'missing'}",
                    listing,
                    task_id,
                )


_LISTINGS: Final = (("running",), _UNCLAIMED)


def _certain_state(task_id: str, listing: Operation, played: list[Operation]) -> str | None:
    """Return the state that a task had during all of a listing, if that is certain."""
    touching = [one for one in played if one.kind != "list" and task_id in one.ids()]
    if any(one.overlaps(listing) for one in touching):
        return None
    before = [one for one in touching if one.before(listing)]
    return "running" if before and before[-1].kind == "claim" else "queued"


def known_ids(stage: Stage) -> None:
    """The same id is put several times, while it lives its life or from the start."""
    task = stage.task(data=b"first")
    exists = stage.draw(st.sampled_from((False, False, False, True)))
    if exists:
        stage.do(put(task))
    stage.workers("w1")
    putters = stage.several(3)
    others = [stage.task(id=task.id, data=f"d{number}".encode()) for number in range(putters)]
    stage.case.names[task.id] = "t1"
    for other in others:
        stage.actor(put(other))
    outcome = stage.draw(st.sampled_from((Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY)))
    stage.actor(claim("w1"), settle("w1", outcome), claim("w1"))
    played = stage.play()
    new = [
        one.arguments["tasks"][0]["data"]
        for one in played
        if one.kind == "put" and one.answer[0][1] == "put"
    ]
    stage.require(
        len(new) == (0 if exists else 1),
        f"{putters} puts of one id{', which is known' if exists else ''}: expected "
        f"{'none' if exists else 'one'} to store it, found {len(new)}",
    )
    data = stage.seen(task.id)[task.id]["data"]
    stage.require(
        data == ("first" if exists else new[0]),
        f"expected the data of the put that stored the task, found {data!r}",
    )
    stage.linearizable()


def finished_stays_finished(stage: Stage) -> None:
    """A task is finished while others put, reclaim, repeat, renew and claim it."""
    [task_id] = stage.tasks(1)
    task = stage.task(id=task_id)
    stage.case.names[task_id] = "t1"
    stage.workers("w1")
    held = stage.claimed("w1")
    if stage.draw(st.booleans()):
        stage.expire()
    stage.workers("w2", "w3")
    finish = stage.draw(st.sampled_from((Outcome.SUCCEED, Outcome.FAIL, Outcome.CANCEL)))
    stage.actor(settle("w1", finish, held[0]))
    meddling = [
        put(task),
        reclaim(),
        beat("w1", 1, ()),
        settle("w1", Outcome.RETRY, held[0]),
        settle("w1", Outcome.RELEASE, held[0]),
    ]
    for _ in range(stage.several(3) - 1):
        stage.actor(*stage.draw(st.lists(st.sampled_from(meddling), min_size=1, max_size=2)))
    stage.actor(claim("w2"))
    stage.play()
    stage.do(claim("w3"))
    story = stage.recorder.history()
    stage.none(risen(story))
    ended = [one for one in story if one.kind == "settle" and one.answer is True]
    if any(one.arguments["outcome"] == finish.value for one in ended):
        found = stage.seen(task_id)[task_id]
        stage.require(
            found is not None and found["state"] in ("succeeded", "failed", "cancelled"),
            f"expected the task to stay finished, found {found and found['state']}",
            task_id,
        )


def gone_stays_gone(stage: Stage) -> None:
    """A running task is deleted or discarded, while others settle, cancel and reclaim it."""
    [task_id] = stage.tasks(1)
    stage.workers("w1")
    held = stage.claimed("w1")
    if stage.draw(st.booleans()):
        stage.expire()
    stage.workers("w2")
    remove = stage.draw(st.booleans())
    stage.actor(on("delete", task_id) if remove else settle("w1", Outcome.DISCARD, held[0]))
    outcomes = (Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY, Outcome.RELEASE)
    meddling = [settle("w1", outcome, held[0]) for outcome in outcomes]
    meddling += [on("cancel", task_id), reclaim(), on("requeue", task_id), claim("w2")]
    for _ in range(stage.several(3) - 1):
        stage.actor(*stage.draw(st.lists(st.sampled_from(meddling), min_size=1, max_size=2)))
    first = next(one for one in stage.play() if one.actor == "a1")
    if first.answer is True or first.answer == {task_id: "done"}:
        found = stage.seen(task_id)[task_id]
        how = "deleted" if remove else "discarded"
        stage.require(found is None, f"expected a task that was {how} to be gone, found {found}")


def never_neither(stage: Stage) -> None:
    """Readers look at tasks while they are claimed and released: each is in one place."""
    tasks = stage.tasks(stage.some(1, 3))
    stage.workers("w1", "w2")
    looks = st.sampled_from([Step("count"), on("get", *tasks)])
    reader = stage.draw(st.lists(looks, min_size=1, max_size=3))
    reads_first = stage.draw(st.booleans())
    if reads_first:
        stage.actor(*reader)
    for number in range(1, stage.several(3)):
        worker = f"w{1 + number % 2}"
        stage.actor(claim(worker, stage.some(1, 2)), settle(worker, Outcome.RELEASE))
    if not reads_first:
        stage.actor(*reader)
    for look in stage.play():
        if look.kind == "count":
            total = sum(count for _, _, count in look.answer)
            stage.require(
                total == len(tasks),
                f"expected {len(tasks)} tasks, queued or running, found {total}",
            )
        for task_id, found in (look.answer if look.kind == "get" else {}).items():
            name = stage.case.names[task_id]
            stage.require(
                found is not None, f"expected {name} to be queued or running, found nothing"
            )
            stage.require(
                found["state"] == ("running" if found["worker"] else "queued"),
                f"expected {name} to be queued, or running on a worker, found {found}",
                look,
            )


proves("EXC-01", lane="interleave")(interleaved(one_live_claim))
proves("EXC-02", lane="interleave")(interleaved(claimers_share))
proves("EXC-03", lane="interleave")(interleaved(listed_by_state))
proves("EXC-04", lane="interleave")(interleaved(known_ids))
proves("EXC-05", lane="interleave")(interleaved(finished_stays_finished))
proves("EXC-06", lane="interleave")(interleaved(gone_stays_gone))
proves("EXC-07", lane="interleave")(interleaved(never_neither))
