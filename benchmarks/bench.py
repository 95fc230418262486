"""What every benchmark needs: worker processes, their memory and CPU, medians, and a report.

Figures are only comparable within one run on one machine, so each benchmark measures its peer, or
its own baseline, in the same run and reports the ratio.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def processes(*commands: Sequence[str], env: dict[str, str]) -> Iterator[list[int]]:
    """Run commands while the block lasts; yields their process ids."""
    started = [
        subprocess.Popen(  # noqa: S603 - our own commands
            command, env={**os.environ, **env, "PYTHONPATH": str(HERE)}, start_new_session=True
        )
        for command in commands
    ]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def worker_command(url: str, count: int, slots: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of workers on the tasks of ``app.py``."""
    command = [sys.executable, "-m", "taskkit", "worker", "app:kit", "-g", slots]
    return [*command, "--processes", str(count)], {"TASKKIT_URL": url}


def app_on(url: str) -> Any:
    """Import ``app.py`` anew, its kit on this store."""
    os.environ["TASKKIT_URL"] = url
    sys.modules.pop("app", None)
    return importlib.import_module("app")


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue  # it has ended meanwhile
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, ()))
    return found


def pss(pids: Sequence[int]) -> int:
    """Return the memory of processes in bytes, what they share counted once (PSS)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time that processes have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def until(condition: Callable[[], bool], seconds: float = 300, every: float = 0.25) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(every)


def start_rate(started: Sequence[float]) -> float:
    """Return the rate from the first start to the last, in which no start-up counts."""
    return (len(started) - 1) / (max(started) - min(started))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Return what is reported of latencies."""
    shares = {"p50": 0.5, "p99": 0.99}
    return {f"{name} {p}, ms": 1e3 * percentile(seconds, share) for p, share in shares.items()}


def median_of(runs: int, measure: Callable[[], float]) -> float:
    """Return the median of repeated measurements."""
    return statistics.median(measure() for _ in range(runs))


def report(name: str, figures: dict[str, float | str], **about: object) -> None:
    """Print figures and keep them, with the machine, the command, and what else there is to say."""
    RESULTS.mkdir(exist_ok=True)
    kept = {
        "command": " ".join(["python", *(Path(arg).name for arg in sys.argv)]),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **about,
        "figures": {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()},
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(name)
    for key, value in kept["figures"].items():
        print(f"  {key:<44} {value}")
