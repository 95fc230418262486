"""The checks without a search: each finds its fault, and accuses nothing that has a reason."""

import pytest

from taskkit.ids import stable_id
from taskkit_conformance.accounting import (
    account,
    automaton,
    risen,
    second_outcomes,
    shrinking_tokens,
)
from taskkit_conformance.bounds import inversions, too_fast, too_many_running
from taskkit_conformance.history import NEVER, Operation, numbered
from taskkit_conformance.history import read as read_history
from taskkit_conformance.history import write as write_history
from taskkit_conformance.timeline import involving, timeline

T1, T2, T3 = (stable_id("g", str(number)) for number in range(3))


class History:
    """Writes operations; moments are counted unless they are given."""

    def __init__(self):
        self.operations = []
        self.moment = 0

    def add(self, kind, arguments, answer, at=None, actor="a1", ending="ok"):
        if at is None:
            at = (self.moment + 1, self.moment + 2)
        self.moment = max(self.moment, *(one for one in at if one != NEVER))
        operation = Operation(0, actor, kind, arguments, *at, ending, answer)
        self.operations.append(operation)
        return self

    def put(self, *ids, at=None):
        tasks = [{"id": task_id, "group": "g"} for task_id in ids]
        return self.add("put", {"tasks": tasks}, [[task_id, "put"] for task_id in ids], at)

    def claim(self, *pairs, most=1, at=None, actor="a1"):
        answer = {"alive": True, "claims": [[task_id, token, 1] for task_id, token in pairs]}
        return self.add("claim", {"worker": "w1", "wants": {"g": most}}, answer, at, actor)

    def settle(self, task_id, token, outcome="succeed", answer=True, at=None, actor="a1"):
        arguments = {"worker": "w1", "task": task_id, "token": token, "outcome": outcome, "due": 0}
        return self.add("settle", arguments, answer, at, actor)

    def reclaim(self, at=None):
        answer = {"tasks": 1, "workers": ["w1"]}
        return self.add("reclaim", {"limit": 10}, answer, at, actor="a9")


def sentences(findings):
    return [finding.sentence for finding in findings]


# ---- totals


def test_a_complete_life_has_no_findings():
    history = (
        History().put(T1, T2).claim((T1, 1)).settle(T1, 1).claim((T2, 2)).settle(T2, 2, "fail")
    )
    found = account(history.operations, {T1: "succeeded", T2: "failed"})
    assert found.findings() == []
    assert found.recovered == []


@pytest.mark.parametrize("state", [None, "queued", "waiting", "running"])
def test_a_task_that_did_not_end_is_lost(state):
    assert account(History().put(T1).operations, {T1: state}).lost == [T1]


def test_what_was_deleted_is_not_lost():
    history = History().put(T1).add("delete", {"ids": [T1]}, {T1: "done"})
    assert account(history.operations, {T1: None}).findings() == []


def test_what_was_discarded_is_not_lost():
    history = History().put(T1).claim((T1, 1)).settle(T1, 1, "discard")
    assert account(history.operations, {T1: None}).findings() == []


def test_a_duplicate_of_a_key_is_not_lost():
    history = History().add("put", {"tasks": [{"id": T1, "group": "g"}]}, [[T2, "duplicate"]])
    assert T1 not in account(history.operations, {T1: None, T2: None}).lost


def test_what_nobody_put_is_unexpected():
    assert account(History().claim((T1, 1)).operations, {}).unexpected == [T1]
    assert account([], {T1: "succeeded"}).unexpected == [T1]


def test_a_put_that_was_not_answered_may_have_happened_or_not():
    tasks = {"tasks": [{"id": T1, "group": "g"}]}
    history = History().add("put", tasks, None, (1, NEVER), ending="unknown")
    there, absent = (account(history.operations, {T1: state}) for state in ("succeeded", None))
    assert (there.recovered, there.findings()) == ([T1], [])
    assert (absent.recovered, absent.findings()) == ([], [])


def test_a_second_claim_is_a_duplicate_unless_something_explains_it():
    twice = History().put(T1).claim((T1, 1)).claim((T1, 2)).settle(T1, 2)
    assert account(twice.operations, {T1: "succeeded"}).duplicated == [T1]
    retried = History().put(T1).claim((T1, 1)).settle(T1, 1, "retry").claim((T1, 2)).settle(T1, 2)
    assert account(retried.operations, {T1: "succeeded"}).duplicated == []
    lost = History().put(T1).claim((T1, 1)).reclaim().claim((T1, 2)).settle(T1, 2)
    assert account(lost.operations, {T1: "succeeded"}).duplicated == []


def test_a_reclaim_that_came_too_early_or_too_late_explains_nothing():
    early = History().put(T1).reclaim().claim((T1, 1)).claim((T1, 2))
    late = History().put(T1).claim((T1, 1)).claim((T1, 2)).reclaim()
    for history in (early, late):
        assert account(history.operations, {T1: "succeeded"}).duplicated == [T1]


def test_a_settlement_that_did_not_stand_explains_nothing():
    history = History().put(T1).claim((T1, 1)).settle(T1, 1, "retry", answer=False).claim((T1, 2))
    assert account(history.operations, {T1: "succeeded"}).duplicated == [T1]


# ---- the life of a task


def test_tokens_must_grow():
    shrinks = History().put(T1).claim((T1, 5)).settle(T1, 5, "retry").claim((T1, 4))
    assert "larger token" in sentences(shrinking_tokens(shrinks.operations))[0]
    same = History().put(T1).claim((T1, 5)).settle(T1, 5, "retry").claim((T1, 5))
    assert "given twice" in sentences(shrinking_tokens(same.operations))[0]


def test_tokens_of_overlapping_claims_may_come_in_any_order():
    history = History().put(T1).claim((T1, 2), at=(10, 20)).claim((T1, 1), at=(11, 19), actor="a2")
    assert shrinking_tokens(history.operations) == []


def test_two_outcomes_of_one_claim_are_found():
    history = History().put(T1).claim((T1, 1)).settle(T1, 1, "fail").settle(T1, 1, "succeed")
    assert len(second_outcomes(history.operations)) == 1
    repeated = History().put(T1).claim((T1, 1)).settle(T1, 1, "fail").settle(T1, 1, "fail")
    assert second_outcomes(repeated.operations) == []


def test_a_task_that_rises_again_is_found():
    history = History().put(T1).claim((T1, 1)).settle(T1, 1).claim((T1, 2))
    assert len(risen(history.operations)) == 1


def test_what_overlaps_the_end_or_was_requeued_did_not_rise():
    overlap = (
        History().put(T1).claim((T1, 1)).settle(T1, 1, at=(10, 20)).claim((T1, 2), at=(15, 16))
    )
    assert risen(overlap.operations) == []
    requeued = History().put(T1).claim((T1, 1)).settle(T1, 1, "fail")
    requeued.add("requeue", {"ids": [T1]}, {T1: "done"}).claim((T1, 2))
    assert risen(requeued.operations) == []


def test_put_again_after_a_discard_is_a_new_task():
    history = History().put(T1).claim((T1, 1)).settle(T1, 1, "discard").put(T1).claim((T1, 2))
    assert risen(history.operations) == []
    known = History().put(T1).claim((T1, 1)).settle(T1, 1)
    known.add("put", {"tasks": [{"id": T1, "group": "g"}]}, [[T1, "known"]]).claim((T1, 2))
    assert len(risen(known.operations)) == 1


def test_the_automaton_asks_all():
    history = History().put(T1).claim((T1, 2)).claim((T1, 1)).settle(T1, 1).settle(T1, 1, "fail")
    assert len(automaton(history.operations)) >= 3


# ---- order

RANK = {T1: (0, 0, T1), T2: (0, 1, T2), T3: (0, 2, T3)}


def passed_over(history):
    return inversions(history.operations, RANK.__getitem__, dict.fromkeys(RANK, "g"))


def test_a_claim_that_overtakes_is_found():
    assert len(passed_over(History().put(T1, T2).claim((T2, 1)))) == 1


def test_a_claim_that_takes_too_few_is_found():
    assert len(passed_over(History().put(T1, T2).claim((T1, 1), most=2))) == 1
    assert len(passed_over(History().put(T1).claim())) == 1


def test_claims_in_order_are_not_accused():
    assert passed_over(History().put(T1, T2, T3).claim((T1, 1), (T2, 2), most=2)) == []
    assert passed_over(History().put(T1).claim((T1, 1)).claim()) == []


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda history: history.claim((T1, 2), at=(12, 13), actor="a2"),
        lambda history: history.add("cancel", {"ids": [T1]}, {T1: "done"}, (12, 30), "a2"),
        lambda history: history.settle(T1, 1, "retry", at=(5, 15), actor="a2"),
    ],
)
def test_what_was_touched_meanwhile_may_be_overtaken(meanwhile):
    history = History().put(T1, T2)
    meanwhile(history.claim((T2, 3), at=(10, 20)))
    assert passed_over(history) == []


def test_a_task_that_was_put_meanwhile_may_be_overtaken():
    history = History().put(T2).put(T1, at=(10, 20)).claim((T2, 1), at=(15, 16), actor="a2")
    assert passed_over(history) == []


# ---- limits


def test_too_many_at_once_are_found():
    history = History().put(T1, T2).claim((T1, 1)).claim((T2, 2))
    assert len(too_many_running(history.operations, {T1, T2}, 1)) == 1
    assert too_many_running(history.operations, {T1, T2}, 2) == []
    assert too_many_running(history.operations, {T1}, 1) == []


def test_only_what_certainly_ran_at_once_counts():
    handed_on = History().put(T1, T2).claim((T1, 1)).settle(T1, 1).claim((T2, 2))
    assert too_many_running(handed_on.operations, {T1, T2}, 1) == []
    overlap = (
        History().put(T1, T2).claim((T1, 1)).settle(T1, 1, at=(10, 20)).claim((T2, 2), at=(11, 12))
    )
    assert too_many_running(overlap.operations, {T1, T2}, 1) == []
    reclaimed = History().put(T1, T2).claim((T1, 1)).reclaim().claim((T2, 2))
    assert too_many_running(reclaimed.operations, {T1, T2}, 1) == []


def test_too_many_in_a_period_are_found():
    history = History().put(T1, T2, T3).claim((T1, 1)).claim((T2, 2)).claim((T3, 3))
    assert len(too_fast(history.operations, {T1, T2, T3}, 2, 10)) == 1
    assert too_fast(history.operations, {T1, T2, T3}, 2, 4) == []


# ---- files and words


def test_a_history_survives_its_file(tmp_path):
    history = numbered(History().put(T1).claim((T1, 1)).settle(T1, 1).reclaim().operations)
    path = tmp_path / "history.jsonl"
    write_history(path, history)
    assert read_history(path) == history


def test_the_timeline_shows_what_overlapped_in_words():
    history = History().put(T1)
    history.claim((T1, 7), at=(10, 20)).claim((T1, 9), at=(12, 14), actor="a2")
    lines = timeline(involving(history.operations, {T1}), {T1: "t1"})
    assert lines == [
        "  a1 a2",
        "  *  .   a1: put t1 -> put",
        "  +  .   a1: claim up to 1 of g for w1",
        "  |  *   a2: claim up to 1 of g for w1 -> claim 2 of t1",
        "  o  .   a1: claim up to 1 of g for w1 -> claim 1 of t1",
    ]


def test_the_timeline_keeps_silent_on_other_tasks():
    history = History().put(T1).put(T2).claim((T2, 1))
    assert len(involving(history.operations, {T1})) == 1
