"""Short ways to say what these tests say often, and what their child processes run."""

from __future__ import annotations

import os
import threading
import time
from itertools import count

from taskkit.clock import SECOND
from taskkit.errors import Unavailable
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.stores import connect_url
from taskkit.task import NewTask

LEASE = 600 * SECOND
_numbers = count(1)


def new_task(group="mail", **fields):
    fields.setdefault("name", "send")
    fields.setdefault("data", b"{}")
    return NewTask(id=f"{group}_{next(_numbers):032x}", group=group, **fields)


def register(backend, worker_id="w", lease=LEASE):
    backend.register(WorkerInfo(worker_id, {"mail": 1}), lease)


def claim(backend, most=100, worker_id="w", group="mail"):
    return list(backend.claim(worker_id, {group: most}).claims)


def ends(claims, outcome=Outcome.SUCCEED):
    return [Settlement(c.task.id, c.token, outcome, b"1") for c in claims]


def succeed(backend, claims, worker_id="w"):
    return backend.settle(worker_id, ends(claims))


def counts(backend):
    return {(one.group, str(one.state)): one.count for one in backend.count()}


def patiently(call, seconds=30):
    """Call until the store answers; what was not answered may have been done."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def until(holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def waiting(call):
    """Run a call in a thread; return the thread and the list for its answer."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def in_a_fork(action):
    """Run an action in a fork of this process and return what it returns or raises, as text."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = str(action())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(sender, answer.encode())
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


# ---- child processes


def drain(url, options, worker_id, group, answers):
    """Claim and settle until nothing is left, whatever happens to the store meanwhile."""
    backend = connect_url(url, **options)
    patiently(lambda: register(backend, worker_id))
    done = []

    def some():
        return patiently(lambda: claim(backend, 7, worker_id, group))

    def settle(claims):
        stood = patiently(lambda: succeed(backend, claims, worker_id))
        done.extend(one.task.id for one, stands in zip(claims, stood, strict=True) if stands)

    def beat_twice():
        # What was claimed by a call that was not answered comes back with the second beat.
        for _ in range(2):
            patiently(lambda: backend.heartbeat(worker_id, LEASE, [], {}))
        return True

    while claims := some() or (beat_twice() and some()):
        settle(claims)
    backend.close()
    answers.put(done)
