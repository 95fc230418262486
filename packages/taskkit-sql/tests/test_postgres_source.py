"""News between processes on PostgreSQL: notified while somebody waits, or asked for."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager

import psycopg
import pytest
from roomcase import Room
from servercase import connector, migrate, opened

from taskkit.clock import monotonic
from taskkit.errors import Unavailable
from taskkit_relational.dialects.postgres import listening
from taskkit_sql import postgres_connecting as connecting

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

ROW = (
    "INSERT INTO taskkit_task (id, state, grp, name, priority, due, created, retention, data) "
    "VALUES (%s, 1, 'mail', 'send', 0, 1, 1, 1, '')"
)


@contextmanager
def watched(server, room):
    """Watch on a thread of its own; give the errors that it ends with."""
    source, errors = server.source(), []

    def watch():
        try:
            source.watch(room)
        except Unavailable as error:
            errors.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield source, errors, thread
    finally:
        room.wanted = False
        source.interrupt()
        thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def server(postgres_url):
    return migrate(postgres_url)


@pytest.fixture
def other(postgres_url):
    """Another process's connector, and a cursor of it."""
    server = connector(postgres_url)
    with opened(server) as cursor:
        yield server, cursor


def commit(other, *, wakes=False, finished=False):
    server, cursor = other
    server.begin(cursor)
    server.commit(cursor, wakes=wakes, finished=finished)


def settled(room):
    """Return once the looks for commits that were under way are over: then all is told."""
    assert room.wait_for("claimable", 4)
    return len(room.told)


@pytest.fixture
def heard(postgres_url):
    """Return what is notified, to whoever listens."""
    with closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
        connection.execute("LISTEN taskkit_news")

        def notified():
            connection.execute("SELECT 1")
            return [news.payload for news in connection.notifies(timeout=0)]

        yield notified


# ---- who notifies, and when


def test_nobody_notifies_while_nobody_waits(server, other, heard):
    commit(other, wakes=True, finished=True)
    assert heard() == []


def test_a_commit_notifies_once_for_each_kind_while_somebody_waits(server, other, heard):
    room = Room(awaited=["mail_1"])
    with watched(server, room):
        settled(room)
        commit(other, wakes=True)
        commit(other, finished=True)
        commit(other)
        commit(other, wakes=True, finished=True)
        kinds = [payload[0] for payload in heard()]
        assert kinds == ["c", "d", "c", "d"]


def test_only_what_is_waited_for_is_notified(server, other, heard):
    room = Room(claimers=False, awaited=["mail_1"])
    with watched(server, room):
        assert room.wait_for("listening")
        commit(other, wakes=True, finished=True)
        assert [payload[0] for payload in heard()] == ["d"]


def test_a_caller_notifies_whether_or_not_somebody_waits(server, other, heard, postgres_url):
    with psycopg.connect(postgres_url) as given:
        with server.joining(given) as cursor:
            server.tell(cursor, wakes=True, finished=False)
        assert heard() == []
        given.commit()
    assert heard() == ["c"]


def test_stores_do_not_wake_each_other(postgres_url, server, other):
    migrate(postgres_url, prefix="other_")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA apart")
    migrate(postgres_url, schema="apart")
    room = Room()
    with watched(server, room):
        before = settled(room)
        for options in ({"prefix": "other_"}, {"schema": "apart"}):
            stranger = connector(postgres_url, **options)
            with opened(stranger) as cursor:
                stranger.tell(cursor, wakes=True, finished=True)
        commit(other, wakes=True)
        assert room.wait_for("claimable", 5)
        assert room.told[before:] == ["claimable"]


# ---- who is woken


def test_who_waits_is_woken(server, other):
    room = Room()
    with watched(server, room):
        before = settled(room)
        for n in range(1, 4):
            commit(other, wakes=True)
            assert room.wait_for("claimable", 4 + n)
        assert set(room.told[before:]) == {"claimable"}


def test_who_comes_first_is_woken_again_for_a_commit_under_way(server):
    room = Room()
    with watched(server, room):
        settled(room)
    assert room.told == ["listening", *["claimable"] * 4]


def test_ones_own_news_are_old(server, other):
    room = Room()
    with watched(server, room), opened(server) as cursor:
        before = settled(room)
        commit((server, cursor), wakes=True)
        commit(other, wakes=True)
        assert room.wait_for("claimable", 5)
        assert room.told[before:] == ["claimable"]


def test_who_waits_for_a_task_is_told_when_it_is_over(server, other):
    _, cursor = other
    for task_id in ("mail_1", "mail_2"):
        cursor.execute(ROW, (task_id,))
    room = Room(claimers=False, awaited=["mail_1", "mail_2"])
    with watched(server, room):
        assert room.wait_for("listening")
        cursor.execute("UPDATE taskkit_task SET state = 4 WHERE id = 'mail_2'")
        commit(other, finished=True)
        assert room.wait_for("over mail_2")
    assert "over mail_1" not in room.told


def test_who_begins_to_wait_for_a_task_later_is_told_too(server, other):
    _, cursor = other
    cursor.execute(ROW, ("mail_1",))
    room = Room()
    with watched(server, room) as (source, _, _):
        settled(room)
        room.awaited.append("mail_1")
        source.interrupt()
        assert room.wait_for("listening", 2)
        cursor.execute("DELETE FROM taskkit_task")
        commit(other, finished=True)
        assert room.wait_for("over mail_1")


@pytest.fixture
def asked(monkeypatch):
    """When the connections that listen have asked something."""
    moments = []

    class Counting(psycopg.Cursor):
        def execute(self, *arguments, **options):
            moments.append(monotonic())
            return super().execute(*arguments, **options)

    def counted(settings):
        connection = connect(settings)
        connection.cursor_factory = Counting
        return connection

    connect = connecting.connect
    monkeypatch.setattr(connecting, "connect", counted)
    return moments


def test_a_promise_is_renewed_before_it_ends(server, other, asked, monkeypatch):
    monkeypatch.setattr(listening, "_PROMISED", 60.0)
    monkeypatch.setattr(listening, "_RENEWED", 59.99)
    _, cursor = other
    look = "SELECT until FROM taskkit_waiting WHERE kind = 'c'"
    room = Room()
    with watched(server, room):
        settled(room)
        first = last = cursor.execute(look).fetchone()
        while len(asked) < 30 or first == last:
            last = cursor.execute(look).fetchone()
    assert room.told.count("listening") == 1


def test_a_process_that_waits_asks_at_most_twice_a_second(server, asked):
    room = Room()
    with watched(server, room):
        settled(room)
        before = len(asked)
        while len(asked) < before + 2:
            assert not room.wait_for("nothing", timeout=0.1)
    gaps = [
        after - before for before, after in zip(asked[before - 1 :], asked[before:], strict=False)
    ]
    assert min(gaps) > 0.5


def test_what_others_have_promised_is_not_written_again(server, other):
    _, cursor = other
    look = "SELECT until FROM taskkit_waiting WHERE kind = 'c'"
    with watched(server, room := Room()):
        settled(room)
        promised = cursor.execute(look).fetchone()
        with watched(other[0], beside := Room()):
            assert beside.wait_for("listening")
            again = cursor.execute(look).fetchone()
    # The second one came within moments, unless this machine was busy for more than a second.
    assert again == promised or again[0] - promised[0] > 1_250_000


# ---- when the connection is lost


def test_a_lost_connection_is_told(server, other):
    _, cursor = other
    room = Room()
    with watched(server, room) as (_, errors, thread):
        settled(room)
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE application_name = 'taskkit' AND pid <> pg_backend_pid()"
        )
        thread.join(30)
    assert len(errors) == 1


def test_a_server_that_is_not_there_is_told(postgres_url):
    server = connector(postgres_url.rsplit("/", 1)[0] + "/nowhere")
    with pytest.raises(Unavailable, match="nowhere"):
        server.source().watch(Room())


def test_a_closing_room_is_left_at_once(server, monkeypatch):
    monkeypatch.setattr(listening, "_PROMISED", 3600.0)
    room = Room()
    with watched(server, room):
        settled(room)  # from now on only the bell could end its sleep


# ---- behind a pooler


def test_without_push_the_store_is_asked(postgres_url, server, other):
    _, cursor = other
    cursor.execute(ROW, ("mail_1",))
    room = Room(awaited=["mail_1"])
    with watched(connector(postgres_url, notify=False), room):
        assert room.wait_for("listening")
        cursor.execute(ROW, ("mail_0",))
        assert room.wait_for("claimable")
        cursor.execute("DELETE FROM taskkit_task")
        assert room.wait_for("over mail_1")


def test_without_push_nobody_is_notified(postgres_url, server, other, heard):
    room = Room()
    with watched(server, room):
        settled(room)
        silent = connector(postgres_url, notify=False)
        with opened(silent) as cursor:
            commit((silent, cursor), wakes=True, finished=True)
            silent.tell(cursor, wakes=True, finished=True)
        assert heard() == []
