"""Short ways to say what these tests say often, and what their child processes run."""

from __future__ import annotations

import os
from itertools import count

from taskkit.clock import SECOND
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.task import NewTask
from taskkit_sql import open_backend

LEASE = 600 * SECOND
_numbers = count(1)


def new_task(group="mail", **fields):
    fields.setdefault("name", "send")
    fields.setdefault("data", b"{}")
    return NewTask(id=f"{group}_{next(_numbers):032x}", group=group, **fields)


def register(backend, worker_id="w"):
    backend.register(WorkerInfo(worker_id, {"mail": 1}), LEASE)


def claim(backend, most=100, worker_id="w", group="mail"):
    return list(backend.claim(worker_id, {group: most}).claims)


def succeed(backend, claims, worker_id="w"):
    return backend.settle(
        worker_id,
        [Settlement(c.task.id, c.token, Outcome.SUCCEED, b"1") for c in claims],
    )


# ---- child processes


def drain(url, worker_id, answers):
    """Claim and settle until nothing is left."""
    backend = open_backend(url)
    register(backend, worker_id)
    done = []
    while claims := claim(backend, 7, worker_id):
        assert all(succeed(backend, claims, worker_id))
        done += [one.task.id for one in claims]
    backend.close()
    answers.put(done)


def put_many(url, number):
    """Put tasks of a group of this process's own."""
    backend = open_backend(url)
    for _ in range(number):
        backend.put([new_task(f"from{os.getpid()}")])
    backend.close()


def work(url, worker_id):
    """Claim and settle until a task says stop."""
    backend = open_backend(url)
    register(backend, worker_id)
    while True:
        claims = claim(backend, 1, worker_id)
        if not claims:
            backend.wait(["mail"], 10)
            continue
        succeed(backend, claims, worker_id)
        if claims[0].task.name == "stop":
            return


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
