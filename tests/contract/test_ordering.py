"""In which order tasks are claimed, and when."""

import pytest

from taskkit.clock import SECOND
from taskkit.records import Outcome
from taskkit.task import After, State


def test_the_task_with_the_smallest_due_is_claimed_first(store):
    """ORD-01."""
    store.worker()
    late = store.add(due=store.at(-1))
    early = store.add(due=store.at(-3))
    middle = store.add(due=store.at(-2))
    assert [store.claimed()[0] for _ in range(3)] == [early, middle, late]


def test_the_order_in_one_batch_is_the_order_of_single_claims(store):
    """ORD-01, BLK-06."""
    store.worker()
    tasks = [
        store.task(due=store.at(-due), priority=priority)
        for due in (1, 3, 2)
        for priority in (0, 5, -5)
    ]
    store.put(*tasks)
    expected = [t.id for t in sorted(tasks, key=lambda t: (-t.priority, t.due, t.id))]
    assert store.claimed(4) == expected[:4]
    assert store.claimed(100) == expected[4:]


def test_a_task_is_not_claimed_before_its_due(store):
    """ORD-02."""
    store.worker()
    store.add(due=store.at(10))
    assert store.claimed() == []
    store.clock.set(store.at(10) - 1)
    assert store.claimed() == []


def test_a_task_is_claimable_from_its_due_on_inclusive(store):
    """ORD-03."""
    store.worker()
    task_id = store.add(due=store.at(10))
    store.move_to(10)
    assert store.claimed() == [task_id]


def test_a_due_relative_to_now_is_reckoned_by_the_clock_of_the_store(store):
    """ORD-03: ``After`` is resolved when the task is put."""
    store.worker()
    store.move_to(5)
    task_id = store.add(due=After(2 * SECOND))
    assert store.get(task_id).task.due == store.at(7)
    assert store.state(task_id) is State.WAITING
    store.move_to(7)
    assert store.state(task_id) is State.QUEUED
    assert store.claimed() == [task_id]


def test_equal_dues_are_ordered_by_id_not_by_arrival(store):
    """ORD-04."""
    store.worker()
    tasks = [store.task(number=number) for number in (3, 1, 0xF, 2, 0xA)]
    store.put(*tasks[:2])
    store.put(*tasks[2:])
    assert store.claimed(10) == sorted(task.id for task in tasks)


@pytest.mark.parametrize(
    "other",
    [
        "Mail",
        "MAIL",
        "mail2",
        "mai",
        "ma_l",
        "ma%l",
        "m*",
        "mail box",
        "mail'box",
        "mail.box",
        'mail"',
        "mail\\",
        "{mail}",
        "mail:x",
        "mailé",
        "maile\u0301",
        "mail😀",
        "mail_1",
        "mail-x",
    ],
)
def test_a_claim_never_crosses_groups(store, other):
    """ORD-05, VAL-06: however much their names resemble each other."""
    store.worker()
    mine = store.add("mail")
    foreign = store.add(other)
    assert store.claimed(10, other) == [foreign]
    assert store.claimed(10, "mail") == [mine]


def test_composed_and_decomposed_names_are_two_groups(store):
    """ORD-05, VAL-06."""
    store.worker()
    composed, decomposed = store.add("caf\u00e9"), store.add("cafe\u0301")
    assert store.claimed(10, "caf\u00e9") == [composed]
    assert store.claimed(10, "cafe\u0301") == [decomposed]


def test_claims_take_every_due_task_until_none_is_left(store):
    """ORD-06."""
    store.worker()
    put = {store.add(due=store.at(-(n % 7)), priority=n % 3) for n in range(50)}
    store.move_to(10)
    got = [store.claimed()[0] for _ in range(50)]
    assert len(set(got)) == 50
    assert set(got) == put
    assert store.claimed() == []


def test_a_retried_task_takes_its_place_by_its_new_due(store):
    """ORD-07."""
    store.worker()
    first = store.add(due=store.at(-3))
    second = store.add(due=store.at(-1))
    claim = store.claim_one()
    assert claim.task.id == first
    store.settle(claim, Outcome.RETRY, due=store.at(0))
    assert store.claimed(2) == [second, first]


def test_a_reclaimed_task_keeps_its_due_and_its_place(store):
    """ORD-08."""
    store.worker()
    store.worker("dying", lease=5)
    first = store.add(due=store.at(-3))
    [claim] = store.claim(worker="dying")
    second = store.add(due=store.at(-1))
    store.move_to(5)
    store.backend.reclaim()
    assert store.get(first).task.due == claim.task.due
    assert store.claimed(2) == [first, second]


def test_a_clock_that_steps_back_hands_out_nothing_early_and_loses_nothing(store):
    """ORD-10, ORD-02."""
    store.worker()
    future = store.add(due=store.at(10))
    soon = store.add(due=store.at(5), priority=9)
    store.move_to(20)
    assert store.state(future) is State.QUEUED
    assert store.claimed(1) == [soon]
    store.move_to(0)
    assert store.claimed(5) == []
    assert store.state(future) is State.WAITING
    assert store.next_due() == store.at(10)
    late = store.add(due=store.at(8))
    store.move_to(10)
    assert store.claimed(5) == [late, future]


def test_a_clock_that_steps_back_does_not_hide_what_is_due_meanwhile(store):
    """ORD-10."""
    store.worker()
    store.move_to(100)
    store.add(due=store.at(90), priority=50)
    assert store.next_due("other") is None
    store.move_to(50)
    past = store.add(due=store.at(40))
    assert store.claimed(5) == [past]
    assert store.settle(store_claim := _reput(store, 50), Outcome.SUCCEED)
    assert store_claim.task.due == store.at(50)


def _reput(store, due):
    store.add(due=store.at(due))
    return store.claim_one()


def test_the_higher_priority_goes_first_among_due_tasks(store):
    """PRI-1, PRI-2: also at both ends of the range."""
    store.worker()
    ids = {priority: store.add(priority=priority) for priority in (0, -100, 1, 100, -1)}
    assert store.claimed(10) == [ids[p] for p in (100, 1, 0, -1, -100)]


def test_an_older_task_of_lower_priority_waits_for_a_younger_of_higher(store):
    """PRI-1."""
    store.worker()
    old = store.add(due=store.at(-100))
    urgent = store.add(priority=1)
    assert store.claimed(2) == [urgent, old]


def test_priority_never_beats_due(store):
    """PRI-3."""
    store.worker()
    store.add(due=store.at(1), priority=100)
    due = store.add(priority=-100)
    assert store.claimed(10) == [due]


def test_next_due_tells_when_the_next_waiting_task_becomes_due(store):
    """The claimer sleeps until then instead of polling."""
    store.worker()
    assert store.next_due() is None
    store.add(due=store.at(20))
    store.add(due=store.at(10))
    assert store.next_due() == store.at(10)
    assert store.next_due("mail", "other") == store.at(10)
    assert store.next_due("other") is None


def test_next_due_counts_subgroups_and_leaves_out_what_is_excluded(store):
    """FAR-4."""
    store.worker()
    store.add("mail.a", due=store.at(10))
    store.add("mail.b", due=store.at(20))
    assert store.next_due("mail") == store.at(10)
    assert store.next_due("mail", excluding={"mail.a"}) == store.at(20)
    assert store.next_due("mail", excluding={"mail"}) is None
    assert store.next_due("mail.b") == store.at(20)


def test_next_due_forgets_a_waiting_task_that_was_cancelled_or_moved(store):
    store.worker()
    first = store.add(due=store.at(10))
    second = store.add(due=store.at(20))
    store.backend.cancel([first])
    assert store.next_due() == store.at(20)
    store.backend.reschedule([second], store.at(15))
    assert store.next_due() == store.at(15)


def test_a_want_of_zero_gives_nothing(store):
    """VAL-05."""
    store.worker()
    store.add()
    other = store.add("other")
    answer = store.backend.claim("w", {"mail": 0, "other": 3})
    assert [claim.task.id for claim in answer.claims] == [other]


def test_one_call_serves_every_wanted_group(store):
    store.worker()
    mine = [store.add("mail") for _ in range(3)]
    other = [store.add("other") for _ in range(3)]
    answer = store.backend.claim("w", {"mail": 2, "other": 1})
    assert sorted(c.task.id for c in answer.claims) == sorted([*mine[:2], other[0]])
    assert answer.now == store.clock.now()


def test_a_claim_carries_the_task_and_the_moment(store):
    """INT-03: the claimed task is the stored one."""
    store.worker()
    store.move_to(3)
    task_id = store.add(labels={"k": 1}, timeout=2.5)
    claim = store.claim_one()
    assert claim.task == store.get(task_id).task
    assert (claim.attempt, claim.losses, claim.began) == (1, 0, store.at(3))
