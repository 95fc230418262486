"""A store that fails: no worker ends, nothing is lost, and the log stays readable."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable
from taskkit.hooks import Hooks
from taskkit.records import Outcome
from taskkit.settings import Slots, WorkerSettings
from taskkit.task import State
from taskkit.worker.runtime import WorkerRuntime


class Faulty:
    """A backend of which some calls fail; the fault may come before or after the work."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._faults: dict[str, list[tuple[Exception, bool]]] = {}
        self.calls: dict[str, int] = {}

    def fail(self, method: str, *errors: Exception, after: bool = False) -> None:
        with self._lock:
            self._faults.setdefault(method, []).extend((error, after) for error in errors)

    def repair(self) -> None:
        with self._lock:
            self._faults.clear()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self.calls[name] = self.calls.get(name, 0) + 1
                faults = self._faults.get(name)
                error, after = faults.pop(0) if faults else (None, False)
            if error is not None and not after:
                raise error
            answer = method(*args, **kwargs)
            if error is not None:
                raise error
            return answer

        return call


@pytest.fixture
def faulty(bench):
    return Faulty(bench.backend)


@pytest.mark.parametrize("after", [False, True])
def test_a_settlement_is_repeated_until_its_fate_is_known(bench, faulty, after):
    faulty.fail("settle", *[Unavailable("gone")] * 3, after=after)
    runs = []
    bench.worker(bench.handler(work=lambda task: runs.append(1)), backend=faulty)
    task_id = bench.put("work")
    assert bench.finished(task_id).state is State.SUCCEEDED
    bench.eventually(lambda: faulty.calls["settle"] >= 4)
    assert runs == [1]
    assert bench.outcomes(task_id) == [Outcome.SUCCEED]


def test_a_claim_whose_answer_was_lost_is_claimed_again(bench, faulty):
    faulty.fail("claim", Unavailable("gone"), after=True)
    task_id = bench.put("work")
    bench.worker(bench.handler(work=lambda task: "ok"), backend=faulty)
    record = bench.finished(task_id)
    assert (record.result, record.attempt, record.losses) == (b'"ok"', 1, 0)


def test_everything_fails_for_a_while(bench, faulty, caplog):
    for method in ("claim", "settle", "heartbeat", "wait", "register"):
        faulty.fail(method, *[Unavailable("the store is away")] * 3)
    ids = [bench.put("work") for _ in range(10)]
    bench.worker(bench.handler(work=lambda task: "ok"), backend=faulty)
    bench.in_state(State.SUCCEEDED, *ids)
    bench.eventually(lambda: "the store answers again" in caplog.text, "recovery is logged")


def test_an_outage_is_one_line_and_its_end_another(bench, faulty, caplog):
    caplog.set_level("INFO")
    bench.worker(bench.handler(work=lambda task: "ok"), backend=faulty, heartbeat=0.02, poll=0.02)
    bench.finished(bench.put("work"))
    for method in ("claim", "settle", "heartbeat", "wait"):
        faulty.fail(method, *[Unavailable("the store is away")] * 1000)
    bench.eventually(lambda: min(faulty.calls[one] for one in ("heartbeat", "claim")) > 5)
    before = dict(faulty.calls)
    bench.eventually(lambda: faulty.calls["heartbeat"] > before["heartbeat"] + 2)
    assert caplog.text.count("the store does not answer") == 1
    assert "the store is away" in caplog.text
    assert "answers again" not in caplog.text
    faulty.repair()
    bench.finished(bench.put("work"))
    bench.eventually(lambda: "the store answers again" in caplog.text)
    assert caplog.text.count("the store answers again") == 1


def test_one_settlement_that_the_store_refuses_does_not_hold_up_the_others(bench, caplog):
    class Picky(Faulty):
        def settle(self, worker_id, settlements):
            if any(one.result == b'"bad"' for one in settlements):
                raise Corrupt("this result does not fit")
            return self._backend.settle(worker_id, settlements)

    picky = Picky(bench.backend)
    gate = bench.gate()

    def work(task):
        gate(task)
        return task.data.decode()

    bench.worker(bench.handler(work=work), {"g": 8}, backend=picky)
    bad = bench.put("work", data=b"bad")
    good = [bench.put("work", data=b"good") for _ in range(7)]
    gate.entered(8)
    gate.open()
    bench.in_state(State.SUCCEEDED, *good)
    record = bench.finished(bad)
    assert record.state is State.FAILED
    assert "this result does not fit" in record.failure.message
    assert "the store refuses its settlement" in caplog.text


def test_a_settlement_that_can_never_be_written_is_given_up(bench, caplog):
    class Refusing(Faulty):
        def settle(self, worker_id, settlements):
            kept = [one for one in settlements if one.task_id != self.bad]
            if len(kept) < len(settlements):
                raise Corrupt("broken record")
            return self._backend.settle(worker_id, settlements)

    refusing = Refusing(bench.backend)
    refusing.bad = bench.put("work")
    bench.worker(bench.handler(work=lambda task: "ok"), {"g": 1}, backend=refusing)
    bench.eventually(lambda: "refuses its settlement" in caplog.text)
    bench.finished(bench.put("work"))  # the worker goes on


def test_a_worker_starts_when_its_store_does(bench, faulty):
    faulty.fail("register", *[Unavailable("not up yet")] * 4)
    task_id = bench.put("work")
    bench.worker(bench.handler(work=lambda task: "ok"), backend=faulty)
    assert bench.finished(task_id).state is State.SUCCEEDED


def test_a_store_that_refuses_the_worker_is_an_error_at_once(bench, faulty):
    faulty.fail("register", SchemaMismatch("newer"))
    settings = WorkerSettings(groups={"g": Slots(1)})
    runtime = WorkerRuntime(faulty, bench.handler(), Hooks(), settings)
    with pytest.raises(SchemaMismatch):
        runtime.start()


def test_stopping_without_a_store_does_not_take_for_ever(bench, faulty, monkeypatch, caplog):
    monkeypatch.setattr("taskkit.worker.runtime.SETTLE_TIMEOUT", 0.2)
    gate = bench.gate()
    runtime = bench.worker(bench.handler(work=gate), backend=faulty)
    task_id = bench.put("work")
    gate.entered()
    for method in ("settle", "heartbeat", "retire", "claim", "wait"):
        faulty.fail(method, *[Unavailable("gone")] * 1000)
    runtime.stop(0.05)
    assert runtime.join(5)
    assert bench.record(task_id).state is State.RUNNING  # until its lease ends
    assert "not everything could be settled" in caplog.text


@pytest.mark.parametrize("error", [BackendError("odd"), RuntimeError("a bug in a backend")])
def test_other_errors_of_the_store_end_no_worker_either(bench, faulty, error):
    for method in ("claim", "settle", "heartbeat", "wait"):
        faulty.fail(method, error, error)
    ids = [bench.put("work") for _ in range(5)]
    bench.worker(bench.handler(work=lambda task: "ok"), backend=faulty)
    bench.in_state(State.SUCCEEDED, *ids)


def test_services_go_on_after_failures(bench, faulty):
    faulty.fail("reclaim", Unavailable("gone"), RuntimeError("bug"))
    faulty.fail("load_schedule", Unavailable("gone"))
    faulty.fail("purge", Unavailable("gone"))
    bench.worker(bench.handler(), backend=faulty, services=True)
    bench.eventually(
        lambda: all(
            faulty.calls.get(method, 0) >= count
            for method, count in {"reclaim": 3, "load_schedule": 2, "purge": 2}.items()
        ),
        "each service was tried again",
    )
