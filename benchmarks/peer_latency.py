"""Latency of peers: from just before their own enqueue call to the first line of the task.

One task at a time, on workers with nothing to do for some time before it, as taskkit's is measured
in the same run; only then can the figures be compared, for they depend on how soon the machine
wakes a process. One process enqueues, its connection open and warm; another one works, or as many
as taskkit has there. Who blocks or is notified does so; who looks now and then is told to look
every 10 ms, if it can be told.
"""

from __future__ import annotations

import json
import os
import random
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bench import milliseconds, percentile, until
from peer import Put, noted_starts, working

WARMING = 10
"""Tasks before the first that counts: connections made, statements prepared."""
PATIENCE = 60
"""Seconds within which a task has to start."""
LOOK = 0.02
"""Seconds between looks whether it has."""


@dataclass(frozen=True)
class Peer:
    """Where a peer's module is, and what it needs."""

    module: str
    """See ``peer.py``."""
    needs: tuple[str, ...]
    """Modules that have to be installed."""
    install: str
    """What pip calls them."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment that makes it quick."""


def samples_argument(parser: ArgumentParser, default: int) -> None:
    """Let the user choose how many tasks each peer gets."""
    parser.add_argument("--peer-samples", type=int, default=default, help="0 leaves the peers out")


def latencies(
    peers: Mapping[str, Peer],
    database: Callable[[], AbstractContextManager[str]],
    *,
    samples: int,
    pause: tuple[float, float],
    workers: int,
) -> dict[str, list[float]]:
    """Return how many seconds each task took to start, of the peers that are installed."""
    found: dict[str, list[float]] = {}
    for name, peer in peers.items() if samples else ():
        if not all(map(find_spec, peer.needs)):
            print(f"{name} is left out; to measure it: pip install {peer.install}", flush=True)
            continue
        asked = f"{peer.module!r}, {samples}, {tuple(pause)}, {workers}"
        with (
            database() as url,
            working(peer.module, url, workers, settings=peer.settings) as call,
        ):
            found[name] = _printed(call(f"import peer_latency; peer_latency.produce({asked})"))
        print(f"{name}: {1e3 * percentile(found[name], 0.5):.2f} ms", flush=True)
    return found


def compared(own: Sequence[float], peers: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return what is reported of peers beside the latencies of taskkit."""
    figures: dict[str, float] = {}
    for name, seconds in peers.items():
        figures |= milliseconds(name, seconds)
    if peers:
        best = min(percentile(seconds, 0.5) for seconds in peers.values())
        figures["taskkit / best peer, p50"] = percentile(own, 0.5) / best
    return figures


def produce(module: str, samples: int, pause: tuple[float, float], workers: int) -> None:
    """Enqueue one task after the other and print how long each took to start."""
    with import_module(module).producer() as put:
        for _ in range(WARMING):
            _latency(put, pause)
        until(lambda: _all_work(put, pause, workers), PATIENCE, every=0)
        print(json.dumps([_latency(put, pause) for _ in range(samples)]))


def _printed(text: str) -> list[float]:
    """Return what a producer printed last."""
    return [float(one) for one in json.loads(text.splitlines()[-1])]


def _latency(put: Put, pause: tuple[float, float]) -> float:
    known = len(noted_starts())
    time.sleep(random.uniform(*pause))
    before = put()
    # Asked for only when it is over: to ask meanwhile would keep the machine awake.
    time.sleep(LOOK)
    until(lambda: len(noted_starts()) > known, PATIENCE, every=LOOK)
    return max(noted_starts()) - before


def _all_work(put: Put, pause: tuple[float, float], workers: int) -> bool:
    """Enqueue one more, and return whether every worker process has started one."""
    _latency(put, pause)
    names = [path.name for path in Path(os.environ["STARTS"]).iterdir()]
    return len({name.partition("-")[0] for name in names}) >= workers
