"""What a server is told from a put to a claim: what changes, what is locked and skipped."""

from __future__ import annotations

import threading

import pytest
from storecase import NOW, ids_of, picked, row

from taskkit_relational import gates
from taskkit_relational.schema import CLAIMED, INSERTED, PARKED, READY, RECORDED, RUNNING, WAITING

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


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
    assert say.glance(cursor, "w", NOW) == (None, None, NOW - 3)
    assert say.soonest(cursor, 1) == [(NOW - 3, "mail")]
    say.load(other, ["mail_3"])
    assert say.promote(cursor, NOW, 2) == 2
    assert ids_of(say.ready(cursor, "mail", NOW, 9)) == ["mail_2", "mail_1"]


def test_promotion_of_one_group(store, say, cursor):
    store.put("mail_1", state=WAITING)
    store.put("mail.sub_1", grp="mail.sub", state=WAITING, due=NOW - 1)
    assert say.waiting_of(cursor, "mail", "mail.", "mail/") == (NOW, "mail.sub")
    assert say.waiting_of(cursor, "post", "post.", "post/") == (None, None)
    assert say.promote_group(cursor, "mail", NOW, 9) == 1
    assert say.soonest(cursor, 9) == [(NOW - 1, "mail.sub")]


def test_groups_are_found_byte_by_byte(store, say, cursor):
    for group in ("mail", "mail.Z", "mail.a", "mail.ä", "mail/x", "mailing", "Mail.b"):
        store.put(f"{group}_1", grp=group)
        store.put(f"{group}_2", grp=group, state=WAITING)

    def waiting(cursor, low, high):
        return say.waiting_of(cursor, "none", low, high)[1]

    for seek in (say.next_ready_group, waiting):
        found, at = [], "mail."
        while (group := seek(cursor, at, "mail/")) is not None:
            found.append(group)
            at = group + "\x01"
        assert found == ["mail.Z", "mail.a", "mail.ä"]
        assert seek(cursor, "mail", "mail\x01") == "mail"
        assert seek(cursor, "n", "o") is None
    assert say.ready_groups(cursor, ("mail", "mail\x01"), ("n", "o")) == ("mail", None)


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
    assert sorted(ids_of(say.load_expired(cursor, NOW, 9))) == ["mail_1", "mail_2"]
    assert ids_of(say.load_expired(other, NOW, 9)) == []


@pytest.mark.parametrize("look", ["lease", "glance"])
def test_a_claim_keeps_its_lease_from_changing(store, say, cursor, other, look):
    def lease(cursor, worker_id):
        return (
            say.glance(cursor, worker_id, NOW)[0]
            if look == "glance"
            else say.lease(cursor, worker_id)
        )

    say.enter(cursor, "w", "[]", NOW, NOW + 9, 0)
    cursor.connection.commit()
    assert lease(cursor, "w") == lease(other, "w") == NOW + 9
    assert lease(cursor, "nobody") is None
    other.connection.rollback()
    store.case.wait_briefly(other)
    with store.case.locked():
        say.renew(other, "w", NOW, NOW + 20, 1)


def test_a_glance_tells_of_what_has_expired(store, say, cursor):
    assert say.glance(cursor, "w", NOW) == (None, None, None)
    store.put("mail_1", expires=NOW)
    assert say.glance(cursor, "w", NOW) == (None, 1, None)


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
    cursor.execute("SELECT n FROM tk_gate ORDER BY n")
    assert [n for (n,) in cursor.fetchall()] == [*range(gates.COUNT)]


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
