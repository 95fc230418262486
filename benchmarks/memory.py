"""Memory backend: no-op tasks a second in one process with 8 threads, results stored.

python benchmarks/memory.py [--runs 5] [--tasks 200000]
"""

from __future__ import annotations

import argparse

from bench import median_of, report, until

from taskkit import Kit, TaskRegistry, connect

tasks = TaskRegistry()


@tasks.task(group="bench", name="noop")
def noop() -> None:
    """Do nothing."""


def measure(count: int) -> float:
    """Return the rate, from the first claim to the last settlement."""
    kit = Kit(connect("memory"), tasks)
    for start in range(0, count, 5_000):
        noop.delay_many([()] * min(5_000, count - start))
    with kit.running(threads={"bench": 8}):
        until(lambda: kit.stats().count("bench", "succeeded") == count)
    began, done, after = [], [], None
    while True:
        page = kit.find("bench", limit=10_000, after=after)
        began += [record.began for record in page.records]
        done += [record.done for record in page.records]
        after = page.next
        if after is None:
            return count / ((max(done) - min(began)) / 1e6)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=200_000)
    arguments = parser.parse_args()
    report(
        "memory", {"tasks/s (median)": median_of(arguments.runs, lambda: measure(arguments.tasks))}
    )


if __name__ == "__main__":
    main()
