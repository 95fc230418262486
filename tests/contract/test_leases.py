"""Workers, their leases, and the tokens that fence off who comes too late."""

import pytest

from taskkit.clock import SECOND
from taskkit.errors import InvalidInput
from taskkit.records import Outcome, WorkerInfo
from taskkit.task import WORKER_DIED, State

ENDS = [
    Outcome.SUCCEED,
    Outcome.FAIL,
    Outcome.RETRY,
    Outcome.DISCARD,
    Outcome.RELEASE,
    Outcome.CANCEL,
    Outcome.LOSE,
]


def test_an_unknown_worker_claims_nothing_and_is_told(store):
    task_id = store.add()
    answer = store.backend.claim("nobody", {"mail": 1})
    assert not answer.alive
    assert list(answer.claims) == []
    assert store.state(task_id) is State.QUEUED


def test_a_worker_whose_lease_has_expired_claims_nothing_and_is_told(store):
    """LEA-03."""
    store.worker(lease=5)
    store.add()
    store.clock.set(store.at(5) - 1)
    assert store.backend.claim("w", {"mail": 0}).alive
    store.move_to(5)
    answer = store.backend.claim("w", {"mail": 1})
    assert not answer.alive
    assert list(answer.claims) == []


def test_each_claim_of_a_task_has_a_larger_token(store):
    """LEA-01: after a retry, a release, a death, a stray, a requeue."""
    store.worker()
    task_id = store.add(max_lost=100)
    tokens = []
    for end in (Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE, "death", "stray", Outcome.FAIL):
        worker = store.worker("dying", lease=10) if end == "death" else "w"
        claim = store.claim_one(worker=worker)
        assert store.get(task_id).token == claim.token
        tokens.append(claim.token)
        store.clock.advance(10)
        if end == "death":
            assert store.backend.reclaim().tasks == 1
        elif end == "stray":
            store.beat()
            store.clock.advance(10)
            store.beat()
        else:
            assert store.settle(claim, end)
    store.backend.requeue([task_id], store.clock.now())
    tokens.append(store.claim_one().token)
    assert tokens == sorted(set(tokens))


def test_a_claim_whose_worker_is_alive_is_not_reclaimed(store):
    """LEA-02."""
    store.worker(lease=10)
    task_id = store.add()
    claim = store.claim_one()
    store.clock.set(store.at(10) - 1)
    assert store.backend.reclaim().tasks == 0
    store.beat("w", claim, lease=10)
    store.move_to(19)
    assert store.backend.reclaim().tasks == 0
    assert store.state(task_id) is State.RUNNING
    assert store.settle(claim)


def test_a_lease_is_over_exactly_at_its_end(store):
    """LEA-03."""
    store.worker(lease=10)
    task_id = store.add()
    store.claim_one()
    store.move_to(10)
    reclaimed = store.backend.reclaim()
    assert (reclaimed.tasks, list(reclaimed.workers)) == (1, ["w"])
    record = store.get(task_id)
    assert (record.state, record.losses, record.attempt) == (State.QUEUED, 1, 1)
    assert record.worker_id is None


@pytest.mark.parametrize("end", ENDS)
def test_a_settlement_after_the_reclaim_changes_nothing(store, end):
    """LEA-04, LEA-05, LEA-06, LEA-12."""
    store.worker(lease=10)
    task_id = store.add()
    old = store.claim_one()
    store.move_to(10)
    store.backend.reclaim()
    before = store.get(task_id)
    assert not store.settle(old, end)
    assert store.get(task_id) == before


@pytest.mark.parametrize("end", ENDS)
def test_a_settlement_while_another_holds_the_task_changes_nothing(store, end):
    """LEA-05, LEA-06: the paused process that wakes up."""
    store.worker(lease=10)
    store.worker("other")
    task_id = store.add()
    old = store.claim_one()
    store.move_to(10)
    store.backend.reclaim()
    new = store.claim_one(worker="other")
    before = store.get(task_id)
    assert not store.settle(old, end)
    assert store.get(task_id) == before
    assert store.settle(new, worker="other")
    assert not store.settle(old, end)
    assert store.state(task_id) is State.SUCCEEDED


def test_a_settlement_before_the_reclaim_stands_although_the_lease_is_over(store):
    """LEA-12: whichever came first."""
    store.worker(lease=10)
    task_id = store.add()
    claim = store.claim_one()
    store.move_to(50)
    assert store.settle(claim)
    assert store.backend.reclaim().tasks == 0
    assert store.state(task_id) is State.SUCCEEDED


@pytest.mark.parametrize("end", ENDS)
def test_repeating_a_settlement_that_stood_is_harmless(store, end):
    """DUR-05: a settlement whose answer was lost is sent again."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    store.clock.advance(1)
    assert store.settle(claim, end)
    before = store.backend.get([task_id])
    store.clock.advance(1)
    assert store.settle(claim, end)
    assert store.backend.get([task_id]) == before
    assert sum(store.counts().values()) == (0 if end is Outcome.DISCARD else 1)


def test_a_heartbeat_extends_the_lease_of_all_that_the_worker_runs(store):
    """LEA-07."""
    store.worker(lease=10)
    store.add()
    store.add()
    claims = store.claim(2)
    store.move_to(9)
    assert store.beat("w", *claims, lease=10).alive
    [worker] = store.backend.workers()
    assert (worker.expires, worker.running) == (store.at(19), 2)
    store.clock.set(store.at(19) - 1)
    assert store.backend.reclaim().tasks == 0
    store.move_to(19)
    assert store.backend.reclaim().tasks == 2


def test_a_heartbeat_revives_nobody(store):
    """LEA-07: too late is too late, reclaimed or not."""
    store.worker(lease=10)
    task_id = store.add()
    claim = store.claim_one()
    store.move_to(10)
    before = store.get(task_id)
    assert not store.beat("w", claim, progress={task_id: b"half"}).alive
    assert store.get(task_id) == before
    assert store.backend.reclaim().tasks == 1
    assert not store.beat("w", claim).alive
    assert store.backend.workers() == []


def test_a_heartbeat_never_shortens_a_lease(store):
    """LEA-08."""
    store.worker(lease=100)
    store.beat(lease=10)
    assert store.backend.workers()[0].expires == store.at(100)
    store.move_to(95)
    store.beat(lease=10)
    assert store.backend.workers()[0].expires == store.at(105)


def test_a_heartbeat_between_two_reclaims_saves_the_worker(store):
    """LEA-09: expiry is judged when it is acted on, not when it was seen."""
    store.worker(lease=10)
    store.worker("other", lease=10)
    store.move_to(9)
    store.beat(lease=10)
    store.move_to(10)
    assert list(store.backend.reclaim().workers) == ["other"]
    assert [worker.info.id for worker in store.backend.workers()] == ["w"]


def test_of_racing_reclaimers_one_takes_each_task(store, race):
    """LEA-10."""
    store.worker(lease=10)
    ids = [store.add() for _ in range(30)]
    store.claim(30)
    store.move_to(10)
    answers = race([lambda: store.backend.reclaim()] * 6)
    assert sum(answer.tasks for answer in answers) == 30
    assert sum(len(answer.workers) for answer in answers) == 1
    assert {store.get(task_id).losses for task_id in ids} == {1}


def test_of_settlement_and_reclaim_racing_one_takes_effect(store, race):
    """LEA-12: and the loser is told."""
    store.worker("other")
    for _ in range(15):
        store.worker(lease=10)
        task_id = store.add()
        claim = store.claim_one()
        store.clock.advance(10)
        stands, reclaimed = race(
            [lambda claim=claim: store.settle(claim), lambda: store.backend.reclaim().tasks]
        )
        assert (stands, reclaimed) in ((True, 0), (False, 1))
        expected = State.SUCCEEDED if stands else State.QUEUED
        assert store.state(task_id) is expected
        store.backend.delete([task_id])


def test_each_claim_raises_attempt_by_one(store):
    """LEA-11: after retry and after death."""
    store.add()
    for attempt in (1, 2, 3):
        store.worker(f"w{attempt}", lease=10)
        claim = store.claim_one(worker=f"w{attempt}")
        assert (claim.attempt, claim.losses) == (attempt, max(0, attempt - 2))
        if attempt == 1:
            store.settle(claim, Outcome.RETRY, worker="w1")
        else:
            store.clock.advance(10)
            store.backend.reclaim()


def test_what_a_live_worker_does_not_hold_is_queued_at_its_second_heartbeat(store):
    """LEA-13: the reply of a claim was lost."""
    store.worker()
    store.worker("other")
    stray = store.add(due=store.at(-1))
    store.move_to(1)
    claim = store.claim_one()
    held_id = store.add()
    held = store.claim_one()
    store.move_to(6)
    assert store.beat("w", held).alive
    assert store.state(stray) is State.RUNNING
    store.move_to(11)
    store.beat("w", held)
    record = store.get(stray)
    assert (record.state, record.attempt, record.losses) == (State.QUEUED, 0, 0)
    assert record.history == ()
    assert record.task.due == store.at(-1)
    assert store.state(held_id) is State.RUNNING
    assert not store.settle(claim)
    assert store.claim_one(worker="other").task.id == stray
    assert store.settle(held)


def test_a_claim_between_two_heartbeats_is_not_taken_for_a_stray(store):
    """LEA-13: a claim may be on its way while ``held`` is."""
    store.worker()
    store.move_to(5)
    store.beat()
    store.move_to(6)
    task_id = store.add()
    claim = store.claim_one()
    store.move_to(10)
    store.beat()
    assert store.state(task_id) is State.RUNNING
    store.move_to(15)
    store.beat("w", claim)
    assert store.state(task_id) is State.RUNNING
    assert store.settle(claim)


def test_a_task_held_under_an_old_token_is_void(store):
    """LEA-04, LEA-13."""
    store.worker(lease=10)
    gone = store.add()
    taken = store.add()
    claims = store.claim(2)
    store.backend.delete([gone])
    store.move_to(10)
    store.backend.reclaim()
    store.worker()
    [again] = store.claim(2)
    assert again.task.id == taken
    answer = store.beat("w", *claims)
    assert answer.void == {gone, taken}
    assert store.beat("w", again).void == frozenset()


def test_reclaim_sees_orphans_behind_any_number_of_live_claims(store):
    """LEA-14."""
    store.worker("live")
    live = [store.add(due=store.at(-9)) for _ in range(50)]
    store.claim(50, worker="live")
    store.worker("dying", lease=10)
    orphan = store.add()
    store.claim_one(worker="dying")
    store.move_to(10)
    assert store.backend.reclaim(limit=1).tasks == 1
    assert store.state(orphan) is State.QUEUED
    assert {store.state(task_id) for task_id in live} == {State.RUNNING}


def test_reclaim_goes_as_far_as_its_limit_and_removes_a_worker_with_its_last_task(store):
    store.worker(lease=10)
    for _ in range(5):
        store.add()
    store.claim(5)
    store.move_to(10)
    first, second = store.backend.reclaim(limit=3), store.backend.reclaim(limit=3)
    assert (first.tasks, list(first.workers)) == (3, [])
    assert (second.tasks, list(second.workers)) == (2, ["w"])
    assert store.backend.workers() == []
    assert store.backend.reclaim().tasks == 0


def test_reclaim_removes_a_dead_worker_that_runs_nothing(store):
    store.worker(lease=10)
    store.move_to(10)
    assert list(store.backend.reclaim().workers) == ["w"]
    assert store.backend.workers() == []


def test_reclaim_refuses_a_negative_limit_and_does_nothing_at_zero(store):
    """VAL-05."""
    store.worker(lease=10)
    store.add()
    store.claim_one()
    store.move_to(10)
    assert store.backend.reclaim(limit=0).tasks == 0
    with pytest.raises(InvalidInput):
        store.backend.reclaim(limit=-1)


def test_a_worker_that_stops_in_good_order_gives_its_tasks_back(store):
    """LST-4."""
    store.worker()
    task_id = store.add(due=store.at(-7))
    claim = store.claim_one()
    assert store.backend.retire("w") == 1
    record = store.get(task_id)
    assert (record.state, record.attempt, record.losses) == (State.QUEUED, 0, 0)
    assert record.task.due == store.at(-7)
    assert record.history == ()
    assert not store.settle(claim)
    assert store.backend.workers() == []
    assert not store.backend.claim("w", {"mail": 1}).alive


def test_a_worker_known_to_be_dead_is_reclaimed_at_once(store):
    """LST-1: before its lease is over."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    assert store.backend.retire("w", lost=True) == 1
    record = store.get(task_id)
    assert (record.state, record.attempt, record.losses) == (State.QUEUED, 1, 1)
    assert record.history[0].failure.type == WORKER_DIED
    assert not store.settle(claim)


def test_retiring_an_unknown_worker_is_no_error(store):
    assert store.backend.retire("nobody") == 0
    assert store.backend.retire("nobody", lost=True) == 0


def test_workers_are_listed_by_expiry_with_what_they_said(store):
    """INT-05: expired ones too, until they are reclaimed."""
    late = WorkerInfo("late", {"mail": 8, "a b": 1}, "host-1", 4711, "1.2")
    store.move_to(1)
    store.backend.register(late, 30 * SECOND)
    store.worker("b", lease=10)
    store.worker("a", lease=10)
    store.add()
    store.claim_one(worker="late")
    store.move_to(12)
    found = store.backend.workers()
    assert [worker.info.id for worker in found] == ["a", "b", "late"]
    assert found[2].info == late
    assert (found[2].registered, found[2].expires) == (store.at(1), store.at(31))
    assert [worker.running for worker in found] == [0, 0, 1]


def test_a_worker_that_registers_anew_is_alive_and_its_old_tasks_come_back(store):
    """LEA-13: it dropped what it ran."""
    store.worker(lease=10)
    task_id = store.add()
    old = store.claim_one()
    store.move_to(11)
    assert not store.beat("w", old, lease=10).alive
    store.worker(lease=10)
    assert store.backend.claim("w", {"other": 1}).alive
    for moment in (15, 20):
        store.move_to(moment)
        assert store.beat(lease=10).alive
    assert store.state(task_id) is State.QUEUED
    assert store.claim_one().token > old.token
