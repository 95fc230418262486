"""A cluster of three masters and three replicas: slots that move, masters that die."""

from __future__ import annotations

import multiprocessing
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rediscase import claim, counts, drain, new_task, patiently, register, succeed, until

from taskkit.records import Outcome, Query, Settlement
from taskkit_conformance.servers.redis import Connection
from taskkit_conformance.servers.urls import Address
from taskkit_redis.clients import backend_of
from taskkit_redis.scripts import script

_spawn = multiprocessing.get_context("spawn")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def options():
    return {"prefix": f"test-{secrets.token_hex(4)}"}


@pytest.fixture
def backend(redis_cluster, opened, options):
    backend = opened(redis_cluster.url, **options)
    yield backend
    backend.clear()


def call(node, *words):
    host, port = node.where.rsplit(":", 1)
    with Connection("redis://", Address(host, int(port))) as connection:
        return connection.call(*map(str, words))


def test_groups_lie_in_many_slots_of_all_masters(backend):
    store = backend._store
    slots = {store.partitions[store.of_group(f"g{n}")[0]].slot for n in range(50)}
    assert len(slots) > 20
    assert len({store.topology.node(slot).where for slot in slots}) == 3


@pytest.fixture
def nameless(redis_cluster, backend):
    """A cluster whose nodes tell their ports only."""
    nodes = backend._store.topology.nodes()
    for node in nodes:
        call(node, "CONFIG", "SET", "cluster-preferred-endpoint-type", "unknown-endpoint")
    yield redis_cluster.url
    for node in nodes:
        call(node, "CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")


def test_nodes_that_tell_no_name_are_where_we_asked(nameless, opened, options):
    other = opened(nameless, **options)
    assert {one.status for one in other.put([new_task(f"g{n}") for n in range(12)])} == {"put"}
    assert len({node.where for node in other._store.topology.nodes()}) == 3


def test_a_worker_of_many_groups(backend):
    """Its lease holds in all of them, and ends in all of them."""
    tasks = [new_task(f"g{n % 12}") for n in range(48)]
    assert {one.status for one in backend.put(tasks)} == {"put"}
    register(backend)
    wants = {f"g{n}": 2 for n in range(12)}
    claims = backend.claim("w", wants).claims
    assert Counter(one.task.group for one in claims) == Counter(wants)
    assert backend.workers()[0].running == 24
    held = [(one.task.id, one.token) for one in claims]
    assert not backend.heartbeat("w", 10**9, held, {}).void
    assert all(succeed(backend, claims[:6]))
    assert backend.retire("w", lost=True) == 18
    assert backend.settle("w", [Settlement(*held[-1], Outcome.SUCCEED, b"")]) == [False]
    assert backend.workers() == []
    assert sum(one.count for one in backend.count() if one.state == "queued") == 42


def test_a_group_in_pieces(redis_cluster, opened):
    backend = opened(redis_cluster.url, prefix=f"test-{secrets.token_hex(4)}", shards={"hot": 8})
    tasks = [new_task("hot.sub", name=str(n)) for n in range(400)]
    keyed = [new_task("hot", unique_key=f"k{n}", lock_key="l") for n in range(10)]
    backend.put([*tasks, *keyed])
    store = backend._store
    assert len({store.of_task(task.id) for task in tasks}) == 8
    assert [one.status for one in backend.put([new_task("hot", unique_key="k1")])] == ["duplicate"]
    assert {one.status for one in backend.put([*tasks, *keyed])} == {"known"}
    assert counts(backend) == {("hot", "queued"): 10, ("hot.sub", "queued"): 400}
    register(backend)
    claims = claim(backend, 100, group="hot")
    assert len(claims) == 100
    while more := claim(backend, 100, group="hot"):
        claims += more
    # The lock lets one of those that have it run.
    assert len(claims) == len({one.task.id for one in claims}) == 401
    held = [(one.task.id, one.token) for one in claims]
    for _ in range(2):
        answer = backend.heartbeat("w", 10**9, held, {claims[7].task.id: b"half"})
        assert answer.void == frozenset()
    assert backend.get([claims[7].task.id])[claims[7].task.id].progress == b"half"
    assert all(succeed(backend, claims))
    found, after = [], None
    while True:
        page = backend.find(Query(group="hot", subgroups=True), 77, after)
        found += [record.task.id for record in page.records]
        after = page.next
        if after is None:
            break
    assert found == sorted(task.id for task in [*tasks, *keyed])
    assert set(backend.delete(found).values()) == {"done"}
    assert counts(backend) == {}
    backend.clear()


def test_wake_ups_reach_waiters_on_every_node(backend, opened, redis_cluster, options):
    other = opened(redis_cluster.url, **options)
    groups = [f"g{n}" for n in range(12)]
    backend.wait(groups, 0)
    assert backend.wait(groups, 0) is False
    for group in groups:
        task = new_task(group)
        other.put([task])
        assert backend.wait(groups, 30) is True
        register(other)
        claims = other.claim("w", {group: 1}).claims
        succeed(other, claims)
        assert backend.wait_done(task.id, 30)
        while backend.wait(groups, 0):
            pass


def test_letters_that_were_not_delivered_are_delivered_later(backend):
    """A scheduler dies between its step and what follows from it."""
    store = backend._store
    home = store.home("s")
    task = next(task for n in range(100) if store.of_task((task := new_task(f"g{n}")).id) != home)
    plain, asked = store.call, []

    def dying(name, *arguments):
        asked.append(name)
        if name == "deliver":
            raise KeyboardInterrupt
        return plain(name, *arguments)

    store.call = dying
    with pytest.raises(KeyboardInterrupt):
        backend.advance_schedule("s", 0, b"one", [task])
    store.call = plain
    assert asked == ["advance_schedule", "deliver"]
    assert backend.get([task.id]) == {task.id: None}
    backend.reclaim()
    assert backend.get([task.id])[task.id] is not None
    backend.delete([task.id])
    backend.reclaim()
    assert backend.load_schedule("s").version == 1
    assert backend.get([task.id]) == {task.id: None}  # once is once


def work(backend, url, options, number, disturb, group="mail"):
    """Let two processes drain a group while it is disturbed and put to; return who did what."""
    tasks = [new_task(group) for _ in range(number)]
    half = number // 2
    for start in range(0, half, 50):
        patiently(lambda start=start: backend.put(tasks[start : start + 50]))
    answers = _spawn.Queue()
    processes = [
        _spawn.Process(target=drain, args=(url, options, f"w{n}", group, answers)) for n in (1, 2)
    ]
    for process in processes:
        process.start()
    until(lambda: patiently(backend.workers))
    with ThreadPoolExecutor(1) as aside:
        disturbing = aside.submit(disturb)
        for start in range(half, number, 50):
            patiently(lambda start=start: backend.put(tasks[start : start + 50]))
        disturbing.result(60)
    done = [task_id for _ in processes for task_id in answers.get(timeout=120)]
    for process in processes:
        process.join(20)
        assert process.exitcode == 0
    return tasks, done


def finish(backend, group="mail"):
    """Do what is left, after all disturbance."""
    patiently(lambda: register(backend, "last"))
    while claims := patiently(lambda: claim(backend, 100, "last", group)):
        patiently(lambda claims=claims: succeed(backend, claims, "last"))


def all_done(backend, tasks):
    records = patiently(lambda: backend.get([task.id for task in tasks]))
    return Counter(record and str(record.state) for record in records.values())


def move(store, slot):
    """Move a slot to the next master, as redis-cli does, key by key; yield in between."""
    masters = list(store.topology.nodes())
    source = store.topology.node(slot)
    target = next(node for node in masters if node is not source)
    ids = {node: call(node, "CLUSTER", "MYID") for node in masters}
    host, port = target.where.rsplit(":", 1)
    call(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    call(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    yield
    client_host, client_port = source.where.rsplit(":", 1)
    with redis.Redis(client_host, int(client_port), retry=Retry(NoBackoff(), 0)) as client:
        while keys := client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 20):
            client.execute_command("MIGRATE", host, port, "", 0, 5000, "KEYS", *keys)
            yield
    for node in [target, source, *masters]:
        call(node, "CLUSTER", "SETSLOT", slot, "NODE", ids[target])


def test_slots_that_move_while_tasks_run_lose_nothing(backend, redis_cluster, options):
    store = backend._store
    slot = store.partitions[store.of_group("mail")[0]].slot

    def disturb():
        before = store.topology.node(slot).where
        for _ in move(store, slot):
            pass
        store.topology.refresh()
        until(lambda: store.topology.node(slot).where != before or store.topology.refresh())

    tasks, done = work(backend, redis_cluster.url, options, 1500, disturb)
    finish(backend)
    assert all_done(backend, tasks) == {"succeeded": 1500}
    assert len(done) == len(set(done))


def test_a_slot_that_is_moving_is_not_touched(backend):
    """A script that finds half of its keys would do half of its work."""
    store = backend._store
    number = store.of_group("mail")[0]
    part = store.partitions[number]
    backend.put([new_task()])
    moving = move(store, part.slot)
    next(moving)
    node = store.topology.node(part.slot)
    before = call(node, "CLUSTER", "COUNTKEYSINSLOT", part.slot)
    [answer] = node.evaluate(
        script("put"),
        [store.arguments(number, 1, 0, "mail_x", 4, "+0", "100", "", 1, b"", b"\x90")],
    )
    assert isinstance(answer, redis.exceptions.ResponseError)
    assert call(node, "CLUSTER", "COUNTKEYSINSLOT", part.slot) == before
    for _ in moving:
        pass
    assert [one.status for one in patiently(lambda: backend.put([new_task()]))] == ["put"]


def test_a_master_that_dies_loses_nothing_that_a_replica_has(
    backend, redis_cluster, opened, options
):
    confirmed = {**options, "replicas": 1}
    safe = opened(redis_cluster.url, **confirmed)
    store = safe._store
    safe.migrate()
    slot = store.partitions[store.of_group("mail")[0]].slot

    def disturb():
        where = store.topology.node(slot).where
        node = next(n for n in redis_cluster.nodes if where.rsplit(":", 1)[1] in str(n.command))
        node.kill()
        until(lambda: _holder(store, slot) not in (None, where))
        node.start()

    tasks, done = work(safe, redis_cluster.url, confirmed, 600, disturb)
    finish(safe)
    assert all_done(safe, tasks) == {"succeeded": 600}
    assert len(done) == len(set(done))


def _holder(store, slot):
    store.topology.refresh()
    try:
        return store.topology.node(slot).where
    except Exception:
        return None


def test_a_backend_from_a_cluster_client(redis_cluster, options):
    hosts = redis_cluster.url.removeprefix("redis+cluster://").split(",")
    host, port = hosts[0].split(":")
    client = redis.RedisCluster(host=host, port=int(port))
    backend = backend_of(client, **options)
    backend.put([new_task()])
    assert counts(backend) == {("mail", "queued"): 1}
    backend.clear()
    backend.close()
    client.close()
