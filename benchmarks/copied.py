"""Millions of tasks in seconds: a few thousand go through the backend, the server copies them."""

from __future__ import annotations

import sqlalchemy as sa
from figures import asking

from taskkit.backend import Backend
from taskkit.ids import new_id
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.task import After, NewTask

GROUP, WORKER = "b", "w"
HOUR = 3_600_000_000
_SEED = 5_000
_RANDOM = 24
"""The end of an id, in characters: unique among those of one seed, for its random bits."""

_TABLE = "taskkit_task"
_OWN = ("id", "seq")
"""Columns that a copy does not take over: one is made anew, one numbers rows by itself."""


def register(backend: Backend, seconds: float = 36_000) -> None:
    """Make the tables and enter the worker that claims here."""
    backend.migrate()
    backend.register(WorkerInfo(WORKER, {GROUP: 256}), int(seconds * 1e6))


def put(backend: Backend, count: int, due: After, lock_key: str | None = None) -> None:
    """Put so many tasks."""
    for start in range(0, count, _SEED):
        size = min(_SEED, count - start)
        backend.put(
            [
                NewTask(
                    id=new_id(GROUP), group=GROUP, name="n", data=b"{}", due=due, lock_key=lock_key
                )
                for _ in range(size)
            ]
        )


def drain(backend: Backend, count: int) -> None:
    """Claim and settle so many tasks, with results, as a worker does."""
    while count > 0:
        answer = backend.claim(WORKER, {GROUP: 256})
        claims = answer.claims
        # Empty, but with more at once: it has laid tasks aside, and a worker would ask again.
        comes_back = answer.next_due is not None and answer.next_due <= answer.now
        assert claims or comes_back, f"{count} tasks are not there to be claimed"
        done = [Settlement(c.task.id, c.token, Outcome.SUCCEED, b"1") for c in claims]
        assert all(backend.settle(WORKER, done))
        count -= len(claims)


def add_waiting(backend: Backend, url: str, count: int) -> None:
    """Add tasks that are due in an hour."""
    put(backend, min(_SEED, count), After(HOUR))
    _copy(url, count, "purge_at IS NULL AND worker_id IS NULL")


def add_finished(backend: Backend, url: str, count: int) -> None:
    """Add tasks that have succeeded."""
    put(backend, min(_SEED, count), After(0))
    drain(backend, min(_SEED, count))
    _copy(url, count, "purge_at IS NOT NULL")


def analyse(url: str) -> None:
    """Tell the planner what is in the table, as the server itself would do before long."""
    commands = {
        "postgresql": f"VACUUM ANALYZE {_TABLE}",
        "mysql": f"ANALYZE TABLE {_TABLE}",
        "mariadb": f"ANALYZE TABLE {_TABLE}",
        "sqlite": f"ANALYZE {_TABLE}",
    }
    with asking(url) as connection:
        connection.exec_driver_sql(commands[connection.dialect.name])


def _copy(url: str, count: int, which: str) -> None:
    """Copy the rows of the seed under new ids until there are so many."""
    with asking(url) as connection:
        columns = sa.inspect(connection).get_columns(_TABLE)
        # What the server makes of other columns it makes again.
        copied = [column["name"] for column in columns if "computed" not in column]
        others = ", ".join(name for name in copied if name not in _OWN)
        seed = f"CREATE TEMPORARY TABLE seed AS SELECT * FROM {_TABLE} WHERE {which}"  # noqa: S608 - own names and numbers
        connection.exec_driver_sql(f"{seed} ORDER BY id LIMIT {_SEED}")
        for number in range(1, -(-count // _SEED)):
            # Like a UUIDv7's, the first digits grow: new rows are neighbours in the index.
            start, tail = f"{GROUP}_{number:0{32 - _RANDOM}x}", f"substr(id, -{_RANDOM})"
            if connection.dialect.name == "postgresql":
                tail = f"right(id, {_RANDOM})"
            new = f"concat('{start}', {tail})"
            if connection.dialect.name == "sqlite":
                new = f"'{start}' || {tail}"
            connection.exec_driver_sql(
                f"INSERT INTO {_TABLE} (id, {others}) SELECT {new}, {others} FROM seed"  # noqa: S608 - own names and numbers
            )
        connection.exec_driver_sql("DROP TABLE seed")
