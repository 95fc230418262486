"""Each statement of PostgreSQL against a real server: what it changes, what it locks and skips."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest

from taskkit_relational import gates
from taskkit_relational.dialects.postgres.statements import PostgresStatements
from taskkit_relational.migrations import Layout
from taskkit_relational.schema import (
    CLAIMED,
    INSERTED,
    LOADED,
    PARKED,
    READY,
    RECORDED,
    RUNNING,
    SAVED,
    WAITING,
)

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

NOW = 1_000


class Store:
    """Tables, and connections to them."""

    def __init__(self, url, prefix="tk_", schema=None):
        self.url = url
        self.say = PostgresStatements(prefix, schema)
        self._open = []
        self.first = self.connect()
        if schema:
            self.first.execute(f"CREATE SCHEMA {schema}")
        layout = Layout("postgres", prefix, url, schema)
        layout.prepare(self.first)
        layout.run(self.first, (), NOW)
        self.first.connection.commit()

    def connect(self):
        """Return a cursor on a connection of its own, not in autocommit."""
        connection = psycopg.connect(self.url)
        connection.execute("SET lock_timeout = '20s'")
        connection.commit()
        self._open.append(connection)
        return connection.cursor()

    def put(self, *ids, **columns):
        rows = [row(task_id, **columns) for task_id in ids]
        assert self.say.insert(self.first, rows) is None
        self.first.connection.commit()

    def run(self, *ids, worker="w", token=7, **columns):
        self.put(*ids, **columns)
        self.say.take(self.first, ids, worker, token, NOW)
        self.first.connection.commit()

    def columns(self, task_id, *names):
        found = self.first.execute(
            f"SELECT {', '.join(names)} FROM {self.say.prefix}task WHERE id = %s", (task_id,)
        ).fetchone()
        self.first.connection.commit()
        return found

    def close(self):
        for connection in self._open:
            connection.close()


def row(task_id, **columns):
    values = dict.fromkeys(INSERTED) | {
        "id": task_id, "state": READY, "grp": "mail", "name": "send", "priority": 0, "due": NOW,
        "created": NOW, "retention": 50, "lock_limit": 1, "data": b"\x00{}",
    }  # fmt: skip
    return tuple((values | columns)[name] for name in INSERTED)


def saved(task_id, **columns):
    values = dict.fromkeys(SAVED) | {
        "state": READY, "due": NOW, "attempt": 0, "retry_count": 0, "losses": 0, "cancelling": 0,
    }  # fmt: skip
    return (*((values | columns)[name] for name in SAVED), task_id)


def ids_of(rows):
    return [found[1] for found in rows]


def picked(columns, found):
    return dict(zip(columns, found, strict=True))


@pytest.fixture
def store(postgres_url):
    with closing(Store(postgres_url)) as opened:
        yield opened


@pytest.fixture
def say(store):
    return store.say


@pytest.fixture
def cursor(store):
    return store.first


@pytest.fixture
def other(store):
    return store.connect()


def test_a_store_may_have_a_schema_of_its_own(postgres_url):
    with closing(Store(postgres_url, "Jobs_", "My_place")) as store:
        store.put("mail_1", "mail_2")
        assert ids_of(store.say.ready(store.first, "mail", NOW, 9)) == ["mail_1", "mail_2"]
        assert store.say.token(store.first) == 1


# ---- putting


def test_rows_go_in_whole(store, say, cursor):
    full = row(
        "mail_1", state=WAITING, priority=-100, due=2**60, expires=2**61, unique_key="käse",
        unique_slot="käse", lock_key="k", lock_limit=3, options='{"a":1}', labels='{"b":true}',
    )  # fmt: skip
    for rows in ([full], [row("mail_2"), row("mail_3")]):
        assert say.insert(cursor, rows) is None
    [found] = say.records(cursor, ["mail_1", "nobody"])
    told = picked(RECORDED, found)
    put = {name: value for name, value in picked(INSERTED, full).items() if name in RECORDED}
    counted = ("token", "attempt", "retry_count", "losses", "cancelling")
    assert told == {**dict.fromkeys(RECORDED), **dict.fromkeys(counted, 0), **put}
    assert type(told["data"]) is bytes


def test_what_is_known_is_left_alone_and_told_apart(store, say, cursor):
    store.put("mail_1", unique_slot="k")
    assert say.insert(cursor, [row("mail_1", name="other")]) == set()
    assert say.insert(cursor, [row("mail_2", unique_slot="k")]) == set()
    some = [
        row("mail_1"),
        row("mail_3"),
        row("mail_3", name="again"),
        row("mail_4", unique_slot="k"),
    ]
    assert say.insert(cursor, some) == {"mail_3"}
    assert store.columns("mail_3", "name") == ("send",)
    assert say.known(cursor, ["mail_1", "mail_2", "mail_3"]) == {"mail_1", "mail_3"}


def test_of_two_that_want_a_slot_the_first_given_gets_it(say, cursor):
    rows = [row(f"mail_{n:02d}", unique_slot="k") for n in range(50, 0, -1)]
    assert say.insert(cursor, rows) == {"mail_50"}


def test_holders_by_group_and_key(store, say, cursor):
    store.put("mail_1", unique_slot="k")
    store.put("post_1", grp="post", unique_slot="k")
    store.put("mail_2", unique_key="free")
    slots = [("mail", "k"), ("post", "k"), ("mail", "free"), ("none", "k")]
    assert say.holders(cursor, slots) == {("mail", "k"): "mail_1", ("post", "k"): "post_1"}
    assert say.holders(cursor, []) == {}


def test_an_insert_waits_for_one_that_may_take_its_slot(store, say, cursor, other):
    say.insert(other, [row("mail_1", unique_slot="k")])
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(say.insert(cursor, [row("mail_2", unique_slot="k")]))
    )
    waiting.start()
    other.connection.rollback()
    waiting.join(30)
    assert answers == [None]


def test_unclaimed_are_counted_up_to_a_number(store, say, cursor):
    store.put("mail_1", "mail_2")
    store.put("mail_3", state=WAITING)
    store.put("mail_4", state=PARKED, lock_key="k")
    store.run("mail_5")
    store.put("mail.sub_1", grp="mail.sub")
    assert say.unclaimed(cursor, "mail", 10) == 4
    assert say.unclaimed(cursor, "mail", 3) == 3


# ---- claiming


def test_claim_order_is_priority_due_id(store, say, cursor):
    store.put("mail_3", "mail_2")
    store.put("mail_4", due=NOW - 1)
    store.put("mail_1", priority=1, due=NOW + 0)
    store.put("mail_5", due=NOW + 1)
    assert ids_of(say.ready(cursor, "mail", NOW, 10)) == ["mail_1", "mail_4", "mail_2", "mail_3"]
    found = picked(CLAIMED, say.ready(cursor, "mail", NOW, 1)[0])
    assert (found["key"], found["grp"], found["data"]) == ("mail_1", "mail", b"\x00{}")


def test_two_claims_get_different_tasks_without_waiting(store, say, cursor, other):
    store.put(*(f"mail_{n}" for n in range(6)))
    first = ids_of(say.ready(cursor, "mail", NOW, 2))
    second = ids_of(say.ready(other, "mail", NOW, 9))
    assert (first, second) == (["mail_0", "mail_1"], ["mail_2", "mail_3", "mail_4", "mail_5"])


def test_take_makes_them_run(store, say, cursor):
    store.put("mail_1", "mail_2", unique_key=None)
    say.take(cursor, ["mail_1"], "w", 9, NOW + 5)
    cursor.connection.commit()
    wanted = ("state", "token", "attempt", "worker_id", "began", "settled")
    assert store.columns("mail_1", *wanted) == (RUNNING, 9, 1, "w", NOW + 5, None)
    assert store.columns("mail_2", *wanted) == (READY, 0, 0, None, None, None)


def test_free_slots(store, say, cursor):
    store.put("mail_1", unique_key="k", unique_slot="k")
    say.free_slots(cursor, ["mail_1"])
    assert say.holders(cursor, [("mail", "k")]) == {}


def test_promotion_takes_the_longest_due_and_skips_what_is_locked(store, say, cursor, other):
    for n in range(4):
        store.put(f"mail_{n}", state=WAITING, due=NOW - n)
    store.put("mail_9", state=WAITING, due=NOW + 1)
    assert (say.first_waiting(cursor), say.soonest(cursor, 1)) == (NOW - 3, [(NOW - 3, "mail")])
    say.load(other, ["mail_3"])
    assert say.promote(cursor, NOW, 2) == 2
    assert ids_of(say.ready(cursor, "mail", NOW, 9)) == ["mail_2", "mail_1"]


def test_promotion_of_one_group(store, say, cursor):
    store.put("mail_1", state=WAITING)
    store.put("mail.sub_1", grp="mail.sub", state=WAITING, due=NOW - 1)
    assert say.first_waiting_of_group(cursor, "mail") == NOW
    assert say.first_waiting_of_group(cursor, "post") is None
    assert say.promote_group(cursor, "mail", NOW, 9) == 1
    assert say.first_waiting(cursor) == NOW - 1


def test_groups_are_found_byte_by_byte(store, say, cursor):
    for group in ("mail", "mail.Z", "mail.a", "mail.ä", "mail/x", "mailing", "Mail.b"):
        store.put(f"{group}_1", grp=group)
        store.put(f"{group}_2", grp=group, state=WAITING)
    for seek in (say.next_ready_group, say.next_waiting_group):
        found, at = [], "mail."
        while (group := seek(cursor, at, "mail/")) is not None:
            found.append(group)
            at = group + "\x01"
        assert found == ["mail.Z", "mail.a", "mail.ä"]
        assert seek(cursor, "mail", "mail\x01") == "mail"
        assert seek(cursor, "n", "o") is None


def test_the_first_ready_of_any_priority(store, say, cursor):
    assert say.first_ready(cursor, "mail") is None
    for n, due in ((5, 30), (0, 10), (-7, 20)):
        store.put(f"mail_{n}", priority=n, due=due)
        store.put(f"mail_late{n}", priority=n, due=due + 100)
    store.put("mail.sub_1", grp="mail.sub", due=1)
    assert say.first_ready(cursor, "mail") == 10


def test_what_has_expired(store, say, cursor, other):
    store.put("mail_1", expires=NOW)
    store.put("mail_2", expires=NOW - 1, state=WAITING)
    store.run("mail_3", expires=1)
    assert not say.has_expired(cursor, NOW - 2)
    assert say.has_expired(cursor, NOW - 1)
    assert ids_of(say.load_expired(cursor, NOW, 9)) == ["mail_2", "mail_1"]
    assert ids_of(say.load_expired(other, NOW, 9)) == []


def test_a_claim_keeps_its_lease_from_changing(store, say, cursor, other):
    say.enter(cursor, "w", "[]", NOW, NOW + 9, 0)
    cursor.connection.commit()
    assert say.lease(cursor, "w") == NOW + 9
    assert say.lease(other, "w") == NOW + 9
    assert say.lease(cursor, "nobody") is None
    other.connection.rollback()
    other.execute("SET LOCAL lock_timeout = '20ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        say.renew(other, "w", NOW, NOW + 20, 1)


def test_tokens_grow_although_transactions_are_undone(store, say, cursor, other):
    first = say.token(cursor)
    second = say.token(other)
    other.connection.rollback()
    assert first < second < say.token(store.connect())


def test_a_gate_is_held_by_one_transaction(store, say, cursor, other):
    names = {"run:a", "lock:a\0k", "queue:a"}
    assert say.gates(cursor, names, wait=False) == names
    assert say.gates(cursor, names, wait=True) == names
    apart = next(
        f"run:{n}" for n in range(99) if gates.gate_number(f"run:{n}") != gates.gate_number("run:a")
    )
    assert say.gates(other, [*names, apart], wait=False) == {apart}
    cursor.connection.commit()
    assert say.gates(other, names, wait=True) == names
    assert say.gates(cursor, [], wait=True) == set()


def test_every_gate_exists(store, say, cursor):
    cursor.execute("SELECT array_agg(n ORDER BY n) FROM tk_gate")
    assert cursor.fetchone() == (list(range(gates.COUNT)),)


def test_parking_and_what_runs(store, say, cursor, other):
    store.run("mail_0", lock_key="k")
    store.put("mail_1", "mail_2", "mail_3", lock_key="k")
    store.put("mail_4", lock_key="k", lock_limit=2)
    store.put("mail_5", lock_key="other")
    assert say.running_of_group(cursor, "mail") == say.running_of_lock(cursor, "mail", "k") == 1
    assert say.running_of_lock(cursor, "post", "k") == 0
    say.load(other, ["mail_2"])
    assert say.park(cursor, "mail", "k", 1, 9) == 2
    other.connection.rollback()
    assert ids_of(say.ready(cursor, "mail", NOW, 9)) == ["mail_2", "mail_4", "mail_5"]
    assert say.park(cursor, "mail", "k", 1, 0) == 0


@pytest.mark.parametrize(("running", "free"), [(0, 1), (1, 2), (2, 1), (3, 0)])
def test_unparking_gives_the_room_of_the_next_in_turn(store, say, cursor, running, free):
    store.put("mail_1", state=PARKED, lock_key="k", priority=1)
    store.put("mail_2", "mail_3", "mail_4", state=PARKED, lock_key="k", lock_limit=3)
    assert say.unpark(cursor, "mail", "k", running) == free
    expected = {0: ["mail_1"], 1: ["mail_2", "mail_3"], 2: ["mail_2"], 3: []}[running]
    assert ids_of(say.ready(cursor, "mail", NOW, 9)) == expected


def test_a_rate_is_a_sliding_window(store, say, cursor):
    for at in (10, 20, 30, 90):
        say.log_rate(cursor, "mail", at, at)
    say.log_rate(cursor, "post", 20, 1)
    assert say.rate_log(cursor, "mail", 10, 50) == [(20, 20), (30, 30), (50, 90)]
    # The clock was set back: what lay ahead stays at the moment when that was seen.
    assert say.rate_log(cursor, "mail", 10, 60) == [(20, 20), (30, 30), (50, 90)]
    assert say.rate_log(cursor, "mail", 49, 60) == [(50, 90)]
    say.forget_rate(cursor, "mail")
    assert say.rate_log(cursor, "mail", 0, 60) == []
    assert say.rate_log(cursor, "post", 0, 60) == [(20, 1)]


def test_turns_are_remembered_without_waiting(store, say, cursor, other):
    assert say.last_served(cursor, "mail") == ""
    say.remember_served(cursor, "mail", "mail.a")
    cursor.connection.commit()
    say.remember_served(cursor, "mail", "mail.b")
    say.remember_served(other, "mail", "mail.c")
    other.connection.commit()
    cursor.connection.commit()
    assert say.last_served(other, "mail") == "mail.b"


# ---- settling


def test_success_is_plain_or_not_at_all(store, say, cursor):
    store.run("mail_1", "mail_2", "mail_3")
    store.run("mail_4", lock_key="k")
    store.run("mail_5", unique_key="u", unique_slot="u")
    store.put("mail_6")
    cursor.execute("UPDATE tk_task SET cancelling = 1 WHERE id = 'mail_3'")
    rows = [(f"mail_{n}", 7, bytes([n])) for n in range(6, 0, -1)]
    rows[-2] = ("mail_2", 6, b"")
    assert say.succeed(cursor, NOW, rows) == 1
    cursor.connection.commit()
    wanted = ("state", "settled", "done", "purge_at", "result")
    assert store.columns("mail_1", *wanted) == (4, 1, NOW, NOW + 50, b"\x01")
    assert {store.columns(f"mail_{n}", "state")[0] for n in (2, 3, 4, 5)} == {RUNNING}


def test_256_successes_are_one_statement(store, say, cursor):
    ids = [f"mail_{n:03d}" for n in range(256)]
    store.run(*ids)
    assert say.succeed(cursor, NOW, [(task_id, 7, b"x" * 100) for task_id in ids]) == 256


def test_rows_are_loaded_locked_and_written_back(store, say, cursor, other):
    store.run("mail_1", "mail_2", expires=5, options="{}", unique_key="u")
    rows = say.load(cursor, ["mail_2", "nobody", "mail_1"])
    assert ids_of(rows) == ["mail_1", "mail_2"]
    loaded = picked(LOADED, rows[0])
    wanted = ("key", "state", "token", "attempt", "worker_id", "expires")
    assert tuple(loaded[name] for name in wanted) == ("mail_1", RUNNING, 7, 1, "w", 5)
    assert ids_of(say.load_expired(other, NOW, 9)) == []
    values = {
        "state": 5, "due": 6, "attempt": 7, "retry_count": 8, "losses": 9, "cancelling": 1,
        "settled": 2, "worker_id": "x", "began": 3, "done": 4, "purge_at": 5, "expires": None,
        "unique_slot": "u", "failure": "[]", "history": "[1]", "result": b"\xff",
    }  # fmt: skip
    say.save(cursor, [saved("mail_1", **values)])
    say.save(cursor, [saved("mail_1", **values), saved("mail_2", failure="é")])
    say.save(cursor, [])
    cursor.connection.commit()
    assert store.columns("mail_1", *SAVED) == tuple(values[name] for name in SAVED)
    assert store.columns("mail_2", "state", "worker_id", "failure") == (READY, None, "é")


def test_a_slot_that_is_taken_meanwhile_is_a_conflict(store, say, cursor):
    store.put("mail_1", unique_slot="k")
    store.put("mail_2", unique_key="k")
    with pytest.raises(psycopg.errors.UniqueViolation):
        say.save(cursor, [saved("mail_2", unique_slot="k")])


def test_what_a_worker_runs(store, say, cursor):
    store.run("mail_2", "mail_1", worker="a", token=3)
    store.run("mail_3", worker="b")
    assert ids_of(say.load_running(cursor, "a", 1 << 62)) == ["mail_1", "mail_2"]
    assert ids_of(say.load_running(cursor, "a", 1)) == ["mail_1"]
    assert sorted(say.running(cursor, "a")) == [("mail_1", 3, 0), ("mail_2", 3, 0)]
    seek = say.next_running_worker
    assert [seek(cursor, after) for after in ("", "a", "b")] == ["a", "b", None]


def test_removing(store, say, cursor):
    store.put("mail_1", "mail_2")
    say.remove(cursor, ["mail_1", "nobody"])
    assert say.known(cursor, ["mail_1", "mail_2"]) == {"mail_2"}


def test_discards_are_remembered_for_a_while(store, say, cursor):
    say.note_discard(cursor, "mail_1", 3, NOW)
    say.note_discard(cursor, "mail_1", 3, NOW)
    assert say.was_discarded(cursor, "mail_1", 3)
    assert not say.was_discarded(cursor, "mail_1", 4)
    say.forget_discards(cursor, NOW - 1)
    assert say.was_discarded(cursor, "mail_1", 3)
    say.forget_discards(cursor, NOW)
    assert not say.was_discarded(cursor, "mail_1", 3)
