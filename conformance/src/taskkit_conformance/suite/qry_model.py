"""What people ask: counts, pages; and the second chance of what did not succeed."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Answered, Outcome, Query
from taskkit.task import After, NewTask, State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    add,
    bring,
    claim_one,
    claimed,
    end,
    get,
    ids,
    later,
    noted,
    put,
    worker,
)

_AGAIN = (State.FAILED, State.LOST, State.CANCELLED)


def _pages(case: Case, query: Query, limit: int) -> list[str]:
    """Go through all pages and return the ids."""
    found: list[str] = []
    after = None
    for _ in range(100):
        page = case.backend.find(query, limit, after)
        case.require(len(page.records) <= limit, f"a page of at most {limit}", found=page)
        found += [record.task.id for record in page.records]
        after = page.next
        if after is None:
            break
        case.require(page.records, "a page that is not the last one has tasks", found=page)
    else:
        case.violated("the pages come to an end", found=found[-5:])
    return found


def _population(case: Case) -> list[str]:
    """Bring tasks of a few groups into all sorts of states and return the groups."""
    worker(case)
    groups = st.sampled_from(["b", "B", "a", "b.x", "é"])
    names: list[str] = case.draw(st.lists(groups, min_size=1, max_size=4))
    now = case.clock.now()
    for number, group in enumerate(names):
        add(case, group, due=now + case.draw(st.integers(-3, 3)) * SECOND)
        bring(case, case.draw(st.sampled_from(list(State))), f"{group}.z{number}")
    ends = st.sampled_from([Outcome.DISCARD, Outcome.FAIL, Outcome.RETRY, Outcome.SUCCEED])
    for group in case.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        for claim in case.claim(group):
            end(case, claim, case.draw(ends))
    later(case, case.draw(st.sampled_from([0, 1, 3])) * SECOND)
    return names


@proves("QRY-01")
def counts_are_exact(case: Case) -> None:
    """For every group and state, with the oldest due, in order; as the tasks themselves are."""
    names = _population(case)
    expected: dict[tuple[str, State], list[int]] = {}
    for record in case.backend.get(list(case.names)).values():
        if record is not None:
            key = (record.task.group, record.state)
            expected.setdefault(key, []).append(record.task.due)
    found = [(c.group, c.state, c.count, c.oldest_due) for c in case.backend.count()]
    right = [(*key, len(dues), min(dues)) for key, dues in sorted(expected.items())]
    case.equal(found, right, "the counts, as the tasks are")
    asked = case.draw(st.lists(st.sampled_from([*names, "nobody"]), unique=True, max_size=2))
    found = [(c.group, c.state, c.count, c.oldest_due) for c in case.backend.count(asked)]
    case.equal(found, [each for each in right if each[0] in asked], f"the counts of {asked}")


@proves("INT-06")
def counts_are_what_a_search_finds(case: Case) -> None:
    """Asked for all at once, and for each group and state alone, the empty ones included."""
    names = _population(case)
    numbers = {(each.group, each.state): each.count for each in case.backend.count()}
    found: dict[tuple[str, State], int] = {}
    for record in case.backend.find(Query(), 1000).records:
        key = (record.task.group, record.state)
        found[key] = found.get(key, 0) + 1
    case.equal(numbers, found, "the counts, as a search for everything has them")
    groups = sorted({*names, *(group for group, _ in numbers), "nobody"})
    asked = {(group, wanted): 0 for group in groups for wanted in State}
    found = {key: len(ids(case, group=key[0], states=[key[1]])) for key in asked}
    case.equal(asked | numbers, found, "the counts, as searches by group and state have them")


@proves("QRY-01")
def counts_follow_every_step_of_a_task(case: Case) -> None:
    """Waiting and queued are told apart by the clock."""
    worker(case)
    due = case.clock.now() + SECOND

    def only() -> list[tuple[State, int, int | None]]:
        return [(each.state, each.count, each.oldest_due) for each in case.backend.count()]

    task_id = add(case, due=due)
    beside = case.draw(st.integers(0, 2))
    put(case, *[case.task(due=due) for _ in range(beside)])
    case.clock.set(due - case.capabilities.time_resolution)
    case.equal(only(), [(State.WAITING, beside + 1, due)], "the counts one step before the due")
    case.clock.set(due)
    case.equal(only(), [(State.QUEUED, beside + 1, due)], "the counts at the due")
    case.backend.delete([each for each in ids(case) if each != task_id])
    claim = claim_one(case)
    case.equal(only(), [(State.RUNNING, 1, due)], "the counts while it runs")
    outcome = case.draw(st.sampled_from(list(Outcome)))
    end(case, claim, outcome, due=due + SECOND)
    expected = {
        Outcome.SUCCEED: [(State.SUCCEEDED, 1, due)],
        Outcome.FAIL: [(State.FAILED, 1, due)],
        Outcome.RETRY: [(State.WAITING, 1, due + SECOND)],
        Outcome.DISCARD: [],
        Outcome.RELEASE: [(State.WAITING, 1, due + SECOND)],
        Outcome.CANCEL: [(State.CANCELLED, 1, due)],
        Outcome.LOSE: [(State.QUEUED, 1, due)],
    }
    case.equal(only(), expected[outcome], f"the counts after {outcome}")


@proves("QRY-02")
def pages_visit_every_match_once_by_id(case: Case) -> None:
    """Whatever the limit: one less than there are, as many, one more."""
    groups = case.draw(st.lists(st.sampled_from(["b", "a", "a.b", "a_b", "A", "é"]), min_size=1))
    tasks = [case.task(group, name=case.draw(st.sampled_from(["n", "m"]))) for group in groups[:9]]
    put(case, *tasks)
    queries: list[tuple[Query, Callable[[NewTask], bool]]] = [
        (Query(), lambda _task: True),
        (Query(name="n"), lambda task: task.name == "n"),
        (Query(group="a"), lambda task: task.group == "a"),
        (Query(group="a", subgroups=True), lambda task: task.group in ("a", "a.b")),
        (Query(states=[State.QUEUED], name="m"), lambda task: task.name == "m"),
    ]
    for query, matches in case.draw(st.permutations(queries)):
        expected = sorted(task.id for task in tasks if matches(task))
        there = len(expected)
        limit = case.draw(st.sampled_from([1, 2, max(1, there - 1), max(1, there), there + 1]))
        case.equal(_pages(case, query, limit), expected, f"what pages of {limit} show")
        if limit >= there:
            following = case.backend.find(query, limit).next
            case.equal(following, None, f"where a page of {limit} that shows all says to go on")


@proves("QRY-02")
def find_takes_names_literally(case: Case) -> None:
    """As group, as the head of subgroups, as name."""
    one, two = case.draw(values.alike())
    mine = put(case, case.task(one, name=two), case.task(f"{one}.x", name=one))
    put(case, case.task(two, name="n"), case.task(f"{two}.x", name="n"))
    case.equal(ids(case, group=one), mine[:1], f"what is found in {one!r}")
    found = ids(case, group=one, subgroups=True)
    case.equal(found, sorted(mine), f"what is found in {one!r} and its subgroups")
    case.equal(ids(case, name=two), mine[:1], f"what is found by the name {two!r}")
    case.equal(ids(case, group=one, states=[]), [], "what is found in no state")


@proves("QRY-03")
def what_did_not_succeed_can_be_requeued(case: Case) -> None:
    """It counts anew, goes on with its attempts, and keeps its history."""
    wanted = case.draw(st.sampled_from(_AGAIN))
    group = case.draw(st.sampled_from(["g", "g.x"]))
    expires = case.clock.now() + 5000 * SECOND
    task_id = bring(case, wanted, group, expires=expires, data=case.draw(values.blobs()))
    before = get(case, task_id)
    delay = case.draw(st.sampled_from([0, SECOND]))
    later(case, SECOND)
    due = case.clock.now() + delay
    given = After(delay) if case.draw(st.booleans()) else due
    answer = case.backend.requeue([task_id], given)
    case.equal(answer, {task_id: Answered.DONE}, f"the answer to requeueing a {wanted} task")
    record = get(case, task_id)
    expected = State.WAITING if delay else State.QUEUED
    case.equal((record.state, record.task.due), (expected, due), "state and due")
    counted = (record.task.retry_count, record.losses, record.attempt)
    case.equal(counted, (0, 0, before.attempt), "retries, losses, attempt")
    outcome = (record.done, record.failure, record.result, record.task.expires)
    case.equal(outcome, (None,) * 4, "end, failure, result and expires")
    case.equal(record.history, before.history, "the history")
    case.equal(record.task.data, before.task.data, "the data")
    case.clock.set(due)
    worker(case)
    claim = claim_one(case, group)
    case.equal(claim.attempt, before.attempt + 1, "the attempt of the next claim")
    end(case, claim)
    attempts = len(before.history) + noted(case, 1)
    case.equal(len(get(case, task_id).history), attempts, "attempts in the history")


@proves("QRY-03")
def other_tasks_are_not_requeued(case: Case) -> None:
    """Refused, and nothing changes; in a call with others, too."""
    wanted = case.draw(st.sampled_from([s for s in State if s not in _AGAIN]))
    task_id, failed = bring(case, wanted), bring(case, State.FAILED, "h")
    before = get(case, task_id)
    answer = case.backend.requeue(case.draw(st.permutations([task_id, failed])), case.clock.now())
    expected = {task_id: Answered.REFUSED, failed: Answered.DONE}
    case.equal(answer, expected, f"the answer to requeueing a {wanted} and a failed task")
    case.equal(get(case, task_id), before, "the record of what was refused")
    answer = case.backend.requeue([failed], case.clock.now())
    case.equal(answer, {failed: Answered.REFUSED}, "the answer to requeueing it twice")
    worker(case)
    case.equal(claimed(case, "h", 5), [failed], "what can be claimed of it")
