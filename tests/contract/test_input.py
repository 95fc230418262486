"""What goes in comes out, field by field, whatever it looks like."""

import pytest

from taskkit.clock import SECOND
from taskkit.errors import Unsupported
from taskkit.limits import LATEST
from taskkit.records import Outcome, WorkerInfo
from taskkit.task import After, NewTask, State, Task

HOSTILE = [
    "a" * 100,
    "semi;colon",
    "it's",
    'dou"ble',
    "back\\slash",
    "per%cent",
    "under_score",
    "{braces}",
    "st*r",
    "que?stion",
    "two words",
    "co:lon",
    "é",
    "e\u0301",
    "日本語",
    "😀",
    "a.b.c",
    "NULL",
    "0",
    "-- comment",
]

FULL = {
    "name": "send",
    "data": bytes(range(256)),
    "due": 1_700_000_100 * SECOND + 123_456,
    "priority": -7,
    "scheduled": 1_699_999_999 * SECOND + 1,
    "ttl": 12.25,
    "timeout": 0.5,
    "expires": 1_800_000_000 * SECOND,
    "unique_key": "key",
    "unique_scope": "unfinished",
    "lock_key": "lock",
    "lock_limit": 4,
    "on_lost": "keep",
    "max_lost": 5,
    "max_history": 2,
    "labels": {"a": "b", "n": 1},
}


def test_every_field_comes_back_as_it_was_put(store):
    """INT-03."""
    store.move_to(3)
    new = store.task(**FULL)
    store.put(new)
    expected = {name: getattr(new, name) for name in NewTask.__slots__}
    task = store.get(new.id).task
    assert task == Task(**expected, created=store.at(3), retry_count=0)
    for name in Task.__slots__:
        if name not in ("created", "retry_count", "labels"):
            assert type(getattr(task, name)) is type(expected[name]), name


def test_defaults_come_back_as_defaults(store):
    """INT-03."""
    new = store.task()
    store.put(new)
    expected = {name: getattr(new, name) for name in NewTask.__slots__} | {"due": store.at(0)}
    assert store.get(new.id).task == Task(**expected, created=store.at(0), retry_count=0)


def test_a_task_is_equal_in_every_state_but_for_due_and_retry_count(store):
    """INT-03."""
    store.worker()
    new = store.task(**FULL | {"due": store.at(0)})
    store.put(new)
    queued = store.get(new.id).task
    claim = store.claim_one()
    assert claim.task == queued
    assert store.get(new.id).task == queued
    store.settle(claim)
    assert store.get(new.id).task == queued


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(store, text):
    """VAL-06, VAL-01: as group, name and key, and nothing is cut."""
    store.worker()
    task_id = store.add(text, name=text, unique_key=text, lock_key=text)
    task = store.get(task_id).task
    assert (task.group, task.name) == (text, text)
    assert (task.unique_key, task.lock_key) == (text, text)
    claim = store.claim_one(text)
    assert claim.task == task
    assert store.settle(claim)
    assert store.ids(group=text, name=text) == [task_id]
    assert [count.group for count in store.backend.count([text])] == [text]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_steer_nothing_but_themselves(store, text):
    """VAL-06."""
    store.worker(text)
    store.backend.pause([text])
    assert store.beat(text).paused == {text}
    store.backend.resume([text])
    assert store.beat(text).paused == frozenset()
    store.backend.advance_schedule(text, 0, text.encode(), [])
    assert store.backend.load_schedule(text).state == text.encode()
    assert store.backend.retire(text) == 0


def test_the_longest_values_are_kept_whole(store):
    """VAL-01."""
    group = "g" * 100
    store.worker()
    values = {"name": "n" * 200, "unique_key": "u" * 255, "lock_key": "l" * 255}
    task_id = store.add(group, **values, labels={"k" * 64: "v" * 255})
    task = store.get(task_id).task
    assert {name: getattr(task, name) for name in values} == values
    assert dict(task.labels) == {"k" * 64: "v" * 255}
    assert store.claimed(1, group) == [task_id]


def test_keys_that_differ_in_their_last_character_only_are_different(store):
    """VAL-01."""
    keys = ["k" * 254 + end for end in "ab"]
    assert store.put(*[store.task(unique_key=key) for key in keys]) == ["put", "put"]


@pytest.mark.parametrize(
    "data", [b"", b"\x00", bytes(range(256)), b"x" * (1 << 20)], ids=["empty", "nul", "all", "big"]
)
def test_data_round_trips_exactly(store, data):
    """VAL-04, RES-01."""
    store.worker()
    task_id = store.add(data=data)
    for task in (store.get(task_id).task, store.claim_one().task):
        assert task.data == data
        assert type(task.data) is bytes


@pytest.mark.parametrize(
    "due", [0, 1, 2**31 * SECOND - 1, 2**31 * SECOND, 2**32 * SECOND, LATEST - 1, LATEST]
)
def test_instants_from_1970_to_9999_are_kept_to_the_microsecond(store, due):
    """VAL-07, VAL-08."""
    store.worker()
    task_id = store.add(due=due, scheduled=due)
    task = store.get(task_id).task
    assert (task.due, task.scheduled) == (due, due)
    assert store.state(task_id) is (State.QUEUED if due <= store.at(0) else State.WAITING)
    if due > store.at(0):
        assert store.next_due() == due


def test_neighbouring_microseconds_keep_their_order(store):
    """VAL-07."""
    store.worker()
    dues = [store.at(0) - offset for offset in (0, 3, 1, 2)]
    ids = dict(zip(dues, [store.add(due=due) for due in dues], strict=True))
    assert store.claimed(4) == [ids[due] for due in sorted(dues)]


def test_a_delay_may_point_into_the_past(store):
    """RTY-05."""
    task_id = store.add(due=After(-3 * SECOND))
    assert store.get(task_id).task.due == store.at(-3)
    assert store.state(task_id) is State.QUEUED


def test_ttls_and_timeouts_keep_their_fractions(store):
    """VAL-07."""
    task_id = store.add(ttl=0.1, timeout=1e-06)
    task = store.get(task_id).task
    assert (task.ttl, task.timeout) == (0.1, 1e-06)


def test_a_worker_is_what_it_said(store):
    """INT-05."""
    info = WorkerInfo("w 😀", {"mail": 8, "it's": 1}, "host.example", 2**31, "1.0+é")
    store.backend.register(info, SECOND)
    assert store.backend.workers()[0].info == info


def test_the_callers_labels_may_change_after_the_put(store):
    """INT-03: the store has its own."""
    labels = {"k": "v"}
    task_id = store.add(labels=labels)
    labels["k"] = "changed"
    assert dict(store.get(task_id).task.labels) == {"k": "v"}


def test_a_transaction_that_cannot_be_joined_is_refused_and_nothing_is_put(store):
    """VAL-09."""
    task = store.task()
    with pytest.raises(Unsupported, match="within"):
        store.backend.put([task], within=object())
    assert not store.knows(task.id)


def test_capabilities_say_who_the_backend_is(store):
    """VAL-09."""
    capabilities = store.backend.capabilities()
    assert capabilities.name
    assert capabilities.wakeup in ("push", "poll")
    assert capabilities.max_batch >= 1
    assert bool(capabilities.within) is capabilities.transactional_put


def test_migrating_and_clearing_again_are_no_errors(store):
    store.add()
    store.backend.migrate()
    assert sum(store.counts().values()) == 1
    store.backend.clear()
    store.backend.clear()
    assert store.counts() == {}


def test_clearing_leaves_nothing(store):
    """INT-08."""
    for n, state in enumerate(State):
        store.put_in(state, f"g{n}", unique_key="k", lock_key="k")
    store.worker()
    store.backend.pause(None)
    store.backend.advance_schedule("main", 0, b"s", [])
    store.backend.clear()
    assert store.backend.count() == []
    assert store.ids() == []
    assert store.backend.workers() == []
    assert store.backend.control().pauses == {}
    assert store.backend.control().limits == {}
    assert store.backend.load_schedule("main").version == 0
    store.worker()
    task_id = store.add(unique_key="k", lock_key="k")
    assert store.claimed() == [task_id]


def test_closing_twice_is_no_error(store):
    store.backend.close()
    store.backend.close()


def test_a_settlement_of_an_unknown_task_does_not_stand(store):
    """BLK-07, VAL-09."""
    store.worker()
    store.add()
    claim = store.claim_one()
    store.backend.clear()
    assert not store.settle(claim, Outcome.SUCCEED)
    assert store.counts() == {}
