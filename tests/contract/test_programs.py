"""Random programs against a model that is too small to be wrong.

The model shares no code with any backend. It knows who holds which task and what counts result;
order within a group is checked too, locks and limits are left to their own tests.
"""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Answered, Outcome
from taskkit.task import State

GROUPS = ["mail", "mail.a", "other"]
WORKERS = ["w0", "w1"]
LEASE = 20


@dataclass
class Model:
    """Instants are seconds from the start."""

    now: int = 0
    state: dict = field(default_factory=dict)  # id: (group, state, due, priority)
    token: dict = field(default_factory=dict)
    holder: dict = field(default_factory=dict)
    attempt: dict = field(default_factory=dict)
    losses: dict = field(default_factory=dict)
    keys: dict = field(default_factory=dict)
    expires: dict = field(default_factory=dict)

    def live(self, worker):
        return self.expires.get(worker, -1) > self.now

    def claimable(self, group):
        due = [
            (-priority, due, task_id)
            for task_id, (g, state, due, priority) in self.state.items()
            if g == group and state == "unclaimed" and due <= self.now
        ]
        return [task_id for _, _, task_id in sorted(due)]

    def move(self, task_id, state, due=None):
        group, _, old_due, priority = self.state[task_id]
        self.state[task_id] = (group, state, old_due if due is None else due, priority)
        if state != "running":
            self.holder.pop(task_id, None)

    def key_holder(self, group, key):
        for task_id, (g, state, _, _) in self.state.items():
            if g == group and state == "unclaimed" and self.keys.get(task_id) == key:
                return task_id
        return None

    def back(self, task_id, due=None):
        key = self.keys.get(task_id)
        if key is not None and self.key_holder(self.state[task_id][0], key):
            self.move(task_id, "cancelled")
        else:
            self.move(task_id, "unclaimed", due)

    def counts(self):
        found = {}
        for group, state, due, _ in self.state.values():
            if state == "unclaimed":
                state = "queued" if due <= self.now else "waiting"
            found[group, State(state)] = found.get((group, State(state)), 0) + 1
        return found


numbers = st.integers(0, 30)
steps = st.one_of(
    st.tuples(
        st.just("put"),
        st.sampled_from(GROUPS),
        st.integers(-3, 6),
        st.integers(-1, 1),
        st.sampled_from([None, None, "k"]),
    ),
    st.tuples(
        st.just("claim"), st.sampled_from(WORKERS), st.sampled_from(GROUPS), st.integers(1, 4)
    ),
    st.tuples(st.just("settle"), numbers, st.sampled_from(list(Outcome)), st.integers(0, 5)),
    st.tuples(st.just("cancel"), numbers),
    st.tuples(st.just("requeue"), numbers),
    st.tuples(st.just("delete"), numbers),
    st.tuples(st.just("advance"), st.integers(0, 15)),
    st.tuples(st.just("reclaim")),
    st.tuples(st.just("beat"), st.sampled_from(WORKERS)),
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=st.lists(steps, min_size=5, max_size=40))
def test_random_programs_agree_with_the_model(store, program):
    """EXC-01, EXC-05, LEA-01, LEA-05, ORD-01, ORD-02, QRY-1, UNQ-1."""
    store.reset()
    run = Run(store)
    for name, *arguments in program:
        getattr(run, name)(*arguments)
        run.check()


class Run:
    """One program, done to the store and to the model side by side."""

    def __init__(self, store):
        self.store = store
        self.model = Model()
        self.claims = []  # spent ones too: they are settled again on purpose
        self.cancelling = set()
        self.ids = []
        for worker in WORKERS:
            store.worker(worker, lease=LEASE)
            self.model.expires[worker] = LEASE

    def pick(self, number):
        return self.ids[number % len(self.ids)] if self.ids else None

    def put(self, group, delay, priority, key):
        store, model = self.store, self.model
        due = model.now + delay
        task = store.task(group, due=store.at(due), priority=priority, unique_key=key, max_lost=2)
        holder = model.key_holder(group, key) if key else None
        [result] = store.backend.put([task])
        if holder:
            assert (result.id, result.status) == (holder, "duplicate")
            return
        assert (result.id, result.status) == (task.id, "put")
        self.ids.append(task.id)
        model.state[task.id] = (group, "unclaimed", due, priority)
        model.keys[task.id] = key

    def claim(self, worker, group, n):
        model = self.model
        answer = self.store.backend.claim(worker, {group: n})
        assert answer.alive == model.live(worker)
        got = list(answer.claims)
        if not answer.alive:
            assert got == []
            return
        members = [g for g in GROUPS if g == group or g.startswith(group + ".")]
        expected = {g: model.claimable(g) for g in members}
        assert len(got) == min(n, sum(map(len, expected.values())))
        for member in members:
            mine = [claim.task.id for claim in got if claim.task.group == member]
            assert mine == expected[member][: len(mine)], "claim order within a group"
        for claim in got:
            task_id = claim.task.id
            assert claim.token > model.token.get(task_id, -1)
            model.token[task_id] = claim.token
            model.attempt[task_id] = model.attempt.get(task_id, 0) + 1
            assert claim.attempt == model.attempt[task_id]
            model.move(task_id, "running")
            model.holder[task_id] = worker
            self.claims.append((claim, worker))

    def settle(self, number, outcome, delay):
        if not self.claims:
            return
        model = self.model
        claim, worker = self.claims[number % len(self.claims)]
        task_id = claim.task.id
        current = task_id in model.holder and model.token[task_id] == claim.token
        before = self.store.backend.get([task_id])
        due = self.store.at(model.now + delay)
        stands = self.store.settle(claim, outcome, worker=worker, due=due)
        if not current:  # a repetition or too late: whatever the answer, nothing changed
            assert self.store.backend.get([task_id]) == before
            return
        assert stands
        self._end(task_id, outcome, model.now + delay)

    def _end(self, task_id, outcome, due):
        model = self.model
        if outcome is Outcome.RELEASE:
            model.attempt[task_id] -= 1
        if outcome is Outcome.DISCARD:
            self._forget(task_id)
        elif outcome is Outcome.LOSE:
            self._lose(task_id)
        elif task_id in self.cancelling or outcome is Outcome.CANCEL:
            self._cancelled(task_id)
        elif outcome is Outcome.SUCCEED:
            model.move(task_id, "succeeded")
        elif outcome is Outcome.FAIL:
            model.move(task_id, "failed")
        else:
            model.move(task_id, "unclaimed-pending")
            model.back(task_id, due)

    def _cancelled(self, task_id):
        self.cancelling.discard(task_id)
        self.model.move(task_id, "cancelled")

    def _forget(self, task_id):
        model = self.model
        for table in (model.state, model.holder, model.attempt, model.losses, model.keys):
            table.pop(task_id, None)
        self.cancelling.discard(task_id)

    def _lose(self, task_id):
        model = self.model
        model.losses[task_id] = model.losses.get(task_id, 0) + 1
        if task_id in self.cancelling:
            self._cancelled(task_id)
        elif model.losses[task_id] >= 2:
            model.move(task_id, "lost")
        else:
            model.move(task_id, "unclaimed-pending")
            model.back(task_id)

    def cancel(self, number):
        task_id = self.pick(number)
        if task_id is None:
            return
        model = self.model
        answer = self.store.backend.cancel([task_id])[task_id]
        state = model.state[task_id][1] if task_id in model.state else None
        if state is None:
            assert answer is Answered.UNKNOWN
        elif state == "running":
            assert answer is Answered.REQUESTED
            self.cancelling.add(task_id)
        elif state == "unclaimed":
            assert answer is Answered.DONE
            model.move(task_id, "cancelled")
        else:
            assert answer is Answered.REFUSED

    def requeue(self, number):
        task_id = self.pick(number)
        if task_id is None:
            return
        model = self.model
        answer = self.store.backend.requeue([task_id], self.store.at(model.now))[task_id]
        if task_id not in model.state:
            assert answer is Answered.UNKNOWN
            return
        group, state, _, _ = model.state[task_id]
        key = model.keys[task_id]
        taken = key is not None and model.key_holder(group, key) is not None
        if state in ("failed", "lost", "cancelled") and not taken:
            assert answer is Answered.DONE
            model.move(task_id, "unclaimed", model.now)
            model.losses.pop(task_id, None)
        else:
            assert answer is Answered.REFUSED

    def delete(self, number):
        task_id = self.pick(number)
        if task_id is None:
            return
        answer = self.store.backend.delete([task_id])[task_id]
        known = task_id in self.model.state
        assert answer is (Answered.DONE if known else Answered.UNKNOWN)
        self._forget(task_id)

    def advance(self, seconds):
        self.model.now += seconds
        self.store.move_to(self.model.now)

    def reclaim(self):
        model = self.model
        dead = {worker for worker in model.expires if not model.live(worker)}
        orphans = [task_id for task_id, worker in model.holder.items() if worker in dead]
        answer = self.store.backend.reclaim()
        assert (answer.tasks, set(answer.workers)) == (len(orphans), dead)
        # Two orphans may want the same key: which of them gets it is the store's choice.
        for task_id in sorted(orphans, key=self._returned_first):
            self._lose(task_id)
        for worker in dead:
            del model.expires[worker]

    def _returned_first(self, task_id):
        return self.store.state(task_id) is State.CANCELLED

    def beat(self, worker):
        model = self.model
        held = [
            (task_id, model.token[task_id])
            for task_id, holder in model.holder.items()
            if holder == worker
        ]
        answer = self.store.backend.heartbeat(worker, LEASE * SECOND, held, {})
        assert answer.alive == model.live(worker)
        if answer.alive:
            model.expires[worker] = max(model.expires[worker], model.now + LEASE)
            assert answer.cancelled == {i for i, _ in held if i in self.cancelling}
            assert answer.void == frozenset()
        else:
            self.store.backend.retire(worker, lost=False)
            for task_id, _ in held:
                model.attempt[task_id] -= 1
            for task_id, _ in sorted(held, key=lambda pair: self._returned_first(pair[0])):
                if task_id in self.cancelling:
                    self._cancelled(task_id)
                else:
                    model.move(task_id, "unclaimed-pending")
                    model.back(task_id)
            self.store.worker(worker, lease=LEASE)
            model.expires[worker] = model.now + LEASE

    def check(self):
        assert self.store.counts() == self.model.counts()
        records = self.store.backend.get(list(self.model.state))
        for task_id, record in records.items():
            assert record.worker_id == self.model.holder.get(task_id)
            assert record.attempt == self.model.attempt.get(task_id, 0)
            assert record.losses == self.model.losses.get(task_id, 0)
