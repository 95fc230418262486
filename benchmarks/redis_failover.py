"""Fail-over: what is lost of what was acknowledged when a master is killed under load.

    python benchmarks/redis_failover.py [--runs 5]

Behind Sentinel, a master with one replica. One client puts tasks one by one until the master is
killed; then the replica takes over, and it is counted how many of the acknowledged tasks are not
there. With a replica in step, and with one that was cut off half a second before the kill; each
time as it is, and with ``replicas=1``: each put waits for the replica (``WAIT``).
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path
from typing import Any

import redis
from bench import report
from redis_place import server

from taskkit.errors import Unavailable
from taskkit.ids import new_id
from taskkit.stores import connect_url
from taskkit.task import NewTask

SECONDS = 2.0


def cut_off(master: Any, replica: Any) -> None:
    """Let a replica hear nothing more.

    Frozen, so that it cannot come back, and cut off: what is sent to one that is only frozen waits
    for it in its socket.
    """
    replica.pause()
    port = Path(master.command[1]).parent.name
    with redis.Redis(port=int(port)) as told:
        told.execute_command("CLIENT", "KILL", "TYPE", "replica")


def lost(options: dict[str, Any], lag: float) -> tuple[int, int, float]:
    """Return how many were acknowledged, how many of those are gone, and seconds until one was."""
    with server("redis-sentinel") as found:
        backend = connect_url(found.url, **options)
        backend.migrate()
        acknowledged: list[str] = []
        killed = threading.Event()

        def put() -> None:
            while not killed.is_set():
                task = NewTask(id=new_id("g"), group="g", name="n", data=b"x" * 100)
                try:
                    backend.put([task])
                except Unavailable:
                    return
                acknowledged.append(task.id)

        putting = threading.Thread(target=put)
        putting.start()
        time.sleep(SECONDS)
        master, replica, *_ = found.nodes  # type: ignore[attr-defined]  # ours
        if lag:
            cut_off(master, replica)
            time.sleep(lag)
        master.kill()
        if lag:
            replica.resume()
        began = time.monotonic()
        killed.set()
        putting.join()
        plain = connect_url(found.url)
        while True:
            try:
                plain.put([NewTask(id=new_id("h"), group="h", name="n", data=b"")])
                break
            except Unavailable:
                time.sleep(0.05)
        took = time.monotonic() - began
        gone = 0
        for start in range(0, len(acknowledged), 1_000):
            records = plain.get(acknowledged[start : start + 1_000])
            gone += sum(record is None for record in records.values())
        plain.close()
        backend.close()
    return len(acknowledged), gone, took


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    figures: dict[str, float | str] = {}
    for lag, replica in ((0.0, "in step"), (0.5, "cut off for 0.5 s")):
        for options in ({}, {"replicas": 1}):
            name = f"replica {replica}, replicas={options.get('replicas', 0)}"
            found = [lost(options, lag) for _ in range(runs)]
            figures[f"{name}: acknowledged"] = sum(one[0] for one in found)
            figures[f"{name}: of those lost"] = sum(one[1] for one in found)
            figures[f"{name}: back after, s, at most"] = max(one[2] for one in found)
    report("redis_failover", figures)


if __name__ == "__main__":
    main()
