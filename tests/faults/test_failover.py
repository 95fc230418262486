"""The primary of a pair is gone for good; its standby takes over in mid-run."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from pair import Pair
from system import System, eventually

from taskkit.errors import BackendError
from taskkit.task import State
from taskkit_conformance.servers import Missing

pytestmark = pytest.mark.timeout(400)

TASKS = 1_000


@pytest.fixture
def pair():
    try:
        pair = Pair()
    except Missing as missing:
        pytest.skip(str(missing))
    yield pair
    pair.stop()


@pytest.fixture
def system(pair, tmp_path):
    system = System(tmp_path, pair.url)
    yield system
    system.stop()


class Producer(threading.Thread):
    """Puts tasks one by one, and remembers which of them the store has acknowledged."""

    def __init__(self, work, first):
        super().__init__(daemon=True)
        self._work, self._next = work, first
        self.acknowledged, self.unknown = set(), set()
        self.is_enough = threading.Event()

    def run(self):
        while not self.is_enough.wait(0.05):
            number, self._next = self._next, self._next + 1
            try:
                self._work.delay(number)
            except BackendError:
                self.unknown.add(number)  # it may be there or not
            else:
                self.acknowledged.add(number)


def test_a_standby_takes_over_and_nothing_acknowledged_is_lost(pair, system):
    workers = system.start(processes=2, slots=4)
    system.app.work.delay_many([(number,) for number in range(TASKS)])
    producer = Producer(system.app.work, TASKS)
    producer.start()
    system.wait_for_more(100)
    with system.noticed_by(len(workers)):
        pair.fail_over()
        back = time.time()
    system.wait_for_more(100)
    acknowledged = len(producer.acknowledged)
    eventually(lambda: len(producer.acknowledged) > acknowledged, "the producer puts again")
    producer.is_enough.set()
    producer.join(60)
    system.assert_back_in_time(list(workers), [back])
    open_states = {State.WAITING, State.QUEUED, State.RUNNING}
    eventually(lambda: not open_states & system.states().keys(), "an end")
    ended = system.noted("ended")
    assert system.states() == {State.SUCCEEDED: ended.total()}
    known = producer.acknowledged | set(range(TASKS))
    assert known <= ended.keys() <= known | producer.unknown
    # The workers lived, and with them their leases: no task had to be run again.
    assert ended == Counter(ended.keys())
    system.assert_undisturbed(workers)
