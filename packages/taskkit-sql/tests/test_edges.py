"""Values beyond what the columns of a store can hold, or a store may show."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlcase import claim, new_task, register

from taskkit.clock import ManualClock
from taskkit.records import Outcome, Settlement
from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


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
