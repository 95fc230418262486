"""What may run at one time: locks, max_running, rates; and how much a queue may hold."""

import pytest

from taskkit.errors import QueueFull
from taskkit.records import Limits, Outcome, Rate
from taskkit.task import State


def test_one_task_runs_under_a_lock_at_a_time(store):
    """LIM-1."""
    store.worker()
    first, second = store.add(lock_key="k"), store.add(lock_key="k")
    claims = store.claim(5)
    assert [claim.task.id for claim in claims] == [first]
    assert store.claim(5) == []
    store.settle(claims[0])
    assert store.claimed(5) == [second]


def test_as_many_run_under_a_lock_as_its_limit_lets(store):
    """LIM-1."""
    store.worker()
    ids = [store.add(lock_key="k", lock_limit=3) for _ in range(7)]
    claims = store.claim(10)
    assert [claim.task.id for claim in claims] == ids[:3]
    store.settle(claims[1])
    store.settle(claims[0])
    assert store.claimed(10) == ids[3:5]


def test_those_behind_a_lock_block_nobody_else(store):
    """LIM-2."""
    store.worker()
    first = store.add(lock_key="k", priority=5)
    for _ in range(3):
        store.add(lock_key="k", priority=5)
    free = store.add()
    other = store.add(lock_key="other")
    assert store.claimed(10) == [first, free, other]
    assert store.next_due() is None


def test_those_behind_a_lock_start_in_claim_order(store):
    """LIM-2, ORD-01."""
    store.worker()
    holder = store.add(lock_key="k", priority=9)
    claim = store.claim_one()
    assert claim.task.id == holder
    low = store.add(lock_key="k", priority=-1)
    late = store.add(lock_key="k", due=store.at(0))
    early = store.add(lock_key="k", due=store.at(-5))
    assert store.claim(5) == []
    high = store.add(lock_key="k", priority=1)
    order = []
    for _ in range(4):
        store.settle(claim)
        [claim] = store.claim(5)
        order.append(claim.task.id)
    assert order == [high, early, late, low]


@pytest.mark.parametrize(
    "end",
    [
        Outcome.SUCCEED,
        Outcome.FAIL,
        Outcome.DISCARD,
        Outcome.CANCEL,
        Outcome.RETRY,
        Outcome.RELEASE,
        Outcome.LOSE,
    ],
)
def test_every_end_of_a_claim_frees_the_lock(store, end):
    """LIM-3."""
    store.worker()
    store.add(lock_key="k")
    second = store.add(lock_key="k")
    assert store.settle(claim := store.claim_one(), end, due=store.at(60))
    store.backend.delete([claim.task.id])
    assert store.claimed(5) == [second]


@pytest.mark.parametrize("way", ["retire", "retire lost", "reclaim", "delete", "stray"])
def test_a_lock_is_free_when_its_holder_is_gone(store, way):
    """LIM-3."""
    store.worker("dying", lease=100)
    store.worker()
    first = store.add(lock_key="k", on_lost="fail")
    store.claim_one(worker="dying")
    second = store.add(lock_key="k", priority=1)
    assert store.claim(5) == []
    if way == "reclaim":
        store.move_to(100)
        store.backend.reclaim()
    elif way == "delete":
        store.backend.delete([first])
    elif way == "stray":
        for moment in (1, 2):
            store.move_to(moment)
            store.beat("dying")
    else:
        store.backend.retire("dying", lost=way.endswith("lost"))
    assert store.claimed(5) == [second]


def test_a_lock_is_not_held_by_one_that_was_cancelled_behind_it(store):
    """LIM-2: the next in line starts, not the cancelled one."""
    store.worker()
    store.add(lock_key="k")
    claim = store.claim_one()
    second, third = store.add(lock_key="k"), store.add(lock_key="k")
    assert store.claim(5) == []
    store.settle(claim)
    store.backend.cancel([second])
    assert store.claimed(5) == [third]


def test_one_that_was_cancelled_while_blocked_is_passed_over(store):
    """LIM-2."""
    store.worker()
    store.add(lock_key="k")
    claim = store.claim_one()
    second, third = store.add(lock_key="k"), store.add(lock_key="k")
    assert store.claim(5) == []
    store.backend.cancel([second])
    store.settle(claim)
    assert store.claimed(5) == [third]


def test_one_that_was_rescheduled_while_blocked_keeps_its_new_due(store):
    """LIM-2."""
    store.worker()
    store.add(lock_key="k")
    claim = store.claim_one()
    second = store.add(lock_key="k")
    assert store.claim(5) == []
    store.backend.reschedule([second], store.at(30))
    store.settle(claim)
    assert store.claim(5) == []
    assert store.next_due() == store.at(30)
    store.move_to(30)
    assert store.claimed(5) == [second]


def test_locks_are_per_group(store):
    """LIM-1: "at most … of its group"."""
    store.worker()
    ids = {store.add(group, lock_key="k") for group in ("mail", "mail.a")}
    assert set(store.claimed(5)) == ids


def test_tasks_of_different_limits_share_one_lock(store):
    """LIM-1: each runs while fewer than its own limit do."""
    store.worker()
    generous = [store.add(lock_key="k", lock_limit=2) for _ in range(3)]
    strict = store.add(lock_key="k", lock_limit=1, priority=-1)
    first, second = store.claim(10)
    assert [first.task.id, second.task.id] == generous[:2]
    store.settle(first)
    [third] = store.claim(10)
    assert third.task.id == generous[2]
    store.settle(second)
    assert store.claim(10) == []
    store.settle(third)
    assert store.claimed(10) == [strict]


def test_racing_claimers_never_exceed_a_lock(store, race):
    """LIM-1."""
    names = [store.worker(f"w{n}") for n in range(6)]
    for _ in range(20):
        store.add(lock_key="k", lock_limit=2)
    got = race([lambda name=name: store.claim(3, worker=name) for name in names])
    assert sum(map(len, got)) == 2


def test_a_thousand_blocked_tasks_do_not_hide_a_free_one(store):
    """LIM-7."""
    store.worker()
    store.backend.put([store.task(lock_key="k", priority=1) for _ in range(1000)])
    free = store.add()
    [first, second] = store.claim(2)
    assert second.task.id == free
    store.settle(first)
    assert len(store.claim(10)) == 1


def test_max_running_holds_across_workers_and_burns_no_attempt(store):
    """LIM-4."""
    store.worker()
    store.worker("other")
    store.backend.configure("mail", Limits(max_running=3))
    ids = [store.add() for _ in range(5)]
    first = store.claim(2)
    assert len(store.claim(5, worker="other")) == 1
    assert store.claim(5) == []
    assert [store.get(task_id).attempt for task_id in ids] == [1, 1, 1, 0, 0]
    store.settle(first[0])
    assert store.claimed(5, worker="other") == [ids[3]]


def test_racing_claimers_never_exceed_max_running(store, race):
    """LIM-4."""
    store.backend.configure("mail", Limits(max_running=5))
    names = [store.worker(f"w{n}") for n in range(6)]
    for _ in range(30):
        store.add()
    got = race([lambda name=name: store.claim(3, worker=name) for name in names])
    assert sum(map(len, got)) == 5


def test_a_limit_is_the_groups_own_not_that_of_its_subgroups(store):
    """LIM-4."""
    store.worker()
    store.backend.configure("mail", Limits(max_running=1))
    store.add("mail")
    store.add("mail")
    subgroup = [store.add("mail.a") for _ in range(3)]
    got = store.claimed(10)
    assert len(got) == 4
    assert set(subgroup) <= set(got)


def test_a_full_group_does_not_stop_its_siblings(store):
    """LIM-4, FAR-1."""
    store.worker()
    store.backend.configure("mail.a", Limits(max_running=1))
    for _ in range(3):
        store.add("mail.a")
    others = [store.add("mail.b") for _ in range(3)]
    got = store.claimed(10)
    assert len(got) == 4
    assert set(others) <= set(got)


@pytest.mark.parametrize("end", ["reclaim", "retire", "delete"])
def test_max_running_does_not_count_what_is_gone(store, end):
    """LIM-4."""
    store.worker()
    store.worker("dying", lease=10)
    store.backend.configure("mail", Limits(max_running=1))
    first = store.add(on_lost="fail")
    store.claim_one(worker="dying")
    second = store.add(priority=1)
    assert store.claim(5) == []
    if end == "reclaim":
        store.move_to(10)
        store.backend.reclaim()
    elif end == "retire":
        store.backend.retire("dying")
    else:
        store.backend.delete([first])
    assert store.claimed(5) == [second]


def test_limits_can_be_changed_and_lifted(store):
    """LIM-4."""
    store.worker()
    store.backend.configure("mail", Limits(max_running=1))
    for _ in range(5):
        store.add()
    assert len(store.claim(9)) == 1
    store.backend.configure("mail", Limits(max_running=3))
    assert store.backend.control().limits == {"mail": Limits(max_running=3)}
    assert len(store.claim(9)) == 2
    store.backend.configure("mail", Limits())
    assert store.backend.control().limits.get("mail", Limits()) == Limits()
    assert len(store.claim(9)) == 2


def test_a_limit_counts_what_ran_before_it_was_set(store):
    """LIM-4."""
    store.worker()
    for _ in range(5):
        store.add()
    store.claim(2)
    store.backend.configure("mail", Limits(max_running=3))
    assert len(store.claim(9)) == 1


def test_a_rate_holds_in_every_window(store):
    """LIM-5: three in ten seconds, however the window is laid."""
    store.worker()
    store.worker("other")
    store.backend.configure("mail", Limits(rate=Rate(3, 10.0)))
    for _ in range(20):
        store.add()
    starts = []
    for moment in range(41):
        store.move_to(moment)
        worker = "w" if moment % 2 else "other"
        starts += [moment] * len(store.claim(2, worker=worker))
    assert starts == [0, 0, 1, 10, 10, 11, 20, 20, 21, 30, 30, 31, 40, 40]


def test_a_rate_opens_exactly_a_period_after_its_claim(store):
    """LIM-5: and ``next_due`` tells when."""
    store.worker()
    store.backend.configure("mail", Limits(rate=Rate(2, 10.0)))
    ids = [store.add() for _ in range(4)]
    store.claim(1)
    store.move_to(4)
    store.claim(1)
    assert store.next_due() == store.at(10)
    store.clock.set(store.at(10) - 1)
    assert store.claim(5) == []
    store.move_to(10)
    assert store.claimed(5) == [ids[2]]
    assert store.next_due() == store.at(14)
    assert store.get(ids[3]).attempt == 0


def test_a_rate_counts_claims_whatever_becomes_of_them(store):
    """LIM-5."""
    store.worker()
    store.backend.configure("mail", Limits(rate=Rate(1, 10.0)))
    store.add()
    second = store.add()
    store.run()
    assert store.claim(5) == []
    store.move_to(10)
    assert store.claimed(5) == [second]


def test_a_batch_takes_what_the_rate_leaves(store):
    """LIM-5."""
    store.worker()
    store.backend.configure("mail", Limits(rate=Rate(5, 1.0)))
    for _ in range(20):
        store.add()
    assert len(store.claim(100)) == 5
    assert store.claim(100) == []
    store.move_to(1)
    assert len(store.claim(100)) == 5


def test_a_rate_and_a_waiting_task_give_the_later_instant(store):
    """LIM-5."""
    store.worker()
    store.backend.configure("mail", Limits(rate=Rate(1, 10.0)))
    store.add()
    store.claim_one()
    store.add(due=store.at(3))
    assert store.next_due() == store.at(10)
    store.move_to(3)
    assert store.next_due() == store.at(10)


def test_racing_claimers_never_exceed_a_rate(store, race):
    """LIM-5."""
    store.backend.configure("mail", Limits(rate=Rate(5, 60.0)))
    names = [store.worker(f"w{n}") for n in range(6)]
    for _ in range(30):
        store.add()
    got = race([lambda name=name: store.claim(3, worker=name) for name in names])
    assert sum(map(len, got)) == 5


def test_a_clock_that_steps_back_does_not_close_a_rate_for_long(store):
    """LIM-5, ORD-10: at most one period."""
    store.worker()
    store.backend.configure("mail", Limits(rate=Rate(1, 10.0)))
    store.move_to(1000)
    store.add()
    store.claim_one()
    store.move_to(0)
    second = store.add()
    store.claim(1)
    store.move_to(10)
    assert store.state(second) is State.RUNNING or store.claimed() == [second]


def test_a_full_queue_refuses_and_puts_nothing(store):
    """LIM-6."""
    store.backend.configure("mail", Limits(max_queue_size=3))
    store.add()
    tasks = [store.task("other"), *[store.task() for _ in range(3)]]
    with pytest.raises(QueueFull) as caught:
        store.backend.put(tasks)
    assert (caught.value.group, caught.value.max_queue_size) == ("mail", 3)
    assert store.counts() == {("mail", State.QUEUED): 1}
    assert store.put(*tasks[:3]) == ["put"] * 3


def test_a_queue_size_counts_waiting_and_queued_but_not_running_tasks(store):
    """LIM-6."""
    store.worker()
    store.backend.configure("mail", Limits(max_queue_size=2))
    store.add(due=store.at(99))
    store.add()
    with pytest.raises(QueueFull):
        store.backend.put([store.task()])
    store.claim_one()
    assert store.put(store.task()) == ["put"]
    assert store.put(store.task("mail.sub")) == ["put"]


def test_a_full_queue_still_answers_known_and_duplicate(store):
    """LIM-6, EXC-04, UNQ-2: they add nothing."""
    store.backend.configure("mail", Limits(max_queue_size=1))
    task = store.task(unique_key="k")
    assert store.put(task) == ["put"]
    assert store.put(task, store.task(unique_key="k")) == ["known", "duplicate"]


def test_a_full_queue_takes_back_what_is_retried_released_and_requeued(store):
    """LIM-6: it refuses new tasks, it loses none."""
    store.worker()
    store.backend.configure("mail", Limits(max_queue_size=1))
    first = store.add()
    claim = store.claim_one()
    second = store.add()
    assert store.settle(claim, Outcome.RETRY)
    assert {store.state(first), store.state(second)} == {State.QUEUED}
    store.backend.cancel([second])
    store.backend.requeue([second], store.at(0))
    assert store.state(second) is State.QUEUED


def test_racing_puts_never_exceed_a_queue_size(store, race):
    """LIM-6."""
    store.backend.configure("mail", Limits(max_queue_size=5))

    def put(task):
        try:
            store.backend.put([task])
        except QueueFull:
            return 0
        return 1

    tasks = [store.task() for _ in range(12)]
    assert sum(race([lambda task=task: put(task) for task in tasks])) == 5
    assert store.counts() == {("mail", State.QUEUED): 5}
