"""At most one task for a unique key."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Answered, Outcome
from taskkit.task import SUPERSEDED, State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    HOUR,
    add,
    beat,
    claim_one,
    claimed,
    counts,
    end,
    find,
    get,
    later,
    state,
    worker,
)

_SCOPES = st.sampled_from(["queued", "unfinished"])
_FINISH = (Outcome.SUCCEED, Outcome.FAIL, Outcome.DISCARD, Outcome.CANCEL)
_RETURN = (Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE)


def _put(case: Case, *, key: str = "k", scope: str = "queued", group: str = "g") -> str:
    """Put one more task with a key and return what became of it."""
    [answer] = case.backend.put([case.task(group, unique_key=key, unique_scope=scope)])
    return answer.status


@proves("UNQ-01", "UNQ-02")
def a_second_task_with_the_key_is_not_put(case: Case) -> None:
    """Waiting or queued, in one call or in two; the answer names the first, nothing changes."""
    key = case.draw(values.texts(255))
    now = case.clock.now()
    first = case.task(unique_key=key, due=now + case.draw(st.sampled_from([0, -SECOND, HOUR])))
    rest = [
        case.task(
            unique_key=key, data=b"other", priority=9, due=now, unique_scope=case.draw(_SCOPES)
        )
        for _ in range(case.draw(st.integers(1, 2)))
    ]
    free = case.task()
    calls = [[first, *rest, free]] if case.draw(st.booleans()) else [[first], [*rest, free]]
    answers = [(a.id, a.status) for call in calls for a in case.backend.put(call)]
    expected = [(first.id, "put"), *[(first.id, "duplicate")] * len(rest), (free.id, "put")]
    case.equal(answers, expected, "the answers to puts with one key")
    case.equal(get(case, first.id).task.data, b"{}", "the data of the first")
    case.equal([find(case, task.id) for task in rest], [None] * len(rest), "the other tasks")
    case.equal(sum(counts(case).values()), 2, "how many tasks there are")


@proves("UNQ-01")
def a_requeue_does_not_make_a_second_one(case: Case) -> None:
    """Refused where another has the key; of two in one call one is taken."""
    worker(case)
    first = add(case, unique_key="k")
    case.backend.cancel([first])
    second = add(case, unique_key="k")
    both = case.draw(st.booleans())
    if both:
        case.backend.cancel([second])
    order = case.draw(st.permutations([first, second]))
    answers = case.backend.requeue(order if both else [first], case.clock.now())
    done = list(answers.values()).count(Answered.DONE)
    case.equal(done, int(both), "how many of them are requeued")
    case.equal(len(claimed(case, most=5)), 1, "how many tasks of one key can be claimed")


@proves("UNQ-03")
def an_unfinished_task_keeps_its_key_while_it_runs(case: Case) -> None:
    """And when it returns to the queue."""
    worker(case)
    first = add(case, unique_key="k", unique_scope="unfinished")
    claim = claim_one(case)
    scope = case.draw(_SCOPES)
    case.equal(_put(case, scope=scope), "duplicate", "a put with the key of a running task")
    outcome = case.draw(st.sampled_from(_RETURN))
    end(case, claim, outcome)
    case.equal(state(case, first), State.QUEUED, f"the state after {outcome}")
    case.equal(_put(case, scope=scope), "duplicate", f"a put with its key after {outcome}")


@proves("UNQ-04")
def a_claim_frees_the_key(case: Case) -> None:
    """With the scope ``queued``; what the first becomes does not matter any more."""
    worker(case)
    first = add(case, unique_key="k")
    claim = claim_one(case)
    second = add(case, unique_key="k")
    end(case, claim, case.draw(st.sampled_from(_FINISH)))
    case.equal(_put(case), "duplicate", "a third put, while the second waits")
    case.equal(claimed(case, most=3), [second], "what is claimed")
    case.require(state(case, first) is not State.QUEUED, "the first stays finished")


@proves("UNQ-04")
def every_way_out_frees_the_key(case: Case) -> None:
    """Whatever the scope: settled, cancelled, deleted, expired, lost, purged."""
    worker(case)
    scope = case.draw(_SCOPES)
    ways = ["cancel", "delete", "expire", "delete running", "lose", *_FINISH]
    way = case.draw(st.sampled_from(ways))
    expires = case.clock.now() + SECOND if way == "expire" else None
    task_id = add(case, unique_key="k", unique_scope=scope, on_lost="keep", expires=expires)
    if way == "cancel":
        case.backend.cancel([task_id])
    elif way == "delete":
        case.backend.delete([task_id])
    elif way == "expire":
        later(case, SECOND)
        case.backend.purge()
    else:
        claim = claim_one(case)
        if way == "delete running":
            case.backend.delete([task_id])
        elif way == "lose":
            case.backend.retire("w1", lost=True)
        else:
            end(case, claim, Outcome(way))
    case.equal(_put(case, scope=case.draw(_SCOPES)), "put", f"a put with the key after {way}")


@proves("UNQ-05")
def a_task_that_comes_back_too_late_is_superseded(case: Case) -> None:
    """By every way back; it is cancelled, and says by whom."""
    worker(case, lease=60 * SECOND)
    first = add(case, unique_key="k")
    claim = claim_one(case)
    later(case, SECOND)
    second = add(case, unique_key="k")
    ways = [*_RETURN, "retire", "retire lost", "reclaim", "stray"]
    way = case.draw(st.sampled_from(ways))
    if way == "reclaim":
        later(case, 60 * SECOND)
        case.backend.reclaim()
    elif way == "stray":
        for _ in range(2):
            beat(case)
            later(case, SECOND)
    elif way in ("retire", "retire lost"):
        case.backend.retire("w1", lost=way == "retire lost")
    else:
        end(case, claim, Outcome(way))
    record = get(case, first)
    cause = record.failure.type if record.failure else None
    case.equal((record.state, cause), (State.CANCELLED, SUPERSEDED), f"the first, back by {way}")
    said = record.failure.message if record.failure else ""
    case.require(second in said, "it tells which task superseded it", found=said)
    worker(case)
    case.equal(claimed(case, most=5), [second], "what can be claimed")


@proves("UNQ-05")
def a_task_that_comes_back_in_time_takes_its_key_again(case: Case) -> None:
    """One task for the key, before and after."""
    worker(case)
    first = add(case, unique_key="k")
    end(case, claim_one(case), case.draw(st.sampled_from(_RETURN)))
    [answer] = case.backend.put([case.task(unique_key="k")])
    case.equal((answer.id, answer.status), (first, "duplicate"), "a put after it came back")


@proves("UNQ-06")
def keys_of_different_groups_are_independent(case: Case) -> None:
    """However alike the groups; and so are keys that are only alike."""
    one, two = case.draw(values.alike())
    by_group = case.draw(st.booleans())
    pairs = [(one, "k"), (two, "k")] if by_group else [("g", one), ("g", two)]
    answers = [_put(case, key=key, group=group) for group, key in pairs]
    case.equal(answers, ["put", "put"], f"puts of {pairs}")
    again = [_put(case, key=key, group=group) for group, key in pairs]
    case.equal(again, ["duplicate", "duplicate"], "the same puts again")
