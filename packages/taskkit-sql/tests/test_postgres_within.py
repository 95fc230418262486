"""What is particular to a caller's transaction on PostgreSQL: its driver, coroutines, schemas."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
import sqlalchemy as sa
from servercase import migrate, on_postgres, plain
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from withincase import async_engine, run, write

from taskkit.errors import Unsupported

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_postgres


# ---- blocks of the driver


def test_it_goes_with_a_block_inside_a_transaction(server, made, stored):
    with plain(made) as given:
        write(server, given, "a")
        with pytest.raises(KeyError), given.transaction():
            write(server, given, "b")
            raise KeyError
        given.commit()
    assert stored() == ["a"]


def test_a_block_of_a_connection_in_autocommit_is_a_transaction(server, made, stored):
    with plain(made, autocommit=True) as given:
        with pytest.raises(KeyError), given.transaction():
            write(server, given, "a")
            raise KeyError
        with given.transaction():
            write(server, given, "b")
            assert stored() == []
    assert stored() == ["b"]


# ---- coroutines


def test_an_async_session(server, engine_url, stored):
    async def use():
        async with async_engine(engine_url) as engine, AsyncSession(engine) as given:
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


def test_an_async_session_inside_run_sync(server, engine_url, stored):
    async def use():
        async with async_engine(engine_url) as engine, AsyncSession(engine) as given:
            await given.run_sync(lambda sync: write(server, sync, "a"))
            await given.commit()

    run(use())
    assert stored() == ["a"]


def test_a_scoped_async_session(server, engine_url, stored):
    async def use():
        async with async_engine(engine_url) as engine:
            sessions = async_sessionmaker(engine)
            given = async_scoped_session(sessions, scopefunc=asyncio.current_task)
            await given.connection()
            write(server, given, "a")
            await given.commit()
            await given.remove()

    run(use())
    assert stored() == ["a"]


def test_an_async_connection(server, engine_url, stored):
    async def use():
        async with async_engine(engine_url) as engine:
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


def test_an_async_connection_of_the_driver(server, made, stored):
    async def use():
        async with await psycopg.AsyncConnection.connect(made) as given:
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


def test_from_a_thread_beside_the_loop(server, engine_url, stored):
    async def use():
        async with async_engine(engine_url) as engine, AsyncSession(engine) as given:
            await given.connection()
            await asyncio.to_thread(write, server, given, "a")
            await given.commit()

    run(use())
    assert stored() == ["a"]


def test_an_async_session_that_would_have_to_connect_first(server, engine_url, stored):
    async def use():
        async with async_engine(engine_url) as engine, AsyncSession(engine) as given:
            with pytest.raises(Unsupported, match=r"await session\.connection\(\)"):
                write(server, given, "a")
            await given.connection()
            write(server, given, "b")
            await given.commit()

    run(use())
    assert stored() == ["b"]


def test_a_connection_that_another_coroutine_uses(server, made):
    async def use():
        async with await psycopg.AsyncConnection.connect(made) as given:
            slow = asyncio.create_task(given.execute("SELECT pg_sleep(0.3)"))
            await asyncio.sleep(0)  # it goes as far as to wait for the server
            with pytest.raises(Unsupported, match="nobody uses"):
                write(server, given, "a")
            await slow

    run(use())


# ---- what is refused


def test_another_schema_is_refused(server, made):
    with plain(made, autocommit=True) as making:
        making.execute("CREATE SCHEMA apart")
    migrate(made, schema="apart")
    elsewhere = plain(made, options="-c search_path=apart")
    with elsewhere as given, pytest.raises(Unsupported, match="another store"):
        write(server, given, "a")


def test_a_store_of_a_schema_is_found_whatever_the_path(made):
    with plain(made, autocommit=True) as making:
        making.execute("CREATE SCHEMA aside")
    server = migrate(made, schema="aside")
    with plain(made, options="-c search_path=pg_catalog") as given:
        write(server, given, "a")


def test_a_transaction_that_has_failed_is_told(server, made):
    with plain(made) as given:
        with pytest.raises(psycopg.Error):
            given.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.Error) as caught:
            write(server, given, "a")
    assert "roll it back" in str(server.translate(caught.value))


# ---- what it costs


def test_where_a_connection_leads_is_looked_at_once(server, case, made):
    with plain(made) as given:
        write(server, given, "a")
        with case.asking(given) as asked:
            write(server, given, "b")
        assert asked() == 1
