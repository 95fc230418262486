"""The reference model: histories written by hand, and what no history may ever lead to."""

from __future__ import annotations

import ast
import pkgutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskkit.records import Answered, Claims, Limits, Outcome, Query, Rate, Settlement, WorkerInfo
from taskkit.task import EXPIRED, FINISHED, SUPERSEDED, WORKER_DIED, Failure, NewTask, State
from taskkit_conformance import model
from taskkit_conformance.model import World

S = 1_000_000
BOOM = Failure("E", "boom")


def task(number=1, group="g", **fields):
    return NewTask(id=f"{group}_{number:032x}", group=group, name="n", data=b"", due=0, **fields)


def only(steps):
    """Return the world after the one thing that may happen."""
    [step] = steps
    return step.after


def put(world, *tasks):
    return only(model.put(world, tasks))


def worker(world, name="w", lease=100 * S):
    return only(model.register(world, WorkerInfo(name, {}), lease))


def claim(world, n=1, want="g", name="w"):
    """Claim, where there is one way only; return the ids by group, and the world."""
    [step] = model.claim(world, name, {want: n})
    return step.answer.tasks, step.after


def settle(world, new, outcome=Outcome.SUCCEED, serial=1, **rest):
    failure = BOOM if outcome in (Outcome.FAIL, Outcome.RETRY) else None
    one = Settlement(new.id, serial, outcome, b"r", failure, **rest)
    [step] = model.settle(world, [one])
    return step.answer.choices[0], step.after


@pytest.fixture
def world():
    return worker(World(1000 * S))


# ---- histories


def test_the_life_of_a_task(world):
    new = task()
    world = put(world, new)
    assert world.jobs[new.id].state_at(world.now) is State.QUEUED
    given, world = claim(world)
    assert given == {"g": (new.id,)}
    job = world.jobs[new.id]
    assert (job.state, job.attempt, job.worker_id, job.began) == (State.RUNNING, 1, "w", world.now)
    stands, world = settle(world.at(1001 * S), new)
    assert stands == {True}
    job = world.jobs[new.id]
    assert (job.state, job.result, job.done) == (State.SUCCEEDED, b"r", 1001 * S)


def test_nothing_that_the_model_does_changes_a_world(world):
    before = replace(world)
    put(world, task())
    claim(put(world, task()))
    assert world == before


def test_claims_follow_priority_due_and_id(world):
    tasks = [task(3), task(1), task(2, priority=1), replace(task(4), due=5)]
    world = put(world, *tasks)
    given, _ = claim(world, 9)
    assert given["g"] == tuple(tasks[n].id for n in (2, 1, 0, 3))


def test_what_is_not_due_waits_and_next_due_tells(world):
    world = put(world, replace(task(), due=1005 * S))
    [step] = model.claim(world, "w", {"g": 1})
    assert (step.answer.tasks, step.answer.next_due) == ({}, {1005 * S})
    given, _ = claim(world.at(1005 * S))
    assert given


def test_known_ids_and_taken_keys_are_answered(world):
    first, second = task(1, unique_key="k"), task(2, unique_key="k")
    [step] = model.put(world, [first, second, first])
    found = [(result.id, result.status) for result in step.answer]
    assert found == [(first.id, "put"), (first.id, "duplicate"), (first.id, "known")]


def test_a_full_queue_puts_nothing(world):
    world = model.configure(world, "g", Limits(max_queue_size=1))[0].after
    [step] = model.put(world, [task(1), task(2)])
    assert step.after == world
    assert step.answer.groups == {"g"}


def test_a_settlement_stands_once_and_its_repetition_too(world):
    new = task()
    _, world = claim(put(world, new))
    assert settle(world, new, serial=2)[0] == {False}
    _, world = settle(world, new, Outcome.RETRY)
    assert settle(world, new, Outcome.RETRY) == ({True}, world)
    assert settle(world, new, Outcome.SUCCEED) == ({False}, world)
    assert world.jobs[new.id].task.retry_count == 1


def test_a_repetition_under_a_token_that_is_outdated_may_be_answered_either_way(world):
    new = task()
    _, world = claim(put(world, new))
    _, world = settle(world, new, Outcome.RETRY)
    _, world = claim(world)
    assert settle(world, new, Outcome.RETRY, serial=1) == ({True, False}, world)
    assert settle(world, new, Outcome.SUCCEED, serial=1) == ({False}, world)


def test_a_discarded_task_is_gone_for_ever(world):
    new = task()
    _, world = claim(put(world, new))
    _, world = settle(world, new, Outcome.DISCARD)
    assert new.id not in world.jobs
    assert settle(world, new, Outcome.SUCCEED) == ({False}, world)
    assert settle(world, new, Outcome.DISCARD) == ({True}, world)


def test_reclaim_waits_for_the_end_of_the_lease(world):
    new = task()
    _, world = claim(put(world, new))
    [step] = model.reclaim(world.at(1100 * S - 1))
    assert (step.answer.tasks, step.answer.workers) == (0, frozenset())
    [step] = model.reclaim(world.at(1100 * S))
    assert (step.answer.tasks, step.answer.workers) == (1, {"w"})
    job = step.after.jobs[new.id]
    assert (job.state, job.losses, job.history[0].failure.type) == (State.QUEUED, 1, WORKER_DIED)
    assert settle(step.after, new)[0] == {False}


def test_a_limited_reclaim_may_take_any_of_the_orphans(world):
    tasks = [task(n) for n in (1, 2, 3)]
    _, world = claim(put(world, *tasks), 3)
    steps = model.reclaim(world.at(1100 * S), 1)
    queued = [{i for i, job in step.after.jobs.items() if job.unclaimed} for step in steps]
    assert sorted(map(sorted, queued)) == [[new.id] for new in tasks]
    assert all("w" in step.after.workers for step in steps)


def test_a_stray_comes_back_with_the_second_heartbeat(world):
    new = task()
    _, world = claim(put(world, new))
    world = only(model.heartbeat(world.at(1001 * S), "w", S, [], {}))
    assert world.jobs[new.id].running
    world = only(model.heartbeat(world.at(1002 * S), "w", S, [], {}))
    assert world.jobs[new.id].unclaimed
    assert world.jobs[new.id].attempt == 0


def test_what_a_worker_holds_and_has_settled_itself_may_be_void_or_not(world):
    new = task()
    _, world = claim(put(world, new))
    _, world = settle(world, new)
    [step] = model.heartbeat(world, "w", S, [(new.id, 1)], {})
    assert (step.answer.void, step.answer.perhaps_void) == (frozenset(), {new.id})
    gone = world.without(new.id)
    [step] = model.heartbeat(gone, "w", S, [(new.id, 1)], {})
    assert step.answer.void == {new.id}


def test_expired_tasks_may_be_swept_at_any_call_and_are_never_given(world):
    new = task(expires=1001 * S)
    world = put(world, new).at(1001 * S)
    states = {step.answer.jobs[new.id].state for step in model.get(world, [new.id])}
    assert states == {State.QUEUED, State.CANCELLED}
    [step] = model.claim(world, "w", {"g": 1})
    assert step.answer.tasks == {}
    assert step.after.jobs[new.id].failure.type == EXPIRED
    assert all(s.after.jobs[new.id].finished for s in model.purge(world))


def test_of_two_that_want_one_key_back_either_may_get_it(world):
    tasks = [task(1, unique_key="k"), task(2, unique_key="k")]
    _, world = claim(put(world, tasks[0]))
    _, world = claim(put(world, tasks[1]))
    ends = [step.after for step in model.retire(world, "w")]
    assert len(ends) == 2
    for end in ends:
        states = sorted(job.state for job in end.jobs.values())
        assert states == [State.CANCELLED, State.QUEUED]
        [cause] = [job.failure for job in end.jobs.values() if job.failure]
        assert cause.type == SUPERSEDED


def test_single_claims_go_round_the_subgroups(world):
    world = put(world, *[task(n, group) for group in ("g.a", "g.b", "g.c") for n in (1, 2, 3)])
    worlds = [(world, ())]
    for _ in range(6):
        worlds = [
            (step.after, (*served, *step.answer.tasks))
            for before, served in worlds
            for step in model.claim(before, "w", {"g": 1})
        ]
    rounds = [(served[:3], served[3:]) for _, served in worlds]
    assert all(sorted(turn) == ["g.a", "g.b", "g.c"] for each in rounds for turn in each)
    assert len({served for _, served in worlds}) == 6  # any first round, repeated


def test_a_batch_is_shared_and_filled(world):
    sizes = {"g.a": 1, "g.b": 5, "g.c": 5}
    world = put(world, *[task(n, group) for group, size in sizes.items() for n in range(size)])
    found = {
        tuple(len(step.answer.tasks.get(group, ())) for group in sizes)
        for step in model.claim(world, "w", {"g": 6})
    }
    assert found == {(1, 2, 3), (1, 3, 2)}


def test_rates_count_in_a_sliding_window(world):
    world = model.configure(world, "g", Limits(rate=Rate(2, 10.0)))[0].after
    world = put(world, *[task(n) for n in range(5)])
    _, world = claim(world)
    _, world = claim(world.at(1004 * S), 9)
    assert model.claiming.gate(world, "g") == 1010 * S
    given, world = claim(world.at(1010 * S), 9)
    assert len(given["g"]) == 1
    assert model.claiming.gate(world, "g") == 1014 * S


def test_a_cancelled_claim_stays_until_it_ends(world):
    new = task()
    _, world = claim(put(world, new))
    [step] = model.cancel(world, [new.id])
    assert step.answer == {new.id: Answered.REQUESTED}
    _, world = settle(step.after, new)
    assert world.jobs[new.id].state is State.CANCELLED


def test_found_ids_are_in_order_and_the_last_page_says_so(world):
    world = put(world, *[task(n) for n in (3, 1, 2)])
    [step] = model.find(world, Query(), 2)
    assert (len(step.answer.ids), step.answer.last) == (2, False)
    [step] = model.find(world, Query(), 3)
    assert (list(step.answer.ids), step.answer.last) == (sorted(world.jobs), True)


# ---- answers


def test_an_answer_allows_what_it_says_and_nothing_else(world):
    new = task()
    [step] = model.claim(put(world, new), "w", {"g": 1})
    nothing = Claims((), None, world.now)
    assert not step.allows(nothing)
    [step] = model.claim(world, "w", {"g": 1})
    assert step.allows(nothing)
    assert not step.allows(Claims((), None, world.now, alive=False))
    assert not step.allows(Claims((), world.now + 1, world.now))


def test_plain_answers_are_compared_with_their_types(world):
    [step] = model.retire(world, "nobody")
    assert step.allows(0)
    assert not step.allows(False)


# ---- what never happens

_PUT = st.tuples(st.just("put"), st.integers(1, 4), st.sampled_from([None, "k"]))
_CLAIM = st.tuples(st.just("claim"), st.sampled_from(["w", "v"]), st.integers(0, 3))
_SETTLE = st.tuples(st.just("settle"), st.integers(1, 4), st.sampled_from(list(Outcome)))
_MOVE = st.tuples(st.just("move"), st.integers(-20, 60), st.none())
_REST = st.tuples(
    st.sampled_from(["reclaim", "requeue", "register", "cancel"]), st.none(), st.none()
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.one_of(_PUT, _CLAIM, _SETTLE, _MOVE, _REST), max_size=25), st.randoms())
def test_no_history_leads_to_what_is_promised_never_to_be(program, random):
    """One claim per task, one queued task per key, one start of a lock, finished stays finished."""
    world = worker(World(1000 * S))
    for name, one, two in program:
        before = world
        ids = [task(n).id for n in range(1, 5)]
        if name == "put":
            new = task(one, unique_key=two, lock_key="l" if one > 2 else None)
            steps = model.put(world, [new])
        elif name == "claim":
            steps = model.claim(world, one, {"g": two})
        elif name == "settle":
            serial = world.claimed.get(ids[one - 1], 1)
            steps = model.settle(world, [Settlement(ids[one - 1], serial, two, failure=BOOM)])
        elif name == "move":
            steps = [model.Step(None, each) for each in world.moved(world.now + one * S)]
        elif name == "register":
            steps = model.register(world, WorkerInfo("v", {}), 30 * S)
        elif name == "reclaim":
            steps = model.reclaim(world)
        else:
            arguments = (world.now,) if name == "requeue" else ()
            steps = getattr(model, name)(world, ids, *arguments)
        assert steps
        world = random.choice(steps).after
        _check(before, world, name)


def _check(before, after, name):
    jobs = after.jobs.values()
    keys = [job.task.unique_key for job in jobs if job.unclaimed and job.task.unique_key]
    assert len(keys) == len(set(keys))
    assert sum(job.running and job.task.lock_key is not None for job in jobs) <= 1
    for task_id, job in after.jobs.items():
        assert job.running == (job.worker_id is not None)
        assert job.finished == (job.done is not None)
        assert (job.result is not None) == (job.state is State.SUCCEEDED)
        earlier = before.jobs.get(task_id)
        if earlier is not None and earlier.state in FINISHED and name != "requeue":
            assert job == earlier
        if earlier is not None and earlier.running and job.running:
            assert job.serial == earlier.serial


def test_the_model_imports_nothing_of_the_core_but_its_data():
    """It shares no helper with a backend, so no mistake either."""
    for module in pkgutil.iter_modules(model.__path__):
        tree = ast.parse((Path(model.__path__[0]) / f"{module.name}.py").read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        ours = {name for name in imported if name and name.startswith("taskkit.")}
        assert ours <= {"taskkit.records", "taskkit.task"}, module.name
