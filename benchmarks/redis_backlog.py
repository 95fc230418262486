"""A backlog beside: drain on Redis with and without a million tasks that wait; then they go.

    python benchmarks/redis_backlog.py [--waiting 1000000] [--runs 3]

The waiting tasks are of the same group, half of them due tomorrow, half ready but of the lowest
priority. Afterwards they are deleted and purged, while another process asks for the time; beside
what it waits for at most stands what the longest script took, as the server's SLOWLOG says. A drain
begins when the server does not rewrite its file: that takes one of the cores. While tasks are
deleted it neither rewrites nor saves: to fork with a million tasks in memory stops the server for
longer than any script (SLOWLOG shows it as one ZREM of 37 ms), whatever has made it fork.
"""

from __future__ import annotations

import argparse
import select
import statistics
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

from bench import app_on, processes, report, start_rate, until, worker_command
from redis_place import client, server, version

TASKS, STEP = 200_000, 5_000


def drain(url: str) -> float:
    """Return how many of the tasks of high priority are started a second."""
    app = app_on(url)
    first = app.noop.options(priority=10)
    for _ in range(0, TASKS, STEP):
        first.delay_many([()] * STEP)
    until(lambda: at_rest(url))
    command, env = worker_command(url, 2, "bench=8")
    with processes(command, env=env):
        until(lambda: app.kit.stats().count("bench", "succeeded") >= TASKS)
    started = sorted(app.results("noop"))[:TASKS]
    app.kit.close()
    return start_rate(started)


def fill(url: str, waiting: int) -> None:
    """Put what is not to be reached."""
    app = app_on(url)
    later = app.noop.options(due=timedelta(days=1))
    last = app.noop.options(priority=-100)
    for _ in range(0, waiting // 2, STEP):
        later.delay_many([()] * STEP)
        last.delay_many([()] * STEP)
    app.kit.close()


def at_rest(url: str) -> bool:
    """Return whether the server does nothing by itself."""
    with client(url) as asked:
        told: dict[str, Any] = asked.info("persistence")
    busy = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")
    return not any(told[name] for name in busy)


def longest_waits(url: str, act: Any) -> tuple[float, float]:
    """Return how long at most another process waited for an answer, and a script took, in ms."""
    with client(url) as server:
        rules = server.config_get("save", "auto-aof-rewrite-percentage")
        server.config_set("save", "", "auto-aof-rewrite-percentage", 0)
        until(lambda: at_rest(url))
        server.config_set("slowlog-log-slower-than", 1_000)
        server.config_set("slowlog-max-len", 100_000)
        server.slowlog_reset()
        # Another process: a thread of this one would wait for the interpreter, too.
        command = [sys.executable, __file__, "--ask", url]
        asking = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        act()
        waited, _ = asking.communicate("enough\n", timeout=30)
        slow: list[dict[str, Any]] = server.slowlog_get(100_000)
        for rule, value in rules.items():
            server.config_set(rule, value)
    scripts = [one["duration"] for one in slow if one["command"].startswith(b"EVALSHA")]
    return float(waited), max(scripts, default=0) / 1e3


def ask(url: str) -> None:
    """Ask for the time until told that it is enough; print how many ms an answer took at most."""
    longest = 0.0
    with client(url) as other:
        while not select.select([sys.stdin], [], [], 0.001)[0]:
            before = time.perf_counter()
            other.time()
            longest = max(longest, time.perf_counter() - before)
    print(1e3 * longest)


def empty(app: Any) -> None:
    """Cancel and purge what is left, a page at a time."""
    while True:
        page = app.kit.find("bench", limit=10_000)
        if not page.records:
            return
        app.kit.backend.delete([record.task.id for record in page.records])


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ask", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        ask(arguments.ask)
        return
    alone, beside, waits = [], [], []
    with server() as found:
        told = version(found.url)
        for _ in range(arguments.runs):
            with found.database() as url:
                alone.append(drain(url))
            with found.database() as url:
                fill(url, arguments.waiting)
                beside.append(drain(url))
                app = app_on(url)
                waits.append(longest_waits(url, lambda app=app: empty(app)))
                app.kit.close()
    report(
        "redis_backlog",
        {
            "alone, tasks/s (median)": statistics.median(alone),
            f"beside {arguments.waiting} others (median)": statistics.median(beside),
            "ratio": statistics.median(beside) / statistics.median(alone),
            "longest wait of another client while they are deleted, ms": max(w for w, _ in waits),
            "longest script while they are deleted, ms": max(s for _, s in waits),
        },
        server=told,
    )


if __name__ == "__main__":
    main()
