"""What may run at one time: locks, max_running, rates; and how much a queue may hold."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.errors import QueueFull
from taskkit.records import Limits, Outcome, Rate
from taskkit.task import State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.steps import (
    ENDS,
    add,
    beat,
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
    worker,
)

_GONE = ("retire", "retire lost", "reclaim", "delete", "stray")


def _lose(case: Case, way: str, task_id: str) -> None:
    """Make an end of what the worker ``dying`` runs, past its worker."""
    if way == "reclaim":
        later(case, 100 * SECOND)
        case.backend.reclaim()
    elif way == "delete":
        case.backend.delete([task_id])
    elif way == "stray":
        for _ in range(2):
            later(case, SECOND)
            beat(case, "dying")
    else:
        case.backend.retire("dying", lost=way == "retire lost")


@proves("LIM-01")
def no_more_than_its_limit_run_under_a_lock(case: Case) -> None:
    """However they are claimed; one by default."""
    worker(case)
    worker(case, "w2")
    limit = case.draw(st.sampled_from([None, 1, 2, 3]))
    fields = {} if limit is None else {"lock_limit": limit}
    put(case, *[case.task(lock_key="k", **fields) for _ in range(6)])
    live = []
    for _ in range(5):
        name = case.draw(st.sampled_from(["w1", "w2"]))
        live += case.claim(most=case.draw(st.integers(1, 4)), worker_id=name)
        most = limit or 1
        case.require(len(live) <= most, f"at most {most} run under the lock", found=len(live))
        if len(live) == most and case.draw(st.booleans()):
            end(case, live.pop(0))


@proves("LIM-01")
def a_lock_belongs_to_its_group_and_its_key(case: Case) -> None:
    """Other groups and other keys have their own; each task keeps to its own limit."""
    worker(case)
    free = [add(case, "g", lock_key="k"), add(case, "g.x", lock_key="k"), add(case, "g", lock_key="K")]
    case.equal(sorted(claimed(case, most=9)), sorted(free), "what runs under locks of their own")
    strict = add(case, lock_key="k", lock_limit=1)
    generous = add(case, lock_key="k", lock_limit=2, priority=case.draw(st.sampled_from([-1, 1])))
    case.equal(claimed(case, most=9), [generous], "what may run as a second under the lock")
    case.equal(state(case, strict), State.QUEUED, "the state of the strict one")


@proves("LIM-02")
def those_that_wait_for_a_lock_block_nobody(case: Case) -> None:
    """Nor are they polled for: there is no instant to come back at."""
    worker(case)
    holder = add(case, lock_key="k", priority=9)
    put(case, *[case.task(lock_key="k", priority=5) for _ in range(case.draw(st.integers(1, 5)))])
    free = [add(case, priority=case.draw(st.integers(-5, 5))) for _ in range(2)]
    other = add(case, lock_key="other")
    size = case.draw(st.integers(1, 4))
    given = [task_id for _ in range(5) for task_id in claimed(case, most=size)]
    case.equal(sorted(given), sorted([holder, other, *free]), "what is given past the blocked ones")
    answer = case.backend.claim("w1", {"g": 5})
    case.equal(answer.next_due, None, "when to come back for what is blocked")


@proves("LIM-02")
def those_that_wait_for_a_lock_start_in_claim_order(case: Case) -> None:
    """And one that was cancelled, deleted or moved meanwhile is not waited for."""
    worker(case)
    now = case.clock.now()
    add(case, lock_key="k", priority=50)
    claim = claim_one(case)
    keys = case.draw(st.permutations([(1, 0), (0, 5), (0, 3), (-1, 9)]))
    tasks = [case.task(lock_key="k", priority=p, due=now - age) for p, age in keys]
    cut = case.draw(st.integers(0, 4))
    put(case, *tasks[:cut])
    case.equal(claimed(case, most=9), [], "what is given behind a lock")
    put(case, *tasks[cut:])
    line = [t.id for t in sorted(tasks, key=lambda t: (-t.priority, t.due))]
    gone = line.pop(case.draw(st.integers(0, 3)))
    how = case.draw(st.sampled_from(["cancel", "delete", "reschedule"]))
    when = case.draw(st.booleans())
    if when:
        end(case, claim)
    leave = getattr(case.backend, how)
    leave([gone], now + 99 * SECOND) if how == "reschedule" else leave([gone])
    if not when:
        end(case, claim)
    order = []
    for _ in line:
        claim = claim_one(case)
        order.append(claim.task.id)
        end(case, claim)
    case.equal(order, line, f"who starts behind the lock, one being gone by {how}")


@proves("LIM-03")
def every_end_of_a_claim_frees_its_place(case: Case) -> None:
    """Of a lock and of ``max_running``; the next is claimable at once."""
    worker(case)
    locked = case.draw(st.booleans())
    key = "k" if locked else None
    case.backend.configure("g", Limits(max_running=None if locked else 1))
    add(case, lock_key=key)
    second = add(case, lock_key=key, due=case.clock.now() + 1)
    later(case, 1)
    claim = claim_one(case)
    if case.draw(st.booleans()):
        case.equal(claimed(case, most=5), [], "what is given while the place is taken")
    outcome = case.draw(st.sampled_from(ENDS))
    end(case, claim, outcome, due=case.clock.now() + 60 * SECOND)
    case.backend.delete([claim.task.id])
    case.equal(claimed(case, most=5), [second], f"what is given after {outcome}")


@proves("LIM-03")
def a_place_is_free_when_its_holder_is_gone(case: Case) -> None:
    """Dead, retired, deleted, or a claim that its worker does not know of."""
    worker(case, "dying", 100 * SECOND)
    worker(case)
    locked = case.draw(st.booleans())
    key = "k" if locked else None
    case.backend.configure("g", Limits(max_running=None if locked else 1))
    first = add(case, lock_key=key, on_lost="fail")
    claim_one(case, worker_id="dying")
    second = add(case, lock_key=key, priority=1)
    case.equal(claimed(case, most=5), [], "what is given while the place is taken")
    way = case.draw(st.sampled_from(_GONE))
    _lose(case, way, first)
    case.equal(claimed(case, most=5)[:1], [second], f"what is given first after {way}")


@proves("LIM-04")
def no_more_than_max_running_run_at_once(case: Case) -> None:
    """Over all workers, whoever claims and ends; nobody's attempt is burnt."""
    workers = [worker(case, "w1"), worker(case, "w2")]
    most = case.draw(st.integers(1, 3))
    before = case.draw(st.integers(0, 2))
    tasks = put(case, *[case.task() for _ in range(7)])
    live = [claim_one(case) for _ in range(min(before, most))]
    case.backend.configure("g", Limits(max_running=most))
    for _ in range(6):
        live += case.claim(
            most=case.draw(st.integers(1, 4)), worker_id=case.draw(st.sampled_from(workers))
        )
        case.require(len(live) <= most, f"at most {most} run at once", found=len(live))
        if live and case.draw(st.booleans()):
            end(case, live.pop(0))
    live += case.claim(most=9)
    left = len(tasks) - sum(get(case, task_id).attempt for task_id in tasks)
    full = len(live) == most or left == 0
    case.require(full, f"{most} run where enough are due", found=len(live))
    attempts = {get(case, task_id).attempt for task_id in tasks}
    case.require(attempts <= {0, 1}, "no attempt is burnt by a limit", found=attempts)


@proves("LIM-04")
def a_limit_is_the_groups_own(case: Case) -> None:
    """Not that of its subgroups and siblings, and it can be changed and lifted."""
    worker(case)
    limited = case.draw(st.sampled_from(["g", "g.a"]))
    case.backend.configure(limited, Limits(max_running=1))
    groups = ("g", "g.a", "g.b", "g.a.x")
    put(case, *[case.task(group) for group in groups for _ in range(3)])
    given = claimed(case, most=12)
    got = {group: sum(i.startswith(f"{group}_") for i in given) for group in groups}
    case.equal(got, {**dict.fromkeys(groups, 3), limited: 1}, f"what runs, {limited} limited to 1")
    case.backend.configure(limited, Limits() if case.draw(st.booleans()) else Limits(max_running=9))
    case.equal(len(claimed(case, most=12)), 2, "how many more run once the limit is lifted")


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
    case.clock.set(opens - case.capabilities.time_resolution)
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
