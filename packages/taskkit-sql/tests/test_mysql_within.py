"""What is particular to a caller's transaction on MySQL or MariaDB: its driver, coroutines."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
from pymysql.cursors import SSCursor
from servercase import on_mysql, plain
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from withincase import async_engine, run, write

from taskkit.errors import Unavailable, Unsupported
from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql


# ---- coroutines


@pytest.fixture
def with_coroutines():
    pytest.importorskip("aiomysql", reason="pip install aiomysql greenlet")


def test_an_async_session_inside_run_sync(server, engine_url, stored, with_coroutines):
    async def use():
        async with async_engine(engine_url) as engine, AsyncSession(engine) as given:
            await given.run_sync(lambda sync: write(server, sync, "a"))
            assert stored() == []
            await given.commit()
            # The session itself may be passed there, too.
            await given.run_sync(lambda _sync: write(server, given, "b"))
            await given.rollback()

    run(use())
    assert stored() == ["a"]


def test_an_async_connection_inside_run_sync(server, engine_url, stored, with_coroutines):
    async def use():
        async with async_engine(engine_url) as engine:
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


def test_a_scoped_async_session(server, engine_url, stored, with_coroutines):
    async def use():
        async with async_engine(engine_url) as engine:
            sessions = async_sessionmaker(engine)
            given = async_scoped_session(sessions, scopefunc=asyncio.current_task)
            await given().run_sync(lambda _sync: write(server, given, "a"))
            await given.commit()
            await given.remove()

    run(use())
    assert stored() == ["a"]


@pytest.mark.parametrize("is_connected", [True, False])
def test_an_async_session_outside_is_told_where_to_go(
    server, engine_url, is_connected, with_coroutines
):
    async def use():
        async with async_engine(engine_url) as engine, AsyncSession(engine) as given:
            if is_connected:
                await given.connection()
            with pytest.raises(Unsupported, match="run_sync"):
                write(server, given, "a")

    asyncio.run(use())


# ---- what is refused, and what is not


def test_no_database_is_refused(server, made):
    address = made.rpartition("/")[0] + "/"
    with plain(address) as given, pytest.raises(Unsupported, match="database None"):
        write(server, given, "a")


def test_a_connection_that_lacks_characters_is_refused(server, made, stored):
    with plain(made, charset="latin1") as given, pytest.raises(Unsupported, match="utf8mb4"):
        write(server, given, "a")
    assert stored() == []


def test_a_cursor_class_of_the_callers_does_not_matter(server, made, stored):
    with plain(made, cursorclass=SSCursor) as given:
        write(server, given, "a")
        given.commit()
    assert stored() == ["a"]


# ---- what the server undoes


@pytest.fixture
def database(made):
    with closing(open_backend(made)) as backend:
        backend.count()
        yield backend._store.database


def test_a_transaction_that_the_server_has_undone_as_a_whole_is_told_to_be_gone(
    database, case, made, stored
):
    """As after a deadlock: the caller would commit what it does afterwards, and nothing before."""

    def fail(transaction):
        transaction.cursor.execute("ROLLBACK")
        raise case.coded(1213)

    with plain(made) as given, given.cursor() as cursor:
        cursor.execute("INSERT INTO taskkit_pause (grp) VALUES ('before')")
        with pytest.raises(Unavailable, match="undone .* before .* roll it back, and do all of it"):
            database.join(given, fail)
        given.rollback()
    assert stored() == []


def test_one_of_which_the_server_has_undone_no_more_than_a_statement_goes_on(
    database, case, made, stored
):
    def fail(_transaction):
        raise case.coded(1205)

    with plain(made) as given, given.cursor() as cursor:
        cursor.execute("INSERT INTO taskkit_pause (grp) VALUES ('before')")
        with pytest.raises(Unavailable) as caught:
            database.join(given, fail)
        assert "undone" not in str(caught.value)
        given.commit()
    assert stored() == ["before"]


# ---- what it costs


def test_where_a_connection_leads_is_looked_at_once(server, case, made):
    with plain(made) as given:
        write(server, given, "a")
        with case.asking(given) as asked:
            write(server, given, "b")
            assert asked() == 2  # the pause, and whether it is a transaction
