"""Rates, and how much a queue may hold."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.errors import QueueFull
from taskkit.records import Limits, Outcome, Rate
from taskkit.task import State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    add,
    calls,
    claim_one,
    claimed,
    counts,
    end,
    find,
    get,
    go_quietly,
    later,
    put,
    state,
    unit,
    worker,
)


@proves("LIM-05")
def a_rate_holds_in_every_window(case: Case) -> None:
    """However the window is laid, whoever claims, whatever becomes of the tasks."""
    workers = [worker(case, "w1"), worker(case, "w2")]
    limit, period = case.draw(st.integers(1, 3)), case.draw(st.sampled_from([1.0, 2.5, 10.0]))
    case.backend.configure("g", Limits(rate=Rate(limit, period)))
    tasks = put(case, *[case.task() for _ in range(14)])
    starts: list[int] = []
    micros = round(period * SECOND)
    for _ in range(8):
        later(case, case.draw(st.sampled_from([0, micros // 4, micros // 2, micros - 1, micros])))
        name = case.draw(st.sampled_from(workers))
        claims = case.claim(most=case.draw(st.integers(1, 3)), worker_id=name)
        starts += [case.clock.now()] * len(claims)
        within = [at for at in starts if at > case.clock.now() - micros]
        case.require(len(within) <= limit, f"at most {limit} in {period} s", found=len(within))
        if claims and case.draw(st.booleans()):
            end(case, claims[0], worker_id=name)
    burnt = [get(case, task_id).attempt for task_id in tasks]
    case.equal(sum(burnt), len(starts), "all attempts together")


@proves("LIM-05")
def a_rate_opens_exactly_a_period_after_its_claim(case: Case) -> None:
    """Not a step earlier; and ``next_due`` tells when."""
    worker(case)
    limit = case.draw(st.integers(1, 3))
    case.backend.configure("g", Limits(rate=Rate(limit, 10.0)))
    put(case, *[case.task() for _ in range(limit + 3)])
    first = case.clock.now()
    case.equal(len(case.claim(most=1)), 1, "how many a fresh rate gives")
    gap = case.draw(st.sampled_from([0, SECOND, 9 * SECOND]))
    later(case, gap)
    case.equal(len(case.claim(most=9)), limit - 1, "how many more the rate leaves")
    answer = case.backend.claim("w1", {"g": 1})
    opens = first + 10 * SECOND
    case.equal((len(answer.claims), answer.next_due), (0, opens), "when the rate opens")
    case.clock.set(opens - unit(case))
    case.equal(claimed(case), [], "what is given one step before")
    case.clock.set(opens)
    given = len(claimed(case, most=9))
    case.equal(given, limit if gap == 0 else 1, "how many are given when it opens")


@proves("LIM-05", "ORD-10")
def a_clock_that_steps_back_closes_a_rate_for_one_period_at_most(case: Case) -> None:
    """What was claimed "in the future" was claimed by now."""
    worker(case)
    case.backend.configure("g", Limits(rate=Rate(1, 10.0)))
    put(case, case.task(), case.task())
    ahead = case.draw(st.sampled_from([10, 300, 1000])) * SECOND
    later(case, ahead)
    claim_one(case)
    later(case, -ahead // case.draw(st.sampled_from([1, 2, 5])))
    given = claimed(case)
    later(case, 10 * SECOND)
    given += claimed(case)
    case.equal(len(given), 1, "how many are given within one period after the step back")


@proves("LIM-06")
def a_full_queue_refuses_and_puts_nothing(case: Case) -> None:
    """Waiting and queued tasks count, running ones do not; what adds nothing is answered."""
    worker(case)
    size = case.draw(st.integers(0, 3))
    case.backend.configure("g", Limits(max_queue_size=size))
    now = case.clock.now()
    held = [case.task(due=now + case.draw(st.sampled_from([0, SECOND]))) for _ in range(size)]
    fits = [case.task("g.x"), case.task("h")]
    put(case, *held, *fits)
    more = [case.task("h"), case.task(unique_key="k"), case.task("h")]
    try:
        case.backend.put(case.draw(st.permutations(more)))
    except QueueFull as full:
        case.equal((full.group, full.max_queue_size), ("g", size), "what the refusal says")
    else:
        case.violated("a put above max_queue_size is refused", found=counts(case))
    case.equal([find(case, t.id) for t in more], [None] * 3, "the tasks of the refused put")
    again = [answer.status for answer in case.backend.put(held)]
    case.equal(again, ["known"] * size, "a put of what is there already")
    later(case, SECOND)
    ran = len(claimed(case, excluding=["g.x"]))
    room = [answer.status for answer in case.backend.put([case.task() for _ in range(ran)])]
    case.equal(room, ["put"] * ran, "a put into the room that a claim has made")


@proves("LIM-06")
def a_full_queue_takes_back_what_it_gave(case: Case) -> None:
    """It refuses new tasks, it loses none."""
    worker(case)
    first = add(case, max_lost=9)
    claim = claim_one(case)
    second = add(case)
    case.backend.configure("g", Limits(max_queue_size=1))
    outcome = case.draw(st.sampled_from([Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE]))
    end(case, claim, outcome)
    case.equal(state(case, first), State.QUEUED, f"the state after {outcome} into a full queue")
    case.backend.cancel([second])
    case.backend.requeue([second], case.clock.now())
    case.equal(state(case, second), State.QUEUED, "the state after a requeue into a full queue")


@proves("LIM-07", examples=0.06)
def blocked_tasks_do_not_slow_the_claims_of_others(case: Case) -> None:
    """A claim beside thousands that wait for a lock calls about as many functions as before."""
    go_quietly(case)
    worker(case)
    many = min(case.capabilities.max_batch, 2000 + case.draw(st.integers(0, 3)))

    def cost() -> int:
        for _ in range(3):
            add(case)
            claimed(case)
        add(case)
        return calls(lambda: claimed(case))

    before = cost()
    put(case, *[case.task(lock_key="k", priority=1) for _ in range(many)])
    claimed(case)
    after = cost()
    sentence = f"a claim beside {many} blocked tasks costs what it cost before ({before} calls)"
    case.require(after <= before + many // 10, sentence, found=f"{after} calls")
