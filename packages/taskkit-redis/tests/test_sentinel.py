"""A master, a replica and three sentinels: the master dies, the replica takes over."""

from __future__ import annotations

import secrets

import pytest
import redis
from rediscase import new_task, patiently, until
from test_cluster import all_done, finish, work

from taskkit_redis.clients import backend_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_fail_over_loses_nothing_that_the_replica_has(redis_sentinel, opened):
    options = {"prefix": f"test-{secrets.token_hex(4)}"}
    # Confirmed by the replica as long as there is one; the last one standing has none.
    confirmed = opened(redis_sentinel.url, **options, replicas=1)
    tasks = [new_task() for _ in range(100)]
    confirmed.put(tasks)

    def disturb():
        master = redis_sentinel.nodes[0]
        master.kill()
        until(lambda: _master(redis_sentinel) not in str(master.command))

    backend = opened(redis_sentinel.url, **options)
    more, done = work(backend, redis_sentinel.url, options, 600, disturb)
    finish(backend)
    assert all_done(backend, tasks) == {"succeeded": 100}
    found = all_done(backend, more)
    # Of what only the dead one had confirmed, some may be gone; all that is known was done.
    assert set(found) <= {"succeeded", None}
    assert found["succeeded"] >= 500
    redis_sentinel.nodes[0].start()
    backend.clear()


def _sentinel(server):
    hosts = server.url.removeprefix("redis+sentinel://").split("/")[0].split(",")
    return redis.Sentinel([(host, int(port)) for host, port in (h.split(":") for h in hosts)])


def _master(server):
    """Return the port of the master; while there is none, of none."""
    try:
        return str(_sentinel(server).discover_master("taskkit")[1])
    except redis.RedisError:
        return ""


def test_a_backend_from_a_sentinel_client(redis_sentinel):
    client = _sentinel(redis_sentinel).master_for("taskkit")
    backend = backend_of(client, prefix=f"test-{secrets.token_hex(4)}")
    assert [one.status for one in patiently(lambda: backend.put([new_task()]))] == ["put"]
    backend.clear()
    backend.close()
