"""Many put and claim at once: nobody is told of a deadlock, and the server has seen none.

With unique keys and changes by hand in the mix, two transactions may wait for each other's key;
the server ends one of them, which is begun anew: nobody is told, but the server has seen it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from taskkit import connect
from taskkit.task import State

SECONDS = float(os.environ.get("TASKKIT_FAULTS_SECONDS", "60"))
PROCESSES = 8
"""Each with a producer and a claimer."""

pytestmark = pytest.mark.timeout(SECONDS + 300)

SCRIPT = Path(__file__).with_name("contention.py")
OPEN = {State.WAITING, State.QUEUED, State.RUNNING}

_log = logging.getLogger("taskkit.faults")


@pytest.mark.parametrize("mix", ["plain", "keys"])
def test_eight_producers_and_eight_claimers_meet_no_deadlock(store, server, url, mix):
    if store == "redis":
        pytest.skip("a script is alone: there is nothing to be deadlocked with")
    backend = connect("sql", url=url)
    backend.migrate()
    log = server.nodes[0].log
    before = log.stat().st_size
    told = run(url, mix)
    done = sum((Counter(one["done"]) for one in told), Counter())
    anew = sum((Counter(one["anew"]) for one in told), Counter())
    _log.info("%s; begun anew: %s", dict(done), dict(anew))
    assert [error for one in told for error in one["errors"]] == []
    states = {count.state: 0 for count in backend.count()}
    for count in backend.count():
        states[count.state] += count.count
    backend.close()
    assert not OPEN & states.keys()
    assert sum(states.values()) == done["put"] - done["discard"]
    said = log.read_bytes()[before:].decode(errors="replace").lower()
    deadlocks = said.count("deadlock detected")
    _log.info("deadlocks that the server has seen: %d", deadlocks)
    assert mix == "keys" or deadlocks == 0, said


def run(url, mix):
    """Return what each process tells."""
    programs = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), url, str(SECONDS), mix, str(seed), str(PROCESSES)],
            stdout=subprocess.PIPE,
        )
        for seed in range(PROCESSES)
    ]
    try:
        return [json.loads(program.communicate()[0]) for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.wait()
