"""A task has one claim at a time, and its end is final."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Claim, Outcome, Settlement
from taskkit.task import FINISHED, State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.machine import programs, run
from taskkit_conformance.verbs import (
    HOUR,
    add,
    bring,
    claim_one,
    claimed,
    counts,
    drained,
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

_STATES = st.sampled_from(list(State))


@proves("EXC-01", examples=8)
def a_random_program_agrees_with_the_model(case: Case) -> None:
    """Everything at once; the failure begins with the number of the property that it breaks."""
    run(case, case.draw(programs()))


@proves("EXC-01")
def a_running_task_is_not_given_again(case: Case) -> None:
    """Not to its worker, not to another one, whatever is claimed and settled beside it."""
    workers = [worker(case, "w1"), worker(case, "w2")]
    put(case, *[case.task() for _ in range(12)])
    live: dict[str, Claim] = {}
    for _ in range(16):
        name = case.draw(st.sampled_from(workers))
        for claim in case.claim(most=case.draw(st.integers(1, 2)), worker_id=name):
            case.require(
                claim.task.id not in live, "a running task is not given again", found=claim
            )
            live[claim.task.id] = claim
    for claim in list(live.values())[: case.draw(st.integers(0, 3))]:
        end(case, claim)
    case.equal(drained(case), [], "what is given once all tasks run or are finished")


@proves("EXC-03")
def a_task_is_found_in_one_state(case: Case) -> None:
    """Among the running only while it runs, never among them before and after."""
    worker(case)
    tasks = put(case, *[case.task(due=case.clock.now() - n) for n in (3, 2, 1)])
    waiting = add(case, due=case.clock.now() + SECOND)
    running = claimed(case, most=case.draw(st.integers(1, 3)))
    unclaimed = sorted({*tasks, waiting} - set(running))
    case.equal(ids(case, states=[State.RUNNING]), sorted(running), "what is found running")
    found = ids(case, states=[State.QUEUED, State.WAITING])
    case.equal(found, unclaimed, "what is found unclaimed")
    numbers = counts(case)
    case.equal(numbers.get(("g", State.RUNNING)), len(running), "how many are counted as running")
    queued = numbers.get(("g", State.QUEUED), 0)
    case.equal(queued, len(tasks) - len(running), "how many are counted as queued")


@proves("EXC-04")
def putting_a_known_id_changes_nothing(case: Case) -> None:
    """In every state, with whatever contents."""
    states = case.draw(st.permutations(list(State)))
    known = {wanted: bring(case, wanted, f"g.{wanted}") for wanted in states}
    before = {wanted: get(case, task_id) for wanted, task_id in known.items()}
    later(case, case.draw(st.sampled_from([0, SECOND])))
    others = [
        case.task(
            f"g.{wanted}",
            id=task_id,
            name=case.draw(st.sampled_from(["n", "other"])),
            data=case.draw(values.blobs()),
            due=case.clock.now() - case.draw(st.integers(0, 3)),
            priority=case.draw(values.priorities()),
            unique_key=case.draw(st.sampled_from([None, "k"])),
        )
        for wanted, task_id in known.items()
    ]
    new = case.task("g2")
    answers = {a.id: a.status for a in case.backend.put([*others, new])}
    case.equal(answers.pop(new.id), "put", "the answer for a new task among known ones")
    for wanted, task_id in known.items():
        case.equal(answers[task_id], "known", f"a put of a known {wanted} id")
        found = get(case, task_id)
        case.equal(found, before[wanted], f"the record of the {wanted} task")
    case.equal(sum(counts(case).values()), len(known) + 1, "how many tasks there are")
    worker(case)
    given = claimed(case, most=9)
    expected = [known[State.QUEUED]]
    case.equal(given, expected, "what can be claimed after a put of known ids")


@proves("EXC-05")
def a_finished_task_is_never_claimed_again(case: Case) -> None:
    """Whatever is done to bring it back, short of a requeue."""
    wanted = case.draw(st.sampled_from(sorted(FINISHED)))
    task_id = bring(case, wanted, ttl=1e9)
    before = get(case, task_id)
    worker(case)
    way = case.draw(st.sampled_from(["wait", "reclaim", "put", "settle", "reschedule", "record"]))
    if way == "wait":
        later(case, HOUR // 2)
    elif way == "reclaim":
        later(case, 2 * HOUR)
        case.backend.reclaim()
        worker(case)
    elif way == "put":
        case.backend.put([case.task(id=task_id)])
    elif way == "settle":
        for outcome in (Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE):
            case.backend.settle("w1", [Settlement(task_id, before.token, outcome)])
    elif way == "reschedule":
        case.backend.reschedule([task_id], case.clock.now())
    else:
        task = case.task(id=task_id)
        case.backend.record(task, Settlement(task_id, 0, Outcome.SUCCEED), 0)
    case.equal(claimed(case, most=5), [], f"what is claimed of a {wanted} task after {way}")
    case.equal(state(case, task_id), wanted, f"the state after {way}")


_LATER = st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=3)


@proves("EXC-06", "RTY-07")
def nothing_brings_a_removed_task_back(case: Case) -> None:
    """Discarded by its worker or deleted by a person: no later outcome counts."""
    worker(case)
    task_id = add(case, lock_key=case.draw(st.sampled_from([None, "k"])))
    claim = claim_one(case)
    way = case.draw(st.sampled_from(["discard", "delete"]))
    if way == "discard":
        end(case, claim, Outcome.DISCARD)
    else:
        case.backend.delete([task_id])
    case.equal(find(case, task_id), None, f"the record after the {way}")
    for outcome in [Outcome.RETRY, *case.draw(_LATER)]:
        stands = settle(case, claim, outcome)
        if not (way == "discard" and outcome is Outcome.DISCARD):  # that one is a repetition
            case.equal(stands, False, f"whether {outcome} stands after the {way}")
        case.equal(find(case, task_id), None, f"the record after {outcome}")
    case.equal(claimed(case, most=5), [], f"what can be claimed after the {way}")
    case.equal(counts(case), {}, "what is counted")


@proves("EXC-06")
def an_id_that_was_removed_can_be_put_anew(case: Case) -> None:
    """And the old claim has no power over the new task."""
    worker(case)
    task_id = add(case)
    old = claim_one(case)
    if case.draw(st.booleans()):
        end(case, old, Outcome.DISCARD)
    else:
        case.backend.delete([task_id])
    case.equal([a.status for a in case.backend.put([case.task(id=task_id)])], ["put"], "the put")
    outcome = case.draw(st.sampled_from([o for o in Outcome if o is not Outcome.DISCARD]))
    case.equal(settle(case, old, outcome), False, f"whether {outcome} of the old claim stands")
    case.equal(state(case, task_id), State.QUEUED, "the state of the new task")
