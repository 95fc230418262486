"""Workers, their leases, and the tokens that fence off who comes too late."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Claim, Outcome
from taskkit.task import State
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    DEATHS,
    add,
    beat,
    claim_one,
    claimed,
    die,
    end,
    get,
    later,
    put,
    settle,
    state,
    unit,
    worker,
)

_LEASE = st.sampled_from([1, 10, 60]).map(lambda seconds: seconds * SECOND)
_NOT_SUCCESS = st.sampled_from([each for each in Outcome if each is not Outcome.SUCCEED])


def _expire(case: Case, worker_id: str = "w1", lease: int = 10 * SECOND) -> Claim:
    """Let a worker claim the next task, lose its lease and be reclaimed."""
    worker(case, worker_id, lease)
    claim = claim_one(case, worker_id=worker_id)
    later(case, lease)
    case.backend.reclaim()
    return claim


@proves("LEA-01")
def every_claim_has_a_larger_token(case: Case) -> None:
    """Whatever ended the one before, whoever claims, also through another client."""
    task_id = add(case, max_lost=100)
    add(case, "other")
    ways = [Outcome.RETRY, Outcome.RELEASE, *DEATHS, "stray", "requeue", "reopen"]
    tokens: list[int] = []
    for way in case.draw(st.lists(st.sampled_from(ways), min_size=2, max_size=5)):
        worker(case)
        if way in DEATHS:
            tokens.append(die(case, way).token)
            continue
        claim = claim_one(case)
        tokens.append(claim.token)
        case.equal(get(case, task_id).token, claim.token, "the token of the running task")
        if way == "stray":
            for _ in range(2):
                later(case, SECOND)
                beat(case)
        elif way == "requeue":
            end(case, claim, Outcome.FAIL)
            case.backend.requeue([task_id], case.clock.now())
        elif way == "reopen":
            end(case, claim, Outcome.RETRY)
            case.backend = case.open()
        else:
            end(case, claim, Outcome(way))
    worker(case)
    tokens.append(claim_one(case).token)
    case.equal(tokens, sorted(set(tokens)), "the tokens of the task, each larger than the last")


@proves("LEA-02")
def a_claim_of_a_living_worker_is_not_reclaimed(case: Case) -> None:
    """However long its task runs, as long as it beats."""
    lease = case.draw(_LEASE)
    worker(case, lease=lease)
    task_id = add(case)
    claim = claim_one(case)
    for _ in range(case.draw(st.integers(1, 4))):
        later(case, lease - unit(case))
        reclaimed = case.backend.reclaim()
        case.equal((reclaimed.tasks, list(reclaimed.workers)), (0, []), "what is reclaimed")
        beat(case, "w1", claim, lease=lease)
    record = get(case, task_id)
    case.equal((record.state, record.losses), (State.RUNNING, 0), "the task of a living worker")
    case.equal(settle(case, claim), True, "whether its settlement stands")


@proves("LEA-03")
def a_lease_is_over_exactly_at_its_end(case: Case) -> None:
    """Alive one step before; from then on it claims nothing and its tasks can be reclaimed."""
    lease = case.draw(_LEASE | st.integers(2, 10**4).map(lambda steps: steps * unit(case)))
    worker(case, lease=lease)
    task_id = add(case)
    spare = add(case, priority=-1)
    claim_one(case)
    end_of_lease = case.clock.now() + lease
    case.clock.set(end_of_lease - unit(case))
    case.require(case.backend.claim("w1", {"g": 0}).alive, "one step before the end, it is alive")
    case.equal(case.backend.reclaim().tasks, 0, "what is reclaimed one step before the end")
    case.clock.set(end_of_lease + case.draw(st.sampled_from([0, 0, 1, SECOND])))
    answer = case.backend.claim("w1", {"g": 1})
    case.equal((answer.alive, list(answer.claims)), (False, []), "a claim at the end of the lease")
    reclaimed = case.backend.reclaim()
    case.equal((reclaimed.tasks, list(reclaimed.workers)), (1, ["w1"]), "what is reclaimed then")
    case.equal(state(case, task_id), State.QUEUED, "the state of what it ran")
    worker(case, "w2")
    case.equal(
        sorted(claimed(case, most=5, worker_id="w2")), sorted([task_id, spare]), "what is left"
    )


@proves("LEA-04")
def reclaim_takes_the_claims_of_the_dead_only(case: Case) -> None:
    """Again and again: newer claims of the same tasks are left alone."""
    put(case, *[case.task() for _ in range(case.draw(st.integers(1, 3)))])
    worker(case, "w1", 10 * SECOND)
    old = case.claim(most=3)
    later(case, 10 * SECOND)
    case.equal(case.backend.reclaim().tasks, len(old), "what the first reclaim takes")
    worker(case, "w2")
    new = case.claim(most=3, worker_id="w2")
    if case.draw(st.booleans()):
        worker(case, "w1", 10 * SECOND)  # back from the dead, with nothing in its hands
        void = beat(case, "w1", *old, lease=10 * SECOND).void
        case.equal(sorted(void), sorted(c.task.id for c in old), "the held claims that are void")
        later(case, 10 * SECOND)
    case.equal(case.backend.reclaim().tasks, 0, "what another reclaim takes")
    for claim in new:
        case.equal(state(case, claim.task.id), State.RUNNING, "the state under the new claim")
        case.equal(get(case, claim.task.id).token, claim.token, "the token of the new claim")


def _outdated(case: Case) -> tuple[str, Claim]:
    """Make a claim that stands no longer; where its task is by now is drawn."""
    task_id = add(case, max_lost=9)
    now = case.draw(st.sampled_from(["queued", "running", "succeeded", "failed", "other life"]))
    if now == "other life":
        worker(case)
        old = claim_one(case)
        end(case, old, Outcome.RETRY)
        claim_one(case)
        return task_id, old
    old = _expire(case)
    worker(case, "w2")
    worker(case)
    if now != "queued":
        new = claim_one(case, worker_id="w2")
        if now != "running":
            outcome = Outcome.SUCCEED if now == "succeeded" else Outcome.FAIL
            end(case, new, outcome, worker_id="w2", result=b"new")
    return task_id, old


@proves("LEA-05")
def a_success_with_an_outdated_token_changes_nothing(case: Case) -> None:
    """The paused process that wakes up is told."""
    task_id, old = _outdated(case)
    before = get(case, task_id)
    later(case, case.draw(st.sampled_from([0, SECOND])))
    case.equal(settle(case, old, result=b"old"), False, "whether the old success stands")
    case.equal(get(case, task_id), before, "the record after the old success")


@proves("LEA-06")
def no_other_outcome_with_an_outdated_token_changes_anything(case: Case) -> None:
    """Failure, retry, discard, release, cancel, loss."""
    task_id, old = _outdated(case)
    before = get(case, task_id)
    outcome = case.draw(_NOT_SUCCESS)
    stands = settle(case, old, outcome, due=case.clock.now() + SECOND)
    # Of a claim that was retried the same retry stands again: it may be a repetition.
    if not (outcome is Outcome.RETRY and before.task.retry_count):
        case.equal(stands, False, f"whether the old {outcome} stands")
    case.equal(get(case, task_id), before, f"the record after the old {outcome}")


@proves("LEA-11")
def each_claim_raises_attempt_by_one(case: Case) -> None:
    """After retries and deaths; what is given back does not count."""
    task_id = add(case, max_lost=100)
    attempt = 0
    ways = [Outcome.RETRY, "requeue", *DEATHS, Outcome.RELEASE, "retire well"]
    for way in case.draw(st.lists(st.sampled_from(ways), min_size=2, max_size=5)):
        worker(case)
        if way in DEATHS:
            claim = die(case, way)
        else:
            claim = claim_one(case)
            case.equal(get(case, task_id).attempt, claim.attempt, "the attempt in the record")
        case.equal(claim.attempt, attempt + 1, f"the attempt of the claim before {way}")
        attempt += way not in (Outcome.RELEASE, "retire well")
        if way == "requeue":
            end(case, claim, Outcome.FAIL)
            case.backend.requeue([task_id], case.clock.now())
        elif way == "retire well":
            case.backend.retire("w1")
        elif way not in DEATHS:
            end(case, claim, Outcome(way))
    case.equal(get(case, task_id).attempt, attempt, "the attempt in the end")


@proves("LEA-14")
def reclaim_sees_every_orphan(case: Case) -> None:
    """However many live claims are older, whatever the limit."""
    worker(case, "live")
    put(case, *[case.task(due=case.clock.now() - 5) for _ in range(case.draw(st.integers(1, 12)))])
    live = case.claim(most=12, worker_id="live")
    dead = case.draw(st.integers(1, 3))
    orphans = put(case, *[case.task() for _ in range(dead + 1)])
    for number in range(dead):
        worker(case, f"dying{number}", 10 * SECOND)
        case.claim(most=1 if number else 2, worker_id=f"dying{number}")
    later(case, 10 * SECOND)
    beat(case, "live", *live)
    limit = case.draw(st.integers(1, 3))
    taken = 0
    for _ in orphans:
        answer = case.backend.reclaim(limit)
        case.equal(answer.tasks, min(limit, len(orphans) - taken), f"what a reclaim({limit}) takes")
        taken += answer.tasks
    states = [state(case, task_id) for task_id in orphans]
    case.equal(states, [State.QUEUED] * len(orphans), "the orphans in the end")
    states = [state(case, claim.task.id) for claim in live]
    case.equal(states, [State.RUNNING] * len(live), "the live ones in the end")
    case.equal([each.info.id for each in case.backend.workers()], ["live"], "the workers left")
