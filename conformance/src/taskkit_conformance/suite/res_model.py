"""Outcomes: what they hold, which one stands, how long they are kept."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Claim, Outcome, Record, Settlement
from taskkit.task import FINISHED, Failure, State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    BOOM,
    HOUR,
    add,
    bring,
    claim_one,
    claimed,
    counts,
    end,
    find,
    get,
    ids,
    later,
    noted,
    put,
    run,
    settle,
    unit,
    worker,
)


@proves("RES-01")
def results_round_trip_exactly(case: Case) -> None:
    """Empty is a result, too; several in one call are not mixed up."""
    worker(case)
    results = case.draw(st.lists(values.blobs(), min_size=1, max_size=3))
    put(case, *[case.task() for _ in results])
    claims = case.claim(most=len(results))
    case.backend.settle(
        "w1",
        [
            Settlement(claim.task.id, claim.token, Outcome.SUCCEED, result)
            for claim, result in zip(claims, results, strict=True)
        ],
    )
    for claim, result in zip(claims, results, strict=True):
        case.equal(get(case, claim.task.id).result, result, "the result")


@proves("RES-02")
def failures_round_trip_exactly(case: Case) -> None:
    """Type, message, traceback; in the record and in the history; long ones, too."""
    worker(case)
    drawn = case.draw(values.failures())
    fill = "xé𝄞\n" * case.draw(st.integers(64, 1250))
    longer = Failure(drawn.type, drawn.message + fill, fill + drawn.traceback)
    for failure in (drawn, longer):
        task_id = add(case)
        end(case, claim_one(case), Outcome.FAIL, failure=failure)
        record = get(case, task_id)
        case.equal(record.failure, failure, "the failure")
        kept = [failure] * noted(case, 1)
        case.equal([each.failure for each in record.history], kept, "the failure in the history")


@proves("RES-03")
def unknown_unfinished_failed_and_succeeded_differ(case: Case) -> None:
    """Asked for together or one by one."""
    result, failure = case.draw(values.blobs()), case.draw(values.failures())
    task_ids = {wanted: bring(case, wanted, f"g{n}") for n, wanted in enumerate(State)}
    worker(case)
    good, bad = add(case), add(case, priority=-1)
    end(case, claim_one(case), result=result)
    end(case, claim_one(case), Outcome.FAIL, failure=failure)
    nobody = case.task().id
    asked = case.draw(st.permutations([good, bad, nobody, *task_ids.values()]))
    found = case.backend.get(asked)
    case.equal(found[nobody], None, "the record of an unknown id")
    for wanted in (State.WAITING, State.QUEUED, State.RUNNING):
        record = found[task_ids[wanted]]
        seen = record and (record.result, record.failure, record.done)
        case.equal(seen, (None, None, None), f"result, failure and end of a {wanted} task")
    one, two = found[good], found[bad]
    outcome = one and (one.result, one.failure)
    case.equal(outcome, (result, None), "result and failure of one that succeeded")
    outcome = two and (two.result, two.failure)
    case.equal(outcome, (None, failure), "result and failure of one that failed")
    over = {wanted: case.backend.wait_done(task_ids[wanted], 0) for wanted in State}
    case.equal(over, {wanted: wanted in FINISHED for wanted in State}, "which are over")
    case.equal(case.backend.wait_done(nobody, 0), True, "whether an unknown id is over")


_FINAL = st.sampled_from([Outcome.SUCCEED, Outcome.FAIL, Outcome.CANCEL])


@proves("RES-04")
def the_first_outcome_stands(case: Case) -> None:
    """A different one for the same claim does not, in the same call or later."""
    worker(case)
    task_id = add(case)
    claim = claim_one(case)
    first = case.draw(_FINAL)
    second = case.draw(st.sampled_from([each for each in Outcome if each is not first]))
    one, two = _two_outcomes(claim, first, second)
    case.equal(case.backend.settle("w1", [one]), [True], f"whether {first} stands")
    before = get(case, task_id)
    later(case, SECOND)
    case.equal(case.backend.settle("w1", [two]), [False], f"whether {second} stands after it")
    _ended_as(case, before, first)
    case.equal(get(case, task_id), before, f"the record after {second}")


@proves("RES-04")
def the_first_outcome_of_a_call_stands(case: Case) -> None:
    """Each other one beside it: a batch must not be sorted by outcome."""
    worker(case)
    first = case.draw(_FINAL)
    for second in case.draw(st.permutations([each for each in Outcome if each is not first])):
        task_id = add(case)
        stands = case.backend.settle("w1", _two_outcomes(claim_one(case), first, second))
        case.equal(stands, [True, False], f"which of {first} and {second} stands, in one call")
        _ended_as(case, get(case, task_id), first)


def _two_outcomes(claim: Claim, first: Outcome, second: Outcome) -> list[Settlement]:
    return [
        Settlement(claim.task.id, claim.token, first, b"first", BOOM),
        Settlement(claim.task.id, claim.token, second, b"second", Failure("E", "second")),
    ]


def _ended_as(case: Case, record: Record, outcome: Outcome) -> None:
    states = {Outcome.SUCCEED: State.SUCCEEDED, Outcome.FAIL: State.FAILED}
    case.equal(record.state, states.get(outcome, State.CANCELLED), f"the state after {outcome}")
    case.equal(record.result, b"first" if outcome is Outcome.SUCCEED else None, "the result")


@proves("RES-04")
def repeating_the_outcome_is_harmless(case: Case) -> None:
    """A settlement whose answer was lost is sent again, whatever it was."""
    worker(case)
    task_id = add(case)
    claim = claim_one(case)
    outcome = case.draw(st.sampled_from(list(Outcome)))
    end(case, claim, outcome)
    before = find(case, task_id)
    later(case, case.draw(st.sampled_from([0, SECOND])))
    case.equal(settle(case, claim, outcome), True, f"whether {outcome}, repeated, stands")
    case.equal(find(case, task_id), before, "the record after the repetition")


@proves("RES-05")
def purge_by_age_is_exact(case: Case) -> None:
    """Inclusive, 0 is an instant, states and limit hold exactly."""
    worker(case)
    start = case.clock.now()
    done: dict[str, tuple[int, State]] = {}
    for _ in range(case.draw(st.integers(2, 4))):
        later(case, SECOND)
        add(case)
        outcome = case.draw(_FINAL)
        task_id = run(case, outcome)
        done[task_id] = (case.clock.now(), get(case, task_id).state)
    case.equal(case.backend.purge(older_than=0), 0, "what is purged up to the instant 0")
    age = case.draw(values.around([at for at, _ in done.values()], unit(case)))
    states = case.draw(st.sampled_from([None, (State.SUCCEEDED,), (State.FAILED, State.CANCELLED)]))
    goes = [
        task_id
        for task_id, (at, was) in done.items()
        if at <= age and (states is None or was in states)
    ]
    limit = case.draw(st.integers(0, 3))
    what = f"what purge takes up to {(age - start) / SECOND} s, states {states}"
    purged = case.backend.purge(limit, states=states, older_than=age)
    case.equal(purged, min(limit, len(goes)), f"{what}, at most {limit}")
    purged = case.backend.purge(states=states, older_than=age)
    case.equal(purged, len(goes) - min(limit, len(goes)), f"{what}, the rest")
    case.equal(ids(case), sorted(set(done) - set(goes)), "what is left")


@proves("RES-05")
def purge_by_state_takes_that_state_whatever_the_ttl(case: Case) -> None:
    """And never what is unfinished."""
    task_ids = {wanted: bring(case, wanted, f"g{n}") for n, wanted in enumerate(State)}
    asked = case.draw(st.lists(st.sampled_from(list(State)), unique=True, max_size=3))
    goes = {task_ids[wanted] for wanted in asked if wanted in FINISHED}
    case.equal(case.backend.purge(states=asked), len(goes), f"how many purge({asked}) takes")
    case.equal(ids(case), sorted(set(task_ids.values()) - goes), "what is left")


@proves("RES-06")
def a_finished_task_is_kept_for_its_ttl(case: Case) -> None:
    """One step before its end it is there; from its end on it can go."""
    ttl = case.draw(st.sampled_from([0.0, 0.5, 10.5, 0.000001]) | values.seconds())
    micros = round(ttl * SECOND)
    micros -= micros % unit(case)
    wanted = case.draw(st.sampled_from(sorted(FINISHED)))
    task_id = bring(case, wanted, ttl=micros / SECOND)
    done = case.clock.now()
    if micros:
        case.clock.set(done + micros - unit(case))
        case.equal(case.backend.purge(), 0, "what is purged one step before the end of the ttl")
    case.clock.set(done + micros + case.draw(st.sampled_from([0, 0, SECOND])))
    case.equal(case.backend.purge(0), 0, "what a purge of at most 0 takes")
    case.equal(get(case, task_id).state, wanted, "the state before it is purged")
    case.equal(case.backend.purge(), 1, "what is purged at the end of the ttl")
    case.equal(find(case, task_id), None, "what is left of it")


@proves("RES-06")
def what_is_not_finished_is_not_purged(case: Case) -> None:
    """However old; and a requeued task begins a new ttl with its new end."""
    wanted = case.draw(st.sampled_from([State.WAITING, State.QUEUED, State.RUNNING, State.FAILED]))
    task_id = bring(case, wanted, ttl=10.0)
    if wanted is State.FAILED:
        later(case, case.draw(st.sampled_from([0, 8, 10])) * SECOND)
        case.backend.requeue([task_id], case.clock.now())
    later(case, case.draw(st.sampled_from([10, 11, 100])) * SECOND)
    case.equal(case.backend.purge(), 0, f"what is purged of one that was {wanted}")
    if wanted is State.RUNNING:
        return
    later(case, HOUR)
    worker(case)
    case.equal(run(case), task_id, "what runs then")
    later(case, 9 * SECOND)
    case.equal(case.backend.purge(), 0, "what is purged before the end of the new ttl")
    later(case, SECOND)
    case.equal(case.backend.purge(), 1, "what is purged at the end of the new ttl")


@proves("RES-07")
def reading_a_result_changes_nothing(case: Case) -> None:
    """Any number of times, in any way."""
    result = case.draw(values.blobs())
    worker(case)
    task_id = add(case)
    end(case, claim_one(case), result=result)
    first = get(case, task_id)
    for _ in range(case.draw(st.integers(1, 4))):
        case.backend.wait_done(task_id, 0)
        case.equal(get(case, task_id), first, "the record, read again")
        case.equal(ids(case), [task_id], "what is found")
    case.equal(get(case, task_id).result, result, "the result in the end")


@proves("RES-09")
def a_recorded_task_is_complete(case: Case) -> None:
    """It has an outcome from its beginning, and never enters a queue."""
    later(case, SECOND)
    began = case.clock.now() - case.draw(st.integers(0, 1000)) * unit(case)
    data, result = case.draw(values.blobs()), case.draw(values.blobs())
    labels = case.draw(values.labels())
    task = case.task(data=data, labels=labels, due=0, ttl=5.0, unique_key="k")
    holder = add(case, unique_key="k") if case.draw(st.booleans()) else None
    good = case.draw(st.booleans())
    failure = None if good else case.draw(values.failures())
    outcome = Outcome.SUCCEED if good else Outcome.FAIL
    settlement = Settlement(task.id, 0, outcome, result if good else b"", failure)
    case.equal(case.backend.record(task, settlement, began), True, "the answer to record")
    record = get(case, task.id)
    seen = (record.state, record.result, record.failure, record.attempt)
    expected = (State.SUCCEEDED if good else State.FAILED, result if good else None, failure, 1)
    case.equal(seen, expected, "state, result, failure and attempt")
    case.equal((record.began, record.done), (began, case.clock.now()), "when it began and ended")
    case.equal((record.task.data, dict(record.task.labels)), (data, labels), "its data and labels")
    worker(case)
    case.equal(claimed(case, most=5), [holder] if holder else [], "what can be claimed")
    later(case, 5 * SECOND)
    case.equal(case.backend.purge(), 1, "what is purged at the end of its ttl")


@proves("RES-09")
def recording_a_known_id_changes_nothing(case: Case) -> None:
    """In every state."""
    wanted = case.draw(st.sampled_from(list(State)))
    task_id = bring(case, wanted)
    before = get(case, task_id)
    later(case, SECOND)
    outcome = case.draw(st.sampled_from([Outcome.SUCCEED, Outcome.FAIL]))
    settlement = Settlement(task_id, 0, outcome, b"other", BOOM)
    answer = case.backend.record(case.task(id=task_id), settlement, 0)
    case.equal(answer, False, f"the answer to recording a {wanted} task")
    case.equal(get(case, task_id), before, "the record")
    case.equal(sum(counts(case).values()), 1, "how many tasks there are")
