"""Tasks in the caller's transaction."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlcase import claim, new_task, register

from taskkit.errors import QueueFull, Unavailable, Unsupported
from taskkit.records import Limits
from taskkit_sql import open_backend


@pytest.fixture
def engine(url):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (name TEXT)")
    yield engine
    engine.dispose()


@pytest.fixture(params=["connection", "session", "driver in autocommit"])
def transaction(request, engine, url):
    """Each kind of transaction, begun with a change of its own."""
    if request.param == "session":
        with Session(engine) as session:
            session.execute(sa.text("INSERT INTO orders VALUES ('a')"))
            yield session
        return
    if request.param == "driver in autocommit":
        engine = sa.create_engine(url, connect_args={"isolation_level": None})
    with engine.connect() as connection:
        if request.param == "connection":
            connection.execute(sa.text("INSERT INTO orders VALUES ('a')"))
        yield connection
    engine.dispose()


@pytest.fixture
def ready(backend):
    backend.count()
    return backend


def test_tasks_exist_after_the_commit_and_not_before(ready, transaction):
    task = new_task()
    assert [put.status for put in ready.put([task], within=transaction)] == ["put"]
    assert ready.get([task.id]) == {task.id: None}
    transaction.commit()
    assert ready.get([task.id])[task.id] is not None


def test_a_rollback_leaves_no_task(ready, transaction):
    task = new_task()
    ready.put([task], within=transaction)
    transaction.rollback()
    assert ready.get([task.id]) == {task.id: None}


def test_a_savepoint_that_is_rolled_back_takes_its_tasks_along(ready, transaction):
    kept, dropped = new_task(), new_task()
    ready.put([kept], within=transaction)
    nested = transaction.begin_nested()
    ready.put([dropped], within=transaction)
    nested.rollback()
    transaction.commit()
    found = ready.get([kept.id, dropped.id])
    assert found[kept.id] is not None
    assert found[dropped.id] is None


def test_a_full_queue_leaves_the_rest_of_the_transaction(ready, transaction):
    ready.put([new_task()], within=transaction)
    transaction.commit()
    ready.configure("mail", Limits(max_queue_size=2))
    more = [new_task(), new_task()]
    with pytest.raises(QueueFull):
        ready.put(more, within=transaction)
    other = new_task("other")
    ready.put([other], within=transaction)
    transaction.commit()
    assert [count.count for count in ready.count()] == [1, 1]
    assert ready.get([other.id])[other.id] is not None


def test_the_first_use_of_a_store_may_be_within_a_transaction(backend, transaction):
    """The caller holds the write lock: the tables are made in its transaction."""
    transaction.execute(sa.text("INSERT INTO orders VALUES ('b')"))
    task = new_task()
    backend.put([task], within=transaction)
    transaction.commit()
    assert backend.get([task.id])[task.id] is not None


def test_tables_made_in_a_transaction_go_with_it(backend, transaction):
    task = new_task()
    backend.put([task], within=transaction)
    transaction.rollback()
    assert backend.get([task.id]) == {task.id: None}
    assert backend.put([task])[0].status == "put"


def test_a_commit_wakes_a_claimer(ready, engine):
    register(ready)
    assert claim(ready) == []
    with engine.begin() as connection:
        ready.put([new_task()], within=connection)
    assert ready.wait(["mail"], 10)
    assert len(claim(ready)) == 1


def test_another_file_is_refused(ready, tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/other.db")
    with engine.connect() as connection, pytest.raises(Unsupported, match=r"other\.db"):
        ready.put([new_task()], within=connection)
    engine.dispose()


def test_the_same_file_by_another_name_is_accepted(opened, path, tmp_path, engine):
    link = tmp_path / "link.db"
    link.symlink_to(path)
    backend = opened(url=f"sqlite:///{link}")
    backend.count()
    with engine.begin() as connection:
        assert backend.put([new_task()], within=connection)[0].status == "put"


def test_autocommit_is_refused(ready, engine):
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(Unsupported, match="AUTOCOMMIT"),
    ):
        ready.put([new_task()], within=connection)


class AsyncSession:
    """Named as SQLAlchemy's."""


def test_an_asynchronous_session_is_refused_with_the_way_to_go(ready):
    with pytest.raises(Unsupported, match="run_sync"):
        ready.put([new_task()], within=AsyncSession())


def test_anything_else_is_refused_by_its_type(ready):
    with pytest.raises(Unsupported, match=r"builtins\.dict"):
        ready.put([new_task()], within={})


def test_a_write_beside_ones_own_transaction_says_what_to_do(url, engine):
    backend = open_backend(url, busy_timeout=0.05)
    backend.count()
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO orders VALUES ('a')"))
        with pytest.raises(Unavailable, match="within="):
            backend.put([new_task()])
    assert backend.put([new_task()])[0].status == "put"
    backend.close()
