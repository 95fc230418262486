"""Several processes on one file."""

from __future__ import annotations

import multiprocessing
import os
import threading

import pytest
import sqlcase
from sqlcase import claim, in_a_fork, new_task, register

from taskkit.clock import monotonic
from taskkit.records import Outcome, Settlement

_spawn = multiprocessing.get_context("spawn")


def test_two_processes_claim_at_once_without_a_lock_error(backend, url):
    tasks = [new_task() for _ in range(2000)]
    backend.put(tasks)
    answers = _spawn.Queue()
    processes = [_spawn.Process(target=sqlcase.drain, args=(url, f"w{n}", answers)) for n in (1, 2)]
    for process in processes:
        process.start()
    done = []
    for _ in processes:
        done += answers.get(timeout=60)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(done) == sorted(task.id for task in tasks)


def test_processes_that_open_a_new_file_together_all_get_through(url, backend):
    processes = [_spawn.Process(target=sqlcase.put_many, args=(url, 50)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert [count.count for count in backend.count()] == [50] * 4


def test_a_put_and_a_settle_wake_another_process(backend, url):
    """Each wait is a minute: twenty of them in less than that is no accident."""
    backend.count()
    process = _spawn.Process(target=sqlcase.work, args=(url, "w"))
    process.start()
    began = monotonic()
    for _ in range(20):
        task = new_task()
        backend.put([task])
        assert backend.wait_done(task.id, 60)
    backend.put([new_task(name="stop")])
    process.join(60)
    assert process.exitcode == 0
    assert monotonic() - began < 60


@pytest.mark.parametrize("kind", ["log", "interval"])
def test_every_kind_of_watch_wakes_for_another_connection(opened, monkeypatch, kind):
    """As if it were another process: nothing but the file is shared."""
    if kind == "interval":
        monkeypatch.setattr(
            "taskkit_relational.dialects.sqlite.watch.LogWatch.__init__",
            lambda self, path: (_ for _ in ()).throw(OSError("no such feature")),
        )
    one, other = opened(), opened()
    register(one)
    assert _woken(one, lambda: other.put([new_task()]))


def test_the_watch_falls_back_where_no_sign_arrives(opened, monkeypatch):
    monkeypatch.setattr("taskkit_relational.dialects.sqlite.watch._IN_MODIFY", 0x200)  # deletions
    monkeypatch.setattr("taskkit_relational.dialects.sqlite.watch._SAFETY_SECONDS", 0.01)
    one, other = opened(), opened()
    register(one)
    for _ in range(3):
        assert _woken(one, lambda: other.put([new_task()]))


def _woken(backend, action):
    """Return whether a thread that has claimed and then waits is woken by an action."""
    claimed, answers = threading.Event(), []

    def wait():
        claim(backend)
        claimed.set()
        answers.append(backend.wait(["mail"], 10))

    thread = threading.Thread(target=wait)
    thread.start()
    assert claimed.wait(10)
    action()
    thread.join(20)
    return answers == [True]


def test_nobody_watches_while_nobody_waits(backend):
    backend.put([new_task()])
    register(backend)
    claim(backend)
    assert "taskkit-sql-wakeup" not in [thread.name for thread in threading.enumerate()]


_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
_quietly = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@_forks
@_quietly
def test_parent_and_child_of_a_fork_have_connections_of_their_own(backend, raw):
    """The parent's are closed while it forks, or SQLite would not lock in the child."""
    register(backend)
    backend.put([new_task(), new_task()])
    assert len(claim(backend, 1)) == 1

    def in_child():
        database = backend._store.database
        assert database._engine is None
        assert database._writer is None
        return len(claim(backend, 1))

    assert in_a_fork(in_child) == "1"
    assert claim(backend) == []
    assert backend.put([new_task()])[0].status == "put"


@_forks
@_quietly
def test_who_waits_while_the_process_forks_is_woken_all_the_same(opened):
    one, other = opened(), opened()
    register(one)
    claim(one)
    found = []

    def wait():
        while not found and one.wait(["mail"], 15):
            found.extend(claim(one))

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = monotonic() + 10
    while one._wakeup._waiting == 0:
        assert monotonic() < deadline
    assert in_a_fork(lambda: len(one.count())) == "0"
    other.put([new_task()])
    thread.join(20)
    assert len(found) == 1


@_forks
@_quietly
def test_a_fork_inside_a_transaction_is_refused_in_the_child(backend, monkeypatch):
    monkeypatch.setattr("taskkit_sql.single_writer._QUIET_SECONDS", 0.05)
    backend.count()

    def fork(_transaction):
        return in_a_fork(backend.count)

    assert "Unavailable: this process was forked" in backend._store.database.write(fork)
    assert backend.put([new_task()])[0].status == "put"


@_forks
@_quietly
def test_a_fork_while_somebody_reads_leaves_the_parent_its_writes(backend, monkeypatch):
    monkeypatch.setattr("taskkit_sql.single_writer._QUIET_SECONDS", 0.05)
    backend.count()
    with backend._store.database.reading():
        assert "Unavailable: this process was forked" in in_a_fork(backend.count)
    # By another thread: a lock that nobody gives back must not hold up the tests too.
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(backend.put([new_task()])), daemon=True)
    thread.start()
    thread.join(30)
    assert [answer.status for answer in answers] == ["put"]


def test_threads_of_one_process_never_see_a_lock_error(backend):
    backend.count()
    errors = []

    def put_some(group):
        try:
            for _ in range(50):
                backend.put([new_task(group)])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=put_some, args=(f"g{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [count.count for count in backend.count()] == [50] * 8


def test_counts_are_of_one_moment(opened):
    """Tasks that move from state to state while they are counted are counted once."""
    one, other = opened(), opened()
    register(other)
    one.put([new_task() for _ in range(50)])
    stopped = threading.Event()

    def move():
        while not stopped.is_set():
            for given in claim(other, 7):
                other.settle("w", [Settlement(given.task.id, given.token, Outcome.RELEASE)])

    thread = threading.Thread(target=move)
    thread.start()
    try:
        totals = {sum(count.count for count in one.count()) for _ in range(100)}
    finally:
        stopped.set()
        thread.join()
    assert totals == {50}
