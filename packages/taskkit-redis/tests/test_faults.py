"""Records that cannot be read, servers that refuse, and what people are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rediscase import LEASE, claim, counts, new_task, register, succeed

from taskkit.errors import BackendError, Unavailable, Unsupported
from taskkit.records import Limits, Query
from taskkit.task import State

GARBAGE = [b"", b"\xff" * 40, b"not a record", b"\x92\x9a\xa1q\xc2", b"\x92\x90\x90"]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_broken_record_stops_nobody_and_can_be_looked_at(backend, raw, garbage):
    register(backend)
    broken, *good = [new_task() for _ in range(4)]
    backend.put([broken, *good])
    raw.set("{taskkit}:t:" + broken.id, garbage)
    backend.get([broken.id])
    given = claim(backend)
    assert {one.task.id for one in given} == {one.id for one in good}
    assert succeed(backend, given) == [True] * 3
    record = backend.get([broken.id])[broken.id]
    assert (record.state, record.failure.type) == (State.FAILED, "taskkit.errors.Corrupt")
    assert (record.task.name, record.task.data) == ("?", garbage)
    assert [one.task.id for one in backend.find(Query(states=[State.FAILED]), 9).records] == [
        broken.id
    ]
    assert len(backend.delete([broken.id])) == 1
    assert counts(backend) == {("mail", "succeeded"): 3}


def test_a_record_that_was_removed_by_hand_stops_nobody(backend, raw):
    register(backend)
    gone, good = new_task(), new_task()
    backend.put([gone, good])
    raw.delete("{taskkit}:t:" + gone.id)
    assert [one.task.id for one in claim(backend)] == [good.id]
    assert counts(backend) == {("mail", "running"): 1}


def test_a_running_task_whose_record_is_gone(backend, raw):
    register(backend)
    backend.put([new_task(), new_task()])
    one, two = claim(backend)
    raw.delete("{taskkit}:t:" + one.task.id)
    assert succeed(backend, [one, two]) == [False, True]
    for _ in range(2):
        backend.heartbeat("w", 10**9, [], {})
    assert backend.workers()[0].running == 0
    backend.configure("mail", Limits(max_running=1))
    backend.put([new_task()])
    assert len(claim(backend)) == 1


def beat_twice(backend, held=()):
    for _ in range(2):
        backend.heartbeat("w", LEASE, list(held), {})


def test_a_lock_is_free_when_the_record_of_its_holder_is_gone(backend, raw):
    register(backend)
    holder, next_one = new_task(lock_key="l"), new_task(lock_key="l")
    backend.put([holder, next_one, new_task(lock_key="m")])
    claims = claim(backend)
    kept = [(one.task.id, one.token) for one in claims if one.task.id != holder.id]
    assert len(kept) == 1
    raw.delete("{taskkit}:t:" + holder.id)
    beat_twice(backend, kept)
    assert [one.task.id for one in claim(backend)] == [next_one.id]
    assert raw.hgetall("{taskkit}:l:mail") == {b"l": b"1", b"m": b"1"}
    assert raw.hgetall("{taskkit}:groups") == {b"mail": b"2"}


@pytest.mark.parametrize("scope", ["queued", "unfinished"])
def test_a_key_is_free_when_the_record_of_its_holder_is_gone(backend, raw, scope):
    register(backend)
    holder, again = [new_task(unique_key="k", unique_scope=scope) for _ in range(2)]
    backend.put([holder])
    if scope == "unfinished":
        claim(backend)
    raw.delete("{taskkit}:t:" + holder.id)
    if scope == "unfinished":
        # It may run still.
        assert [one.status for one in backend.put([again])] == ["duplicate"]
        beat_twice(backend)
    assert [one.status for one in backend.put([again])] == ["put"]
    assert [one.task.id for one in claim(backend)] == [again.id]


def test_which_locks_are_held_is_not_guessed(backend, raw):
    """Whose record is gone may run still, and nobody knows what it holds."""
    register(backend)
    tasks = [new_task(lock_key="l", lock_limit=2) for _ in range(5)]
    backend.put(tasks)
    one, two = claim(backend)
    raw.delete(*("{taskkit}:t:" + each.task.id for each in (one, two)))
    beat_twice(backend, [(two.task.id, two.token)])
    assert claim(backend) == []
    beat_twice(backend)
    assert [each.task.id for each in claim(backend)] == [task.id for task in tasks[2:4]]


def test_a_server_that_is_not_there(opened):
    with pytest.raises(Unavailable, match="127.0.0.1:1 cannot be used now"):
        opened("redis://127.0.0.1:1").put([new_task()])


def test_a_wrong_password_is_not_shown(opened, redis_url):
    url = redis_url.replace("redis://", "redis://nobody:wrong-secret@")
    with pytest.raises(Unavailable, match="refuses us") as caught:
        opened(url).put([new_task()])
    assert "wrong-secret" not in str(caught.value)


def test_a_full_server_is_unavailable_for_a_while(backend, raw):
    backend.put([new_task()])
    raw.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(Unavailable, match="cannot be used now"):
            backend.put([new_task()])
    finally:
        raw.config_set("maxmemory", "0")
    assert counts(backend) == {("mail", "queued"): 1}


def test_a_key_of_another_kind_is_an_error_of_ours(backend, raw):
    backend.migrate()
    raw.set("{taskkit}:ids", "in the way")
    with pytest.raises(BackendError, match="WRONGTYPE"):
        backend.put([new_task()])


def test_a_user_who_may_do_what_we_do(opened, raw, redis_url):
    """The commands that docs/redis.md lists are enough, on the keys of the prefix only."""
    text = Path(__file__).parents[3].joinpath("docs", "redis.md").read_text(encoding="utf-8")
    [rights] = re.findall(r"ACL SETUSER tasks on >password (.*?)```", text, re.DOTALL)
    commands = re.findall(r"\+\S+", rights)
    raw.execute_command(
        *("ACL", "SETUSER", "tasks", "reset", "on", ">pw", "~{taskkit}:*", "&{taskkit}:*"),
        *commands,
    )
    try:
        backend = opened(redis_url.replace("redis://", "redis://tasks:pw@"))
        register(backend)
        backend.put([new_task(unique_key="u", lock_key="l", expires=2**52), new_task()])
        claims = claim(backend)
        backend.heartbeat("w", 10**9, [(c.task.id, c.token) for c in claims], {})
        assert succeed(backend, claims) == [True, True]
        assert backend.wait_done(claims[0].task.id, 5)
        backend.wait(["mail"], 0)
        backend.count()
        backend.put([new_task()])
        claim(backend)
        assert backend.workers()[0].running == 1
        backend.reclaim()
        assert backend.retire("w", lost=True) == 1
        backend.purge(older_than=0)
        backend.clear()
        with pytest.raises(BackendError):
            opened(redis_url.replace("redis://", "redis://tasks:pw@"), prefix="theirs").migrate()
    finally:
        raw.execute_command("ACL", "DELUSER", "tasks")


def test_limits_of_a_group_in_several_pieces(opened):
    backend = opened(partitions=8, shards={"mail": 4})
    with pytest.raises(Unsupported, match="found one with 4 shards"):
        backend.configure("mail.sub", Limits(max_running=1))
    backend.configure("mail", Limits())
