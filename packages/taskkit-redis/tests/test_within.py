"""``put(within=pipeline)``, and a kit made of a client that somebody has."""

from __future__ import annotations

import asyncio

import pytest
import redis
from redis.exceptions import ResponseError
from rediscase import counts, new_task

from taskkit import TaskHandler
from taskkit.errors import InvalidSetting, Unsupported
from taskkit.impl.redis import make_kit
from taskkit.records import Limits
from taskkit_redis.clients import backend_of


def test_the_tasks_exist_if_the_pipeline_is_executed(backend, raw):
    with raw.pipeline(transaction=True) as pipeline:
        pipeline.set("mine", "1")
        [told] = backend.put([task := new_task()], pipeline)
        assert (told.id, counts(backend), raw.get("mine")) == (task.id, {}, None)
        pipeline.execute()
    assert (counts(backend), raw.get("mine")) == ({("mail", "queued"): 1}, b"1")


def test_they_do_not_if_it_is_thrown_away(backend, raw):
    with raw.pipeline() as pipeline:
        backend.put([new_task()], pipeline)
        pipeline.reset()
    assert counts(backend) == {}


def test_they_do_not_if_something_watched_has_changed(backend, raw):
    with raw.pipeline() as pipeline:
        pipeline.watch("mine")
        raw.set("mine", "changed")
        pipeline.multi()
        backend.put([new_task()], pipeline)
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    assert counts(backend) == {}


def test_what_only_watches_is_no_transaction_yet(backend, raw):
    """Until its multi() redis-py executes each command at once."""
    with raw.pipeline() as pipeline:
        pipeline.watch("mine")
        with pytest.raises(Unsupported, match=r"call its multi\(\) before"):
            backend.put([new_task()], pipeline)
        assert counts(backend) == {}
        pipeline.multi()
        backend.put([new_task()], pipeline)
        pipeline.execute()
        assert counts(backend) == {("mail", "queued"): 1}
        # After that it is as new.
        backend.put([new_task()], pipeline)
        pipeline.reset()
    assert counts(backend) == {("mail", "queued"): 1}


def test_a_server_that_forgets_its_scripts_forgets_no_task(backend, raw):
    with raw.pipeline() as pipeline:
        backend.put([new_task()], pipeline)
        raw.script_flush()
        pipeline.execute()
    assert counts(backend) == {("mail", "queued"): 1}


def test_a_full_queue_is_told_when_the_pipeline_is_executed(backend, raw):
    backend.configure("mail", Limits(max_queue_size=1))
    with raw.pipeline() as pipeline:
        backend.put([new_task(), new_task()], pipeline)
        with pytest.raises(ResponseError, match="QUEUEFULL group mail may hold 1"):
            pipeline.execute()
    assert counts(backend) == {}


def test_it_wakes_who_waits_when_it_is_executed(opened, raw):
    one = opened()
    one.wait(["mail"], 0)
    with raw.pipeline() as pipeline:
        one.put([new_task()], pipeline)
        assert one.wait(["mail"], 0) is False
        pipeline.execute()
    assert one.wait(["mail"], 10) is True


def test_what_cannot_be_joined(opened, backend, raw):
    with pytest.raises(Unsupported, match="expected a redis-py Pipeline .*found builtins.object"):
        backend.put([new_task()], object())
    with pytest.raises(Unsupported, match="found one with transaction=False"):
        backend.put([new_task()], raw.pipeline(transaction=False))
    with pytest.raises(Unsupported, match="found one on"):
        backend.put([new_task()], redis.Redis(db=15).pipeline())
    with pytest.raises(Unsupported, match="a cluster has no transaction"):
        opened("redis+cluster://h").put([new_task()], raw.pipeline())
    assert counts(backend) == {}


# ---- make_kit


class Handler(TaskHandler):
    def handle(self, task):
        return task.data.decode()

    def get_retry_interval(self, task, exception):
        return None

    def encode_data(self, group, task_name, data):
        return data.encode()

    def encode_result(self, task, result):
        return result.encode()

    def decode_result(self, task, encoded):
        return encoded.decode()


def test_a_kit_from_a_client(raw):
    """The client itself is neither used nor changed."""
    before = dict(raw.connection_pool.connection_kwargs)
    made = raw.connection_pool._created_connections
    kit = make_kit(raw, Handler())
    with kit.running({"Any task group name": 2}):
        result = kit.initiate_task("Any task group name", "your task name", "ping")
        assert result.get(timeout=20) == "ping"
    assert raw.connection_pool.connection_kwargs == before
    assert raw.connection_pool._created_connections == made
    kit.close()
    assert raw.ping()


def test_a_port_may_be_text_and_options_can_be_given(raw):
    where = raw.connection_pool.connection_kwargs
    client = redis.Redis(host=where["host"], port=str(where["port"]), db=where["db"])
    backend = backend_of(client, prefix="app")
    backend.put([new_task()])
    assert raw.keys("{app}:t:*")
    backend.close()
    client.close()


def test_login_and_place_are_the_client_s():
    client = redis.Redis("h", 1234, 5, username="u", password="p", ssl=True, ssl_ca_certs="/ca")
    server = backend_of(client)._settings.server
    assert (server.addresses, server.db, server.tls) == ((("h", 1234),), 5, True)
    assert (server.username, server.password) == ("u", "p")
    assert server.taken["ssl_ca_certs"] == "/ca"
    path = backend_of(redis.Redis(unix_socket_path="/run/r.sock", db=1))._settings.server
    assert (path.path, path.db) == ("/run/r.sock", 1)


def test_sentinels_of_a_client():
    client = redis.Sentinel([("a", 1), ("b", 2)]).master_for("mymaster", db=3)
    server = backend_of(client)._settings.server
    assert (server.kind, server.service, server.db) == ("sentinel", "mymaster", 3)
    assert server.addresses == (("a", 1), ("b", 2))


def test_clients_that_cannot_be_used():
    with pytest.raises(InvalidSetting, match="an asyncio client cannot be used here"):
        backend_of(asyncio.run(_asyncio_client()))
    with pytest.raises(InvalidSetting, match="expected a redis.Redis or RedisCluster, found"):
        backend_of("redis://localhost")
    with pytest.raises(InvalidSetting, match="did you mean 'prefix'"):
        backend_of(redis.Redis(), prefx="x")


async def _asyncio_client():
    return redis.asyncio.Redis()
