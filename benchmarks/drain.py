"""Drain: how many no-op tasks a second 2 processes × 8 threads do on SQLite, results stored.

    python benchmarks/drain.py [--runs 5] [--tasks 100000] [--peer-tasks 10000]

Beside it, in the same run on the same disk, huey's SQLite storage with the same processes and
threads. The rate is tasks divided by the time from the first start to the last, as the tasks
themselves say, so neither start-up nor observation counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import HERE, processes, report, until, worker_command

PROCESSES, THREADS = 2, 8


def ours(folder: str, count: int) -> float:
    """Return the rate of taskkit."""
    url = f"sqlite:///{folder}/taskkit.db"
    os.environ["TASKKIT_URL"] = url
    sys.modules.pop("app", None)
    import app

    for start in range(0, count, 5_000):
        app.noop.delay_many([()] * min(5_000, count - start))
    command, env = worker_command(url, PROCESSES, f"bench={THREADS}")
    with processes(command, env=env):
        until(lambda: app.kit.stats().count("bench", "succeeded") == count)
    started = app.results("noop")
    app.kit.close()
    return (len(started) - 1) / (max(started) - min(started))


def huey(folder: str, count: int) -> float:
    """Return the rate of huey, measured the same way."""
    env = {"HUEY_FILE": f"{folder}/huey.db"}
    consumer = [
        sys.executable, "-m", "huey.bin.huey_consumer", "huey_app.huey",
        "-w", str(THREADS), "-k", "thread", "-n", "-q",
    ]  # fmt: skip
    # Imported, not run: huey knows a task by the name of its module.
    fill = [sys.executable, "-c", f"import huey_app; huey_app.fill({count})"]
    look = [sys.executable, "-c", f"import huey_app; print(huey_app.rate({count}))"]
    full_env = {**os.environ, **env, "PYTHONPATH": str(HERE)}
    subprocess.run(fill, env=full_env, check=True)  # noqa: S603 - our own command
    with processes(*[consumer] * PROCESSES, env=env):
        done = subprocess.run(look, env=full_env, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own command
    return float(done.stdout)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--peer-tasks", type=int, default=10_000)
    parser.add_argument("--no-peer", action="store_true")
    arguments = parser.parse_args()
    mine, theirs = [], []
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            mine.append(ours(folder, arguments.tasks))
            if not arguments.no_peer:
                theirs.append(huey(folder, arguments.peer_tasks))
    figures: dict[str, float | str] = {"taskkit, tasks/s (median)": statistics.median(mine)}
    if theirs:
        figures["huey on SQLite, tasks/s (median)"] = statistics.median(theirs)
        figures["ratio"] = statistics.median(mine) / statistics.median(theirs)
    report("drain", figures)


if __name__ == "__main__":
    main()
