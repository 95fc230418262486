"""A store behind a network: SQLite, served by a process that can be killed.

The chaos lane is tested on it, right or with one of the ``FAULTS`` that it has to find, which the
URL names: ``remote://127.0.0.1:20000/?fault=leaks``.
"""

from __future__ import annotations

import pickle
import socket
import struct
import sys
import threading
from dataclasses import fields, replace
from urllib.parse import parse_qs, urlsplit

from taskkit.clock import SECOND, SystemClock
from taskkit.errors import TaskkitError, Unavailable
from taskkit.plugins import hookimpl
from taskkit.records import PutResult, Query
from taskkit.task import After, NewTask, State
from taskkit_sql import open_backend


def send(connection, what):
    data = pickle.dumps(what)
    connection.sendall(struct.pack("!I", len(data)) + data)


def receive(connection):
    return pickle.loads(_exactly(connection, *struct.unpack("!I", _exactly(connection, 4))))


def _exactly(connection, size):
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError("closed")
        data += chunk
    return data


# ---- the client


class RemoteBackend:
    def __init__(self, url, clock):
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._fault = parse_qs(parts.query).get("fault", [""])[0]
        self._clock = clock
        self._local = threading.local()
        self._all = []
        self._seen = {}
        self._calls = 0
        if self._fault == "clears when opened":
            for worker in self._call("workers", (), {}):
                self._call("retire", (worker.info.id,), {})

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        fault = FAULTS.get(self._fault, {}).get(name)
        if fault is not None:
            return lambda *args, **options: fault(self, *args, **options)
        return lambda *args, **options: self._call(name, args, options)

    def _call(self, name, args, options):
        now = None if self._clock is None else self._clock.now()
        while True:
            fresh = getattr(self._local, "connection", None) is None
            try:
                return self._ask(fresh, (name, args, options, now))
            except OSError as error:
                self._local.connection = None
                if self._fault == "repeats by itself" and not fresh:
                    continue
                if self._fault == "leaks":
                    raise
                cause = None if self._fault == "hides the cause" else error
                raise Unavailable("the remote store does not answer") from cause

    def _ask(self, fresh, question):
        if fresh:
            self._local.connection = socket.create_connection(self._address, 10)
            self._all.append(self._local.connection)
        send(self._local.connection, question)
        answer = receive(self._local.connection)
        if isinstance(answer, TaskkitError):
            raise answer
        return answer

    def close(self):
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._local = threading.local()


# ---- what can be wrong with it


def put_later(self, tasks, within=None):
    """Acknowledge, and send with the next call."""
    self._call("put", (self._seen.pop("put", []),), {})
    self._seen["put"] = list(tasks)
    return [PutResult(task.id) for task in tasks]


def put_one_by_one(self, tasks, within=None):
    return [self._call("put", ([task],), {})[0] for task in tasks]


def put_most(self, tasks, within=None):
    """Drop one of fifty."""
    kept = []
    for task in tasks:
        self._calls += 1
        kept += [] if self._calls % 50 == 0 else [task]
    self._call("put", (kept,), {})
    return [PutResult(task.id) for task in tasks]


def get_stale(self, ids):
    try:
        answer = self._call("get", (ids,), {})
    except Unavailable:
        return {task_id: self._seen.get(task_id) for task_id in ids}
    self._seen.update(answer)
    return answer


def advance_in_two_steps(self, name, version, state, tasks):
    done = self._call("advance_schedule", (name, version, state, []), {})
    if done:
        self._call("put", (tasks,), {})
    return done


def reclaim_everybody(self, limit=1000):
    for worker in self._call("workers", (), {}):
        self._call("retire", (worker.info.id, True), {})
    return self._call("reclaim", (limit,), {})


def settle_by_id(self, worker_id, settlements):
    """Settle with whatever token is right now."""
    records = self._call("get", ([each.task_id for each in settlements],), {})
    answers = []
    for each in settlements:
        record = records[each.task_id]
        token = each.token if record is None else record.token
        who = worker_id if record is None or record.worker_id is None else record.worker_id
        answers += self._call("settle", (who, [replace(each, token=token)]), {})
    return answers


def claim_what_was_removed(self, worker_id, wants, excluding=()):
    """Take the tasks out of the queue before they run."""
    found = self._call("find", (Query(states=[State.QUEUED]), 5), {}).records
    self._call("delete", ([one.task.id for one in found],), {})
    again = [
        NewTask(**{field.name: getattr(one.task, field.name) for field in fields(NewTask)})
        for one in found
    ]
    self._call("put", (again,), {})
    return self._call("claim", (worker_id, wants, excluding), {})


def claim_counting(self, worker_id, wants, excluding=()):
    """Count the claims of this client for tokens."""
    answer = self._call("claim", (worker_id, wants, excluding), {})
    claims = []
    for claim in answer.claims:
        self._calls += 1
        self._seen[claim.task.id, self._calls] = claim.token
        claims.append(replace(claim, token=self._calls))
    return replace(answer, claims=claims)


def settle_counting(self, worker_id, settlements):
    real = [
        replace(each, token=self._seen.get((each.task_id, each.token), each.token))
        for each in settlements
    ]
    return self._call("settle", (worker_id, real), {})


def heartbeat_counting(self, worker_id, lease, held, progress):
    real = [(task_id, self._seen.get((task_id, token), token)) for task_id, token in held]
    return self._call("heartbeat", (worker_id, lease, real, progress), {})


def reclaim_and_pause(self, limit=1000):
    """Keep what the dead held for another minute."""
    answer = self._call("reclaim", (limit,), {})
    if answer.tasks:
        self._call("pause", (None, After(60 * SECOND)), {})
    return answer


def advance_at_first_without_tasks(self, name, version, state, tasks):
    """Store where the schedule is, when a scheduler starts, and nothing else."""
    first, self._calls = not self._calls, 1
    return self._call("advance_schedule", (name, version, state, [] if first else tasks), {})


FAULTS = {
    "clears when opened": {},
    "hides the cause": {},
    "leaks": {},
    "repeats by itself": {},
    "puts later": {"put": put_later},
    "puts one by one": {"put": put_one_by_one},
    "puts most": {"put": put_most},
    "reads from a cache": {"get": get_stale},
    "advances in two steps": {"advance_schedule": advance_in_two_steps},
    "reclaims from the living": {"reclaim": reclaim_everybody},
    "settles without a token": {"settle": settle_by_id},
    "removes before it claims": {"claim": claim_what_was_removed},
    "counts tokens in the client": {
        "claim": claim_counting,
        "settle": settle_counting,
        "heartbeat": heartbeat_counting,
    },
    "keeps the locks of the dead": {"reclaim": reclaim_and_pause},
    "starts with an empty advance": {"advance_schedule": advance_at_first_without_tasks},
}


class Plugin:
    @hookimpl
    def taskkit_open(self, url, options, clock):
        return RemoteBackend(url, clock)


plugin = Plugin()


# ---- the server


class Now:
    """The clock of the client that asks, or the system's."""

    def __init__(self):
        self.told = threading.local()

    def now(self):
        told = getattr(self.told, "now", None)
        return SystemClock().now() if told is None else told


def serve(port, path):
    clock = Now()
    backend = open_backend(f"sqlite:///{path}", clock=clock)
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer_all, args=(connection, backend, clock), daemon=True).start()


def answer_all(connection, backend, clock):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        try:
            name, args, options, clock.told.now = receive(connection)
        except OSError:
            return
        try:
            answer = getattr(backend, name)(*args, **options)
        except TaskkitError as error:
            answer = error
        try:
            send(connection, answer)
        except OSError:
            return


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
