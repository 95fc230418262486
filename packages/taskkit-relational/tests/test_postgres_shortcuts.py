"""What PostgreSQL alone is told in one statement, as it returns what it changes, and can push."""

from __future__ import annotations

from itertools import takewhile

import pytest
import storecase
from shortcutcase import NOW, enter, put, task
from storecase import on_postgres, picked

from taskkit_relational.schema import CLAIMED, READY, RUNNING, SUCCEEDED, WAITING
from taskkit_relational.statements import News

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_postgres


@pytest.fixture
def store(store):
    """The store, with a worker."""
    enter(store, "w", NOW + 100)
    return store


def test_news_are_told_if_somebody_promised_to_wait_or_in_any_case(store):
    listener = store.connect().connection
    listener.autocommit = True
    listener.execute("LISTEN here")

    def heard(news, until=0):
        store.first.execute(f"UPDATE {store.say.prefix}waiting SET until = {until}")
        put(store, task(f"mail_{news.text}"), news=news)
        store.first.execute("NOTIFY here, 'end'")
        store.first.connection.commit()
        payloads = (notify.payload for notify in listener.notifies(timeout=20))
        return list(takewhile(lambda payload: payload != "end", payloads))

    assert heard(News("here", "c", "a", if_promised=True)) == []
    assert heard(News("here", "c", "b", if_promised=False)) == ["b"]
    assert heard(News("here", "c", "c", if_promised=True), until=1 << 60) == ["c"]
    # It is told as it is written, whatever it consists of.
    assert heard(News("here", "c", "it's 100%s", if_promised=False)) == ["it's 100%s"]


def claim(store, most=10, now=NOW, steered=None, worker="w"):
    steered = store.steered() if steered is None else steered
    place = ("mail", "mail.", "mail/")
    caught = store.say.shortcuts.claim_alone(store.first, worker, place, most, now, steered)
    store.first.connection.commit()
    return caught


def test_a_plain_claim_in_claim_order(store):
    store.put("mail_4", due=NOW - 1)
    store.put("mail_3", "mail_1", due=NOW - 2, options='{"timeout":2.0}')
    store.put("mail_2", priority=9)
    store.put("post_1", grp="post")
    store.put("mail_5", state=WAITING, due=NOW + 5)
    token = store.say.token(store.first) + 1
    caught = claim(store, 3)
    assert [row[1] for row in caught.rows] == ["mail_2", "mail_1", "mail_3"]
    assert (caught.now, caught.opens, caught.token) == (NOW, NOW + 5, token)
    assert [picked(CLAIMED, row)["attempt"] for row in caught.rows] == [1, 1, 1]
    assert picked(CLAIMED, caught.rows[1])["options"] == '{"timeout":2.0}'
    names = ("state", "token", "worker_id", "began", "attempt")
    assert store.columns("mail_1", *names) == (RUNNING, token, "w", NOW, 1)
    assert [row[0] for row in claim(store).rows] == ["mail_4"]
    assert claim(store).rows == []


def test_nothing_is_claimed_alone_that_is_not_plain(store):
    def refused(**put):
        store.put("mail_x", **put)
        answers = claim(store)
        store.say.remove(store.first, ["mail_x"])
        store.first.connection.commit()
        return answers is None

    store.put("mail_1")
    assert refused(state=WAITING, grp="other")  # due: it is to be promoted
    assert refused(expires=NOW, grp="other")
    assert refused(lock_key="k")
    assert refused(unique_key="k", unique_slot="k")
    assert refused(grp="mail.sub")
    assert refused(grp="mail.sub", state=WAITING, due=NOW + 1)
    assert claim(store, steered=store.steered() + 1) is None
    assert claim(store, worker="nobody") is None
    assert claim(store, now=NOW + 100) is None  # the lease is over
    # What stands behind a task with a key does not overtake it.
    store.put("mail_0", lock_key="k")
    assert claim(store, 1) is None
    assert store.columns("mail_1", "state", "attempt") == (READY, 0)


def test_what_others_hold_is_skipped_and_looked_for_again(store):
    store.put("mail_1", "mail_2")
    other = store.connect()
    store.say.ready(other, "mail", NOW, 1)
    caught = claim(store)
    assert [row[0] for row in caught.rows] == ["mail_2"]
    assert caught.opens == storecase.NOW  # its due
    other.connection.rollback()
    assert [row[0] for row in claim(store, 1).rows] == ["mail_1"]


def test_successes_are_settled_alone_if_they_are_plain(store):
    store.run("mail_1", "mail_2", token=7)
    store.run("mail_3", token=7, lock_key="k")
    done = store.say.shortcuts.succeed_alone
    rows = [("mail_1", 7, b"r"), ("mail_2", 6, b"r"), ("mail_3", 7, b"r"), ("mail_4", 7, b"r")]
    assert done(store.first, rows, NOW, store.steered() + 1, None) == 0
    assert done(store.first, rows, NOW, store.steered(), None) == 1
    names = ("state", "settled", "done", "purge_at", "result")
    assert store.columns("mail_1", *names) == (SUCCEEDED, 1, NOW, NOW + 50, b"r")
    assert store.columns("mail_2", "state") == (RUNNING,)
