"""What every server is told in one statement: a put, what an idle worker asks."""

from __future__ import annotations

import pytest
from shortcutcase import NOW, enter, put, task

from taskkit.clock import SECOND
from taskkit.task import After
from taskkit_relational.schema import READY, WAITING

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


def test_a_row_goes_in_whole(store):
    assert put(
        store,
        task(
            group="käse.%s", name="it's", priority=-100, due=2**50, expires=2**51, lock_key="k'",
            lock_limit=3, labels={"a": "b"}, timeout=2.0, ttl=7.0,
        ),
    )  # fmt: skip
    names = ("state", "due", "expires", "created", "retention", "priority", "lock_limit", "token")
    assert store.columns("mail_1", *names) == (
        *(WAITING, 2**50, 2**51, NOW, 7 * SECOND, -100, 3, 0),
    )
    [found] = store.say.records(store.first, ["mail_1"])
    assert {"käse.%s", "it's", "k'", b"\x00'%s"} <= set(found)
    assert store.columns("mail_1", "labels", "options") == ('{"a":"b"}', '{"timeout":2.0}')


@pytest.mark.parametrize(
    ("due", "found", "state"),
    [
        (After(0), NOW, READY),
        (After(1), NOW + 1, WAITING),
        (NOW, NOW, READY),
        (NOW + 1, NOW + 1, WAITING),
        (0, 0, READY),
    ],
)
def test_due_is_of_the_stores_now(store, due, found, state):
    assert put(store, task(due=due, expires=After(10)))
    assert store.columns("mail_1", "due", "expires", "state") == (found, NOW + 10, state)


def test_without_a_clock_the_databases_own_time_counts(store):
    before = store.say.now(store.first)
    assert put(store, task(due=After(0)), now=None)
    due, created, expires, state = store.columns("mail_1", "due", "created", "expires", "state")
    assert before <= due == created <= store.say.now(store.first)
    assert (expires, state) == (None, READY)


def test_a_known_id_is_left_alone(store):
    assert put(store, task())
    assert put(store, task(name="other")) is False
    assert store.columns("mail_1", "name") == ("send",)


def test_nothing_goes_in_once_limits_have_changed(store):
    before = store.steered()
    store.say.steer(store.first)
    store.first.connection.commit()
    assert not put(store, task(), steered=before)
    assert store.say.known(store.first, ["mail_1"]) == set()
    assert put(store, task(), steered=before + 1)


def test_the_pulse_of_a_worker(store):
    enter(store, "wörker", NOW + 9)
    pulse = store.say.shortcuts.pulse
    assert tuple(pulse(store.first, "wörker", NOW)) == (NOW, store.steered(), NOW + 9, "[]", 0)
    assert pulse(store.first, "nobody", NOW) is None
    store.run("mail_1", worker="other")
    assert not pulse(store.first, "wörker", NOW)[-1]
    store.run("mail_2", worker="wörker")
    assert pulse(store.first, "wörker", NOW)[-1]
    before = store.say.now(store.first)
    assert pulse(store.first, "wörker", None)[0] >= before


def test_a_lease_is_extended_until_it_has_ended(store):
    enter(store, "w", NOW + 9)

    def extend(now, expires):
        done = store.say.shortcuts.extend(store.first, "w", now, expires)
        store.first.connection.commit()
        return done, dict(store.say.leases(store.first))["w"]

    assert extend(NOW, NOW + 20) == (True, NOW + 20)
    assert extend(NOW, NOW + 10)[1] == NOW + 20
    assert extend(NOW + 20, NOW + 50) == (False, NOW + 20)
    assert not store.say.shortcuts.extend(store.first, "nobody", NOW, NOW + 1)


def test_the_dead_are_noticed(store):
    def has_dead(now):
        return store.say.shortcuts.has_dead(store.first, now)

    assert not has_dead(NOW)
    enter(store, "w", NOW + 9)
    enter(store, "z", NOW + 9)
    for worker, task_id in [("w", "mail_1"), ("z", "mail_2"), ("w", "mail_3")]:
        store.run(task_id, worker=worker)
    assert (has_dead(NOW + 8), has_dead(NOW + 9), has_dead(None)) == (False, True, True)
    store.run("mail_4", worker="unknown")
    assert has_dead(NOW)


def test_an_unknown_worker_is_noticed_among_many(store):
    for n in range(600):
        store.say.enter(store.first, f"w{n:03}", "[]", NOW, NOW + 9, 0)
    for n in range(600):
        store.run(f"mail_{n:03}", worker=f"w{n:03}")
    # MySQL does not look at so many one by one: better a look in vain than one that is missed.
    is_sure = store.kind == "postgres"
    assert store.say.shortcuts.has_dead(store.first, NOW) is not is_sure
    store.run("mail_last", worker="w999")
    assert store.say.shortcuts.has_dead(store.first, NOW)
