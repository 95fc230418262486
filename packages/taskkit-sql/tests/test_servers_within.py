"""Taking part in a caller's transaction on a server, whatever the caller has in hand."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from servercase import connector, migrate, one, opened, plain
from sqlalchemy.engine import make_url
from withincase import connection, scoped, session, write

from taskkit.errors import Unsupported
from taskkit.task import NewTask
from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


# ---- what a caller may have


@pytest.fixture(params=[connection, session, scoped, "driver", "driver with rows of its own"])
def given(request, case, made, engine_url):
    if callable(request.param):
        making = request.param(engine_url)
    else:
        making = plain(made, **(case.OTHER_ROWS if "rows" in request.param else {}))
    with making as given:
        yield given


def test_it_is_there_after_the_commit_and_not_before(server, given, stored):
    write(server, given, "a")
    assert stored() == []
    given.commit()
    assert stored() == ["a"]
    write(server, given, "b")
    write(server, given, "c")
    given.commit()
    assert stored() == ["a", "b", "c"]


def test_it_goes_with_the_transaction(server, given, stored):
    write(server, given, "a")
    given.rollback()
    write(server, given, "b")
    given.commit()
    assert stored() == ["b"]


def test_it_goes_with_a_connection_that_breaks(server, case, made, stored):
    with plain(made) as given:
        write(server, given, "a")
        with opened(server) as other:
            case.end(other, given)
        with pytest.raises(server.errors):
            given.commit()
    assert stored() == []


def test_it_goes_with_a_savepoint(server, made, engine_url, stored):
    with session(engine_url) as given:
        write(server, given, "a")
        nested = given.begin_nested()
        write(server, given, "b")
        nested.rollback()
        given.commit()
    with plain(made) as given, given.cursor() as cursor:
        write(server, given, "c")
        cursor.execute("SAVEPOINT mine")
        write(server, given, "d")
        cursor.execute("ROLLBACK TO SAVEPOINT mine")
        given.commit()
    assert stored() == ["a", "c"]


def test_it_sees_and_shares_what_the_caller_has_done(server, engine_url):
    with session(engine_url) as given:
        given.execute(sa.text("INSERT INTO taskkit_pause (grp) VALUES ('mine')"))
        with server.joining(given) as cursor:
            assert server.statements.pauses(cursor) == [("mine", None)]
        write(server, given, "ours")
        found = given.execute(sa.text("SELECT grp FROM taskkit_pause ORDER BY grp")).scalars()
        told = [group if isinstance(group, str) else group.decode() for group in found]
        assert told == ["mine", "ours"]


def test_a_transaction_inside_a_connection_in_autocommit_is_one(server, made, stored):
    with plain(made, autocommit=True) as given, given.cursor() as cursor:
        cursor.execute("BEGIN")
        write(server, given, "a")
        cursor.execute("ROLLBACK")
        cursor.execute("BEGIN")
        write(server, given, "b")
        assert stored() == []
        cursor.execute("COMMIT")
    assert stored() == ["b"]


def test_tasks_exist_if_and_only_if_the_caller_commits(made, engine_url):
    """Through the whole backend, and a caller's transaction that may see one state."""
    backend = open_backend(made)
    try:
        tasks = [NewTask(id=f"mail_{n:032x}", group="mail", name="x", data=b"") for n in range(3)]
        with session(engine_url) as given:
            given.execute(sa.text("SELECT count(*) FROM taskkit_task"))
            backend.put(tasks[:1])
            put = backend.put(tasks, within=given)
            assert [one.status for one in put] == ["known", "put", "put"]
            assert sum(count.count for count in backend.count()) == 1
            given.rollback()
            assert sum(count.count for count in backend.count()) == 1
            backend.put(tasks, within=given)
            given.commit()
        assert sum(count.count for count in backend.count()) == 3
    finally:
        backend.clear()
        backend.close()


# ---- what is refused


def test_autocommit_is_refused(server, made, engine_url, stored):
    engine = sa.create_engine(engine_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as given, pytest.raises(Unsupported, match="autocommit"):
        write(server, given, "a")
    engine.dispose()
    engine = sa.create_engine(engine_url)
    told = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with told as given, pytest.raises(Unsupported, match="autocommit"):
        write(server, given, "a")
    engine.dispose()
    with plain(made, autocommit=True) as given, pytest.raises(Unsupported, match="autocommit"):
        write(server, given, "a")
    assert stored() == []


@pytest.mark.parametrize("has_tables", [True, False])
def test_another_database_is_refused_and_its_transaction_lives_on(server, empty, has_tables):
    if has_tables:
        migrate(empty)
    with plain(empty) as given, given.cursor() as cursor:
        cursor.execute("CREATE TABLE mine (n INT)")
        cursor.execute("INSERT INTO mine VALUES (1)")
        with pytest.raises(Unsupported) as caught:
            write(server, given, "a")
        assert f"database {make_url(empty).database!r}" in str(caught.value)
        assert ("another store" if has_tables else "without these") in str(caught.value)
        cursor.execute("INSERT INTO mine VALUES (2)")
        given.commit()
        assert one(cursor, "SELECT count(*) FROM mine") == (2,)


def test_a_store_that_was_made_anew_is_not_mistaken(case, empty):
    server = migrate(empty)
    with plain(empty) as given, given.cursor() as cursor:
        write(server, given, "a")
        given.commit()
        for statement in case.MADE_ANEW:
            cursor.execute(statement)
        given.commit()
        with plain(empty) as other:
            write(server, other, "b")
            other.rollback()


def test_before_there_are_tables_the_database_is_enough(empty):
    server = connector(empty)
    with plain(empty) as given, server.joining(given) as cursor:
        assert server.tables(cursor) == set()


def test_another_driver_is_refused(server):
    engine = sa.create_engine("sqlite://")
    with engine.connect() as given, pytest.raises(Unsupported, match="found one on sqlite"):
        write(server, given, "a")
    engine.dispose()


def test_anything_else_is_refused_by_its_type(server):
    with pytest.raises(Unsupported, match=r"builtins\.dict"):
        write(server, {}, "a")
