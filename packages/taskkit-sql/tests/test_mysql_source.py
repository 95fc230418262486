"""News between processes on MySQL and MariaDB: what a look at the store finds."""

from __future__ import annotations

import threading

import pytest
from roomcase import Room
from servercase import on_mysql, opened

from taskkit.errors import Unavailable

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql

NOW = 1_000
LATER = 1 << 60


@pytest.fixture
def cursor(server, cursor):
    yield cursor
    server.statements.clear(cursor)


@pytest.fixture
def say(server):
    return server.statements


def row(task_id, state=1, due=NOW, priority=0):
    group = task_id.rpartition("_")[0]
    return (task_id, state, group, "n", priority, due, NOW, 9, *[None] * 4, 1, None, None, b"")


@pytest.fixture
def changes(server, cursor):
    """Return whether the sign has changed since the last call."""
    last = [server._look(cursor)]

    def changed():
        before, last[0] = last[0], server._look(cursor)
        return last[0].values != before.values

    changed()
    return changed


def test_nothing_changes_by_itself(changes):
    assert not any(changes() for _ in range(3))


def test_a_put_into_any_group_is_noticed(say, cursor, changes):
    for task_id in ("mail_1", "mail.a_1", "a_1", "z_1"):
        say.insert(cursor, [row(task_id)])
        assert changes()
        assert not changes()


def test_a_task_that_comes_in_place_of_another_is_noticed(say, cursor, changes):
    say.insert(cursor, [row("mail_1")])
    assert changes()
    say.take(cursor, ["mail_1"], "w", 1, NOW)
    say.insert(cursor, [row("mail_2")])
    assert changes()


def test_what_waits_behind_others_of_its_group_wakes_nobody(say, cursor, changes):
    say.insert(cursor, [row("mail_1", priority=5)])
    assert changes()
    say.insert(cursor, [row("mail_2")])
    assert not changes()


def test_an_earlier_due_is_noticed(server, say, cursor, changes):
    say.insert(cursor, [row("mail_1", state=0, due=LATER)])
    assert changes()
    say.insert(cursor, [row("mail_2", state=0, due=LATER - 1)])
    assert changes()
    say.insert(cursor, [row("mail_3", state=0, due=LATER + 1)])
    assert not changes()
    assert not server._look(cursor).is_there
    say.insert(cursor, [row("mail_4", state=0, due=NOW)])
    assert changes()
    assert server._look(cursor).is_there


def test_pauses_and_limits_are_noticed(say, cursor, changes):
    say.steer(cursor)
    assert changes()


def test_room_in_a_limited_group_is_noticed(say, cursor, changes):
    say.insert(cursor, [row("mail_1"), row("mail_2"), row("post_1"), row("post_2")])
    say.limit(cursor, ("mail", 1, None, None, None))
    say.take(cursor, ["mail_1", "post_1"], "w", 1, NOW)
    changes()
    say.succeed(cursor, NOW, [("post_1", 1, b"")])
    assert not changes()
    say.succeed(cursor, NOW, [("mail_1", 1, b"")])
    assert changes()


def test_only_what_is_committed_is_noticed(server, say, cursor, changes):
    with opened(server) as other:
        server.begin(other)
        say.insert(other, [row("mail_1")])
        assert not changes()
        server.commit(other, wakes=True, finished=False)
    assert changes()


def test_a_source_tells_what_others_do_and_survives_the_loss_of_its_connection(server, say, cursor):
    room, source, errors = Room(awaited=["mail_1"]), server.source(), []

    def watch():
        while room.wanted:
            try:
                source.watch(room)
            except Unavailable as error:
                errors.append(error)

    say.insert(cursor, [row("mail_1", state=0, due=LATER)])
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        assert room.wait_for("listening")
        cursor.execute(
            "SELECT id FROM information_schema.processlist "
            "WHERE db = database() AND id <> connection_id()"
        )
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")
        assert room.wait_for("listening", 2)
        assert "lost the connection" in str(errors[0])
        before = room.told.count("claimable")
        say.insert(cursor, [row("mail_2")])
        assert room.wait_for("claimable", before + 1)
        say.remove(cursor, ["mail_1"])
        assert room.wait_for("over mail_1")
    finally:
        room.wanted = False
        source.interrupt()
        thread.join(30)
    assert not thread.is_alive()
