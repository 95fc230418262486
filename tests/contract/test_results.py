"""Outcomes: what they hold, which one stands, how long they are kept."""

import pytest

from taskkit.records import Outcome, Settlement
from taskkit.task import Failure, State

BYTES = [b"", b"\x00", bytes(range(256)), b"{}", "é😀".encode(), b"x" * 300_000]


@pytest.mark.parametrize("result", BYTES, ids=len)
def test_results_round_trip_exactly(store, result):
    """RES-01: empty is a result too."""
    store.worker()
    task_id = store.add()
    store.settle(store.claim_one(), result=result)
    found = store.get(task_id).result
    assert found == result
    assert type(found) is bytes


@pytest.mark.parametrize(
    "text", ["", "plain", "é😀\u2028", "nul \x00 inside", "x" * 100_000, "'; --\n\t\\"], ids=len
)
def test_failures_round_trip_exactly(store, text):
    """RES-02."""
    store.worker()
    task_id = store.add()
    failure = Failure("pkg.mod.Error", text, text)
    store.settle(store.claim_one(), Outcome.FAIL, failure=failure)
    assert store.get(task_id).failure == failure


def test_unknown_unfinished_failed_and_succeeded_are_four_answers(store):
    """RES-03."""
    unknown = "mail_" + "f" * 32
    queued = store.put_in(State.QUEUED, "a")
    running = store.put_in(State.RUNNING, "b")
    failed = store.put_in(State.FAILED, "c")
    succeeded = store.put_in(State.SUCCEEDED, "d")
    assert store.backend.get([unknown]) == {unknown: None}
    for task_id in (queued, running):
        record = store.get(task_id)
        assert (record.result, record.failure, record.done) == (None, None, None)
    record = store.get(failed)
    assert (record.result, record.failure.type) == (None, "ValueError")
    record = store.get(succeeded)
    assert (record.result, record.failure) == (b"done", None)


@pytest.mark.parametrize("first", [Outcome.SUCCEED, Outcome.FAIL, Outcome.CANCEL])
@pytest.mark.parametrize("second", [Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY, Outcome.DISCARD])
def test_the_first_outcome_stands(store, first, second):
    """RES-04."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    assert store.settle(claim, first)
    before = store.get(task_id)
    store.clock.advance(1)
    assert store.settle(claim, second, result=b"other") is (first is second)
    assert store.get(task_id) == before


def test_of_racing_settlements_one_takes_effect(store, race):
    """RES-04, RES-08."""
    store.worker()
    ends = [Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY, Outcome.RELEASE]
    for _ in range(10):
        task_id = store.add()
        claim = store.claim_one()
        stands = race([lambda e=end, c=claim: store.settle(c, e) for end in ends])
        assert stands.count(True) == 1
        expected = [State.SUCCEEDED, State.FAILED, State.QUEUED, State.QUEUED]
        assert store.state(task_id) is expected[stands.index(True)]
        store.backend.delete([task_id])


def test_done_and_outcome_appear_together(store, race):
    """RES-08: no reader sees one without the other."""
    store.worker()
    ids = [store.add() for _ in range(30)]
    claims = store.claim(30)

    def settle():
        for claim in claims:
            store.settle(claim)

    def read():
        seen = []
        while True:
            records = list(store.backend.get(ids).values())
            seen += records
            if all(record.state is State.SUCCEEDED for record in records):
                return seen

    _, seen, _ = race([settle, read, read])
    for record in seen:
        finished = record.state is State.SUCCEEDED
        assert ((record.done is not None), (record.result is not None)) == (finished, finished)


def test_reading_changes_nothing(store):
    """RES-07, INT-04."""
    task_id = store.put_in(State.SUCCEEDED)
    records = [store.get(task_id) for _ in range(3)]
    store.ids()
    store.backend.count()
    store.backend.workers()
    assert records == [store.get(task_id)] * 3


def test_a_finished_task_is_disposable_from_the_end_of_its_ttl_on(store):
    """RES-06: inclusive, and never before."""
    store.worker()
    task_id = store.add(ttl=10.5)
    store.move_to(2)
    store.run()
    store.clock.set(store.at(12.5) - 1)
    assert store.backend.purge() == 0
    store.move_to(12.5)
    assert store.backend.purge() == 1
    assert not store.knows(task_id)
    assert store.backend.purge() == 0


def test_a_ttl_of_zero_lets_a_task_go_at_once(store):
    """RES-06."""
    store.worker()
    task_id = store.add(ttl=0.0)
    store.run()
    assert store.state(task_id) is State.SUCCEEDED
    assert store.backend.purge() == 1


@pytest.mark.parametrize("state", [State.WAITING, State.QUEUED, State.RUNNING])
def test_an_unfinished_task_is_not_disposable(store, state):
    """RES-06: however old."""
    task_id = store.put_in(state, ttl=1.0)
    store.move_to(10_000_000 if state is not State.RUNNING else 900_000)
    assert store.backend.purge() == 0
    assert store.knows(task_id)


@pytest.mark.parametrize("state", [State.FAILED, State.LOST, State.CANCELLED])
def test_every_finished_state_is_purged_by_its_ttl(store, state):
    """RES-06."""
    task_id = store.put_in(state, ttl=5.0)
    store.clock.advance(5)
    assert store.backend.purge() == 1
    assert not store.knows(task_id)


def test_the_ttl_of_a_requeued_task_begins_with_its_new_end(store):
    """RES-06."""
    store.worker()
    task_id = store.add(ttl=10.0)
    store.run(outcome=Outcome.FAIL)
    store.move_to(8)
    store.backend.requeue([task_id], store.clock.now())
    store.move_to(12)
    assert store.backend.purge() == 0
    store.run()
    store.move_to(21)
    assert store.backend.purge() == 0
    store.move_to(22)
    assert store.backend.purge() == 1


def test_an_eagerly_recorded_success_is_complete_and_never_queued(store):
    """RES-09."""
    store.worker()
    store.move_to(5)
    task = store.task(labels={"k": 1}, data=b"[1]")
    outcome = Settlement(task.id, 0, Outcome.SUCCEED, b"42")
    assert store.backend.record(task, outcome, store.at(3))
    record = store.get(task.id)
    assert (record.state, record.result, record.failure) == (State.SUCCEEDED, b"42", None)
    assert (record.began, record.done, record.attempt) == (store.at(3), store.at(5), 1)
    assert (record.task.data, dict(record.task.labels)) == (b"[1]", {"k": 1})
    assert store.claim(5) == []
    assert store.counts() == {("mail", State.SUCCEEDED): 1}


def test_an_eagerly_recorded_failure_is_complete(store):
    """RES-09."""
    task = store.task()
    failure = Failure("E", "no", "Traceback")
    outcome = Settlement(task.id, 0, Outcome.FAIL, failure=failure)
    assert store.backend.record(task, outcome, store.at(-1))
    record = store.get(task.id)
    assert (record.state, record.result, record.failure) == (State.FAILED, None, failure)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
def test_recording_a_known_id_changes_nothing(store, state):
    """RES-09, EXC-04."""
    task_id = store.put_in(state)
    before = store.get(task_id)
    task = store.task(number=int(task_id[-32:], 16))
    assert not store.backend.record(task, Settlement(task.id, 0, Outcome.FAIL), store.at(0))
    assert store.get(task_id) == before


def test_recording_takes_no_unique_key(store):
    """RES-09, UNQ-1: it is finished from its beginning."""
    queued = store.add(unique_key="k")
    task = store.task(unique_key="k")
    assert store.backend.record(task, Settlement(task.id, 0, Outcome.SUCCEED), store.at(0))
    assert store.state(queued) is State.QUEUED
    assert store.put(store.task(unique_key="k")) == ["duplicate"]


def test_a_recorded_task_is_purged_by_its_ttl(store):
    """RES-06, RES-09."""
    task = store.task(ttl=5.0)
    store.backend.record(task, Settlement(task.id, 0, Outcome.SUCCEED), store.at(0))
    store.move_to(5)
    assert store.backend.purge() == 1


def test_a_recorded_failure_can_be_requeued(store):
    """QRY-3, RES-09."""
    store.worker()
    task = store.task()
    store.backend.record(task, Settlement(task.id, 0, Outcome.FAIL), store.at(0))
    store.backend.requeue([task.id], store.at(0))
    claim = store.claim_one()
    assert claim.attempt == 2
    assert store.settle(claim)


def test_a_worker_can_end_a_claim_as_cancelled(store):
    """CTL-4."""
    store.worker()
    task_id = store.add()
    store.settle(store.claim_one(), Outcome.CANCEL, failure=Failure("X", "stopped half way"))
    record = store.get(task_id)
    assert (record.state, record.result) == (State.CANCELLED, None)
    assert record.failure is not None
    assert record.history[0].failure == Failure("X", "stopped half way")
