"""A cluster of three masters beside one server: 12 groups, 2 processes × 8 threads a group.

    python benchmarks/redis_cluster.py [--runs 3] [--tasks 60000]

All nodes run on the same cores as the one server does, so the cluster cannot be faster here; what
more masters would bring follows from the CPU time that each of them spends on a task.
"""

from __future__ import annotations

import argparse
import statistics

from bench import app_on, cpu_seconds, processes, report, start_rate, until, worker_command
from redis_place import server

GROUPS, THREADS = 12, 8


def drain(url: str, count: int, pids: list[int]) -> tuple[float, float]:
    """Return the rate, and the CPU time of the servers for a task, in microseconds."""
    app = app_on(url)
    groups = [f"bench{n}" for n in range(GROUPS)]
    each = count // GROUPS
    for group in groups:
        for start in range(0, each, 1_000):
            app.noop.options(group=group).delay_many([()] * min(1_000, each - start))
    command, env = worker_command(url, 2, f"{groups[0]}={THREADS}")
    command += [part for group in groups[1:] for part in ("-g", f"{group}={THREADS}")]
    before = cpu_seconds(pids)
    with processes(command, env=env):
        until(lambda: sum(app.kit.stats().count(g, "succeeded") for g in groups) == each * GROUPS)
    spent = (cpu_seconds(pids) - before) / count
    started = []
    for group in groups:
        after = None
        while True:
            page = app.kit.find(group, "succeeded", "noop", limit=5_000, after=after)
            started += [float(record.result or b"0") for record in page.records]
            after = page.next
            if after is None:
                break
    app.kit.close()
    return start_rate(started), 1e6 * spent


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=60_000)
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {"redis": [], "redis-cluster": []}
    for _ in range(arguments.runs):
        for kind, measured in found.items():
            with server(kind) as running:
                pids = [node.pid for node in running.nodes]  # type: ignore[attr-defined]  # ours
                measured.append(drain(running.url, arguments.tasks, pids))
    one, cluster = (statistics.median(r for r, _ in found[kind]) for kind in found)
    report(
        "redis_cluster",
        {
            "one server, tasks/s (median)": one,
            "three masters, three replicas, tasks/s (median)": cluster,
            "ratio": cluster / one,
            "CPU of one server, us a task": statistics.median(c for _, c in found["redis"]),
            "CPU of six nodes, us a task": statistics.median(c for _, c in found["redis-cluster"]),
        },
    )


if __name__ == "__main__":
    main()
