"""What a task remembers of its attempts, and what it is labelled with."""

import pytest

from taskkit.clock import SECOND
from taskkit.records import Outcome
from taskkit.task import Failure, State


def test_each_ended_attempt_leaves_its_times_worker_and_error(store):
    """HIS-1."""
    failure = Failure("pkg.Error", "it broke: é😀\x00", "Traceback\n  line 1\n")
    store.worker("w")
    store.worker("other")
    task_id = store.add()
    store.move_to(1)
    first = store.claim_one()
    store.move_to(3)
    store.settle(first, Outcome.RETRY, failure=failure)
    store.move_to(5)
    second = store.claim_one(worker="other")
    store.move_to(8)
    store.settle(second, worker="other")
    one, two = store.get(task_id).history
    assert (one.attempt, one.began, one.ended) == (1, store.at(1), store.at(3))
    assert (one.worker_id, one.outcome, one.failure) == ("w", Outcome.RETRY, failure)
    assert (two.attempt, two.began, two.ended) == (2, store.at(5), store.at(8))
    assert (two.worker_id, two.outcome, two.failure) == ("other", Outcome.SUCCEED, None)


@pytest.mark.parametrize("most", [1, 3, 10])
def test_the_newest_attempts_are_kept_oldest_first(store, most):
    """HIS-1."""
    store.worker()
    task_id = store.add(max_history=most)
    for number in range(1, 13):
        store.settle(store.claim_one(), Outcome.RETRY, failure=Failure("E", str(number)))
    kept = [attempt.attempt for attempt in store.get(task_id).history]
    assert kept == list(range(13 - most, 13))


def test_the_success_is_kept_in_place_of_the_oldest_attempt(store):
    """HIS-1."""
    store.worker()
    task_id = store.add(max_history=2)
    store.run(outcome=Outcome.RETRY)
    store.run(outcome=Outcome.RETRY)
    store.run()
    history = store.get(task_id).history
    assert [(a.attempt, a.outcome) for a in history] == [(2, Outcome.RETRY), (3, Outcome.SUCCEED)]


def test_a_task_may_want_no_history(store):
    """HIS-1."""
    store.worker()
    task_id = store.add(max_history=0)
    store.settle(store.claim_one(), Outcome.RETRY)
    store.settle(store.claim_one(), Outcome.FAIL)
    record = store.get(task_id)
    assert record.history == ()
    assert (record.state, record.attempt) == (State.FAILED, 2)


def test_releases_leave_no_entry(store):
    """HIS-1."""
    store.worker()
    task_id = store.add()
    store.settle(store.claim_one(), Outcome.RETRY)
    store.settle(store.claim_one(), Outcome.RELEASE)
    assert len(store.get(task_id).history) == 1


def test_a_requeued_task_keeps_its_history_and_counts_attempts_on(store):
    """QRY-3, HIS-1."""
    store.worker()
    task_id = store.add()
    store.run(outcome=Outcome.FAIL)
    store.backend.requeue([task_id], store.at(0))
    store.run()
    history = store.get(task_id).history
    assert [(a.attempt, a.outcome) for a in history] == [(1, Outcome.FAIL), (2, Outcome.SUCCEED)]


def test_progress_round_trips_through_the_heartbeat(store):
    """HIS-2."""
    store.worker()
    task_id = store.add()
    other = store.add()
    claims = store.claim(2)
    assert store.get(task_id).progress is None
    store.beat("w", *claims, progress={task_id: b"\x00\xff 10%"})
    assert store.get(task_id).progress == b"\x00\xff 10%"
    assert store.get(other).progress is None
    store.beat("w", *claims, progress={})
    assert store.get(task_id).progress == b"\x00\xff 10%"
    store.beat("w", *claims, progress={task_id: b""})
    assert store.get(task_id).progress == b""


def test_progress_of_what_the_worker_does_not_run_is_ignored(store):
    """HIS-2."""
    store.worker()
    store.worker("other")
    running = store.add()
    claim = store.claim_one(worker="other")
    queued = store.add()
    progress = {running: b"x", queued: b"x", "mail_" + "f" * 32: b"x"}
    assert store.beat("w", progress=progress).alive
    assert store.get(running).progress is None
    assert store.get(queued).progress is None
    assert store.settle(claim, worker="other")


def test_labels_round_trip_with_their_types(store):
    """HIS-2."""
    labels = {"text": "é😀 'x", "int": 2**53, "float": 1.5, "true": True, "false": False}
    task_id = store.add(labels=labels)
    found = store.get(task_id).task.labels
    assert dict(found) == labels
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in labels.items()
    }


def test_labels_are_searchable(store):
    """HIS-3: all that are asked for must be there."""
    red = store.add(labels={"colour": "red", "size": 1})
    blue = store.add(labels={"colour": "blue", "size": 1})
    store.add()
    assert store.ids(labels={"colour": "red"}) == [red]
    assert store.ids(labels={"size": 1}) == [red, blue]
    assert store.ids(labels={"size": 1, "colour": "blue"}) == [blue]
    assert store.ids(labels={"size": 2}) == []
    assert store.ids(labels={"weight": 1}) == []


def test_labels_are_compared_with_their_types(store):
    """HIS-3: the text "1" is not the number 1, and True is neither."""
    text = store.add(labels={"k": "1"})
    number = store.add(labels={"k": 1})
    true = store.add(labels={"k": True})
    assert store.ids(labels={"k": "1"}) == [text]
    assert store.ids(labels={"k": 1}) == [number]
    assert store.ids(labels={"k": True}) == [true]


@pytest.mark.parametrize("value", ["%", "_", "'; drop table tasks; --", '"', "\\", "*", "a b", "é"])
def test_hostile_labels_are_text_like_any_other(store, value):
    """HIS-3, VAL-06."""
    mine = store.add(labels={"key": value, value: "key"})
    store.add(labels={"key": "x"})
    assert store.ids(labels={"key": value}) == [mine]
    assert store.ids(labels={value: "key"}) == [mine]


def test_labels_are_found_in_every_state(store):
    """HIS-3."""
    ids = [store.put_in(state, f"g{n}", labels={"k": "v"}) for n, state in enumerate(State)]
    assert store.ids(labels={"k": "v"}) == sorted(ids)


def test_began_is_when_the_last_attempt_was_claimed(store):
    """HIS-1."""
    store.worker()
    task_id = store.add()
    assert store.get(task_id).began is None
    store.move_to(2)
    claim = store.claim_one()
    store.move_to(4)
    assert store.get(task_id).began == store.at(2)
    store.settle(claim)
    record = store.get(task_id)
    assert (record.began, record.done) == (store.at(2), store.at(4))
    assert record.done - record.began == 2 * SECOND
