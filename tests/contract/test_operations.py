"""What people do to tasks: requeue, reschedule, delete, purge, count, find."""

import pytest

from taskkit.clock import SECOND
from taskkit.errors import InvalidInput
from taskkit.records import Answered, Outcome, Query
from taskkit.task import FINISHED, UNCLAIMED, After, State

UNKNOWN = "mail_" + "f" * 32
REQUEUABLE = {State.FAILED, State.LOST, State.CANCELLED}


# ---- requeue


@pytest.mark.parametrize("state", sorted(REQUEUABLE))
def test_a_task_that_did_not_succeed_can_be_requeued(store, state):
    """QRY-3, LST-3."""
    task_id = store.put_in(state, expires=store.at(5000), data=b"x")
    before = store.get(task_id)
    store.move_to(2)
    answers = store.backend.requeue([task_id], After(3 * SECOND))
    assert answers == {task_id: Answered.DONE}
    record = store.get(task_id)
    assert (record.state, record.task.due) == (State.WAITING, store.at(5))
    assert (record.task.retry_count, record.losses, record.attempt) == (0, 0, before.attempt)
    assert (record.done, record.failure, record.result) == (None, None, None)
    assert record.task.expires is None
    assert (record.history, record.task.data) == (before.history, b"x")
    store.worker()
    store.move_to(5)
    claim = store.claim_one()
    assert claim.attempt == before.attempt + 1
    assert store.settle(claim)


def test_a_requeued_task_counts_retries_anew(store):
    """QRY-3."""
    store.worker()
    task_id = store.add()
    store.run(outcome=Outcome.RETRY)
    store.run(outcome=Outcome.FAIL)
    store.backend.requeue([task_id], store.at(0))
    assert store.get(task_id).task.retry_count == 0
    assert store.claim_one().attempt == 3


@pytest.mark.parametrize("state", sorted(set(State) - REQUEUABLE))
def test_other_tasks_are_not_requeued(store, state):
    """QRY-3."""
    task_id = store.put_in(state)
    before = store.get(task_id)
    assert store.backend.requeue([task_id], store.at(0)) == {task_id: Answered.REFUSED}
    assert store.get(task_id) == before


def test_of_racing_requeues_one_takes_effect(store, race):
    """QRY-3."""
    task_id = store.put_in(State.FAILED)
    answers = race([lambda: store.backend.requeue([task_id], store.at(0))[task_id]] * 5)
    assert sorted(answers) == [Answered.DONE] + [Answered.REFUSED] * 4


# ---- reschedule


@pytest.mark.parametrize("state", sorted(UNCLAIMED))
def test_an_unclaimed_task_can_be_moved_to_another_due(store, state):
    store.worker()
    task_id = store.put_in(state)
    before = store.get(task_id).task
    assert store.backend.reschedule([task_id], store.at(7)) == {task_id: Answered.DONE}
    after = store.get(task_id).task
    assert after.due == store.at(7)
    assert (after.created, after.retry_count) == (before.created, 0)
    assert store.next_due() == store.at(7)
    store.move_to(7)
    assert store.claimed() == [task_id]


def test_a_rescheduled_task_takes_its_place_by_its_new_due(store):
    store.worker()
    first, second = store.add(due=store.at(-2)), store.add(due=store.at(-1))
    store.backend.reschedule([second], store.at(-3))
    assert store.claimed(2) == [second, first]


@pytest.mark.parametrize("state", sorted(set(State) - UNCLAIMED))
def test_claimed_tasks_are_not_rescheduled(store, state):
    task_id = store.put_in(state)
    before = store.get(task_id)
    assert store.backend.reschedule([task_id], store.at(7)) == {task_id: Answered.REFUSED}
    assert store.get(task_id) == before


# ---- delete


@pytest.mark.parametrize("state", list(State))
def test_a_task_can_be_deleted_in_every_state(store, state):
    """LST-3, BLK-07."""
    task_id = store.put_in(state)
    assert store.backend.delete([task_id]) == {task_id: Answered.DONE}
    assert not store.knows(task_id)
    assert store.counts() == {}
    store.worker("after")
    store.move_to(2000)
    assert store.claim(5, worker="after") == []
    assert store.backend.delete([task_id]) == {task_id: Answered.UNKNOWN}


def test_a_deleted_running_task_no_longer_counts_for_its_worker(store):
    store.worker()
    store.add()
    claim = store.claim_one()
    store.backend.delete([claim.task.id])
    assert store.backend.workers()[0].running == 0
    assert store.backend.retire("w") == 0


@pytest.mark.parametrize("operation", ["cancel", "requeue", "reschedule", "delete"])
def test_unknown_ids_are_answered_not_errors(store, operation):
    """BLK-07, BLK-01."""
    known = store.put_in(State.FAILED)
    call = getattr(store.backend, operation)
    arguments = (store.at(0),) if operation.startswith("re") else ()
    answers = call([UNKNOWN, known], *arguments)
    assert answers[UNKNOWN] is Answered.UNKNOWN
    assert set(answers) == {UNKNOWN, known}
    assert call([], *arguments) == {}


# ---- purge


def test_purge_goes_as_far_as_its_limit(store):
    store.worker()
    for _ in range(5):
        store.add(ttl=0.0)
    for claim in store.claim(5):
        store.settle(claim)
    assert [store.backend.purge(limit=3) for _ in range(3)] == [3, 2, 0]


def test_purge_refuses_a_negative_limit_and_does_nothing_at_zero(store):
    """VAL-05."""
    store.put_in(State.SUCCEEDED, ttl=0.0)
    assert store.backend.purge(limit=0) == 0
    with pytest.raises(InvalidInput):
        store.backend.purge(limit=-1)


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_purge_by_state_takes_that_state_whatever_the_ttl(store, state):
    ids = {s: store.put_in(s, f"g{n}") for n, s in enumerate(State)}
    assert store.backend.purge(states=[state]) == 1
    assert not store.knows(ids[state])
    assert all(store.knows(ids[s]) for s in State if s is not state)


def test_purge_by_age_takes_what_was_done_until_then_inclusive(store):
    """RES-05: and an instant of 0 is an instant."""
    store.worker()
    ids = []
    for moment in (1, 2, 3):
        store.move_to(moment)
        ids.append(store.add())
        store.run()
    assert store.backend.purge(older_than=0) == 0
    assert store.backend.purge(older_than=store.at(1) - 1) == 0
    assert store.backend.purge(older_than=store.at(2)) == 2
    assert [store.knows(task_id) for task_id in ids] == [False, False, True]


def test_purge_by_state_and_age_takes_what_matches_both(store):
    failed = store.put_in(State.FAILED, "a")
    store.put_in(State.SUCCEEDED, "b")
    store.move_to(5)
    store.put_in(State.FAILED, "c")
    assert store.backend.purge(states=[State.FAILED], older_than=store.at(4)) == 1
    assert not store.knows(failed)


def test_purge_by_state_leaves_unfinished_tasks_alone(store):
    for n, state in enumerate((State.WAITING, State.QUEUED, State.RUNNING)):
        store.put_in(state, f"g{n}")
    assert store.backend.purge(states=list(State)) == 0
    assert store.backend.purge(older_than=store.at(10**6)) == 0
    assert sum(store.counts().values()) == 3


def test_a_purged_id_can_be_put_anew(store):
    task_id = store.put_in(State.SUCCEEDED, ttl=0.0)
    store.backend.purge()
    assert store.put(store.task(number=int(task_id[-32:], 16))) == ["put"]


# ---- count


def test_counts_are_exact_for_every_group_and_state(store):
    """QRY-1, INT-06."""
    for n, state in enumerate(State):
        store.put_in(state, f"g.{n}")
    store.put_in(State.QUEUED, "g")
    counts = store.backend.count()
    keys = [(count.group, count.state) for count in counts]
    assert keys == [("g", State.QUEUED), *((f"g.{n}", s) for n, s in enumerate(State))]
    assert {count.count for count in counts} == {1}


def test_counts_are_ordered_by_group_then_state(store):
    """QRY-1."""
    for group in ("b", "B", "a", "b.x"):
        store.add(group)
        store.add(group, due=store.at(99))
    keys = [(count.group, count.state) for count in store.backend.count()]
    assert [group for group, _ in keys] == sorted(group for group, _ in keys)
    for group in ("b", "B", "a", "b.x"):
        assert sorted(s for g, s in keys if g == group) == [s for g, s in keys if g == group]


def test_waiting_and_queued_are_told_apart_by_the_clock(store):
    """QRY-1."""
    store.add(due=store.at(5))
    store.add(due=store.at(6))
    assert store.counts() == {("mail", State.WAITING): 2}
    store.move_to(5)
    assert store.counts() == {("mail", State.WAITING): 1, ("mail", State.QUEUED): 1}
    store.move_to(6)
    assert store.counts() == {("mail", State.QUEUED): 2}


def test_the_oldest_due_of_each_group_and_state_is_told(store):
    """QRY-1."""
    store.worker()
    store.add(due=store.at(-5), priority=9)
    store.add(due=store.at(-3))
    store.add(due=store.at(-4), priority=-1)
    store.add(due=store.at(9))
    store.add(due=store.at(7))
    oldest = lambda: {count.state: count.oldest_due for count in store.backend.count()}
    assert oldest() == {State.QUEUED: store.at(-5), State.WAITING: store.at(7)}
    store.claim_one()
    assert oldest()[State.RUNNING] == store.at(-5)
    assert oldest()[State.QUEUED] == store.at(-4)


def test_the_oldest_due_of_finished_tasks_follows_those_that_go(store):
    """QRY-1."""
    store.worker()
    dues = (-3, -5, -4, -5)
    ids = [store.add(due=store.at(due), priority=9 - n) for n, due in enumerate(dues)]
    for _ in ids:
        store.run()

    def oldest():
        return [(count.count, count.oldest_due) for count in store.backend.count()]

    assert oldest() == [(4, store.at(-5))]
    store.backend.delete([ids[1]])
    assert oldest() == [(3, store.at(-5))]
    store.backend.delete([ids[3]])
    assert oldest() == [(2, store.at(-4))]
    store.backend.delete([ids[2]])
    assert oldest() == [(1, store.at(-3))]


def test_counts_can_be_asked_for_some_groups_themselves(store):
    """QRY-1: everywhere but in wants and pauses a group is just itself."""
    for group in ("mail", "mail.a", "other"):
        store.add(group)
    groups = lambda names: [count.group for count in store.backend.count(names)]
    assert groups(["mail"]) == ["mail"]
    assert groups(["mail", "other"]) == ["mail", "other"]
    assert groups([]) == []
    assert groups(["nobody"]) == []
    assert groups(None) == ["mail", "mail.a", "other"]


def test_counts_follow_every_step_of_a_task(store):
    """QRY-1."""
    store.worker()
    only = lambda: [(count.state, count.count) for count in store.backend.count()]
    task_id = store.add()
    assert only() == [(State.QUEUED, 1)]
    claim = store.claim_one()
    assert only() == [(State.RUNNING, 1)]
    store.settle(claim, Outcome.RETRY, due=store.at(5))
    assert only() == [(State.WAITING, 1)]
    store.move_to(5)
    store.run(outcome=Outcome.FAIL)
    assert only() == [(State.FAILED, 1)]
    store.backend.requeue([task_id], store.at(0))
    assert only() == [(State.QUEUED, 1)]
    store.backend.cancel([task_id])
    assert only() == [(State.CANCELLED, 1)]
    store.backend.delete([task_id])
    assert only() == []


# ---- find


def test_pages_visit_every_task_once_in_the_order_of_ids(store):
    """QRY-2, INT-07."""
    ids = [store.add(group) for group in ("b", "a", "a.b", "a_b", "A") for _ in range(5)]
    for limit in (1, 4, 24, 25, 26):
        seen, after = [], None
        while True:
            page = store.backend.find(Query(), limit, after)
            assert len(page.records) <= limit
            seen += [record.task.id for record in page.records]
            if page.next is None:
                break
            after = page.next
        assert seen == sorted(ids)


def test_pages_visit_unchanged_tasks_once_while_others_change(store):
    """QRY-2, INT-07: keyset pages do not slip."""
    store.worker()
    ids = [store.add() for _ in range(20)]
    page = store.backend.find(Query(), 10)
    seen = [record.task.id for record in page.records]
    store.backend.delete(ids[:5])
    for _ in range(3):
        store.claim_one()
    newer = store.add()
    page = store.backend.find(Query(), 100, page.next)
    assert page.next is None
    seen += [record.task.id for record in page.records]
    assert seen == [*ids, newer]


def test_a_page_limit_is_exact(store):
    """INT-01, VAL-05."""
    for _ in range(3):
        store.add()
    found = lambda limit: len(store.backend.find(Query(), limit).records)
    assert [found(limit) for limit in (0, 1, 2, 3, 4)] == [0, 1, 2, 3, 3]
    with pytest.raises(InvalidInput):
        store.backend.find(Query(), -1)


def test_the_last_page_says_that_it_is_the_last(store):
    """QRY-2."""
    for _ in range(4):
        store.add()
    assert store.backend.find(Query(), 4).next is None
    assert store.backend.find(Query(), 5).next is None
    assert store.backend.find(Query(), 3).next is not None


def test_find_by_group_takes_subgroups_only_if_asked(store):
    ids = {group: store.add(group) for group in ("mail", "mail.a", "mail.a.b", "mailing", "Mail")}
    assert store.ids(group="mail") == [ids["mail"]]
    expected = sorted(ids[group] for group in ("mail", "mail.a", "mail.a.b"))
    assert store.ids(group="mail", subgroups=True) == expected
    assert store.ids(group="nobody", subgroups=True) == []


@pytest.mark.parametrize("group", ["ma%l", "m_il", "m*", "it's", "a[b]", "a\\b", "é"])
def test_find_takes_groups_literally(store, group):
    """VAL-06."""
    mine = store.add(group)
    below = store.add(group + ".x")
    store.add("mail")
    store.add("mail.x")
    assert store.ids(group=group) == [mine]
    assert store.ids(group=group, subgroups=True) == sorted([mine, below])


@pytest.mark.parametrize("state", list(State))
def test_find_by_state(store, state):
    """INT-01, INT-02."""
    ids = {s: store.put_in(s, f"g{n}") for n, s in enumerate(State)}
    assert store.ids(states=[state]) == [ids[state]]
    assert store.ids(states=list(State)) == sorted(ids.values())
    assert store.ids(states=[]) == []


def test_find_by_name_and_by_several_conditions(store):
    mine = store.add(name="send")
    store.add(name="Send")
    store.add(name="receive")
    foreign = store.add("other", name="send", labels={"k": 1})
    assert store.ids(name="send") == [mine, foreign]
    assert store.ids(name="send", group="other", states=[State.QUEUED], labels={"k": 1}) == [
        foreign
    ]
    assert store.ids(name="send", group="mail", labels={"k": 1}) == []


def test_find_returns_whole_records(store):
    """INT-03."""
    for n, state in enumerate(State):
        store.put_in(state, f"g{n}", labels={"a": 1})
    for record in store.backend.find(Query(), 100).records:
        assert record == store.get(record.task.id)


# ---- cancel (unclaimed; the running are in test_control)


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_a_finished_task_cannot_be_cancelled(store, state):
    """CTL-3."""
    task_id = store.put_in(state)
    before = store.get(task_id)
    assert store.backend.cancel([task_id]) == {task_id: Answered.REFUSED}
    assert store.get(task_id) == before
