"""The keys: where they lie, what they cost, whose they are."""

from __future__ import annotations

import json
import re

import pytest
from rediscase import claim, counts, new_task, register, succeed

from taskkit.clock import SECOND
from taskkit.errors import InvalidSetting, SchemaMismatch
from taskkit.records import Limits, Query, Rate
from taskkit.task import After
from taskkit_redis.layout import VERSION
from taskkit_redis.store import partitions_of


def everything(backend):
    """Bring forth every kind of key."""
    backend.configure("mail", Limits(max_running=9, rate=Rate(100, 1), max_queue_size=99))
    backend.pause(["other"])
    register(backend)
    backend.put(
        [
            new_task(unique_key="u", lock_key="l", expires=After(600 * SECOND)),
            new_task(lock_key="l"),
            new_task("mail.sub", due=After(600 * SECOND)),
            *(new_task("mail.sub") for _ in range(3)),
        ]
    )
    claims = claim(backend)
    backend.heartbeat(
        "w", SECOND, [(c.task.id, c.token) for c in claims], {claims[0].task.id: b"1"}
    )
    succeed(backend, claims[1:])
    backend.advance_schedule("s", 0, b"state", [new_task()])


def test_all_keys_begin_with_the_prefix_as_their_hash_tag(backend, raw):
    everything(backend)
    assert raw.dbsize() > 10
    assert all(key.startswith(b"{taskkit}:") for key in raw.scan_iter())


def test_two_prefixes_share_no_key_even_if_one_begins_like_the_other(opened, raw):
    one, other = opened(prefix="app"), opened(prefix="app2")
    everything(one)
    everything(other)
    before = {key for key in raw.scan_iter() if key.startswith(b"{app2}")}
    one.clear()
    assert {key for key in raw.scan_iter() if key.startswith(b"{app}")} == {
        b"{app}:layout",
        b"{app}:token",
    }
    assert {key for key in raw.scan_iter() if key.startswith(b"{app2}")} == before


def test_each_partition_lies_in_one_slot_and_they_are_spread_evenly():
    parts = partitions_of("taskkit", 64)
    assert [part.slot * 64 // 16384 for part in parts] == list(range(64))
    assert len({part.base for part in parts}) == 64
    assert parts == partitions_of("taskkit", 64)


def test_subgroups_lie_with_their_group(opened):
    store = opened(partitions=16)._store
    assert store.of_group("mail") == store.of_group("mail.acme") == store.of_group("mail.a.b")
    assert len({store.of_group(f"group{n}") for n in range(200)}) == 16


def test_a_newer_layout_is_refused(backend, raw):
    raw.set("{taskkit}:layout", json.dumps({"version": VERSION + 1}))
    with pytest.raises(SchemaMismatch, match=rf"layout {VERSION + 1}, .* up to {VERSION}; upgrade"):
        backend.put([new_task()])


def test_an_older_layout_is_refused(backend, raw):
    raw.set("{taskkit}:layout", json.dumps({"version": 1, "partitions": 1, "shards": {}}))
    with pytest.raises(SchemaMismatch, match=r"layout 1 .*knows layout 2; use another prefix"):
        backend.put([new_task()])


def test_what_is_no_layout_is_refused(backend, raw):
    raw.set("{taskkit}:layout", b"\xff")
    with pytest.raises(SchemaMismatch, match="cannot be understood"):
        backend.migrate()


def test_all_clients_divide_a_store_alike(opened):
    opened(partitions=4).migrate()
    with pytest.raises(SchemaMismatch, match="made with 4, this client says 8"):
        opened(partitions=8).migrate()
    with pytest.raises(
        SchemaMismatch, match="shards: .* made with {}, this client says {'mail': 2}"
    ):
        opened(partitions=4, shards={"mail": 2}).migrate()


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_a_server_that_may_evict_tasks_is_refused(opened, raw, policy):
    raw.config_set("maxmemory-policy", policy)
    try:
        with pytest.raises(InvalidSetting, match=f"{policy}: .* noeviction"):
            opened().put([new_task()])
        opened(allow_eviction=True).put([new_task()])
    finally:
        raw.config_set("maxmemory-policy", "noeviction")


def test_a_server_that_evicts_finished_tasks_only_is_not(opened, raw):
    raw.config_set("maxmemory-policy", "volatile-ttl")
    try:
        opened().put([new_task()])
    finally:
        raw.config_set("maxmemory-policy", "noeviction")


def test_a_queued_task_of_100_bytes_takes_at_most_700(backend, raw):
    backend.migrate()
    number = 20_000
    before = raw.info("memory")["used_memory"]
    for _ in range(number // 1000):
        backend.put([new_task("bench", name="noop", data=b"x" * 100) for _ in range(1000)])
    assert (raw.info("memory")["used_memory"] - before) / number <= 700


def test_finished_tasks_expire_by_themselves(backend, raw):
    register(backend)
    backend.put([new_task(ttl=60)])
    [one] = claim(backend)
    key = b"{taskkit}:t:" + one.task.id.encode()
    assert raw.pttl(key) == -1
    succeed(backend, [one])
    assert 50_000 < raw.pttl(key) <= 60_001  # rounded up


def test_what_has_expired_is_not_counted_either(backend, raw):
    register(backend)
    backend.put([new_task(ttl=0), new_task(ttl=0), new_task()])
    [*gone, kept] = claim(backend)
    succeed(backend, [*gone, kept])
    assert counts(backend) == {("mail", "succeeded"): 1}
    assert backend.get([gone[0].task.id]) == {gone[0].task.id: None}
    assert raw.zrange("{taskkit}:ids", 0, -1) == [kept.task.id.encode()]


def test_an_id_can_be_put_again_when_it_has_expired(backend, raw):
    register(backend)
    task = new_task(ttl=0)
    backend.put([task])
    succeed(backend, claim(backend))
    raw.delete(b"{taskkit}:t:" + task.id.encode())  # as the server does by itself
    assert [answer.status for answer in backend.put([task])] == ["put"]
    assert counts(backend) == {("mail", "queued"): 1}
    assert [one.task.id for one in claim(backend)] == [task.id]


def test_with_a_given_clock_nothing_expires_by_itself(opened, clock, raw):
    backend = opened(clock=clock)
    register(backend)
    backend.put([new_task(ttl=0)])
    succeed(backend, claim(backend))
    [key] = raw.keys("*:t:*")
    assert raw.pttl(key) == -1
    assert counts(backend) == {("mail", "succeeded"): 1}
    assert backend.purge() == 1
    assert raw.keys("*:t:*") == []


def test_when_all_is_gone_little_is_left(backend, raw):
    everything(backend)
    backend.retire("w")
    backend.delete([record.task.id for record in backend.find(Query(), 100).records])
    names = {re.sub(rb"^\{taskkit\}:", b"", key) for key in raw.scan_iter()}
    assert names <= {
        *(b"layout", b"token", b"turn", b"limits", b"pauses", b"schedule:s", b"starts:mail"),
        *(b"starts:mail.sub", b"gone"),
    }
