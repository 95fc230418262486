"""What survives the death of clients, of workers, of connections and of the store."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from taskkit.backend import Backend
from taskkit.errors import Unavailable
from taskkit.records import Outcome, Query, Record
from taskkit.task import NewTask, State
from taskkit_conformance import steps
from taskkit_conformance.aftermath import SLACK, broken, judge, too_early, unbalanced
from taskkit_conformance.case import Case
from taskkit_conformance.chaos import LEASE, Troupe, troupe
from taskkit_conformance.chaos_actor import is_dead
from taskkit_conformance.chaos_player import Player
from taskkit_conformance.check import proves
from taskkit_conformance.history import Operation
from taskkit_conformance.proxy import CUT, Flow
from taskkit_conformance.storm import storm

_BULK = 500

PIECES = 8
"""Answers of the store that are passed on before the next one is cut, at most: more than any
operation needs."""


@proves("DUR-01", lane="chaos")
def acknowledged_puts_survive(case: Case) -> None:
    """Clients are killed while they put, and the store where that can be: what was put is there."""
    with troupe(case) as cast:
        players = cast.start("put", "a", "b", size=1)
        for player in players:
            cast.until("puts", partial(_has_put, player))
        cast.kill_within(players[0], "put")
        cast.kill_between(players[1])
        cast.reopen()
        _all_there(cast, players)
        if cast.restart():
            _all_there(cast, players)


def _has_put(player: Player) -> bool:
    return len(player.ended("put")) > 10


def _all_there(cast: Troupe, players: Iterable[Player]) -> None:
    for player in players:
        acknowledged = [ids_of(one)[0] for one in player.ended("put")]
        known = cast.until("an answer", partial(got, cast.client, acknowledged))
        for task_id in acknowledged:
            state = known[task_id] and known[task_id].state
            cast.require(
                state == State.QUEUED, f"expected {task_id} queued, found {state}", task_id
            )


@proves("DUR-02", lane="chaos")
def a_put_that_is_cut_short(case: Case) -> None:
    """Clients are killed within a put of many tasks: all of them are there, or none."""
    with troupe(case) as cast:
        for player in cast.start("put", "a", "b", size=200):
            cut_short = cast.kill_within(player, "put")
            for put in player.operations():
                ids = ids_of(put)
                there = sum(one is not None for one in cast.client.get(ids).values())
                whole = there == len(ids) or (put is cut_short and there == 0)
                cast.require(whole, f"expected {len(ids)} tasks or none, found {there}", put)


@proves("DUR-03", lane="chaos")
def what_runs_survives(case: Case) -> None:
    """A worker is killed with tasks in its hands; they come back when its lease has ended."""
    with troupe(case) as cast:
        tasks = [case.task() for _ in range(10)]
        ids = [task.id for task in tasks]
        cast.sure(steps.put(*tasks))
        [holder] = cast.start("hold", "h")
        cast.until("claims", lambda: len(holder.held()) == len(ids))
        cast.kill(holder)
        for _ in range(2):  # opening a client must not touch what runs
            cast.reopen()
            states = {one and one.state for one in cast.client.get(ids).values()}
            cast.require(states == {State.RUNNING}, f"expected all to run, found {states}", *ids)
        cast.until("the dead worker's tasks", lambda: cast.sure(steps.reclaim())["tasks"])
        back = cast.until("them all queued", lambda: _queued(cast, ids))
        cast.require(all(one.losses == 1 for one in back), "expected one loss of each", *ids)
        earliest = _last_beat(holder) + LEASE * 1000 - SLACK
        done = cast.first_reclaim()
        cast.require(done.returned > earliest, "expected no reclaim before the lease ended", done)
        tokens = dict(holder.held())
        cast.sure(steps.register("w", LEASE * 100))
        claimed = cast.sure(steps.claim("w", 100))["claims"]
        again = {task_id for task_id, token, attempt in claimed if attempt == 2}
        cast.require(again == set(ids), "expected a second attempt of each", *ids)
        newer = all(token > tokens[task_id] for task_id, token, _ in claimed)
        cast.require(newer, "expected larger tokens than those of the dead worker", *ids)


def _queued(cast: Troupe, ids: list[str]) -> list[Record] | None:
    found = [one for one in cast.client.get(ids).values() if one and one.state is State.QUEUED]
    if len(found) == len(ids):
        return found
    cast.sure(steps.reclaim())
    return None


def _last_beat(player: Player) -> int:
    """Return when it last renewed its lease; a heartbeat that came too late renewed nothing."""
    renewed = [one for one in player.ended("beat") if not is_dead(one)]
    return max(one.called for one in [*player.ended("register"), *renewed])


@proves("DUR-04", lane="chaos", capability="shared")
def the_account_balances(case: Case) -> None:
    """After the storm every task has come to its one end."""
    found = storm(case)
    case.exercised += found.killed_with + found.late + found.cuts
    judge(case, found, [*broken(found.history), *unbalanced(found), *too_early(found.history)])


@proves("DUR-05", lane="chaos")
def once_or_not_at_all(case: Case) -> None:
    """Operations are cut short, by death or by the loss of the answer, and then repeated."""
    with troupe(case) as cast:
        _killed_within_a_put(case, cast)
        _killed_within_a_settle(case, cast)
        if cast.has_network():
            _without_answer(case, cast)


def _killed_within_a_put(case: Case, cast: Troupe) -> None:
    for player in cast.start("put", "p", size=3):
        cut_short = cast.kill_within(player, "put")
        case.exercised += cut_short.ending == "unknown"
        there = {i: one is not None for i, one in cast.client.get(ids_of(cut_short)).items()}
        again = cast.sure(steps.Step("put", cut_short.arguments))
        for task_id, status in again:
            expected = "known" if there[task_id] else "put"
            cast.require(status == expected, f"expected {expected}, found {status}", task_id)


def _killed_within_a_settle(case: Case, cast: Troupe) -> None:
    def feed() -> None:
        """Let the worker never run out of work, however late we come."""
        left = sum(one.count for one in cast.client.count() if one.state is State.QUEUED)
        if left < _BULK:
            cast.sure(steps.put(*(case.task() for _ in range(_BULK))))

    feed()
    for player in cast.start("work", "w", lease=LEASE * 100):
        cut_short = cast.kill_within(player, "settle", meanwhile=feed)
        case.exercised += cut_short.ending == "unknown"
        task_id, token = cut_short.claim
        record = cast.client.get([task_id])[task_id]
        before = record is not None and record.token == token and record.state is State.RUNNING
        # The lease is long: the claim is its dead worker's until somebody repeats the settlement.
        stands = cast.sure(steps.Step("settle", cut_short.arguments))
        discarded = cut_short.arguments["outcome"] == Outcome.DISCARD
        cast.require(
            stands or (discarded and not before),
            f"expected the settlement of {task_id}, {'not yet' if before else 'already'} done, to "
            "stand when it is repeated",
            task_id,
        )
        after = cast.client.get([task_id])[task_id]
        ended = after is None or after.state is not State.RUNNING
        cast.require(ended, f"expected {task_id} to run no more", task_id)
        if after is not None:
            ends = len(after.history)
            cast.require(ends == after.attempt, f"expected one end of each attempt, found {ends}")


def _without_answer(case: Case, cast: Troupe) -> None:
    proxy, url = cast.proxied()
    client = cast.open(url)
    cast.sure(steps.register("n", LEASE * 1000))
    for pieces in range(PIECES):
        tasks = [case.task("network"), case.task("network")]
        for step in (steps.put(*tasks), steps.claim("n", 1, "network")):
            cast.until("an answer", lambda: got(client, []) is not None)
            proxy.set(to_client=Flow("cut", after=pieces))
            done = cast.do(step, client)
            proxy.heal()
            case.exercised += done.ending == "unknown"
            if step.kind == "put":
                cast.sure(step)
        _is_once(cast, [task.id for task in tasks])


def _is_once(cast: Troupe, ids: list[str]) -> None:
    """Require these tasks, of which one is running or none; then remove them."""
    found = cast.client.find(Query(group="network"), 10).records
    there = sorted(one.task.id for one in found)
    cast.require(there == sorted(ids), "expected each task of the put once", *ids)
    running = sum(one.state is State.RUNNING for one in found)
    cast.require(running <= 1, f"expected one claim or none, found {running}", *ids)
    attempts = sum(one.attempt for one in found)
    cast.require(attempts == running, f"expected {running} attempts, found {attempts}", *ids)
    cast.sure(steps.on("delete", *ids))


@proves("DUR-06", lane="chaos")
def after_a_dropped_connection(case: Case) -> None:
    """Connections are cut between and within calls: what answers, answers right."""
    with troupe(case) as cast:
        proxy, url = cast.proxied()
        client = cast.open(url)
        tasks = [case.task(data=str(number).encode()) for number in range(20)]
        cast.sure(steps.put(*tasks))
        for number, task in enumerate(tasks):
            cast.until("an answer", partial(_right, cast, client, task))
            if number % 2:
                proxy.cut()
            else:
                proxy.set(to_client=Flow("cut", after=number // 4))
                _right(cast, client, task)
                proxy.heal()
            case.met()
            # The next call asks for another task: an answer that was late must not be its.
            _right(cast, client, tasks[number - 1])
        proxy.set(to_store=CUT)
        _right(cast, client, tasks[0])
        proxy.refuse()
        cast.require(not _right(cast, client, tasks[0]), "expected Unavailable without a store")
        proxy.heal()
        cast.until("an answer after the store came back", lambda: _right(cast, client, tasks[0]))


def _right(cast: Troupe, client: Backend, task: NewTask) -> bool:
    """Look a task up: the answer is right (true) or Unavailable (false), or a violation."""
    done: Operation = cast.do(steps.on("get", task.id), client)
    if done.broken or done.ending == "refused":
        cast.violated(f"expected an answer or Unavailable, found {done.error}", done)
    if done.ending == "unknown":
        return False
    record = done.answer.get(task.id)
    right = list(done.answer) == [task.id] and record and record["data"] == task.data.decode()
    cast.require(right, f"expected the record of {task.id}", done)
    return True


def ids_of(put: Operation) -> list[str]:
    """Return the ids of the tasks that were put."""
    return [task["id"] for task in put.arguments["tasks"]]


def got(client: Backend, ids: list[str]) -> dict[str, Record | None] | None:
    """Return records, or None while the store does not answer."""
    try:
        return client.get(ids)
    except Unavailable:
        return None
