"""What a server is told from a settlement on, and off the hot path."""

from __future__ import annotations

import threading

from storecase import NOW, ids_of, picked, saved

from taskkit_relational.schema import LOADED, READY, RECORDED, RUNNING, SAVED, WAITING
from taskkit_relational.statements import Search

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


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
    with store.case.taken():
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


# ---- workers


def test_a_worker_enters_anew(store, say, cursor):
    say.enter(cursor, "w", "[1]", NOW, NOW + 9, 3)
    say.stop(cursor, "w", '["mail"]')
    say.enter(cursor, "w", "[2]", NOW + 1, NOW + 5, 4)
    assert say.workers(cursor) == [("w", "[2]", NOW + 1, NOW + 5, 0)]
    assert say.stopped(cursor) == [("w", "[]")]


def test_a_lease_is_renewed_while_it_lasts_and_never_shortened(store, say, cursor):
    say.enter(cursor, "w", "[]", NOW, NOW + 9, 3)
    say.stop(cursor, "w", '["mail"]')
    assert say.renew(cursor, "w", NOW, NOW + 20, 5) == (3, '["mail"]')
    assert say.renew(cursor, "w", NOW, NOW + 10, 6) == (5, '["mail"]')
    assert say.leases(cursor) == [("w", NOW + 20)]
    assert say.renew(cursor, "w", NOW + 20, NOW + 99, 7) is None
    assert say.renew(cursor, "nobody", NOW, NOW + 99, 7) is None
    assert say.renew(cursor, "w", NOW, NOW, 8) == (6, '["mail"]')
    say.leave(cursor, "w")
    say.leave(cursor, "w")
    assert say.leases(cursor) == []


def test_a_renewal_sees_what_it_had_to_wait_for(store, say, cursor, other):
    say.enter(cursor, "w", "[]", NOW, NOW + 9, 3)
    cursor.connection.commit()
    say.stop(other, "w", '["mail"]')
    answers = []
    renewing = threading.Thread(
        target=lambda: answers.append(say.renew(cursor, "w", NOW, NOW + 20, 4))
    )
    renewing.start()
    other.connection.commit()
    renewing.join(30)
    assert answers == [(3, '["mail"]')]


def test_workers_by_expiry_with_what_they_run(store, say, cursor):
    for worker, expires in (("b", 7), ("c", 5), ("a", 7)):
        say.enter(cursor, worker, "[]", 1, expires, 0)
    store.run("mail_1", "mail_2", worker="a")
    store.put("mail_3")
    assert [(one[0], one[4]) for one in say.workers(cursor)] == [("c", 0), ("a", 2), ("b", 0)]
    assert say.leases(cursor) == [("c", 5), ("a", 7), ("b", 7)]


def test_progress_only_of_ones_own(store, say, cursor):
    store.run("mail_1", worker="a")
    store.run("mail_2", worker="b")
    store.put("mail_3")
    say.report(cursor, "a", {"mail_1": b"1", "mail_2": b"2", "mail_3": b"3", "nobody": b""})
    say.report(cursor, "a", {})
    cursor.connection.commit()
    found = [store.columns(f"mail_{n}", "progress")[0] for n in (1, 2, 3)]
    assert found == [b"1", None, None]


# ---- schedules, pauses, limits


def test_a_schedule_advances_from_the_version_that_was_read(store, say, cursor, other):
    assert say.schedule(cursor, "s") is None
    assert say.advance(cursor, "s", 0, b"a")
    cursor.connection.commit()
    assert not say.advance(cursor, "s", 0, b"b")
    assert not say.advance(cursor, "s", 2, b"b")
    assert say.advance(cursor, "s", 1, b"c")
    answers = []
    losing = threading.Thread(target=lambda: answers.append(say.advance(other, "s", 1, b"d")))
    losing.start()
    cursor.connection.commit()
    losing.join(30)
    assert answers == [False]
    assert say.schedule(cursor, "s") == (2, b"c")


def test_pauses_and_limits_are_replaced_and_removed(store, say, cursor):
    say.pause(cursor, "mail", 5)
    say.pause(cursor, "mail", None)
    say.pause(cursor, "post", 7)
    assert sorted(say.pauses(cursor)) == [("mail", None), ("post", 7)]
    say.resume(cursor, "mail")
    assert say.pauses(cursor) == [("post", 7)]
    say.resume(cursor, None)
    assert say.pauses(cursor) == []
    say.limit(cursor, ("mail", 1, 2, 0.5, 3))
    say.limit(cursor, ("mail", None, 4, 0.25, None))
    assert say.limits(cursor) == [("mail", None, 4, 0.25, None)]
    say.unlimit(cursor, "mail")
    assert say.limits(cursor) == []


def test_changes_to_them_are_counted(store, say, cursor):
    before = say.steered(cursor)
    say.steer(cursor)
    assert say.steered(cursor) == before + 1


# ---- looking


def ids_found(say, cursor, search, limit=99):
    return [picked(RECORDED, one)["id"] for one in say.find(cursor, search, limit)]


def test_finding_by_group_name_and_state(store, say, cursor):
    store.put("mail_1", "mail_2", due=5)
    store.put("mail_3", state=WAITING, due=50, name="other")
    store.run("mail.a_1", grp="mail.a")
    store.put("mailing_1", grp="mailing")

    def found(limit=99, **search):
        return ids_found(say, cursor, Search(10, **search), limit)

    assert found() == ["mail.a_1", "mail_1", "mail_2", "mail_3", "mailing_1"]
    assert found(group="mail") == ["mail_1", "mail_2", "mail_3"]
    assert found(group="mail", subgroups=True) == ["mail.a_1", "mail_1", "mail_2", "mail_3"]
    assert found(name="other") == ["mail_3"]
    assert found(numbers=[RUNNING]) == ["mail.a_1"]
    assert found(numbers=[], waiting=True) == ["mail_3", "mailing_1"]
    assert found(numbers=[RUNNING], queued=True) == ["mail.a_1", "mail_1", "mail_2"]
    assert found(numbers=[]) == []
    assert found(limit=2, after="mail_1") == ["mail_2", "mail_3"]


def test_finding_by_labels(store, say, cursor):
    labels = {
        "mail_1": '{"a":1,"b":"x"}', "mail_2": '{"a":true}', "mail_3": '{"a":1.0,"c":"\\u00e9"}',
        "mail_4": '{"a":"1"}', "mail_5": '{"a":1', "mail_6": "[1]", "mail_7": None,
        "mail_8": '{"a":10,"b":"xy"}', "mail_9": '{"z":"\\"a\\":1,"}', "mail_A": '{"n":-0.0}',
    }  # fmt: skip
    for task_id, text in labels.items():
        store.put(task_id, labels=text)

    def found(limit=99, **wanted):
        return ids_found(say, cursor, Search(NOW, labels=wanted), limit)

    assert found(a=1) == found(a=1.0) == ["mail_1", "mail_3"]
    assert found(1, a=1) == ["mail_1"]
    assert found(a=True) == ["mail_2"]
    assert found(a="1") == ["mail_4"]
    assert found(b="x") == ["mail_1"]
    assert found(a=1, b="x") == ["mail_1"]
    assert found(c="é") == ["mail_3"]
    assert found(n=0) == ["mail_A"]
    assert found(a=False) == found(q=1) == found(a=1.5) == []


def test_pages_by_label_go_on_behind_what_only_looked_like_it(store, say, cursor):
    for n in range(20):
        store.put(f"mail_{n:02d}", labels='{"a":"x' if n % 2 else '{"a":"x"}')
    found = ids_found(say, cursor, Search(NOW, labels={"a": "x"}), 7)
    assert found == [f"mail_{n:02d}" for n in range(0, 14, 2)]


def test_counts_by_group_state_and_lateness(store, say, cursor):
    store.put("mail_1", "mail_2", due=5)
    store.put("mail_3", due=50)
    store.put("mail_4", state=WAITING, due=60)
    store.put("mail_5", state=2, lock_key="k", due=3)
    store.run("mail_6", due=1)
    store.run("post_1", "post_2", grp="post", due=2)
    say.succeed(cursor, NOW, [("post_1", 7, b"")])
    expected = {
        ("mail", 1, False, 2, 5), ("mail", 1, True, 1, 50), ("mail", 0, True, 1, 60),
        ("mail", 2, False, 1, 3), ("mail", 3, False, 1, 1),
        ("post", 3, False, 1, 2), ("post", 4, False, 1, 2),
    }  # fmt: skip
    assert set(say.counts(cursor, None, 10)) == expected
    some = say.counts(cursor, ["post", "none"], 10)
    assert set(some) == {count for count in expected if count[0] == "post"}
    assert say.unfinished(cursor, ["post_1", "post_2", "nobody"]) == {"post_2"}


def test_what_is_to_be_purged(store, say, cursor, other):
    store.run("mail_1", "mail_2", retention=5)
    store.run("mail_3", retention=500)
    store.run("mail_4", retention=600)
    store.run("post_1", grp="post")
    say.succeed(cursor, NOW, [(f"mail_{n}", 7, b"") for n in (1, 2, 3, 4)])
    say.succeed(cursor, NOW + 9, [("post_1", 7, b"")])
    cursor.connection.commit()
    assert say.next_finished(cursor, "", 0) == ("mail", 4)
    assert say.next_finished(cursor, "mail", 4) == ("post", 4)
    assert say.next_finished(cursor, "post", 4) is None
    due = say.purgeable(cursor, "mail", 4, 9, NOW + 5, None)
    assert due == [("mail_1", "mail_1"), ("mail_2", "mail_2")]
    assert len(say.purgeable(cursor, "mail", 4, 1, NOW + 5, None)) == 1
    # MariaDB also locks the first that is beyond what was asked for.
    assert [key for key, _ in say.purgeable(other, "mail", 4, 9, None, None)][-1] == "mail_4"
    assert say.purgeable(other, "post", 4, 9, None, NOW) == []


# ---- the house


def test_the_time_is_the_servers_of_this_moment(store, say, cursor):
    first = say.now(cursor)
    assert first > 1_700_000_000_000_000
    assert say.now(cursor) > first  # in one transaction


def test_clearing_leaves_tokens_gates_and_the_rest_of_the_house(store, say, cursor, monkeypatch):
    store.case.clear_by_three(monkeypatch)
    store.put(*(f"mail_{n}" for n in range(8)))
    say.enter(cursor, "w", "[]", 1, 2, 3)
    say.advance(cursor, "s", 0, b"")
    say.pause(cursor, "mail", None)
    say.limit(cursor, ("mail", 1, None, None, None))
    say.log_rate(cursor, "mail", 1, 1)
    say.remember_served(cursor, "mail", "mail.a")
    say.note_discard(cursor, "mail_9", 1, 1)
    token = say.token(cursor)
    say.clear(cursor)
    cursor.connection.commit()
    assert say.find(cursor, Search(NOW), 9) == say.workers(cursor) == say.pauses(cursor) == []
    assert say.limits(cursor) == say.rate_log(cursor, "mail", 0, 9) == []
    assert say.schedule(cursor, "s") is None
    assert say.last_served(cursor, "mail") == ""
    assert not say.was_discarded(cursor, "mail_9", 1)
    assert say.token(cursor) > token
    assert say.gates(cursor, ["run:a"], wait=True) == {"run:a"}
