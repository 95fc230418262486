"""Kills: SIGKILL a worker ten times while 5,000 tasks run; what is lost, how soon it is back.

    python benchmarks/kills.py [--kills 10] [--tasks 5000] [--pause 1.5]

2 processes × 50 threads on SQLite, tasks of 0.5 s, all settings at their defaults. Each task notes
its start and its end in a file. An orphan is a task that had started and not ended when its worker
was killed; its recovery is the time from the kill to its next start.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import percentile, processes, report, until, worker_command


def main() -> None:
    """Measure and report; ends with an error if a task was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=5_000)
    parser.add_argument("--pause", type=float, default=1.5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        notes = Path(folder) / "notes"
        notes.touch()
        os.environ.update(TASKKIT_URL=f"sqlite:///{folder}/taskkit.db", NOTES=str(notes))
        import app

        app.kit.backend.migrate()
        command, env = worker_command(os.environ["TASKKIT_URL"], 2, "bench=50")
        with processes(command, env={**env, "NOTES": str(notes)}):
            until(lambda: len(app.kit.stats().workers) == 2)
            app.noted.delay_many([(n,) for n in range(arguments.tasks)])
            kills = [_kill(app, arguments.pause) for _ in range(arguments.kills)]
            until(lambda: app.kit.stats().count("bench", "queued") == 0, 120)
            until(lambda: app.kit.stats().count("bench", "running") == 0, 120)
        stats = app.kit.stats()
        app.kit.close()
        recoveries = _recoveries(notes, kills)
    succeeded = stats.count("bench", "succeeded")
    report(
        "kills",
        {
            "tasks that succeeded": succeeded,
            "orphans": len(recoveries),
            "kill to next start p50, s": percentile(recoveries, 0.5),
            "kill to next start max, s": max(recoveries),
        },
    )
    if succeeded != arguments.tasks or float("inf") in recoveries:
        sys.exit(f"lost: {arguments.tasks - succeeded} of {arguments.tasks}")


def _kill(app: object, pause: float) -> tuple[float, int]:
    """Kill a worker that runs many tasks; return when, and its pid."""
    kit = app.kit  # type: ignore[attr-defined]  # app.py

    def busy() -> list[int]:
        pids = [worker.info.pid for worker in kit.backend.workers() if worker.running > 20]
        # One that was killed a moment ago may not be retired yet.
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    # Both must be back from the kill before: what is measured is one recovery, not a pile of them.
    until(lambda: len(busy()) == 2, 60, 0.05)
    time.sleep(random.uniform(pause, pause + 0.5))
    until(lambda: len(busy()) == 2, 60, 0.05)
    pid = random.choice(busy())
    os.kill(pid, signal.SIGKILL)
    return time.time(), pid


def _recoveries(notes: Path, kills: list[tuple[float, int]]) -> list[float]:
    lines = [line.split() for line in notes.read_text().splitlines()]
    events = [(what, int(n), int(worker), float(at)) for what, n, worker, at in lines]
    found = []
    for killed, pid in kills:
        ended = {(n, worker) for what, n, worker, at in events if what == "end"}
        orphans = {
            n
            for what, n, worker, at in events
            if what == "start" and worker == pid and at < killed and (n, worker) not in ended
        }
        for orphan in orphans:
            again = [at for what, n, _, at in events if (what, n) == ("start", orphan)]
            found.append(min((at for at in again if at > killed), default=float("inf")) - killed)
    return found


if __name__ == "__main__":
    main()
