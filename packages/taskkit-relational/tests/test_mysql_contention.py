"""Many who put beside many who claim: nobody runs into a deadlock, and nothing is claimed twice."""

from __future__ import annotations

import os
import random
import re
import threading
import time

import pymysql
import pytest
from storecase import NOW, on_mysql, row

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql

SECONDS = float(os.environ.get("TASKKIT_CONTENTION_SECONDS", "20"))
"""A longer run proves more: 60 in what is stored as proof."""

_GROUPS = ("mail", "mail.a", "mail.b", "post")
_KEYS = 12


class Crowd:
    """Threads that each do one thing until the time is over."""

    def __init__(self, store):
        self.store = store
        self.errors = []
        self.claimed = []
        self.put = set()
        self.keyed = set()
        self.busy = 0
        self._numbers = iter(range(10**9))
        self._lock = threading.Lock()
        self._deadline = time.monotonic() + SECONDS

    def run(self, *jobs):
        threads = [threading.Thread(target=self._repeat, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _repeat(self, job):
        cursor = self.store.connect()
        while time.monotonic() < self._deadline:
            try:
                job(cursor)
                cursor.connection.commit()
            except pymysql.MySQLError as error:
                cursor.connection.rollback()
                # What is asked again: a key that another one took between two looks.
                self.errors += [error] if error.args[0] != 1062 else []

    def puts(self, cursor):
        """Put several, plain and with keys that others want too, in any order."""
        with self._lock:
            numbers = [next(self._numbers) for _ in range(random.choice((1, 2, 7, 40)))]
        rows = []
        for number in numbers:
            group, key = random.choice(_GROUPS), None
            if random.random() < 0.4:
                key = f"k{random.randrange(_KEYS)}"
                self.keyed.add(f"{group}_{number}")
            rows.append(row(f"{group}_{number}", unique_key=key, unique_slot=key))
        inserted = self.store.say.insert(cursor, rows)
        put = {one[0] for one in rows} if inserted is None else inserted
        if random.random() < 0.1:
            # Again, as after an answer that was lost.
            self.store.say.insert(cursor, [one for one in rows if one[0] in put])
        cursor.connection.commit()
        with self._lock:
            self.put |= put

    def claims(self, cursor):
        """Claim from two groups, as a worker does, and settle half of that later."""
        say = self.store.say
        taken = []
        token = say.token(cursor)
        # By name. MariaDB lets even those who skip what is locked wait for a moment, and takes two
        # that come from opposite sides for a deadlock; one of them begins anew then.
        for group in sorted(random.sample(_GROUPS, 2)):
            rows = say.ready(cursor, group, NOW, random.choice((1, 5, 50)))
            keys = [found[0] for found in rows]
            if keys:
                say.take(cursor, keys, "w", token, NOW)
                say.free_slots(cursor, keys)
                taken += keys
        cursor.connection.commit()
        with self._lock:
            self.claimed += taken
        if taken:
            say.succeed(cursor, NOW, [(key, token, b"1") for key in taken[::2]])
            say.remove(cursor, [key for key in taken[1::2] if key not in self.keyed][::2])
        else:
            time.sleep(0.002)


def deadlocks(cursor):
    """Return how many deadlocks the server has counted or written down since it was started."""
    cursor.execute("SHOW ENGINE INNODB STATUS")
    text = cursor.fetchone()[2]
    cursor.connection.commit()
    return re.findall(r"LATEST DETECTED DEADLOCK\n-+\n(.*)", text)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 2 + 120)
def test_no_insert_deadlocks_with_a_claim(store):
    before = deadlocks(store.first)
    crowd = Crowd(store)
    crowd.run(*[crowd.puts] * 8, *[crowd.claims] * 8)
    assert crowd.errors == []
    assert deadlocks(store.first) == before
    assert len(crowd.claimed) == len(set(crowd.claimed)) > 100
    assert set(crowd.claimed) <= crowd.put


def test_a_key_that_was_just_freed_has_one_new_holder(store):
    """What is left of the entry that was removed must not be shared by those who want it."""
    say = store.say
    store.put("mail_old", unique_key="k", unique_slot="k")
    say.free_slots(store.first, ["mail_old"])
    store.first.connection.commit()
    answers = {}
    start = threading.Barrier(4)

    def put(number):
        cursor = store.connect()
        start.wait()
        answers[number] = say.insert(cursor, [row(f"mail_new{number}", unique_slot="k")])
        cursor.connection.commit()

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values(), key=str) == [None, set(), set(), set()]
