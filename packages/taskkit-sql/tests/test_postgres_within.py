"""Taking part in a caller's transaction on PostgreSQL, whatever the caller has in hand."""

from __future__ import annotations

import asyncio
import gc
import warnings
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from pgcase import connector, migrate, opened
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from taskkit.errors import Unsupported

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

ROW = "INSERT INTO taskkit_pause (grp) VALUES (%s)"


@pytest.fixture
def server(postgres_url):
    return migrate(postgres_url)


@pytest.fixture
def url(postgres_url):
    return postgres_url.replace("postgresql", "postgresql+psycopg", 1)


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
    with psycopg.connect(url.replace("+psycopg", "")) as given:
        yield given


@contextmanager
def driver_with_rows_of_its_own(url):
    options = {"row_factory": dict_row, "cursor_factory": psycopg.ClientCursor}
    with psycopg.connect(url.replace("+psycopg", ""), **options) as given:
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


def test_it_goes_with_a_savepoint(server, url, stored):
    with session(url) as given:
        write(server, given, "a")
        nested = given.begin_nested()
        write(server, given, "b")
        nested.rollback()
        given.commit()
    with driver(url) as given:
        write(server, given, "c")
        with pytest.raises(KeyError), given.transaction():
            write(server, given, "d")
            raise KeyError
        given.commit()
    assert stored() == ["a", "c"]


def test_it_sees_and_shares_what_the_caller_has_done(server, url):
    with session(url) as given:
        given.execute(sa.text("INSERT INTO taskkit_pause (grp) VALUES ('mine')"))
        with server.joining(given) as cursor:
            assert server.statements.pauses(cursor) == [("mine", None)]
        write(server, given, "ours")
        found = given.execute(sa.text("SELECT grp FROM taskkit_pause ORDER BY grp")).scalars()
        assert list(found) == ["mine", "ours"]


def test_a_transaction_inside_a_connection_in_autocommit_is_one(server, url, stored):
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as given:
        with pytest.raises(KeyError), given.transaction():
            write(server, given, "a")
            raise KeyError
        with given.transaction():
            write(server, given, "b")
            assert stored() == []
    assert stored() == ["b"]


# ---- coroutines


@asynccontextmanager
async def async_engine(url):
    engine = create_async_engine(url)
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


def test_an_async_session(server, url, stored):
    async def use():
        async with async_engine(url) as engine, AsyncSession(engine) as given:
            await given.execute(sa.text("SELECT 1"))
            write(server, given, "a")
            await given.execute(sa.text("INSERT INTO taskkit_pause (grp) VALUES ('b')"))
            assert stored() == []
            await given.commit()
            assert stored() == ["a", "b"]
            await given.connection()
            write(server, given, "c")
            await given.rollback()
            await given.connection()
            for n in range(20):  # more often than statements are prepared after
                await given.execute(sa.text("SELECT count(*) FROM taskkit_pause"))
                write(server, given, f"d{n}")
            await given.commit()

    run(use())
    assert len(stored()) == 22
    assert "c" not in stored()


def test_an_async_session_inside_run_sync(server, url, stored):
    async def use():
        async with async_engine(url) as engine, AsyncSession(engine) as given:
            await given.run_sync(lambda sync: write(server, sync, "a"))
            await given.commit()

    run(use())
    assert stored() == ["a"]


def test_a_scoped_async_session(server, url, stored):
    async def use():
        async with async_engine(url) as engine:
            sessions = async_sessionmaker(engine)
            given = async_scoped_session(sessions, scopefunc=asyncio.current_task)
            await given.connection()
            write(server, given, "a")
            await given.commit()
            await given.remove()

    run(use())
    assert stored() == ["a"]


def test_an_async_connection(server, url, stored):
    async def use():
        async with async_engine(url) as engine:
            async with engine.connect() as given:
                write(server, given, "a")
                nested = await given.begin_nested()
                write(server, given, "b")
                await nested.rollback()
                await given.commit()
            with pytest.raises(Unsupported, match="not started"):
                write(server, engine.connect(), "c")

    run(use())
    assert stored() == ["a"]


def test_an_async_connection_of_the_driver(server, url, stored):
    async def use():
        address = url.replace("+psycopg", "")
        async with await psycopg.AsyncConnection.connect(address) as given:
            await given.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
            heard = []
            given.add_notice_handler(lambda notice: heard.append(notice.severity))
            write(server, given, "a")
            [level] = await (await given.execute("SHOW transaction_isolation")).fetchone()
            assert level == "serializable"
            await given.execute("DROP TABLE IF EXISTS nothing")
            assert heard == ["NOTICE"]
            assert stored() == []
            await given.commit()

    run(use())
    assert stored() == ["a"]


def test_from_a_thread_beside_the_loop(server, url, stored):
    async def use():
        async with async_engine(url) as engine, AsyncSession(engine) as given:
            await given.connection()
            await asyncio.to_thread(write, server, given, "a")
            await given.commit()

    run(use())
    assert stored() == ["a"]


def test_an_async_session_that_would_have_to_connect_first(server, url, stored):
    async def use():
        async with async_engine(url) as engine, AsyncSession(engine) as given:
            with pytest.raises(Unsupported, match=r"await session\.connection\(\)"):
                write(server, given, "a")
            await given.connection()
            write(server, given, "b")
            await given.commit()

    run(use())
    assert stored() == ["b"]


def test_a_connection_that_another_coroutine_uses(server, url):
    async def use():
        async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as given:
            slow = asyncio.create_task(given.execute("SELECT pg_sleep(0.3)"))
            await asyncio.sleep(0)  # it goes as far as to wait for the server
            with pytest.raises(Unsupported, match="nobody uses"):
                write(server, given, "a")
            await slow

    run(use())


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
    plain = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    with plain as given, pytest.raises(Unsupported, match="autocommit"):
        write(server, given, "a")
    assert stored() == []


@pytest.mark.parametrize("has_tables", [True, False])
def test_another_database_is_refused_and_its_transaction_lives_on(
    postgres_server, server, has_tables
):
    with postgres_server.database() as elsewhere:
        if has_tables:
            migrate(elsewhere)
        with psycopg.connect(elsewhere) as given:
            given.execute("CREATE TABLE mine (n int)")
            with pytest.raises(Unsupported) as caught:
                write(server, given, "a")
            assert f"database {given.info.dbname!r}" in str(caught.value)
            assert ("another store" if has_tables else "without these") in str(caught.value)
            given.execute("INSERT INTO mine VALUES (1)")
            given.commit()


def test_another_schema_is_refused(postgres_url, server, url):
    with psycopg.connect(postgres_url, autocommit=True) as made:
        made.execute("CREATE SCHEMA apart")
    migrate(postgres_url, schema="apart")
    elsewhere = psycopg.connect(postgres_url, options="-c search_path=apart")
    with elsewhere as given, pytest.raises(Unsupported, match="another store"):
        write(server, given, "a")


def test_a_store_of_a_schema_is_found_whatever_the_path(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as made:
        made.execute("CREATE SCHEMA apart")
    server = migrate(postgres_url, schema="apart")
    with psycopg.connect(postgres_url, options="-c search_path=pg_catalog") as given:
        write(server, given, "a")


def test_a_store_that_was_made_anew_is_not_mistaken(postgres_url, server, url):
    with driver(url) as given:
        write(server, given, "a")
        given.commit()
        given.execute("DROP TABLE taskkit_store")
        given.execute("CREATE TABLE taskkit_store (store_id uuid DEFAULT gen_random_uuid())")
        given.execute("INSERT INTO taskkit_store DEFAULT VALUES")
        given.commit()
        with driver(url) as other:
            write(server, other, "b")
            other.rollback()


def test_before_there_are_tables_the_database_is_enough(postgres_url, url):
    server = connector(postgres_url)
    with driver(url) as given, server.joining(given) as cursor:
        assert server.tables(cursor) == set()


def test_another_driver_is_refused(server):
    engine = sa.create_engine("sqlite://")
    with engine.connect() as given, pytest.raises(Unsupported, match="found one on sqlite"):
        write(server, given, "a")
    engine.dispose()


def test_anything_else_is_refused_by_its_type(server):
    with pytest.raises(Unsupported, match=r"builtins\.dict"):
        write(server, {}, "a")


def test_a_transaction_that_has_failed_is_told(server, url):
    with driver(url) as given:
        with pytest.raises(psycopg.Error):
            given.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.Error) as caught:
            write(server, given, "a")
    assert "roll it back" in str(server.translate(caught.value))


# ---- what it costs


def test_where_a_connection_leads_is_looked_at_once(server, url):
    with driver(url) as given:
        write(server, given, "a")
        ran = []
        with given.cursor() as counting:
            counting.execute("SELECT 1")
        wait = given.wait
        vars(given)["wait"] = lambda *a, **o: (ran.append(1), wait(*a, **o))[1]
        write(server, given, "b")
        del vars(given)["wait"]
    assert len(ran) == 1
