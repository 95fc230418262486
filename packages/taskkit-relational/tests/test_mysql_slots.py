"""Unique keys in MySQL and MariaDB, puts in bulk, and transactions that see an old state."""

from __future__ import annotations

import threading

import pymysql
import pytest
from pymysql.constants import CLIENT
from storecase import NOW, on_mysql, picked, row, saved

from taskkit_relational.dialects.mysql import inserting, saving
from taskkit_relational.schema import CLAIMED, RECORDED
from taskkit_relational.statements import Search

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql


def unique(task_id, key="k"):
    return row(task_id, unique_key=key, unique_slot=key)


def entries(cursor):
    cursor.execute("SELECT CONVERT(slot USING utf8mb4), CONVERT(id USING utf8mb4) FROM tk_slot")
    return dict(cursor.fetchall())


# ---- who holds a key


def test_a_freed_key_goes_to_the_next(store, say, cursor):
    assert say.insert(cursor, [unique("mail_1")]) is None
    assert say.insert(cursor, [unique("mail_2")]) == set()
    say.free_slots(cursor, ["mail_1"])
    assert say.holders(cursor, [("mail", "k")]) == {}
    assert say.insert(cursor, [unique("mail_2")]) is None
    assert say.holders(cursor, [("mail", "k")]) == {("mail", "k"): "mail_2"}
    assert entries(cursor) == {"k": "mail_2"}


def test_a_known_task_takes_no_key_although_it_was_free(store, say, cursor):
    store.run("mail_1", unique_key="k")
    assert say.insert(cursor, [unique("mail_1")]) == set()
    assert say.holders(cursor, [("mail", "k")]) == {}
    assert say.insert(cursor, [unique("mail_2")]) is None


def test_keys_move_when_rows_are_written_back(store, say, cursor):
    say.insert(cursor, [unique("mail_1"), row("mail_2", unique_key="k"), unique("mail_3", "z")])
    say.save(cursor, [saved("mail_1"), saved("mail_3", unique_slot="z")])
    say.save(cursor, [saved("mail_2", unique_slot="k")])
    slots = [("mail", "k"), ("mail", "z")]
    assert say.holders(cursor, slots) == {("mail", "k"): "mail_2", ("mail", "z"): "mail_3"}
    with pytest.raises(pymysql.err.IntegrityError, match="1062"):
        say.save(cursor, [saved("mail_1", unique_slot="k")])


def test_what_is_removed_leaves_no_entry_behind(store, say, cursor, other):
    say.insert(cursor, [unique("mail_1", "a"), unique("mail_2", "b"), unique("mail_3", "c")])
    say.free_slots(cursor, ["mail_2"])
    say.insert(cursor, [unique("mail_4", "b")])
    cursor.connection.commit()
    other.execute("SELECT * FROM tk_slot WHERE slot = 'c' FOR UPDATE")
    say.remove(cursor, ["mail_1", "mail_2", "mail_3"])
    # One stands for another task by now, and one is wanted by somebody else at this moment.
    assert entries(cursor) == {"b": "mail_4", "c": "mail_3"}


def test_a_claim_does_not_wait_for_those_who_want_its_key(store, say, cursor, other):
    store.put("mail_1", unique_key="k", unique_slot="k")
    other.execute("SELECT * FROM tk_slot FOR UPDATE")
    say.take(cursor, ["mail_1"], "w", 1, NOW)
    say.free_slots(cursor, ["mail_1"])
    cursor.connection.commit()
    assert say.insert(other, [unique("mail_2")]) is None


def test_a_key_of_a_put_that_is_undone_is_free(store, say, cursor, other):
    say.insert(other, [unique("mail_1")])
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(say.insert(cursor, [unique("mail_2")]))
    )
    waiting.start()
    other.connection.rollback()
    waiting.join(30)
    assert answers == [None]


def test_keys_are_compared_to_the_last_byte(store, say, cursor):
    keys = ["k", "K", "k ", "ḱ", "k\u0301", "ß", "ss", "😀"]
    assert say.insert(cursor, [unique(f"mail_{n}", key) for n, key in enumerate(keys)]) is None
    slots = [("mail", key) for key in keys]
    assert say.holders(cursor, slots) == {slot: f"mail_{n}" for n, slot in enumerate(slots)}
    assert say.holders(cursor, [("mail ", "k"), ("Mail", "k")]) == {}


# ---- transactions of callers


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("flag", [0, CLIENT.FOUND_ROWS])
def test_a_callers_transaction_may_be_of_any_kind(store, say, cursor, isolation, flag):
    caller = store.connect(isolation, client_flag=flag)
    if isolation != "SERIALIZABLE":
        caller.execute("SELECT count(*) FROM tk_task")  # from here on it sees one state
    say.insert(cursor, [unique("mail_1"), unique("mail_2", "free")])
    say.free_slots(cursor, ["mail_2"])
    cursor.connection.commit()
    rows = [unique("mail_3"), unique("mail_4", "free"), row("mail_5"), row("mail_1")]
    assert say.insert(caller, rows) == {"mail_4", "mail_5"}
    assert say.known(caller, ["mail_1", "mail_3", "mail_5"]) == {"mail_1", "mail_5"}
    slots = [("mail", "k"), ("mail", "free")]
    assert say.holders(caller, slots) == {("mail", "k"): "mail_1", ("mail", "free"): "mail_4"}
    caller.connection.commit()
    assert say.holders(cursor, slots) == {("mail", "k"): "mail_1", ("mail", "free"): "mail_4"}


def test_counts_of_changes_do_not_depend_on_the_connection(store, say):
    for flag in (0, CLIENT.FOUND_ROWS):
        cursor = store.connect(client_flag=flag)
        assert say.advance(cursor, f"s{flag}", 0, b"") is True
        assert say.advance(cursor, f"s{flag}", 0, b"") is False
        assert say.leave(cursor, "nobody") is False
        cursor.connection.commit()


# ---- claiming plain tasks and others


@pytest.mark.parametrize("plain", [0, 1, 3, 5, 6])
def test_claims_are_whole_whatever_was_claimed_before(store, say, cursor, plain):
    special = {"labels": "{}", "lock_limit": 3, "expires": 5, "unique_key": "u", "options": "[]"}
    rows = [row(f"mail_{n}") for n in range(plain)]
    rows += [row(f"mail_{n + plain}", **{name: special[name]})
             for n, name in enumerate([*special][plain - 1 :])]  # fmt: skip
    say.insert(cursor, rows)
    store.run("mail_8")
    say.save(cursor, [saved("mail_8", attempt=1, retry_count=1)])
    expected = [picked(RECORDED, one) for one in say.records(cursor, [one[0] for one in rows])]
    for _ in range(3):
        found = [picked(CLAIMED, one) for one in say.ready(cursor, "mail", NOW, 20)]
        assert [one["id"] for one in found] == [one[0] for one in rows] + ["mail_8"]
        shared = set(CLAIMED) & set(RECORDED)
        for one, whole in zip(found, expected, strict=False):
            assert one["key"] == one["id"]
            assert one["unique_slot"] is None
            assert {name: one[name] for name in shared} == {name: whole[name] for name in shared}
        assert (found[-1]["attempt"], found[-1]["retry_count"]) == (1, 1)


# ---- many at once


def test_a_thousand_rows_of_which_some_are_known(store, say, cursor):
    store.put("mail_7", "mail_700")
    rows = [row(f"mail_{n}", labels="{}" if n % 2 else None) for n in range(1_000)]
    put = say.insert(cursor, [*rows, rows[3], rows[999]])
    assert put == {one[0] for one in rows} - {"mail_7", "mail_700"}
    assert len(say.records(cursor, [one[0] for one in rows])) == 1_000


def test_large_rows_go_in_part_by_part(store, say, cursor, monkeypatch):
    monkeypatch.setattr(inserting, "_BYTES_AT_ONCE", 100)
    monkeypatch.setattr(saving, "_BYTES_AT_ONCE", 100)
    rows = [row(f"mail_{n}", data=bytes([n]) * (40 * n)) for n in range(8)]
    assert say.insert(cursor, rows) is None
    ids = [one[0] for one in rows]
    say.take(cursor, ids, "w", 1, NOW)
    assert say.succeed(cursor, NOW, [(one[0], 1, one[-1]) for one in rows]) == 8
    found = [picked(RECORDED, one) for one in say.records(cursor, ids)]
    assert [(one["data"], one["result"]) for one in found] == [(one[-1],) * 2 for one in rows]


def test_successes_of_several_claims_each_with_its_result(store, say, cursor):
    ids = [f"mail_{n:03d}" for n in range(600)]
    say.insert(cursor, [row(task_id) for task_id in ids])
    for token in range(6):
        say.take(cursor, ids[token::6], "w", 2**40 + token, NOW)
    results = {task_id: f"'{n}\\%s".encode() * (n % 5) for n, task_id in enumerate(ids)}
    rows = [(task_id, 2**40 + n % 6, results[task_id]) for n, task_id in enumerate(ids)]
    wrong = [(task_id, token + 1, b"") for task_id, token, _ in rows[:6]]
    assert say.succeed(cursor, NOW, wrong) == 0
    assert say.succeed(cursor, NOW, rows) == 600
    found = [picked(RECORDED, one) for one in say.records(cursor, ids)]
    assert {one["id"]: one["result"] for one in found} == results


def test_many_rows_are_written_back_each_with_its_own(store, say, cursor):
    ids = [f"mail_{n:03d}" for n in range(250)]
    say.insert(cursor, [row(task_id) for task_id in ids])
    say.save(
        cursor,
        [
            saved(task_id, state=5, done=n, purge_at=n, worker_id="w" if n else None, result=b"")
            for n, task_id in enumerate(ids)
        ],
    )
    found = [picked(RECORDED, one) for one in say.find(cursor, Search(NOW, numbers=[5]), 300)]
    assert [(one["id"], one["done"]) for one in found] == [(i, n) for n, i in enumerate(ids)]
    assert [one["worker_id"] for one in found[:2]] == [None, "w"]


def test_rows_of_spent_tokens_are_removed(store, say, cursor, monkeypatch):
    from taskkit_relational.dialects.mysql import statements

    monkeypatch.setattr(statements, "_KEPT", 10)
    monkeypatch.setattr(statements, "_TIDY_EVERY", 5)
    tokens = [say.token(cursor) for _ in range(60)]
    assert tokens == sorted(set(tokens))
    cursor.execute("SELECT count(*) FROM tk_token")
    assert cursor.fetchone()[0] <= 15
