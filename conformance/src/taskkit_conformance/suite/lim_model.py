"""What may run at one time: locks, max_running, rates; and how much a queue may hold."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Limits
from taskkit.task import State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    ENDS,
    add,
    beat,
    claim_one,
    claimed,
    end,
    get,
    later,
    put,
    state,
    unit,
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
    free = [
        add(case, "g", lock_key="k"),
        add(case, "g.x", lock_key="k"),
        add(case, "g", lock_key="K"),
    ]
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
    tasks = [case.task(lock_key="k", priority=p, due=now - age * unit(case)) for p, age in keys]
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
    second = add(case, lock_key=key, due=case.clock.now() + unit(case))
    later(case, unit(case))
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
