"""The bare sketch on Redis: what claims and settles of batches cost without any feature.

A list of numbers and a string for each task; a claim is a script that pops 256 and gives each a
token, a settle a script that stores results, fenced by it. 8 threads decode and encode JSON around
a no-op. No leases, retries, locks, limits, history, groups (see ``peer.py``).
"""

from __future__ import annotations

import json
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from time import sleep, time
from typing import Any, TypeAlias

from peer import url
from redis_place import client

BATCH, THREADS = 256, 8

Line: TypeAlias = SimpleQueue[tuple[bytes, bytes]]
"""Numbers of tasks, with their data or results."""

CLAIM = """
local ids = redis.call('LPOP', KEYS[1], ARGV[1])
if not ids then return {} end
local keys, marks = {}, {}
for n, id in ipairs(ids) do
  keys[n] = 't:' .. id
  marks[2 * n - 1], marks[2 * n] = id, 1
end
redis.call('HSET', 'running', unpack(marks))
return {ids, redis.call('MGET', unpack(keys))}
"""
SETTLE = """
local tokens = redis.call('HMGET', KEYS[1], unpack(ARGV, 1, #ARGV / 2))
local done = {}
for n, token in ipairs(tokens) do
  if token then
    redis.call('SET', 'r:' .. ARGV[n], ARGV[#ARGV / 2 + n], 'EX', 86400)
    done[#done + 1] = ARGV[n]
  end
end
if #done > 0 then redis.call('HDEL', KEYS[1], unpack(done)) end
return #done
"""


def fill(count: int) -> None:
    """Put so many tasks."""
    with client(url()) as server:
        for start in range(0, count, 5_000):
            numbers = range(start, min(start + 5_000, count))
            with server.pipeline(transaction=False) as pipeline:
                pipeline.mset({f"t:{n}": b'{"args": []}' for n in numbers})
                pipeline.rpush("ready", *numbers)
                pipeline.execute()


def left() -> int:
    """Return how many are not done."""
    with client(url()) as server:
        waiting: Any = server.llen("ready")
        running: Any = server.hlen("running")
        return int(waiting + running)


def starts() -> list[float]:
    """Return when each began."""
    with client(url()) as server:
        keys = list(server.scan_iter("r:*", count=5_000))
        found: list[Any] = []
        for start in range(0, len(keys), 5_000):
            found += server.mget(keys[start : start + 5_000])
    return [json.loads(one) for one in found]


def work() -> None:
    """Claim, run and settle until told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    todo: Line = SimpleQueue()
    done: Line = SimpleQueue()
    for _ in range(THREADS):
        Thread(target=_run, args=(todo, done), daemon=True).start()
    Thread(target=_settle, args=(done,), daemon=True).start()
    script = client(url()).register_script(CLAIM)
    while True:
        claimed: Any = script(["ready"], [BATCH]) if todo.qsize() < BATCH else ()
        for pair in zip(*claimed, strict=True):
            todo.put(pair)
        if not claimed:
            sleep(0.001)


def _run(todo: Line, done: Line) -> None:
    while True:
        number, data = todo.get()
        json.loads(data)
        done.put((number, json.dumps(time()).encode()))


def _settle(done: Line) -> None:
    script = client(url()).register_script(SETTLE)
    while True:
        batch = [done.get()]
        while len(batch) < BATCH and not done.empty():
            batch.append(done.get())
        numbers, results = zip(*batch, strict=True)
        script(["running"], [*numbers, *results])
