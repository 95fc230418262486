"""How a check is run: searching, shrinking, budgets, hangs, witnesses."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from taskkit.records import Outcome as Ending
from taskkit.records import Settlement
from taskkit_conformance import run as run_module
from taskkit_conformance import search
from taskkit_conformance.check import Check
from taskkit_conformance.profiles import PROFILES, Budget
from taskkit_conformance.run import execute, replay
from taskkit_conformance.verdicts import Verdict

BUDGET = Budget(examples=30, seconds=10, shrinking=10)


def check_of(function, number="ORD-03", lane="model", **more):
    return Check(number, lane, function, **more)


def holds(case):
    case.require(case.draw(st.integers()) is not None, "a number is drawn")


def fails_from_ten(case):
    case.worker()
    number = case.draw(st.integers(0, 1000))
    case.backend.put([case.task(priority=number % 100)])
    case.clock.advance(1)
    case.require(number < 10, "the number is below ten", found=number)


def test_a_check_that_holds_passes(bench):
    outcome = execute(check_of(holds), bench, BUDGET)
    assert outcome.verdict is Verdict.PASS
    assert outcome.examples == outcome.exercised == 30


def test_a_failure_is_shrunk_and_told_in_words(bench):
    outcome = execute(check_of(fails_from_ten), bench, BUDGET)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.message == "the number is below ten; found 10"
    assert outcome.program == [
        "w1 registers for 10 s → registered",
        "put t1 in g, priority 10 → put",
        "the clock is set to start + 1 s",
    ]


def test_the_same_seed_finds_the_same_and_another_searches_elsewhere(bench):
    seen = []

    def remembers(case):
        seen.append(case.draw(st.integers()))
        case.met()

    runs = []
    for seed in (1, 1, 2):
        seen.clear()
        execute(check_of(remembers), bench, BUDGET, seed=seed)
        runs.append(list(seen))
    assert runs[0] == runs[1] != runs[2]


def test_a_premise_that_is_never_met_proves_nothing(bench):
    outcome = execute(check_of(lambda case: case.draw(st.booleans())), bench, BUDGET)
    assert outcome.verdict is Verdict.UNEXERCISED


def test_an_error_of_the_backend_is_a_failure_with_its_place(bench):
    def asks_nonsense(case):
        case.backend.put(None)

    outcome = execute(check_of(asks_nonsense), bench, BUDGET)
    assert outcome.verdict is Verdict.FAIL
    assert "raised" in outcome.message
    assert "asks_nonsense" in outcome.message
    assert "raises" in outcome.program[-1]


def test_a_little_that_cannot_be_judged_is_passed_over_and_much_is_not(bench):
    def often(case):
        case.met()
        if case.draw(st.booleans()):
            case.cannot_tell("too many states")

    count = iter(range(1_000_000))

    def seldom(case):
        case.met()
        case.draw(st.integers())
        if next(count) == 7:
            case.cannot_tell("too many states")

    assert execute(check_of(often), bench, BUDGET).verdict is Verdict.UNKNOWN
    many = replace(BUDGET, examples=200)
    assert execute(check_of(seldom), bench, many).verdict is Verdict.PASS


def test_what_is_not_here_is_not_applicable(bench):
    def restarts(case):
        case.not_applicable("the harness cannot restart the store")

    outcome = execute(check_of(restarts), bench, BUDGET)
    assert outcome.verdict is Verdict.NOT_APPLICABLE
    assert outcome.reason == "the harness cannot restart the store"


@pytest.mark.parametrize(("number", "capability"), [("DUR-08", ""), ("ORD-03", "durable")])
def test_a_capability_that_is_not_declared_is_not_applicable(bench, number, capability):
    outcome = execute(check_of(holds, number, capability=capability), bench, BUDGET)
    assert outcome.verdict is Verdict.NOT_APPLICABLE


def test_every_example_begins_in_an_empty_store_at_the_same_time(bench):
    def begins(case):
        case.equal(case.backend.count(), [], "what is in the store")
        case.equal(case.clock.now(), 1_700_000_000_000_000, "the time")
        case.backend.put([case.task()])
        case.clock.advance(case.draw(st.integers(-100, 100)))

    assert execute(check_of(begins), bench, BUDGET).verdict is Verdict.PASS


def test_a_second_client_is_independent_recorded_and_closed(bench):
    clients = []

    def opens(case):
        case.backend.put([case.task()])
        other = case.open()
        clients.append(case.opened[0])
        case.violated("enough", found=other.count())

    outcome = execute(check_of(opens), bench, BUDGET)
    assert outcome.program[-1].startswith("client 2: count")
    assert "queued" in outcome.program[-1]


def test_a_search_stops_after_its_seconds(bench):
    budget = Budget(examples=1_000_000, seconds=0.2, shrinking=0.2)
    outcome = execute(check_of(holds), bench, budget)
    assert outcome.verdict is Verdict.PASS
    assert 0 < outcome.examples < 1_000_000


def test_shrinking_stops_after_its_seconds_with_the_best_so_far(bench):
    def fails_slowly(case):
        numbers = case.draw(st.lists(st.integers(0, 10**9), min_size=20, max_size=60))
        threading.Event().wait(0.01)
        case.require(sum(numbers) < 1000, "the sum is small", found=len(numbers))

    budget = Budget(examples=50, seconds=5, shrinking=0.3)
    outcome = execute(check_of(fails_slowly), bench, budget)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.witness
    assert outcome.seconds < 5


def test_a_witness_repeats_the_failure_and_nothing_else(bench):
    check = check_of(fails_from_ten)
    found = execute(check, bench, BUDGET)
    again = replay(check, bench, BUDGET, found.witness)
    assert again is not None
    assert again.message == found.message
    assert again.program == found.program
    assert replay(check_of(holds), bench, BUDGET, found.witness) is None
    assert replay(check, bench, BUDGET, "no witness") is None


@pytest.mark.parametrize("lane", ["race", "chaos"])
def test_what_depends_on_chance_is_not_run_again(bench, lane):
    runs = []

    def races(case):
        runs.append(1)
        case.files["history.jsonl"] = "{}"
        case.require(len(runs) != 5, "the fifth run is fine")

    outcome = execute(check_of(races, lane=lane), bench, BUDGET)
    assert outcome.verdict is Verdict.FAIL
    assert len(runs) == 5  # without draws of its own too, each example is run
    assert outcome.files == {"history.jsonl": "{}"}


def test_a_failure_that_does_not_repeat_is_told_as_such(bench):
    runs = []

    def wavers(case):
        case.draw(st.integers())
        runs.append(1)
        case.require(len(runs) != 5, "the fifth run is fine")

    outcome = execute(check_of(wavers), bench, BUDGET)
    assert outcome.verdict is Verdict.FAIL
    assert "did not fail again" in outcome.message


def test_a_hang_is_a_failure_and_the_next_check_runs_elsewhere(bench):
    for_ever = threading.Event()

    def hangs(case):
        case.backend.put([case.task()])
        for_ever.wait(60)

    place = bench.place
    budget = Budget(examples=5, seconds=0.1, shrinking=0.1)
    outcome = execute(check_of(hangs), bench, budget, patience=0.3)
    assert outcome.verdict is Verdict.FAIL
    assert "for_ever.wait" in outcome.message
    assert outcome.program == ["put t1 in g → put"]
    assert bench.place != place
    assert execute(check_of(holds), bench, BUDGET).verdict is Verdict.PASS
    for_ever.set()


def test_a_search_whose_thread_starts_late_does_not_hang(bench, monkeypatch):
    """A busy machine may look at a search before it has begun."""
    looked = threading.Event()

    class Late(threading.Thread):
        def run(self):
            looked.wait(10)
            super().run()

        def join(self, timeout=None):
            super().join(0)
            looked.set()

    monkeypatch.setattr(run_module.threading, "Thread", Late)
    assert execute(check_of(holds), bench, BUDGET).verdict is Verdict.PASS


def test_what_moves_does_not_hang(bench, monkeypatch):
    """However long it takes: a storm over a store that restarts, on a machine that is busy."""
    look, moved, looks = threading.Event(), threading.Event(), []

    class InStep(threading.Thread):
        """Is looked at once for each move."""

        def join(self, timeout=None):
            look.set()
            moved.wait(10)
            if len(looks) < 20:
                moved.clear()
            super().join(0)

    class Impatient:
        """Is over at the second look since something moved."""

        def __init__(self, _):
            self.begin()

        def begin(self):
            self.seen = 0

        def is_over(self):
            self.seen += 1
            return self.seen > 1 and len(looks) < 20

    def takes_long(case):
        while len(looks) < 20:
            look.wait(10)
            look.clear()
            case.moved()
            looks.append(1)
            moved.set()
        case.met()

    monkeypatch.setattr(run_module.threading, "Thread", InStep)
    monkeypatch.setattr(run_module, "Patience", Impatient)
    assert execute(check_of(takes_long), bench, replace(BUDGET, examples=1)).verdict is Verdict.PASS


def test_a_check_looks_longer_until_its_premise_was_met(bench, monkeypatch):
    """Else a busy machine would make a property unexercised that a quick one proves."""
    passed = count()
    monkeypatch.setattr(search, "monotonic", lambda: float(next(passed)))
    monkeypatch.setattr(search, "denied_seconds", lambda: 0.0)
    runs = []

    def seldom(case):
        runs.append(case.draw(st.integers()))
        if len(runs) == 5:
            case.met()

    outcome = execute(check_of(seldom), bench, Budget(examples=30, seconds=2, shrinking=0))
    assert outcome.verdict is Verdict.PASS
    assert outcome.examples == 5


def test_time_that_others_used_does_not_count(bench, monkeypatch):
    passed = count()
    monkeypatch.setattr(search, "monotonic", lambda: float(next(passed)))
    denied = count()
    monkeypatch.setattr(search, "denied_seconds", lambda: float(next(denied)))
    outcome = execute(check_of(holds), bench, Budget(examples=30, seconds=2, shrinking=0))
    assert outcome.examples == 30


def test_patience_is_long_enough_for_a_busy_machine():
    assert run_module.PATIENCE >= 20


def test_a_check_alone_has_the_budget_that_it_has_among_all():
    heavy = check_of(holds, examples=9.0)
    checks = [check_of(holds, "ORD-01"), heavy, check_of(holds, lane="race")]
    quick = PROFILES["quick"]
    effort = quick.lanes["model"]
    budget = quick.budget(heavy, checks)
    assert budget.examples == 9 * effort.examples
    assert budget.seconds == pytest.approx(effort.seconds * 0.9)


def test_a_program_reads_like_one(bench):
    def tells(case):
        case.worker()
        case.backend.put([case.task(), case.task(due=case.clock.now() + 5_000_000)])
        [first] = case.claim()
        case.backend.settle("w1", [Settlement(first.task.id, first.token, Ending.RETRY)])
        [second] = case.claim()
        end = Settlement(first.task.id, first.token, Ending.SUCCEED, b"x")
        case.backend.settle("w1", [end])
        case.backend.heartbeat("w1", 1_500_000, [(second.task.id, second.token)], {})
        case.claim(most=2)
        case.backend.cancel([second.task.id, "nobody"])
        case.violated("stop")

    outcome = execute(check_of(tells), bench, BUDGET)
    assert outcome.program == [
        "w1 registers for 10 s → registered",
        "put t1 in g; t2 in g, due start + 5 s → put, put",
        "w1 claims 1 of g → claim 1 of t1; next start + 5 s",
        "w1 settles claim 1 of t1: retry → stands",
        "w1 claims 1 of g → claim 2 of t1; next start + 5 s",
        "w1 settles claim 1 of t1: succeed, result b'x' → does not stand",
        "w1 beats for 1.5 s, holding claim 2 of t1 → alive",
        "w1 claims 2 of g → nothing; next start + 5 s",
        "cancel [t1, 'nobody'] → {t1: 'requested', 'nobody': 'unknown'}",
    ]


def test_an_error_around_the_check_is_no_pass(bench, monkeypatch):
    """A wipe that fails now and then is the harness's fault, and must not be passed over."""
    wipes = []
    wipe = bench.harness.wipe

    def wipes_seldom(place, client):
        wipes.append(1)
        if len(wipes) == 4:
            raise RuntimeError("the store would not be wiped")
        wipe(place, client)

    monkeypatch.setattr(bench.harness, "wipe", wipes_seldom, raising=False)

    def fine(case):
        case.require(case.draw(st.integers()) is not None, "always")

    # Not a verdict on the backend: the run itself ends with an error.
    with pytest.raises(HypothesisException):
        execute(check_of(fine), bench, BUDGET)
