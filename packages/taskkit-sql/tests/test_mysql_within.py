"""Taking part in a caller's transaction on MySQL or MariaDB, whatever the caller has in hand."""

from __future__ import annotations

import asyncio
import gc
import warnings
from contextlib import asynccontextmanager, closing, contextmanager

import pymysql
import pytest
import sqlalchemy as sa
from mycase import KINDS, connector, migrate, one, opened, plain
from pymysql.cursors import DictCursor, SSCursor
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from taskkit.errors import Unsupported
from taskkit.task import NewTask
from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


@pytest.fixture(scope="module", params=KINDS)
def house(request):
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture(scope="module")
def made(house):
    with house.database() as url:
        migrate(url)
        yield url


@pytest.fixture
def server(made):
    server = connector(made)
    yield server
    with opened(server) as cursor:
        server.statements.resume(cursor, None)


@pytest.fixture
def url(made):
    return made.replace("mysql", "mysql+pymysql", 1)


@pytest.fixture
def stored(server):
    """Return what others see."""
    with opened(server) as cursor:
        yield lambda: sorted(group for group, _ in server.statements.pauses(cursor))


def write(server, within, group):
    with server.joining(within) as cursor:
        server.statements.pause(cursor, group, None)


# ---- what a caller may have


@contextmanager
def connection(url):
    engine = sa.create_engine(url)
    with engine.connect() as given:
        yield given
    engine.dispose()


@contextmanager
def session(url):
    engine = sa.create_engine(url)
    with Session(engine) as given:
        yield given
    engine.dispose()


@contextmanager
def scoped(url):
    engine = sa.create_engine(url)
    given = scoped_session(sessionmaker(engine))
    yield given
    given.remove()
    engine.dispose()


@contextmanager
def driver(url):
    with plain(url) as given:
        yield given


@contextmanager
def driver_with_rows_of_its_own(url):
    with plain(url, cursorclass=DictCursor) as given:
        yield given


@pytest.fixture(params=[connection, session, scoped, driver, driver_with_rows_of_its_own])
def given(request, url):
    with request.param(url) as given:
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


def test_it_goes_with_a_connection_that_breaks(server, url, stored):
    with plain(url) as given:
        write(server, given, "a")
        with opened(server) as other:
            other.execute(f"KILL {given.thread_id()}")
        with pytest.raises(pymysql.MySQLError):
            given.commit()
    assert stored() == []


def test_it_goes_with_a_savepoint(server, url, stored):
    with session(url) as given:
        write(server, given, "a")
        nested = given.begin_nested()
        write(server, given, "b")
        nested.rollback()
        given.commit()
    with driver(url) as given, given.cursor() as cursor:
        write(server, given, "c")
        cursor.execute("SAVEPOINT mine")
        write(server, given, "d")
        cursor.execute("ROLLBACK TO SAVEPOINT mine")
        given.commit()
    assert stored() == ["a", "c"]


def test_it_sees_and_shares_what_the_caller_has_done(server, url):
    with session(url) as given:
        given.execute(sa.text("INSERT INTO taskkit_pause (grp) VALUES ('mine')"))
        with server.joining(given) as cursor:
            assert server.statements.pauses(cursor) == [("mine", None)]
        write(server, given, "ours")
        found = given.execute(sa.text("SELECT grp FROM taskkit_pause ORDER BY grp")).scalars()
        assert list(found) == [b"mine", b"ours"]


def test_a_transaction_inside_a_connection_in_autocommit_is_one(server, url, stored):
    with plain(url, autocommit=True) as given:
        given.begin()
        write(server, given, "a")
        given.rollback()
        given.begin()
        write(server, given, "b")
        assert stored() == []
        given.commit()
    assert stored() == ["b"]


def test_tasks_exist_if_and_only_if_the_caller_commits(made, url):
    """Through the whole backend, and a caller's transaction that sees one state."""
    backend = open_backend(made)
    try:
        tasks = [NewTask(id=f"mail_{n:032x}", group="mail", name="x", data=b"") for n in range(3)]
        with session(url) as given:
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


# ---- coroutines


@asynccontextmanager
async def async_engine(url):
    engine = create_async_engine(url.replace("pymysql", "aiomysql"))
    try:
        yield engine
    finally:
        await engine.dispose()


def run(coroutine):
    """Run it, and let nothing of it be left unclosed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(coroutine)
        gc.collect()


@pytest.fixture
def with_coroutines():
    pytest.importorskip("aiomysql", reason="pip install aiomysql greenlet")


def test_an_async_session_inside_run_sync(server, url, stored, with_coroutines):
    async def use():
        async with async_engine(url) as engine, AsyncSession(engine) as given:
            await given.run_sync(lambda sync: write(server, sync, "a"))
            assert stored() == []
            await given.commit()
            # The session itself may be passed there, too.
            await given.run_sync(lambda _sync: write(server, given, "b"))
            await given.rollback()

    run(use())
    assert stored() == ["a"]


def test_an_async_connection_inside_run_sync(server, url, stored, with_coroutines):
    async def use():
        async with async_engine(url) as engine:
            async with engine.connect() as given:
                await given.run_sync(lambda _sync: write(server, given, "a"))
                nested = await given.begin_nested()
                await given.run_sync(lambda sync: write(server, sync, "b"))
                await nested.rollback()
                await given.commit()
            with pytest.raises(Unsupported, match="not started"):
                write(server, engine.connect(), "c")

    run(use())
    assert stored() == ["a"]


def test_a_scoped_async_session(server, url, stored, with_coroutines):
    async def use():
        async with async_engine(url) as engine:
            sessions = async_sessionmaker(engine)
            given = async_scoped_session(sessions, scopefunc=asyncio.current_task)
            await given().run_sync(lambda _sync: write(server, given, "a"))
            await given.commit()
            await given.remove()

    run(use())
    assert stored() == ["a"]


@pytest.mark.parametrize("is_connected", [True, False])
def test_an_async_session_outside_is_told_where_to_go(server, url, is_connected, with_coroutines):
    async def use():
        async with async_engine(url) as engine, AsyncSession(engine) as given:
            if is_connected:
                await given.connection()
            with pytest.raises(Unsupported, match="run_sync"):
                write(server, given, "a")

    asyncio.run(use())


# ---- what is refused


def test_autocommit_is_refused(server, url, stored):
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as given, pytest.raises(Unsupported, match="autocommit"):
        write(server, given, "a")
    engine.dispose()
    engine = sa.create_engine(url)
    told = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with told as given, pytest.raises(Unsupported, match="autocommit"):
        write(server, given, "a")
    engine.dispose()
    with plain(url, autocommit=True) as given, pytest.raises(Unsupported, match="autocommit"):
        write(server, given, "a")
    assert stored() == []


@pytest.mark.parametrize("has_tables", [True, False])
def test_another_database_is_refused_and_its_transaction_lives_on(house, server, has_tables):
    with house.database() as elsewhere:
        if has_tables:
            migrate(elsewhere)
        with plain(elsewhere) as given, given.cursor() as cursor:
            cursor.execute("CREATE TABLE mine (n INT) ENGINE = InnoDB")
            cursor.execute("INSERT INTO mine VALUES (1)")
            with pytest.raises(Unsupported) as caught:
                write(server, given, "a")
            assert repr(given.db.decode()) in str(caught.value)
            assert ("another store" if has_tables else "without these") in str(caught.value)
            given.commit()
            assert one(cursor, "SELECT count(*) FROM mine") == (1,)


def test_no_database_is_refused(server, url):
    address = url.rpartition("/")[0] + "/"
    with plain(address) as given, pytest.raises(Unsupported, match="database None"):
        write(server, given, "a")


def test_a_store_that_was_made_anew_is_not_mistaken(house):
    with house.database() as address:
        server = migrate(address)
        with plain(address) as given, given.cursor() as cursor:
            write(server, given, "a")
            given.commit()
            cursor.execute("UPDATE taskkit_store SET store_id = 'new'")
            given.commit()
            with plain(address) as other:
                write(server, other, "b")
                other.rollback()


def test_before_there_are_tables_the_database_is_enough(house):
    with house.database() as address:
        server = connector(address)
        with plain(address) as given, server.joining(given) as cursor:
            assert server.tables(cursor) == set()


def test_a_connection_that_lacks_characters_is_refused(server, url, stored):
    with plain(url, charset="latin1") as given, pytest.raises(Unsupported, match="utf8mb4"):
        write(server, given, "a")
    assert stored() == []


def test_a_cursor_class_of_the_callers_does_not_matter(server, url, stored):
    with plain(url, cursorclass=SSCursor) as given:
        write(server, given, "a")
        given.commit()
    assert stored() == ["a"]


def test_another_driver_is_refused(server):
    engine = sa.create_engine("sqlite://")
    with engine.connect() as given, pytest.raises(Unsupported, match="found one on sqlite"):
        write(server, given, "a")
    engine.dispose()


def test_anything_else_is_refused_by_its_type(server):
    with pytest.raises(Unsupported, match=r"builtins\.dict"):
        write(server, {}, "a")


# ---- what it costs


def test_where_a_connection_leads_is_looked_at_once(server, url):
    with driver(url) as given, closing(given.cursor()) as cursor:
        write(server, given, "a")
        before = int(one(cursor, "SHOW SESSION STATUS LIKE 'Questions'")[1])
        write(server, given, "b")
        after = int(one(cursor, "SHOW SESSION STATUS LIKE 'Questions'")[1])
    assert after - before == 3  # the pause, whether it is a transaction, and this count
