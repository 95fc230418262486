"""What is particular to connections to PostgreSQL: how they are set, and what tables are."""

from __future__ import annotations

import threading

import psycopg
import pytest
from pgcase import shown
from servercase import connector, layout_of, migrate, on_postgres, opened, plain

from taskkit.clock import monotonic
from taskkit_sql import postgres_connecting as connecting

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_postgres


# ---- connections


def test_everything_that_can_be_waited_for_is_bounded(made):
    server = connector(made, statement_timeout=7.5, lock_timeout=0.3, connect_timeout=4)
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


def test_statements_are_planned_once_and_along_indexes(cursor):
    wanted = ("plan_cache_mode", "enable_seqscan", "enable_bitmapscan", "jit")
    assert shown(cursor, *wanted) == ["force_generic_plan", "off", "off", "off"]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_the_scheme_means_psycopg(made, scheme):
    with opened(connector(made.replace("postgresql", scheme, 1))) as cursor:
        assert isinstance(cursor, psycopg.Cursor)


def test_what_the_url_says_is_not_overruled(made):
    server = connector(
        f"{made}?application_name=shop&keepalives_idle=99&sslmode=disable&connect_timeout=7"
    )
    with opened(server) as cursor:
        told = cursor.connection.info.get_parameters()
        assert shown(cursor, "application_name") == ["shop"]
    assert (told["keepalives_idle"], told["sslmode"]) == ("99", "disable")
    assert told["connect_timeout"] == "7"


def test_a_statement_that_takes_longer_than_one_look_is_waited_for(cursor):
    connecting.bind(cursor.connection, 30)
    assert cursor.execute("SELECT 1 FROM pg_sleep(0.25)").fetchone() == (1,)


# ---- behind a pooler


def test_behind_a_pooler_the_session_is_left_as_it_is(made):
    server = connector(made, notify=False, statement_timeout=7, lock_timeout=3)
    with opened(server) as cursor:
        assert shown(cursor, "statement_timeout", "enable_seqscan") == ["0", "on"]
        assert cursor.connection.prepare_threshold is None
        server.begin(cursor)
        assert shown(cursor, "statement_timeout", "lock_timeout") == ["7s", "3s"]
        server.commit(cursor, wakes=True, finished=True)
        assert shown(cursor, "statement_timeout", "lock_timeout") == ["0", "0"]
    assert server.wakeup == "poll"


# ---- transactions


def test_a_beginning_and_an_end_are_one_round_trip_each(server, case, cursor):
    with case.asking(cursor.connection) as asked:
        server.begin(cursor)
        assert asked() == 1
        server.commit(cursor, wakes=True, finished=True)
        assert asked() == 2


def test_repeated_as_often_as_it_may_be_nothing_of_it_is_prepared(server, cursor):
    for _ in range(20):
        server.begin(cursor)
        server.commit(cursor, wakes=True, finished=True)
    cursor.execute("SELECT count(*) FROM pg_prepared_statements")
    assert cursor.fetchone() == (0,)


def test_transactions_read_what_is_committed_whatever_the_database_says(empty):
    server = migrate(empty)
    with plain(empty, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_isolation = serializable"
        )
    with opened(server) as cursor:
        server.begin(cursor)
        assert shown(cursor, "transaction_isolation") == ["read committed"]
        cursor.execute("ROLLBACK")


# ---- tables


def test_tables_are_told_by_prefix(made, server, cursor):
    migrate(made, prefix="Other_")
    names = server.tables(cursor)
    assert {"taskkit_task", "taskkit_store", "taskkit_schema_version"} <= names
    assert all(name.startswith("taskkit_") for name in names)
    assert "Other_task" in connector(made, prefix="Other_").tables(cursor)
    assert connector(made, prefix="taskkit_x").tables(cursor) == set()


def test_tables_are_told_by_schema(made, server):
    with plain(made, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA Apart")
    with opened(server) as cursor:
        assert connector(made, schema="Apart").tables(cursor) == set()
        migrate(made, schema="Apart")
        assert connector(made, schema="Apart").tables(cursor) == server.tables(cursor)


def test_an_error_undoes_all_changes_of_tables(empty):
    server = connector(empty)
    with opened(server) as cursor:
        with pytest.raises(KeyError), server.migrating(cursor):
            cursor.execute("CREATE TABLE taskkit_task (id text)")
            raise KeyError
        assert server.tables(cursor) == set()


def test_of_two_that_make_the_tables_at_once_one_begins_anew(empty):
    layout = layout_of(empty)
    conflicts, together = [], threading.Barrier(2)

    def make():
        server = connector(empty)
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
    server = connector(empty)
    with opened(server) as cursor:
        assert layout.applied(cursor, server.tables(cursor)) == {101}
    assert len(conflicts) <= 1


def test_whoever_changes_tables_is_alone(made, server):
    with opened(server) as cursor, opened(connector(made, lock_timeout=0.05)) as other:
        with server.migrating(cursor), pytest.raises(psycopg.errors.LockNotAvailable):
            server.migrating(other).__enter__()
        with server.migrating(other):
            pass


def test_changes_of_tables_may_take_longer_than_a_statement(made):
    server = connector(made, statement_timeout=0.05)
    with opened(server) as cursor:
        with server.migrating(cursor):
            cursor.execute("SELECT pg_sleep(0.2)")
        with pytest.raises(psycopg.errors.QueryCanceled):
            cursor.execute("SELECT pg_sleep(30)")


@pytest.fixture
def unswept(empty):
    """A store of its own, and a cursor on it."""
    server = migrate(empty)
    with opened(server) as cursor:
        yield server, cursor


def test_dead_versions_are_swept_away_when_there_are_many(unswept):
    server, cursor = unswept
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


def test_who_may_not_sweep_does_not(made, server, cursor):
    cursor.execute("CREATE ROLE sweeper_guest LOGIN")
    try:
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO sweeper_guest")
        guest = connector(made.replace("//taskkit", "//sweeper_guest"))
        with opened(guest) as other:
            assert not guest.tidy(other)
    finally:
        cursor.execute("DROP OWNED BY sweeper_guest; DROP ROLE sweeper_guest")
