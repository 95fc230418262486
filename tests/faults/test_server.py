"""The server is killed and comes back."""

from __future__ import annotations

import time
from collections import Counter

import pytest

pytestmark = pytest.mark.timeout(400)

TASKS, KILLS = 2_000, 3


def test_a_server_that_is_killed_and_restarted_in_mid_run_costs_nothing(server, system):
    workers = system.start(processes=2, slots=4)
    system.app.work.delay_many([(number,) for number in range(TASKS)])
    back = []
    for _ in range(KILLS):
        system.wait_for_more(100)
        with system.noticed_by(len(workers)):
            server.kill()
        server.restart()
        back.append(time.time())
        system.wait_for_more(100)
    system.wait_for_end(TASKS)
    # The workers lived, and with them their leases: no task had to be run again.
    assert system.noted("ended") == Counter(range(TASKS))
    system.assert_back_in_time(list(workers), back)
    system.assert_undisturbed(workers)
