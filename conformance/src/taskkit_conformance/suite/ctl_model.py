"""Steering: pauses, stops, cancels, and the place where workers learn of them."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Answered, Outcome
from taskkit.task import CANCELLED_BY_REQUEST, UNCLAIMED, After, State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.model import covered
from taskkit_conformance.verbs import (
    HOUR,
    add,
    beat,
    bring,
    claim_one,
    claimed,
    end,
    find,
    get,
    ids,
    later,
    put,
    settle,
    state,
    worker,
)

_PROBES = ("mail", "mail.a", "mail.a.b", "mailing", "Mail", "other", "o", "a%b", "axb")
_NAMES = st.sampled_from(["mail", "mail.a", "other", "Mail", "a%b"])
_SOME = st.lists(_NAMES, min_size=1, max_size=3, unique=True)


def _reach(told: Collection[str]) -> list[str]:
    """Return which of some groups a heartbeat's answer concerns."""
    return [probe for probe in _PROBES if covered(probe, told)]


@proves("CTL-01")
def pauses_and_stops_reach_every_worker_by_heartbeat(case: Case) -> None:
    """All that are there; each for its groups and their subgroups, until resumed."""
    workers = [worker(case, "w1"), worker(case, "w2")]
    groups, kind = case.draw(_SOME), case.draw(st.sampled_from(["pause", "stop"]))
    quiet = [beat(case, name) for name in workers]
    case.equal(
        [(q.paused, q.stopped) for q in quiet], [(frozenset(),) * 2] * 2, "the answer before"
    )
    getattr(case.backend, kind)(groups)
    for _ in range(2):
        for name in workers:
            answer = beat(case, name)
            told = answer.paused if kind == "pause" else answer.stopped
            case.equal(_reach(told), _reach(groups), f"what {name} is told after {kind} {groups}")
    lifted = case.draw(_SOME)
    case.backend.resume(lifted)
    left = [group for group in groups if kind == "stop" or group not in lifted]
    answer = beat(case, "w2")
    told = answer.paused if kind == "pause" else answer.stopped
    case.equal(_reach(told), _reach(left), f"what w2 is told after resume {lifted}")


@proves("CTL-01")
def a_stop_is_for_the_workers_of_now(case: Case) -> None:
    """Not for one that comes later or registers anew."""
    worker(case)
    case.backend.stop(case.draw(st.sampled_from([None, ["mail"]])))
    worker(case, "w2")
    case.equal(beat(case, "w2").stopped, frozenset(), "what a later worker is told")
    case.require("mail" in _reach(beat(case).stopped), "the worker of then is told")
    if case.draw(st.booleans()):
        case.backend.retire("w1")
    worker(case)
    case.equal(beat(case).stopped, frozenset(), "what it is told once it has registered anew")


@proves("CTL-02")
def a_pause_holds_for_later_workers_and_ends_at_its_instant(case: Case) -> None:
    """Nothing of the group is claimed meanwhile; one step before the end, and not then."""
    life = case.draw(st.sampled_from([2, 1000, SECOND, HOUR // 2]))
    life = max(life, 2 * case.capabilities.time_resolution)
    end_of_pause = case.clock.now() + life
    forever = case.draw(st.booleans())
    until = None if forever else After(life) if case.draw(st.booleans()) else end_of_pause
    group = case.draw(st.sampled_from(["mail", "mail.a"]))
    if case.draw(st.booleans()):
        case.backend.pause([group], case.draw(st.sampled_from([None, case.clock.now() + HOUR])))
    case.backend.pause([group], until)
    worker(case)
    task_id = add(case, "mail.a")
    kept = None if forever else end_of_pause
    case.equal(dict(case.backend.control().pauses), {group: kept}, "the pauses that are told")
    case.clock.set(end_of_pause - case.capabilities.time_resolution)
    case.require("mail.a" in _reach(beat(case).paused), "one step before the end a heartbeat tells")
    case.equal(claimed(case, "mail"), [], "what is claimed one step before the end")
    case.clock.set(end_of_pause)
    case.equal(_reach(beat(case).paused), _reach([group]) if forever else [], "what is told then")
    case.equal(claimed(case, "mail"), [] if forever else [task_id], "what is claimed then")
    case.backend.resume([group])
    case.equal(dict(case.backend.control().pauses), {}, "the pauses after resume")
    case.equal(claimed(case, "mail"), [task_id] if forever else [], "what is claimed after resume")


@proves("CTL-03")
def cancelling_an_unclaimed_task_is_immediate_and_final(case: Case) -> None:
    """Waiting, queued, or behind a lock; it never runs."""
    worker(case)
    wanted = case.draw(st.sampled_from(sorted(UNCLAIMED)))
    task_id = bring(case, wanted)
    if case.draw(st.booleans()):
        put(case, case.task("h", lock_key="k"), case.task("h", lock_key="k"))
        [first] = claimed(case, "h", 2)
        wanted, task_id = State.QUEUED, next(iter(set(ids(case, group="h")) - {first}))
    later(case, case.draw(st.sampled_from([0, SECOND])))
    case.equal(
        case.backend.cancel([task_id]), {task_id: Answered.DONE}, f"cancelling a {wanted} one"
    )
    record = get(case, task_id)
    cause = record.failure.type if record.failure else None
    seen = (record.state, cause, record.done, record.attempt)
    expected = (State.CANCELLED, CANCELLED_BY_REQUEST, case.clock.now(), 0)
    case.equal(seen, expected, "state, cause, end and attempt")
    case.equal(case.backend.cancel([task_id]), {task_id: Answered.REFUSED}, "cancelling it again")
    later(case, HOUR - SECOND - 1)
    given = [*claimed(case, "g", 5), *claimed(case, "h", 5)]
    case.require(task_id not in given, "a cancelled task is never given", found=given)


@proves("CTL-03")
def a_finished_task_cannot_be_cancelled(case: Case) -> None:
    """Nothing changes, and the answer says so."""
    wanted = case.draw(st.sampled_from([s for s in State if s.finished]))
    task_id = bring(case, wanted)
    before = get(case, task_id)
    later(case, SECOND)
    answer = case.backend.cancel([task_id])
    case.equal(answer, {task_id: Answered.REFUSED}, f"the answer to cancelling a {wanted} task")
    case.equal(get(case, task_id), before, "the record")


_ENDS = [each for each in Outcome if each is not Outcome.DISCARD]


@proves("CTL-04")
def cancelling_a_running_task_is_told_and_stands(case: Case) -> None:
    """Its worker learns of it with each heartbeat; however it ends, it becomes cancelled."""
    worker(case)
    worker(case, "w2")
    mine, other = put(case, case.task(), case.task(priority=-1))
    claims = case.claim(most=2)
    for _ in range(case.draw(st.integers(1, 2))):
        case.equal(case.backend.cancel([mine]), {mine: Answered.REQUESTED}, "the answer to cancel")
    record = get(case, mine)
    case.equal((record.state, record.cancelling), (State.RUNNING, True), "the record meanwhile")
    for _ in range(2):
        told = beat(case, "w1", *claims).cancelled
        case.equal(told, frozenset({mine}), "what its worker is told")
    case.equal(beat(case, "w2").cancelled, frozenset(), "what another worker is told")
    later(case, SECOND)
    way = case.draw(st.sampled_from([*_ENDS, "retire", "retire lost", "reclaim"]))
    if way == "reclaim":
        later(case, 2 * HOUR)
        case.backend.reclaim()
    elif way in ("retire", "retire lost"):
        case.backend.retire("w1", lost=way == "retire lost")
    else:
        end(case, claims[0], Outcome(way), due=case.clock.now() + SECOND)
    record = get(case, mine)
    cause = record.failure.type if record.failure else None
    seen = (record.state, cause, record.result, record.cancelling, record.done)
    expected = (State.CANCELLED, CANCELLED_BY_REQUEST, None, False, case.clock.now())
    case.equal(seen, expected, f"state, cause, result, request and end after {way}")
    later(case, SECOND)
    worker(case)
    case.require(mine not in claimed(case, most=5), "it is not given again")
    case.require(state(case, other) is not State.CANCELLED, "the other one is not cancelled")


@proves("CTL-04")
def of_cancel_and_settlement_the_first_stands(case: Case) -> None:
    """A settlement before the cancel is not undone; a discard is a discard."""
    worker(case)
    task_id = add(case)
    claim = claim_one(case)
    if case.draw(st.booleans()):
        outcome = case.draw(st.sampled_from([Outcome.SUCCEED, Outcome.FAIL]))
        end(case, claim, outcome)
        before = get(case, task_id)
        case.equal(case.backend.cancel([task_id]), {task_id: Answered.REFUSED}, "a late cancel")
        case.equal(get(case, task_id), before, "the record after a late cancel")
        return
    case.backend.cancel([task_id])
    end(case, claim, Outcome.DISCARD)
    case.equal(
        find(case, task_id), None, "what a discard leaves of a task that was to be cancelled"
    )


@proves("CTL-04")
def a_request_dies_with_the_attempt_that_it_ended(case: Case) -> None:
    """Requeued, the task runs."""
    worker(case)
    task_id = add(case)
    claim = claim_one(case)
    case.backend.cancel([task_id])
    end(case, claim, case.draw(st.sampled_from(_ENDS)))
    case.equal(
        case.backend.requeue([task_id], case.clock.now()), {task_id: Answered.DONE}, "requeue"
    )
    claim = claim_one(case)
    case.equal(beat(case, "w1", claim).cancelled, frozenset(), "what its worker is told then")
    case.equal(settle(case, claim), True, "whether its success stands")
    case.equal(state(case, task_id), State.SUCCEEDED, "the state in the end")


@proves("CTL-05")
def all_none_and_some_groups_differ(case: Case) -> None:
    """For pause, resume and stop."""
    worker(case)
    groups = case.draw(st.sampled_from([None, [], ["mail"], ["mail", "other"]]))
    meant = ["*"] if groups is None else groups
    case.backend.stop(groups)
    case.equal(_reach(beat(case).stopped), _reach(meant), f"what stop {groups} reaches")
    case.backend.pause(groups)
    case.equal(_reach(beat(case).paused), _reach(meant), f"what pause {groups} reaches")
    case.equal(sorted(case.backend.control().pauses), sorted(meant), "the pauses that are told")
    add(case, "x")
    given = len(claimed(case, "x"))
    case.equal(given, 0 if groups is None else 1, f"what is claimed of x after pause {groups}")
    for lifted in case.draw(st.permutations([None, [], ["mail"], ["x"]])):
        case.backend.resume(lifted)
        left = [] if lifted is None else [name for name in meant if name not in lifted]
        paused = _reach(beat(case).paused)
        case.equal(paused, _reach(left), f"what is paused after resume {lifted}")
        case.backend.pause(groups)
