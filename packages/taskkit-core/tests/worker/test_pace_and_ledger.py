"""How far ahead is claimed, and what is held: the two notebooks of a worker."""

from __future__ import annotations

from taskkit.records import Claim
from taskkit.task import Task
from taskkit.worker.ledger import Ledger, Verdict
from taskkit.worker.pace import HORIZON, MAX_AHEAD, Lead, Pace


def claim(task_id: str, token: int = 1) -> Claim:
    return Claim(Task(task_id, "g", "n", b"", 0, 0), token, 1, 0, 0)


def test_nothing_is_claimed_ahead_before_anything_was_measured():
    assert Pace(8).ahead(0, 0.0) == 0


def test_fifty_milliseconds_of_work_are_claimed_ahead():
    assert Pace(8).ahead(100, 100 * 0.02) == 16  # two for each slot
    assert Pace(50).ahead(10, 10 * 0.051) == 0
    assert Pace(8).ahead(1000, 1000 * 0.000_01) == MAX_AHEAD


def test_the_pace_follows_what_is_measured():
    pace = Pace(4)
    fast = pace.ahead(1000, 1.0)
    slower = pace.ahead(1004, 1.0 + 4 * 1.0)
    assert fast == 200
    assert slower == 0  # 4 slots turned over once: half old, half new
    assert pace.ahead(1004, 5.0) == 0
    assert pace.ahead(1404, 5.0 + 400 * 0.001) > 30


def test_a_stall_stops_claiming_ahead():
    pace = Pace(4)
    pace.ahead(1000, 1.0)
    pace.stalled()
    assert pace.ahead(1000, 1.0) == 0


def test_slots_ripen_shortly_before_the_mean_and_overripe_ones_are_not_waited_for():
    pace = Pace(4)
    assert pace.ripe([10.0], 10.0, lead=0.02) == (0, float("inf"))  # nothing was measured yet
    assert pace.ahead(100, 100 * 0.2) == 0
    assert pace.ripe([10.0, 10.1], 10.0, lead=0.02) == (0, 10.0 + 0.2 - 0.02 + 0.005)
    assert pace.ripe([10.0, 10.001, 10.1], 10.182, lead=0.02) == (2, 10.1 + 0.2 - 0.02 + 0.005)
    assert pace.ripe([10.0], 10.219, lead=0.02)[0] == 1
    assert pace.ripe([10.0], 10.221, lead=0.02) == (0, float("inf"))


def test_the_lead_is_as_long_as_answers_take_up_to_the_horizon():
    lead = Lead()
    assert 0 < lead.seconds < 0.01
    for _ in range(50):
        lead.answered(0.01)
    assert 0.015 < lead.seconds < 0.025
    for _ in range(50):
        lead.answered(1.0)
    assert lead.seconds == HORIZON


def test_a_heartbeat_names_what_is_held():
    ledger = Ledger()
    assert ledger.hold([claim("a"), claim("b", 2)], ledger.mark())
    assert ledger.beat() == [("a", 1), ("b", 2)]
    ledger.forget([("a", 1)])
    assert ledger.beat() == [("b", 2)]
    ledger.revoke_all()
    assert ledger.beat() == []
    assert len(ledger) == 1


def test_an_answer_that_two_heartbeats_have_overtaken_must_not_be_run():
    ledger = Ledger()
    mark = ledger.mark()
    ledger.beat()
    assert ledger.hold([claim("a")], mark)
    ledger.beat()
    assert not ledger.hold([claim("b")], mark)
    mark = ledger.mark()
    ledger.revoke_all()
    assert not ledger.hold([claim("c")], mark)


def test_verdicts():
    ledger = Ledger()
    a, b = claim("a"), claim("b", 2)
    ledger.hold([a, b], 0)
    ledger.extend(100.0)
    assert ledger.verdict(a, 99.0) is None
    assert ledger.verdict(a, 100.0) is Verdict.RELEASE
    ledger.revoke([("a", 1), ("b", 1)], Verdict.CANCEL)  # of b, another claim is held
    assert ledger.verdict(a, 99.0) is Verdict.CANCEL
    assert ledger.verdict(b, 99.0) is None
    ledger.forget([("a", 1)])
    assert not ledger.revoked
    ledger.close()
    ledger.extend(1000.0)
    assert ledger.verdict(b, 0.0) is Verdict.RELEASE


def test_progress_is_sent_until_the_store_has_it():
    ledger = Ledger()
    a, b = ("a", 1), ("b", 1)
    ledger.progress[a] = b"1"
    ledger.progress[b] = b"1"
    sent = ledger.take_progress()
    ledger.progress[b] = b"2"
    ledger.sent(sent)
    assert ledger.take_progress() == {b: b"2"}
    ledger.drop_progress([a, b])
    assert ledger.take_progress() == {}
