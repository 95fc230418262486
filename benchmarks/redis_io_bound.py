"""Waiting for others: 2,000 tasks that wait 0.2 s each, 2 processes × 50 threads, on Redis.

    python benchmarks/redis_io_bound.py [--runs 5]

Ideal is 500 tasks a second. Memory is PSS, which counts what processes share once.
"""

from __future__ import annotations

import argparse
import statistics

from bench import report
from io_bound import measure
from redis_place import server, version


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs = []
    with server() as found:
        told = version(found.url)
        for _ in range(arguments.runs):
            with found.database() as url:
                runs.append(measure(url))
    shares, memory, all_memory = zip(*runs, strict=True)
    report(
        "redis_io_bound",
        {
            "share of the ideal 500 tasks/s (median)": statistics.median(shares),
            "PSS of the workers, MB (median)": statistics.median(memory),
            "PSS with supervisor and template, MB (median)": statistics.median(all_memory),
        },
        server=told,
    )


if __name__ == "__main__":
    main()
