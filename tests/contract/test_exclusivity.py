"""A task has one claim at a time, and its end is final."""

import pytest

from taskkit.records import Outcome
from taskkit.task import FINISHED, State


def test_a_running_task_is_not_given_again(store):
    """EXC-01."""
    store.worker()
    store.worker("other")
    store.add()
    assert len(store.claim(5)) == 1
    assert store.claim(5) == []
    assert store.claim(5, worker="other") == []


@pytest.mark.parametrize(("claimers", "tasks"), [(8, 40), (8, 5), (2, 100)])
def test_racing_claimers_obtain_every_task_exactly_once(store, race, claimers, tasks):
    """EXC-02: N claimers over M due tasks obtain exactly min(N, M) distinct tasks."""
    put = [store.add(due=store.at(-(n % 3))) for n in range(tasks)]
    names = [store.worker(f"w{n}") for n in range(claimers)]
    got = race([lambda name=name: store.claimed(worker=name) for name in names])
    flat = [task_id for ids in got for task_id in ids]
    assert len(flat) == len(set(flat)) == min(claimers, tasks)
    assert set(flat) <= set(put)


def test_racing_claimers_drain_a_queue_without_doubles(store, race):
    """EXC-02, ORD-06, DUR-04: claims of batches while others settle and put."""
    names = [store.worker(f"w{n}") for n in range(4)]
    store.backend.put([store.task() for _ in range(100)])

    def drain(name):
        done = []
        while claims := store.claim(7, worker=name):
            for claim in claims:
                assert store.settle(claim, worker=name)
                done.append(claim.task.id)
        return done

    done = [task_id for ids in race([lambda n=n: drain(n) for n in names]) for task_id in ids]
    assert len(done) == len(set(done)) == 100
    assert store.counts() == {("mail", State.SUCCEEDED): 100}


def test_a_task_is_in_one_state_at_a_time(store):
    """EXC-03."""
    store.worker()
    queued, running = store.add(), store.add(priority=1)
    assert store.claimed() == [running]
    assert store.ids(states=[State.QUEUED]) == [queued]
    assert store.ids(states=[State.RUNNING]) == [running]
    assert store.counts() == {("mail", State.QUEUED): 1, ("mail", State.RUNNING): 1}


@pytest.mark.parametrize("state", list(State))
def test_putting_a_known_id_changes_nothing(store, state):
    """EXC-04: in every state."""
    task_id = store.put_in(state)
    before = store.get(task_id)
    number = int(task_id.rpartition("_")[2], 16)
    again = store.task(number=number, data=b"other", priority=7, name="other", due=store.at(-9))
    [result] = store.backend.put([again])
    assert (result.id, result.status) == (task_id, "known")
    assert store.get(task_id) == before
    assert sum(store.counts().values()) == 1


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_a_finished_task_is_never_claimed_again(store, state):
    """EXC-05."""
    store.put_in(state)
    store.worker()
    store.move_to(100)
    store.backend.reclaim()
    assert store.claim(5) == []
    assert store.next_due() is None


@pytest.mark.parametrize(
    "later", [Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY, Outcome.RELEASE, Outcome.CANCEL]
)
def test_nothing_brings_a_discarded_task_back(store, later):
    """EXC-06, RTY-07."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    assert store.settle(claim, Outcome.DISCARD)
    assert not store.knows(task_id)
    assert not store.settle(claim, later)
    assert not store.knows(task_id)
    assert store.claim() == []
    assert store.counts() == {}


@pytest.mark.parametrize("later", [Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY, Outcome.RELEASE])
def test_nothing_brings_a_deleted_task_back(store, later):
    """EXC-06, RTY-07."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    store.backend.delete([task_id])
    assert not store.settle(claim, later)
    assert not store.knows(task_id)
    assert store.counts() == {}


def test_a_deleted_id_can_be_put_anew(store):
    """EXC-06: and the old claim has no power over the new task."""
    store.worker()
    task_id = store.add()
    old = store.claim_one()
    store.backend.delete([task_id])
    assert store.put(store.task(number=int(task_id[-32:], 16))) == ["put"]
    assert not store.settle(old)
    assert store.state(task_id) is State.QUEUED
    new = store.claim_one()
    if new.token != old.token:  # tokens grow per task, and this is another task
        assert not store.settle(old)
    assert store.settle(new)
    assert store.ids() == [task_id]


def test_a_claim_that_is_released_leaves_the_task_as_it_was(store):
    """EXC-07."""
    store.worker()
    task_id = store.add(due=store.at(-5))
    before = store.get(task_id)
    store.settle(store.claim_one(), Outcome.RELEASE, due=None)
    after = store.get(task_id)
    assert after.state is State.QUEUED
    assert (after.task, after.attempt, after.history) == (before.task, 0, ())
    assert after.worker_id is None
