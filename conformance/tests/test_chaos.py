"""The chaos lane: it passes a store that is right, finds what is wrong, and leaves nothing behind.

The store is ``remote_store``: behind a network, and a process of its own that can be killed. Its
faults are mutants like all others (``mutants.remote``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from taskkit_conformance import chaos, run
from taskkit_conformance.aftermath import outdated, too_early
from taskkit_conformance.chaos import LEASE
from taskkit_conformance.check import all_checks
from taskkit_conformance.history import Operation
from taskkit_conformance.profiles import Budget
from taskkit_conformance.verdicts import Verdict

sys.path.insert(0, str(Path(__file__).parent))

from mutants import all_mutants
from mutants.remote import serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    # A socket to a process that was killed may be collected while another test runs.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CHECKS = {check.number: check for check in all_checks() if check.lane == "chaos"}

FAULTS = [each for each in all_mutants() if each.fault]


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.fixture
def execute(server, tmp_path, monkeypatch):
    """Run one check on this store, with a fault or without."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    benches = []

    def execute_one(number, fault=""):
        made = server.bench(fault)
        benches.append(made)
        made.open()
        return run.execute(CHECKS[number], made, Budget(1, 60, 1))

    yield execute_one
    for bench in benches:
        bench.close()


_STORMS = 8
"""How many storms a fault has to show in one of."""


def test_every_property_of_the_lane_has_a_check():
    from taskkit_conformance.properties import properties

    assert set(CHECKS) == {each.id for each in properties() if "chaos" in each.lanes}


@pytest.mark.parametrize("number", sorted(CHECKS))
def test_a_right_store_passes(execute, number):
    found = execute(number)
    assert found.verdict is Verdict.PASS, f"{found.message}\n" + "\n".join(found.program)
    assert found.exercised


@pytest.mark.parametrize("mutant", FAULTS, ids=lambda one: f"{one.fault}-{one.property}")
def test_a_fault_is_found(execute, mutant):
    # Some faults show only when two processes meet, which is not in every storm.
    tries = (execute(mutant.property, mutant.fault) for _ in range(_STORMS))
    found = next((each for each in tries if each.verdict is Verdict.FAIL), None)
    assert found is not None
    assert found.reason.startswith("expected ")


def test_nothing_is_left_behind(execute, tmp_path):
    assert execute("DUR-03").verdict is Verdict.PASS
    assert list(tmp_path.glob("taskkit-chaos-*")) == []
    running = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/environ")
        if chaos.PART.encode() in _read(path) and str(tmp_path).encode() in _read(path)
    ]
    assert running == []


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_player_that_ends_by_itself_is_told_of_at_once(execute, monkeypatch):
    launch = chaos.Troupe._launch
    monkeypatch.setattr(
        chaos.Troupe,
        "_launch",
        lambda self, part, name, url, told: launch(self, "no such part", name, url, told),
    )
    found = execute("DUR-03")
    assert found.verdict is Verdict.FAIL
    assert "ended by itself" in found.message
    assert "KeyError: 'no such part'" in found.message


# ---- what the account of a storm accuses, and what not

LEASE_NS = LEASE * 1000


def claim(worker, called, returned, token, task="t"):
    answer = {"alive": True, "claims": [[task, token, 1]]}
    arguments = {"worker": worker, "wants": {"g": 1}}
    return Operation(0, worker, "claim", arguments, called, returned, "ok", answer)


def renew(worker, called, returned):
    return Operation(0, worker, "beat", {"worker": worker}, called, returned, "ok", {"alive": True})


def settle(worker, called, returned, token, answer=True, ending="ok"):
    arguments = {"worker": worker, "task": "t", "token": token, "outcome": "succeed"}
    return Operation(0, worker, "settle", arguments, called, returned, ending, answer)


def at(leases):
    return round(leases * LEASE_NS) + 1


def test_a_claim_within_the_lease_of_another_is_too_early():
    story = [renew("a", 1, 2), claim("a", 3, 4, 1), claim("b", at(0.5), at(0.6), 2)]
    assert too_early(story)


def test_a_claim_after_the_lease_is_not():
    story = [renew("a", 1, 2), claim("a", 3, 4, 1), claim("b", at(1.1), at(1.2), 2)]
    assert not too_early(story)


def test_a_claim_that_returned_after_the_lease_may_have_begun_within():
    story = [renew("a", 1, 2), claim("a", 3, 4, 1), claim("b", at(0.9), at(1.1), 2)]
    assert not too_early(story)


def test_a_heartbeat_that_was_answered_counts_from_its_call():
    story = [renew("a", 1, 2), claim("a", 3, 4, 1), renew("a", at(0.5), at(0.9))]
    assert too_early([*story, claim("b", at(1.1), at(1.2), 2)])
    assert not too_early([*story, claim("b", at(1.6), at(1.7), 2)])


@pytest.mark.parametrize("answer,ending", [(True, "ok"), (None, "unknown")])
def test_what_was_settled_may_be_claimed_again(answer, ending):
    story = [renew("a", 1, 2), claim("a", 3, 4, 1), settle("a", 5, 6, 1, answer, ending)]
    assert not too_early([*story, claim("b", 7, 8, 2)])


def test_a_refused_settlement_explains_nothing():
    story = [renew("a", 1, 2), claim("a", 3, 4, 1), settle("a", 5, 6, 1, False)]
    assert too_early([*story, claim("b", 7, 8, 2)])


def test_a_late_settlement_that_stands_is_told_of():
    story = [claim("a", 3, 4, 1), claim("b", 5, 6, 2)]
    assert outdated([*story, settle("a", 7, 8, 1)])
    assert not outdated([*story, settle("a", 7, 8, 1, False)])
    assert not outdated([claim("a", 3, 4, 1), claim("b", 7, 8, 2), settle("a", 5, 9, 1)])


def test_a_repeated_settlement_may_stand_although_it_is_late():
    first = settle("a", 5, 6, 1, None, "unknown")
    story = [claim("a", 3, 4, 1), first, claim("b", 7, 8, 2), settle("a", 9, 10, 1)]
    assert not outdated(story)
