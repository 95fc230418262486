"""Eight who put beside eight who claim, through the whole backend: no conflict reaches anybody."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time

import pytest
from servercase import on_mysql
from sqlcase import register

from taskkit.records import Outcome, Settlement
from taskkit.task import NewTask
from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

SECONDS = float(os.environ.get("TASKKIT_CONTENTION_SECONDS", "10"))
"""A longer run proves more: 60 in what is stored as proof."""


class Crowd:
    """Threads on one backend that each do one thing until the time is over."""

    def __init__(self, backend, share_of_keys):
        self.backend = backend
        self.share_of_keys = share_of_keys
        self.errors = []
        self.put = set()
        self.claimed = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._deadline = time.monotonic() + SECONDS

    def run(self):
        jobs = [(self.puts, ())] * 8 + [(self.claims, (f"w{n}",)) for n in range(8)]
        for n in range(8):
            register(self.backend, f"w{n}")
        threads = [threading.Thread(target=self._repeat, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _repeat(self, job, arguments):
        try:
            while time.monotonic() < self._deadline:
                job(*arguments)
        except Exception as error:
            self.errors.append(error)

    def puts(self):
        group = random.choice(("mail", "mail.a", "mail.b"))
        tasks = [
            NewTask(
                id=f"{group}_{next(self._numbers):032x}",
                group=group,
                name="x",
                data=b"{}",
                unique_key=self._rarely(self.share_of_keys, f"k{random.randrange(20)}"),
                lock_key=self._rarely(0.05, "l"),
            )
            for _ in range(random.choice((1, 1, 5, 50)))
        ]
        answers = self.backend.put(tasks)
        with self._lock:
            self.put.update(one.id for one in answers if one.status == "put")

    def _rarely(self, share, value):
        return value if random.random() < share else None

    def claims(self, worker):
        claims = self.backend.claim(worker, {"mail": 30}).claims
        with self._lock:
            self.claimed += [one.task.id for one in claims]
        if not claims:
            time.sleep(0.002)
        for_real = [
            Settlement(
                one.task.id,
                one.token,
                random.choice([Outcome.SUCCEED] * 9 + [Outcome.FAIL]),
                b"1",
            )
            for one in claims
        ]
        assert all(self.backend.settle(worker, for_real))


@on_mysql
@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 2 + 120)
@pytest.mark.parametrize("share_of_keys", [0.0, 0.3])
def test_nobody_who_puts_or_claims_hears_of_the_others(made, share_of_keys):
    backend = open_backend(made, pool_size=16)
    try:
        backend.clear()
        crowd = Crowd(backend, share_of_keys)
        crowd.run()
        assert crowd.errors == []
        assert len(crowd.claimed) == len(set(crowd.claimed)) > 100
        assert set(crowd.claimed) <= crowd.put
        if not share_of_keys:
            # Two that put several tasks with the same keys may have to begin anew; others never.
            assert backend._store.database.conflicts == 0
    finally:
        backend.close()
