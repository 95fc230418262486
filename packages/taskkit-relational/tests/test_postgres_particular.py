"""What PostgreSQL alone does: schemas, the order of slots, the order of what is locked."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
from storecase import NOW, Store, ids_of, on_postgres, row

from taskkit.clock import monotonic
from taskkit_relational.schema import WAITING

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_postgres


def test_a_store_may_have_a_schema_of_its_own(house):
    with psycopg.connect(house.url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA My_place")
    with closing(Store("postgres", house.url, "Jobs_", schema="My_place")) as store:
        store.put("mail_1", "mail_2")
        assert ids_of(store.say.ready(store.first, "mail", NOW, 9)) == ["mail_1", "mail_2"]
        assert store.say.token(store.first) == 1


def test_two_inserts_take_slots_in_the_same_order(store, say, cursor, other):
    """Or each would wait for the other's."""
    answers = {}

    def insert(cursor, name, keys):
        rows = [row(f"{name}_{key}", grp="mail", unique_slot=key) for key in keys]
        answers[name] = say.insert(cursor, rows)
        cursor.connection.commit()

    insert_other = threading.Thread(target=insert, args=(other, "b", [*"dcba"]))
    say.insert(cursor, [row("mail_1", unique_slot="b")])
    insert_other.start()
    # It waits for b, having taken a: whoever wants both now waits behind it, in the same order.
    deadline = monotonic() + 30
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with store.connect() as looking:
        while looking.execute(waiting).fetchone() == (0,):
            assert monotonic() < deadline
    assert (
        say.insert(cursor, [row("mail_2", unique_slot="c"), row("mail_3", unique_slot="d")]) is None
    )
    cursor.connection.commit()
    insert_other.join(30)
    assert answers == {"b": {"b_a"}}


def test_what_has_expired_first_comes_first(store, say, cursor):
    store.put("mail_1", expires=NOW)
    store.put("mail_2", expires=NOW - 1, state=WAITING)
    assert ids_of(say.load_expired(cursor, NOW, 9)) == ["mail_2", "mail_1"]


def test_a_purge_locks_no_more_than_it_asked_for(store, say, cursor, other):
    store.run("mail_1", retention=5)
    store.run("mail_2", retention=500)
    say.succeed(cursor, NOW, [("mail_1", 7, b""), ("mail_2", 7, b"")])
    cursor.connection.commit()
    assert say.purgeable(cursor, "mail", 4, 9, NOW + 5, None) == [("mail_1", "mail_1")]
    assert say.purgeable(other, "mail", 4, 9, None, None) == [("mail_2", "mail_2")]


def test_the_sign_changes_with_whatever_may_be_claimable(store, say, cursor):
    signs = [say.sign(cursor)]
    assert not signs[0][1]
    assert not signs[0][-1]

    def changes(action):
        action()
        cursor.connection.commit()
        signs.append(say.sign(cursor))
        return signs[-1] != signs[-2]

    assert changes(lambda: store.put("mail_2"))
    assert signs[-1][1]
    assert changes(lambda: store.put("mail_1"))
    assert not changes(lambda: store.put("mail_3"))  # behind others that nobody takes
    assert changes(lambda: store.put("post_1", grp="post"))
    assert changes(lambda: say.steer(cursor))
    assert changes(lambda: store.put("mail_4", state=WAITING, due=1 << 60))
    assert changes(lambda: store.put("mail_5", state=WAITING, due=NOW))
    assert signs[-1][-1] == 1
    assert changes(lambda: say.limit(cursor, ("mail", 1, None, None, None)) or store.run("mail_6"))
    assert changes(lambda: say.succeed(cursor, NOW, [("mail_6", 7, b"")]))
