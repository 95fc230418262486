"""The search: textbook histories, and those of the queue against its specification."""

import random
from dataclasses import dataclass, replace

import pytest

from taskkit.ids import stable_id
from taskkit_conformance.history import NEVER, Operation
from taskkit_conformance.linearize import Verdict, linearize, shortest_impossible
from taskkit_conformance.sequential import Queue, step


@dataclass(frozen=True)
class Register:
    """A cell that is written and read: the textbook's example."""

    value: int = 0

    def key(self):
        return self.value


def register_step(cell, operation):
    if operation.kind == "write":
        return Register(operation.arguments["value"])
    answer = operation.answer
    return cell if answer is None or answer == cell.value else None


def write(actor, value, called, returned=NEVER):
    ending = "unknown" if returned == NEVER else "ok"
    return Operation(0, actor, "write", {"value": value}, called, returned, ending)


def read(actor, answer, called, returned):
    return Operation(0, actor, "read", {}, called, returned, "ok", answer)


POSSIBLE = {
    "one after the other": [write("a", 1, 1, 2), read("b", 1, 3, 4)],
    "a read that overlaps a write may see either": [
        write("a", 1, 1, 10),
        read("b", 0, 2, 3),
        read("c", 1, 4, 5),
    ],
    "two writes that overlap, seen in either order": [
        write("a", 1, 1, 10),
        write("b", 2, 2, 9),
        read("c", 1, 11, 12),
    ],
    "a write that did not return may have happened": [write("a", 1, 1), read("b", 1, 5, 6)],
    "or happen later": [write("a", 1, 1), read("b", 0, 5, 6), read("b", 1, 7, 8)],
    "or never": [write("a", 1, 1), read("b", 0, 5, 6), read("b", 0, 7, 8)],
}
IMPOSSIBLE = {
    "a stale read": [write("a", 1, 1, 2), read("b", 0, 3, 4)],
    "a read from the future": [read("b", 1, 1, 2), write("a", 1, 3, 4)],
    "a value that comes and goes": [
        write("a", 1, 1, 10),
        read("b", 1, 2, 3),
        read("c", 0, 4, 5),
    ],
    "readers that disagree on the order of two writes": [
        write("a", 1, 1, 20),
        write("b", 2, 1, 20),
        read("c", 1, 2, 3),
        read("c", 2, 4, 5),
        read("c", 1, 6, 7),
    ],
    "a value that nobody wrote": [write("a", 1, 1, 2), read("b", 7, 1, 5)],
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_possible_histories_are_accepted(name):
    search = linearize(POSSIBLE[name], Register(), register_step)
    assert search.verdict is Verdict.POSSIBLE


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_histories_are_rejected(name):
    assert linearize(IMPOSSIBLE[name], Register(), register_step).verdict is Verdict.IMPOSSIBLE


def test_the_order_that_was_found_respects_time():
    history = POSSIBLE["a read that overlaps a write may see either"]
    found = linearize(history, Register(), register_step).order
    assert [operation.actor for operation in found] == ["b", "a", "c"]


def test_the_limit_ends_a_search_without_a_verdict():
    writes = [write(f"a{value}", value, 1, 100) for value in range(12)]
    history = [*writes, read("b", 99, 1, 100)]
    assert linearize(history, Register(), register_step, max_states=500).verdict is Verdict.UNKNOWN


def test_too_long_a_window_is_refused():
    history = [write("a", 1, 2 * place, 2 * place + 1) for place in range(121)]
    with pytest.raises(ValueError, match="at most 120 operations, found 121"):
        linearize(history, Register(), register_step)


def test_the_shortest_impossible_beginning_is_found():
    history = [
        write("a", 1, 1, 2),
        read("b", 0, 3, 4),
        write("a", 2, 5, 6),
        read("b", 2, 7, 8),
    ]
    shortest = shortest_impossible(history, Register(), register_step)
    assert [(operation.kind, operation.called) for operation in shortest] == [
        ("write", 1),
        ("read", 3),
    ]


# ---- the queue

IDS = [stable_id("g", str(number)) for number in range(4)]


class Simulation:
    """Makes histories that are right: each operation happens at one instant within its time."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.queue = Queue(0)
        self.token = 0
        self.claims = []
        self.operations = []
        self.instant = 0
        for worker in ("w1", "w2"):
            self.happen("register", {"worker": worker, "lease": 10}, None)
        # Long before all else: a claim that overlaps it may find the worker unknown.
        self.instant += 100

    def happen(self, kind, arguments, answer):
        """Let something happen now; it was called a little before and returns a little later."""
        self.instant += 10
        operation = Operation(
            0,
            f"a{len(self.operations)}",
            kind,
            arguments,
            self.instant - self.chance.randrange(40),
            self.instant + self.chance.randrange(40),
            "ok",
            answer,
        )
        following = step(self.queue, operation)
        assert following is not None, operation
        self.queue = following
        self.operations.append(operation)

    def put(self):
        task_id = self.chance.choice(IDS)
        status = "known" if task_id in self.queue.items else "put"
        self.happen("put", {"tasks": [{"id": task_id, "group": "g"}]}, [[task_id, status]])

    def claim(self):
        most = self.chance.randint(1, 2)
        due = sorted(i for i, item in self.queue.items.items() if item.state == "queued")[:most]
        claims = []
        for task_id in due:
            self.token += 1
            claims.append([task_id, self.token, self.queue.items[task_id].attempt + 1])
            self.claims.append((task_id, self.token))
        worker = self.chance.choice(("w1", "w2"))
        answer = {"alive": True, "claims": claims}
        self.happen("claim", {"worker": worker, "wants": {"g": most}}, answer)

    def settle(self):
        if not self.claims:
            return
        task_id, token = self.chance.choice(self.claims)
        outcome = self.chance.choice(("succeed", "fail", "retry", "release", "discard"))
        item = self.queue.items.get(task_id)
        arguments = {"worker": "w1", "task": task_id, "token": token, "outcome": outcome, "due": 0}
        if item is not None and item.state == "running" and item.token == token:
            self.happen("settle", arguments, True)
        elif item is not None and (token, outcome) not in item.stood:
            self.happen("settle", arguments, False)

    def cancel(self):
        task_id = self.chance.choice(IDS)
        item = self.queue.items.get(task_id)
        answers = {"running": "requested", "queued": "done"}
        answer = "unknown" if item is None else answers.get(item.state, "refused")
        self.happen("cancel", {"ids": [task_id]}, {task_id: answer})


def simulate(seed, length=60):
    simulation = Simulation(seed)
    while len(simulation.operations) < length:
        choices = (simulation.put, simulation.claim, simulation.settle, simulation.cancel)
        simulation.chance.choices(choices, (3, 4, 4, 1))[0]()
    return simulation.operations


def judge(operations):
    return linearize(operations, Queue(0), step).verdict


def test_right_histories_of_the_queue_are_accepted():
    for seed in range(60):
        assert judge(simulate(seed)) is Verdict.POSSIBLE, seed


def edits(operations):
    """Yield histories in which one answer is another one, that cannot be right."""
    for place, operation in enumerate(operations):
        for edited in edit(operation):
            yield [*operations[:place], edited, *operations[place + 1 :]]


def edit(operation):
    answer = operation.answer
    if operation.kind == "claim" and answer["claims"]:
        [task_id, token, attempt], *rest = answer["claims"]
        other = "g_" + "f" * 32
        yield replace(operation, answer={**answer, "claims": [[other, token, attempt], *rest]})
        yield replace(operation, answer={**answer, "claims": [[task_id, token, 9], *rest]})
        yield replace(
            operation, answer={**answer, "claims": [*answer["claims"], [task_id, 999, 2]]}
        )
    if operation.kind == "claim":
        yield replace(operation, answer={**answer, "alive": False})
    if operation.kind == "put":
        [[task_id, _]] = answer
        yield replace(operation, answer=[[task_id, "duplicate"]])
    if operation.kind == "cancel":
        [task_id] = answer
        yield replace(operation, answer={task_id: "nonsense"})


def test_single_edits_are_rejected():
    rejected = 0
    for seed in range(6):
        for edited in edits(simulate(seed, 30)):
            assert judge(edited) is Verdict.IMPOSSIBLE
            rejected += 1
    assert rejected > 100


def sequential(*steps):
    """Return operations that follow each other."""
    return [
        Operation(0, "a", kind, arguments, 2 * place, 2 * place + 1, "ok", answer)
        for place, (kind, arguments, answer) in enumerate(steps)
    ]


PUT = ("put", {"tasks": [{"id": IDS[0], "group": "g"}]}, [[IDS[0], "put"]])
JOIN = ("register", {"worker": "w1", "lease": 10}, None)


def claimed(token, attempt=1):
    answer = {"alive": True, "claims": [[IDS[0], token, attempt]]}
    return "claim", {"worker": "w1", "wants": {"g": 1}}, answer


def ended(token, outcome, answer):
    arguments = {"worker": "w1", "task": IDS[0], "token": token, "outcome": outcome, "due": 0}
    return "settle", arguments, answer


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ([PUT, JOIN, claimed(1), claimed(2, 2)], Verdict.IMPOSSIBLE),
        ([PUT, JOIN, claimed(1), ended(1, "retry", True), claimed(2, 2)], Verdict.POSSIBLE),
        ([PUT, JOIN, claimed(2), ended(2, "retry", True), claimed(1, 2)], Verdict.IMPOSSIBLE),
        ([PUT, JOIN, claimed(1), ended(1, "release", True), claimed(2, 1)], Verdict.POSSIBLE),
        ([PUT, JOIN, claimed(1), ended(1, "succeed", True), claimed(2, 2)], Verdict.IMPOSSIBLE),
        ([PUT, JOIN, claimed(1), ended(7, "succeed", True)], Verdict.IMPOSSIBLE),
        ([PUT, JOIN, claimed(1), ended(1, "succeed", False)], Verdict.IMPOSSIBLE),
        (
            [PUT, JOIN, claimed(1), ended(1, "fail", True), ended(1, "succeed", True)],
            Verdict.IMPOSSIBLE,
        ),
        (
            [PUT, JOIN, claimed(1), ended(1, "fail", True), ended(1, "fail", True)],
            Verdict.POSSIBLE,
        ),
        ([PUT, claimed(1)], Verdict.IMPOSSIBLE),
    ],
    ids=[
        "two live claims",
        "claimed again after a retry",
        "a token that shrinks",
        "a release that is not counted",
        "claimed after it had finished",
        "an unknown token stands",
        "a live claim's settlement does not stand",
        "two outcomes",
        "the same outcome twice",
        "a claim of nobody",
    ],
)
def test_lives_of_a_task(steps, verdict):
    assert judge(sequential(*steps)) is verdict
