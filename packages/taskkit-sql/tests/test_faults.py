"""Files that cannot be used, rows that cannot be read, names that look like SQL."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from sqlcase import claim, in_a_fork, new_task, register, succeed

from taskkit.errors import BackendError, Corrupt, Unavailable
from taskkit.records import Query
from taskkit.task import State
from taskkit_relational.history import CORRUPT
from taskkit_sql import open_backend


def test_a_file_that_is_no_database(path, backend):
    path.write_bytes(b"not a database, but long enough to be looked at " * 100)
    with pytest.raises(Corrupt, match="found a file that is none"):
        backend.count()


def test_a_folder_that_is_not_there(tmp_path):
    backend = open_backend(f"sqlite:///{tmp_path}/nowhere/tasks.db")
    with pytest.raises(Unavailable, match="expected the folder .*nowhere"):
        backend.put([new_task()])


def test_a_folder_in_place_of_the_file(tmp_path):
    with pytest.raises(Unavailable, match="found the folder"):
        open_backend(f"sqlite:///{tmp_path}").count()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_file_that_may_not_be_written(opened):
    """In a process without root's privileges, for which no file is read-only."""
    folder = Path(tempfile.mkdtemp())
    file = folder / "tasks.db"
    opened(url=f"sqlite:///{file}").migrate()
    opened(url=f"sqlite:///{file}").count()

    def put():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        return open_backend(f"sqlite:///{file}").put([new_task()])

    file.chmod(0o444)
    folder.chmod(0o555)
    try:
        answer = in_a_fork(put)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert answer.startswith("Unavailable")
    assert "let this user" in answer


def test_another_writer_for_longer_than_the_timeout(opened, raw):
    backend = opened(busy_timeout=0.05)
    backend.count()
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="write lock") as caught:
        backend.put([new_task()])
    assert caught.value.__cause__ is not None
    raw.execute("ROLLBACK")
    assert backend.put([new_task()])[0].status == "put"


class _Interruption(BaseException):
    """As a task's timeout raises it: at any moment."""


def test_an_interruption_just_after_a_transaction_has_begun_leaves_none_open(
    backend, raw, monkeypatch
):
    database = backend._store.database
    begin = database.dialect.begin

    def interrupted(cursor):
        begin(cursor)
        raise _Interruption

    with monkeypatch.context() as patch:
        patch.setattr(database.dialect, "begin", interrupted)
        with pytest.raises(_Interruption):
            backend.put([new_task()])
    raw.execute("BEGIN IMMEDIATE")  # at once: nobody holds the lock
    raw.execute("ROLLBACK")
    assert backend.put([new_task()])[0].status == "put"


def test_a_transaction_that_was_left_open_is_undone_by_the_next(backend, raw):
    """Where the clearing up was interrupted, too."""
    backend.put([new_task()])
    _connection, cursor = backend._store.database._writer
    cursor.execute("BEGIN IMMEDIATE")
    cursor.execute("DELETE FROM taskkit_task")
    assert backend.put([new_task()])[0].status == "put"
    assert raw.execute("SELECT count(*) FROM taskkit_task").fetchone() == (2,)


def test_readers_do_not_mind_a_writer(backend, raw):
    backend.put([new_task()])
    raw.execute("BEGIN IMMEDIATE")
    assert [count.count for count in backend.count()] == [1]
    raw.execute("ROLLBACK")


def test_tables_that_vanish_are_reported_with_the_command(backend, raw):
    raw.execute("DROP TABLE taskkit_task")
    with pytest.raises(BackendError, match="db upgrade"):
        backend.put([new_task()])


def test_a_closed_backend_says_so(backend):
    backend.count()
    backend.close()
    with pytest.raises(Unavailable, match="closed"):
        backend.put([new_task()])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("options", "{broken"),
        ("options", "[1]"),
        ("labels", "nonsense"),
        ("labels", "3"),
        ("data", "text, not bytes"),
        ("data", 7),
    ],
)
def test_a_broken_row_fails_alone(backend, raw, column, value):
    """Its bytes stay where they are, for whoever looks into it."""
    tasks = [new_task(), new_task(labels={"a": 1}), new_task()]
    backend.put(tasks)
    broken = tasks[1].id
    raw.execute(f"UPDATE taskkit_task SET {column} = ? WHERE id = ?", (value, broken))
    register(backend)
    claims = claim(backend)
    assert [one.task.id for one in claims] == [tasks[0].id, tasks[2].id]
    assert succeed(backend, claims) == [True, True]
    record = backend.get([broken])[broken]
    assert record.state is State.FAILED
    assert record.failure.type == CORRUPT
    stored = raw.execute(f"SELECT {column} FROM taskkit_task WHERE id = ?", (broken,)).fetchone()
    assert stored == (value,)
    assert len(backend.find(Query(), 10).records) == 3
    assert backend.find(Query(labels={"a": 1}), 10).records == [record] * (column != "labels")
    assert claim(backend) == []


@pytest.mark.parametrize("value", ["{broken", "[[1]]", "7", '{"a": 1}'])
def test_a_broken_history_hides_nothing_else(backend, raw, value):
    task = new_task()
    backend.put([task])
    raw.execute("UPDATE taskkit_task SET history = ?", (value,))
    assert backend.get([task.id])[task.id].history == ()
    register(backend)
    assert succeed(backend, claim(backend)) == [True]
    assert len(backend.get([task.id])[task.id].history) == 1


def test_a_broken_failure_says_so_itself(backend, raw):
    task = new_task()
    backend.put([task])
    raw.execute("UPDATE taskkit_task SET failure = 'nonsense'")
    assert backend.get([task.id])[task.id].failure.type == CORRUPT


_HOSTILE = [
    "'; DROP TABLE taskkit_task; --",
    '"',
    "%",
    "_",
    "a_b",
    "a`b",
    "*.b",
    "{prefix}",
    ":name",
    "?1",
    "naïve ünïcode 任務",
    "\U0001f600",
    "mail/x",
    "mail!x",
]


@pytest.mark.parametrize("name", _HOSTILE)
def test_no_name_is_ever_sql(backend, name):
    task = new_task(
        name, name=name, unique_key=name, lock_key=name, labels={name: name}, data=name.encode()
    )
    other = new_task("mail")
    backend.put([task, other])
    query = Query(group=name, name=name, labels={name: name})
    assert [found.task.id for found in backend.find(query, 10).records] == [task.id]
    assert [count.group for count in backend.count([name])] == [name]
    backend.register(worker := _info(name), 10**12)
    claims = backend.claim(worker.id, {name: 10}).claims
    assert [one.task.name for one in claims] == [name]
    backend.pause([name])
    backend.resume([name])
    assert succeed(backend, claims, worker.id) == [True]
    assert [count.count for count in backend.count()] == [1, 1]


def _info(name):
    from taskkit.records import WorkerInfo

    return WorkerInfo(name, {name: 1}, name, 1, name)
