"""Values beyond what the columns of a store can hold, or a store may show."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlcase import claim, new_task, register

from taskkit.clock import SECOND, ManualClock
from taskkit.limits import EARLIEST, MAX_DURATION
from taskkit.records import Outcome, Settlement
from taskkit.task import After
from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

_LONG_AGO = After(-MAX_DURATION * SECOND)


@pytest.fixture(params=[None, ManualClock()], ids=["its own clock", "a clock by hand"])
def store(request, somewhere):
    with closing(open_backend(somewhere, clock=request.param)) as backend:
        backend.migrate()
        register(backend)
        yield backend


def test_a_token_that_no_claim_can_have_does_not_stand(store):
    gone = "mail_" + "0" * 32
    for token in (2**63, 2**70, -(2**70)):
        store.put([new_task(), new_task()])
        one, other = claim(store)
        for outcome in (Outcome.SUCCEED, Outcome.DISCARD, Outcome.FAIL):
            for task_id in (one.task.id, gone):
                assert store.settle("w", [Settlement(task_id, token, outcome)]) == [False]
        settlements = [
            Settlement(one.task.id, token, Outcome.SUCCEED),
            Settlement(other.task.id, other.token, Outcome.SUCCEED),
            Settlement(one.task.id, one.token, Outcome.SUCCEED),
        ]
        assert store.settle("w", settlements) == [False, True, True]


def test_a_delay_into_the_past_ends_at_the_first_instant_that_there_is(store):
    tasks = [new_task(due=_LONG_AGO), new_task(due=_LONG_AGO, unique_key="k"), new_task()]
    for task in tasks:
        store.put([task])
    again = new_task()
    store.put([again])
    store.reschedule([tasks[2].id, again.id], _LONG_AGO)
    store.cancel([again.id])
    store.requeue([again.id], _LONG_AGO)
    ids = {task.id for task in (*tasks, again)}
    assert {record.task.due for record in store.get(ids).values()} == {EARLIEST}
    assert {one.task.id for one in claim(store)} == ids
