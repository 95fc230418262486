"""Connections to PostgreSQL: how they are set, how transactions begin and end, what tables are."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager

import psycopg
import pytest
from pgcase import connector, migrate, opened, settings_of, shown

from taskkit.clock import SystemClock, monotonic
from taskkit_relational.migrations import Layout
from taskkit_sql import postgres_connecting as connecting
from taskkit_sql.postgres import Postgres

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


@pytest.fixture
def server(postgres_url):
    return migrate(postgres_url)


@pytest.fixture
def cursor(server):
    with opened(server) as cursor:
        yield cursor


@contextmanager
def round_trips(cursor):
    """Count how often a connection has to wait for the server."""
    connection = cursor.connection
    waits, wait = [], connection.wait

    def counted(steps):
        try:
            wanted = next(steps)
            waits.append(wanted)  # what does not wait gives no such step
            while True:
                wanted = steps.send((yield wanted))
        except StopIteration as end:
            return end.value

    vars(connection)["wait"] = lambda steps, *others, **named: wait(
        counted(steps), *others, **named
    )
    yield waits
    vars(connection)["wait"] = wait


# ---- connections


def test_everything_that_can_be_waited_for_is_bounded(postgres_url):
    server = connector(postgres_url, statement_timeout=7.5, lock_timeout=0.3, connect_timeout=4)
    with opened(server) as cursor:
        bounds = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        assert shown(cursor, *bounds) == ["7500ms", "300ms", "7500ms"]
        told = cursor.connection.info.get_parameters()
    expected = {
        "connect_timeout": "4", "tcp_user_timeout": "4000", "keepalives": "1",
        "keepalives_idle": "10", "keepalives_interval": "3", "keepalives_count": "3",
        "application_name": "taskkit",
    }  # fmt: skip
    assert {name: told.get(name, "1") for name in expected} == expected


def test_the_driver_never_begins_by_itself(cursor):
    assert cursor.connection.autocommit
    assert cursor.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_statements_are_planned_once_and_along_indexes(cursor):
    wanted = ("plan_cache_mode", "enable_seqscan", "enable_bitmapscan", "jit")
    assert shown(cursor, *wanted) == ["force_generic_plan", "off", "off", "off"]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_the_scheme_means_psycopg(postgres_url, scheme):
    with opened(connector(postgres_url.replace("postgresql", scheme, 1))) as cursor:
        assert isinstance(cursor, psycopg.Cursor)


def test_what_the_url_says_is_not_overruled(postgres_url):
    server = connector(
        f"{postgres_url}?application_name=shop&keepalives_idle=99&sslmode=disable&connect_timeout=7"
    )
    with opened(server) as cursor:
        told = cursor.connection.info.get_parameters()
        assert shown(cursor, "application_name") == ["shop"]
    assert (told["keepalives_idle"], told["sslmode"]) == ("99", "disable")
    assert told["connect_timeout"] == "7"


def test_the_pool_is_as_small_as_it_was_told(postgres_url):
    engine = connector(postgres_url, pool_size=2).engine()
    try:
        assert (engine.pool.size(), engine.pool._max_overflow) == (2, 0)
    finally:
        engine.dispose()


def test_a_connection_that_the_server_has_closed_is_replaced_unnoticed(server):
    engine = server.engine()
    try:
        with engine.connect() as connection:
            first = connection.connection.driver_connection
            [pid] = first.execute("SELECT pg_backend_pid()").fetchone()
        with opened(server) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
        with engine.connect() as connection:
            second = connection.connection.driver_connection
            assert second is not first
            assert second.execute("SELECT 1").fetchone() == (1,)
    finally:
        engine.dispose()


def test_a_healthy_connection_is_used_again_without_a_round_trip(server):
    engine = server.engine()
    try:
        with engine.connect() as connection:
            first = connection.connection.driver_connection
            with closing(first.cursor()) as cursor, round_trips(cursor) as waits:
                connection.close()
                with engine.connect() as again:
                    assert again.connection.driver_connection is first
            assert waits == []
    finally:
        engine.dispose()


def test_a_server_that_stands_still_is_given_up(postgres_server, cursor, server):
    if postgres_server.pause is None:
        pytest.skip("the server is not ours")
    connecting.bind(cursor.connection, 0.3)
    postgres_server.pause()
    try:
        with pytest.raises(psycopg.OperationalError, match="no answer") as caught:
            cursor.execute("SELECT 1")
    finally:
        postgres_server.resume()
    assert server.is_lost(caught.value)
    assert cursor.connection.closed


def test_a_statement_that_takes_longer_than_one_look_is_waited_for(cursor):
    connecting.bind(cursor.connection, 30)
    assert cursor.execute("SELECT 1 FROM pg_sleep(0.25)").fetchone() == (1,)


# ---- behind a pooler


def test_behind_a_pooler_the_session_is_left_as_it_is(postgres_url):
    migrate(postgres_url)
    server = connector(postgres_url, notify=False, statement_timeout=7, lock_timeout=3)
    with opened(server) as cursor:
        assert shown(cursor, "statement_timeout", "enable_seqscan") == ["0", "on"]
        assert cursor.connection.prepare_threshold is None
        server.begin(cursor)
        assert shown(cursor, "statement_timeout", "lock_timeout") == ["7s", "3s"]
        server.commit(cursor, wakes=True, finished=True)
        assert shown(cursor, "statement_timeout", "lock_timeout") == ["0", "0"]
    assert server.wakeup == "poll"


# ---- transactions


def test_begin_tells_the_servers_time_and_the_count_in_one_round_trip(server, cursor):
    with round_trips(cursor) as waits:
        begun = server.begin(cursor)
    assert len(waits) == 1
    assert abs(begun.now - SystemClock().now()) < 60_000_000
    assert begun.steered == 0
    assert cursor.connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    server.statements.steer(cursor)
    with round_trips(cursor) as waits:
        server.commit(cursor, wakes=True, finished=True)
    assert len(waits) == 1
    assert server.begin(cursor).steered == 1
    server.commit(cursor, wakes=False, finished=False)
    assert cursor.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_repeated_as_often_as_it_may_be_nothing_of_it_is_prepared(server, cursor):
    for _ in range(20):
        server.begin(cursor)
        server.commit(cursor, wakes=True, finished=True)
    cursor.execute("SELECT count(*) FROM pg_prepared_statements")
    assert cursor.fetchone() == (0,)


def test_transactions_read_what_is_committed_whatever_the_database_says(postgres_url, server):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_isolation = serializable"
        )
    with opened(server) as cursor:
        server.begin(cursor)
        assert shown(cursor, "transaction_isolation") == ["read committed"]
        cursor.execute("ROLLBACK")


def test_a_snapshot_sees_one_state_and_writes_nothing(server, cursor):
    server.begin_snapshot(cursor)
    before = server.statements.steered(cursor)
    with opened(server) as other:
        server.statements.steer(other)
    assert server.statements.steered(cursor) == before
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        server.statements.steer(cursor)
    cursor.execute("ROLLBACK")
    assert server.statements.steered(cursor) == before + 1


# ---- tables


def test_tables_are_told_by_prefix(postgres_url, server, cursor):
    migrate(postgres_url, prefix="Other_")
    names = server.tables(cursor)
    assert {"taskkit_task", "taskkit_store", "taskkit_schema_version"} <= names
    assert all(name.startswith("taskkit_") for name in names)
    assert "Other_task" in connector(postgres_url, prefix="Other_").tables(cursor)
    assert connector(postgres_url, prefix="taskkit_x").tables(cursor) == set()


def test_tables_are_told_by_schema(postgres_url, server):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA Apart")
    with opened(server) as cursor:
        assert connector(postgres_url, schema="Apart").tables(cursor) == set()
        migrate(postgres_url, schema="Apart")
        assert connector(postgres_url, schema="Apart").tables(cursor) == server.tables(cursor)


def test_an_error_undoes_all_changes_of_tables(postgres_url):
    server = connector(postgres_url)
    with opened(server) as cursor:
        with pytest.raises(KeyError), server.migrating(cursor):
            cursor.execute("CREATE TABLE taskkit_task (id text)")
            raise KeyError
        assert server.tables(cursor) == set()


def test_of_two_that_make_the_tables_at_once_one_begins_anew(postgres_url):
    settings = settings_of(postgres_url)
    layout = Layout("postgres", settings.prefix, "")
    conflicts, together = [], threading.Barrier(2)

    def make():
        server = Postgres(settings)
        for first in (True, False):
            try:
                with opened(server) as cursor, server.migrating(cursor):
                    if first:
                        together.wait(30)
                    layout.prepare(cursor)
                    applied = layout.applied(cursor, server.tables(cursor))
                    layout.run(cursor, applied, 0)
                return
            except psycopg.Error as error:
                assert server.is_conflict(error), error
                conflicts.append(error)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    server = connector(postgres_url)
    with opened(server) as cursor:
        assert layout.applied(cursor, server.tables(cursor)) == {101}
    assert len(conflicts) <= 1


def test_whoever_changes_tables_is_alone(postgres_url, server):
    with opened(server) as cursor, opened(connector(postgres_url, lock_timeout=0.05)) as other:
        with server.migrating(cursor), pytest.raises(psycopg.errors.LockNotAvailable):
            server.migrating(other).__enter__()
        with server.migrating(other):
            pass


def test_changes_of_tables_may_take_longer_than_a_statement(postgres_url):
    server = connector(postgres_url, statement_timeout=0.05)
    with opened(server) as cursor:
        with server.migrating(cursor):
            cursor.execute("SELECT pg_sleep(0.2)")
        with pytest.raises(psycopg.errors.QueryCanceled):
            cursor.execute("SELECT pg_sleep(30)")


def test_dead_versions_are_swept_away_when_there_are_many(server, cursor):
    assert not server.tidy(cursor)
    cursor.execute("""
        ALTER TABLE taskkit_task SET (autovacuum_enabled = false);
        INSERT INTO taskkit_task (id, state, grp, name, priority, due, created, retention, data)
        SELECT 'mail_' || n, 1, 'mail', 'send', 0, n, n, 1, '' FROM generate_series(1, 22000) AS n
    """)
    cursor.execute("UPDATE taskkit_task SET state = 3, worker_id = 'w'")
    deadline = monotonic() + 60
    while not server.tidy(cursor):  # the server takes a moment to count
        assert monotonic() < deadline
    cursor.execute(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT 1 FROM taskkit_task WHERE state = 1"
    )
    [plan] = cursor.fetchone()[0]
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 20
    assert shown(cursor, "statement_timeout") == ["30s"]


def test_who_may_not_sweep_does_not(postgres_url, server, cursor):
    cursor.execute("CREATE ROLE sweeper_guest LOGIN")
    try:
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO sweeper_guest")
        guest = connector(postgres_url.replace("//taskkit", "//sweeper_guest"))
        with opened(guest) as other:
            assert not guest.tidy(other)
    finally:
        cursor.execute("DROP OWNED BY sweeper_guest; DROP ROLE sweeper_guest")
