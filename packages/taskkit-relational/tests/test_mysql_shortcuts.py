"""What MySQL and MariaDB are told in one statement: that there is nothing to claim."""

from __future__ import annotations

import pytest
from shortcutcase import NOW, enter
from storecase import on_mysql

from taskkit_relational.schema import READY, WAITING

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql

PLACE = ("mail", "mail.", "mail/")


@pytest.fixture
def claim(store):
    """Claims as a worker whose lease ends at ``NOW + 100``."""
    enter(store, "w", NOW + 100)

    def claim(worker="w", now=NOW, steered=None):
        count = store.steered() if steered is None else steered
        return store.say.shortcuts.claim_alone(store.first, worker, PLACE, 10, now, count)

    return claim


def test_nothing_to_claim_is_one_look(store, claim):
    store.put("post_1", grp="post")
    store.put("mail_1", state=WAITING, due=NOW + 7)
    found = claim()
    assert (found.now, found.rows, found.opens) == (NOW, [], NOW + 7)
    store.say.remove(store.first, ["mail_1"])
    assert claim().opens is None


@pytest.mark.parametrize(
    "columns",
    [
        {"state": READY},
        {"state": READY, "grp": "mail.sub"},
        {"state": WAITING, "due": NOW + 7, "grp": "mail.sub"},
        {"state": WAITING, "due": NOW, "grp": "post"},
        {"state": READY, "expires": NOW, "grp": "post"},
    ],
)
def test_whatever_is_there_is_for_the_whole_rule(store, claim, columns):
    store.put("mail_1", **columns)
    assert claim() is None


def test_it_is_for_the_living_who_know_the_limits(claim, store):
    assert claim(worker="nobody") is None
    assert claim(now=NOW + 100) is None
    assert claim(steered=store.steered() + 1) is None
    assert claim() is not None
