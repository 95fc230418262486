"""Several processes on one file."""

from __future__ import annotations

import multiprocessing
import os
import threading

import pytest

import sqlcase
from sqlcase import claim, new_task, register, succeed
from taskkit.clock import monotonic

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
        done += answers.get(timeout=15)
    for process in processes:
        process.join(10)
        assert process.exitcode == 0
    assert sorted(done) == sorted(task.id for task in tasks)


def test_processes_that_open_a_new_file_together_all_get_through(url, backend):
    processes = [_spawn.Process(target=sqlcase.put_many, args=(url, 50)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(15)
        assert process.exitcode == 0
    assert [count.count for count in backend.count()] == [50] * 4


def test_a_put_and_a_settle_wake_another_process(backend, url):
    """Each wait is ten seconds: twenty of them in less than that is no accident."""
    backend.count()
    process = _spawn.Process(target=sqlcase.work, args=(url, "w"))
    process.start()
    began = monotonic()
    for _ in range(20):
        task = new_task()
        backend.put([task])
        assert backend.wait_done(task.id, 10)
    backend.put([new_task(name="stop")])
    process.join(10)
    assert process.exitcode == 0
    assert monotonic() - began < 10


@pytest.mark.parametrize("kind", ["log", "interval"])
def test_every_kind_of_watch_wakes_for_another_connection(opened, monkeypatch, kind):
    """As if it were another process: nothing but the file is shared."""
    if kind == "interval":
        monkeypatch.setattr(
            "taskkit_sql.dialects.sqlite_watch.LogWatch.__init__",
            lambda self, path: (_ for _ in ()).throw(OSError("no such feature")),
        )
    one, other = opened(), opened()
    register(one)
    assert claim(one) == []
    woken = threading.Event()
    thread = threading.Thread(target=lambda: one.wait(["mail"], 10) and woken.set())
    thread.start()
    other.put([new_task()])
    assert woken.wait(8)
    thread.join()


def test_the_watch_falls_back_where_no_sign_arrives(opened, monkeypatch):
    monkeypatch.setattr("taskkit_sql.dialects.sqlite_watch._IN_MODIFY", 0x200)  # deletions
    monkeypatch.setattr("taskkit_sql.dialects.sqlite_watch._SAFETY_SECONDS", 0.01)
    one, other = opened(), opened()
    register(one)
    for _ in range(3):
        claim(one)
        woken = threading.Event()
        thread = threading.Thread(target=lambda: one.wait(["mail"], 10) and woken.set())
        thread.start()
        other.put([new_task()])
        assert woken.wait(8)
        thread.join()


def test_nobody_watches_while_nobody_waits(backend):
    backend.put([new_task()])
    register(backend)
    claim(backend)
    assert "taskkit-sql-wakeup" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_gets_connections_of_its_own(backend):
    """Also with a thread of the parent inside a transaction."""
    register(backend)
    backend.put([new_task()])
    backend.wait(["mail"], 0)
    with backend._store.database.write() as held:
        held.wakes = True
        child = os.fork()
        if child == 0:
            try:
                # The parent writes still: the child only gets ready, then waits for the lock.
                backend.put([new_task()])
                os._exit(0 if len(claim(backend, 1)) == 1 else 3)
            except BaseException:
                os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(count.count for count in backend.count()) == 2
    assert len(claim(backend)) == 1


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
