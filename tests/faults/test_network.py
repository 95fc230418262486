"""The network between the workers and a server that is well."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from taskkit_conformance.proxy import HOLD, Flow, Proxy
from taskkit_conformance.servers.urls import address_of, at_address

pytestmark = pytest.mark.timeout(400)

TASKS = 2_000

SHORT = {
    "redis": {"connect_timeout": 2.0, "timeout": 2.0},
    "sql": {"connect_timeout": 2.0, "statement_timeout": 2.0, "lock_timeout": 1.0},
}
"""Seconds, so that a silent network is noticed long before a lease ends."""


@pytest.fixture
def proxy(url):
    with Proxy(address_of(url)) as proxy:
        yield proxy


def test_connections_that_are_cut_cost_nothing(system, proxy):
    workers = system.start(2, 4, at_address(system.url, proxy.address))
    system.app.work.delay_many([(number,) for number in range(TASKS)])
    back = []
    for cuts in range(12):
        system.wait_for_more(50)
        with system.noticed_by(1):
            if cuts % 3 == 0:
                proxy.cut()
            elif cuts % 3 == 1:  # questions arrive, some answers do not
                proxy.set(to_client=Flow("cut", after=cuts))
            else:  # some questions do not arrive
                proxy.set(to_store=Flow("cut", after=cuts))
        proxy.heal()
        back.append(time.time())
    system.wait_for_end(TASKS)
    assert system.noted("ended") == Counter(range(TASKS))
    system.assert_back_in_time(list(workers), back)
    system.assert_undisturbed(workers)


def test_a_network_that_swallows_everything_costs_nothing(store, system, proxy):
    short = SHORT.get(store, SHORT["sql"])
    workers = system.start(2, 4, at_address(system.url, proxy.address), **short)
    system.app.work.delay_many([(number,) for number in range(TASKS)])
    back = []
    for _ in range(3):
        system.wait_for_more(100)
        with system.noticed_by(len(workers)):
            proxy.set(to_store=HOLD, to_client=HOLD)
        # What was held back arrives, although the client has given up on it.
        proxy.heal()
        back.append(time.time())
        system.wait_for_more(100)
    system.wait_for_end(TASKS)
    assert system.noted("ended") == Counter(range(TASKS))
    system.assert_back_in_time(list(workers), back)
    system.assert_undisturbed(workers)
