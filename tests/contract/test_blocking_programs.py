"""Random programs of locks, limits and a clock that jumps: nothing too much, nothing stuck.

The model knows what runs and what is due. After each claim that got less than it asked for, every
task that is due must be blocked by something that the model can name.
"""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Limits, Outcome

GROUPS = ["mail", "mail.a", "mail.b"]
GIVE_BACK = [Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE]

numbers = st.integers(0, 30)
groups = st.sampled_from(GROUPS)
steps = st.one_of(
    st.tuples(
        st.just("put"),
        groups,
        st.integers(-3, 5),
        st.integers(-1, 1),
        st.sampled_from([None, "k", "k", "other"]),
        st.integers(1, 3),
    ),
    st.tuples(st.just("claim"), st.sampled_from([1, 2, 100])),
    st.tuples(st.just("claim"), st.sampled_from([1, 2, 100])),
    st.tuples(st.just("settle"), numbers, st.sampled_from([Outcome.SUCCEED, *GIVE_BACK])),
    st.tuples(st.just("cancel"), numbers),
    st.tuples(st.just("reschedule"), numbers, st.integers(-2, 5)),
    st.tuples(st.just("delete"), numbers),
    st.tuples(st.just("configure"), groups, st.sampled_from([None, 0, 1, 2])),
    st.tuples(st.just("jump"), st.integers(-6, 6)),
)


class Run:
    """One program, done to the store and to the model side by side. Instants are seconds."""

    def __init__(self, store):
        self.store = store
        self.now = 100
        self.unclaimed = {}  # id: (task, due)
        self.running = {}  # id: claim
        self.most = {}
        store.move_to(self.now)
        store.worker()

    def pick(self, number):
        ids = sorted({*self.unclaimed, *self.running})
        return ids[number % len(ids)] if ids else None

    def locked(self, task):
        held = Counter((claim.task.group, claim.task.lock_key) for claim in self.running.values())
        return task.lock_key is not None and held[task.group, task.lock_key] >= task.lock_limit

    def full(self, group):
        most = self.most.get(group)
        running = sum(claim.task.group == group for claim in self.running.values())
        return most is not None and running >= most

    def put(self, group, delay, priority, key, limit):
        due = self.now + delay
        task = self.store.task(
            group,
            due=self.store.at(due),
            priority=priority,
            lock_key=key,
            lock_limit=limit,
            max_lost=1000,
        )
        self.store.put(task)
        self.unclaimed[task.id] = (task, due)

    def claim(self, n):
        claims = self.store.claim(n)
        assert len(claims) <= n
        for claim in claims:
            task, due = self.unclaimed.pop(claim.task.id)
            assert due <= self.now, "never before its due"
            assert not self.locked(task), "never more than the lock lets"
            assert not self.full(task.group), "never more than max_running"
            self.running[task.id] = claim
        if len(claims) < n:
            for task, due in self.unclaimed.values():
                assert due > self.now or self.locked(task) or self.full(task.group), "stuck"

    def settle(self, number, outcome):
        task_id = self.pick(number)
        claim = self.running.pop(task_id, None)
        if claim is None:
            return
        assert self.store.settle(claim, outcome, due=None)
        if outcome in GIVE_BACK:
            due = (claim.task.due - self.store.at(0)) // SECOND
            self.unclaimed[task_id] = (claim.task, due)

    def cancel(self, number):
        task_id = self.pick(number)
        if self.unclaimed.pop(task_id, None):
            self.store.backend.cancel([task_id])

    def reschedule(self, number, delay):
        task_id = self.pick(number)
        if task_id in self.unclaimed:
            due = self.now + delay
            self.store.backend.reschedule([task_id], self.store.at(due))
            self.unclaimed[task_id] = (self.unclaimed[task_id][0], due)

    def delete(self, number):
        task_id = self.pick(number)
        if task_id is not None:
            self.unclaimed.pop(task_id, None)
            self.running.pop(task_id, None)
            self.store.backend.delete([task_id])

    def configure(self, group, most):
        self.store.backend.configure(group, Limits(max_running=most))
        self.most[group] = most

    def jump(self, seconds):
        self.now += seconds
        self.store.move_to(self.now)

    def check(self):
        found = Counter()
        for (_, state), number in self.store.counts().items():
            found[state.value] += number
        waiting = sum(due > self.now for _, due in self.unclaimed.values())
        assert found["running"] == len(self.running)
        assert (found["waiting"], found["queued"]) == (waiting, len(self.unclaimed) - waiting)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=st.lists(steps, min_size=5, max_size=50))
def test_nothing_runs_too_much_and_nothing_is_stuck(store, program):
    """LIM-1, LIM-2, LIM-4, ORD-02, ORD-06, ORD-10, QRY-1."""
    store.reset()
    run = Run(store)
    for name, *arguments in program:
        getattr(run, name)(*arguments)
        run.check()


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=st.lists(steps, min_size=5, max_size=50))
def test_everything_runs_in_the_end(store, program):
    """ORD-06, LIM-3: whatever happened, a worker that goes on finishes all that is left."""
    store.reset()
    run = Run(store)
    for name, *arguments in program:
        getattr(run, name)(*arguments)
    for group in GROUPS:
        run.configure(group, None)
    run.jump(20)
    for _ in range(len(run.unclaimed) + len(run.running) + 1):
        for task_id in list(run.running):
            assert store.settle(run.running.pop(task_id))
        run.claim(100)
    assert not run.unclaimed
    assert not run.running
