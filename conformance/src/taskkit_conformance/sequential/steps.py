"""What each operation does to the queue, and which answers it can give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from taskkit_conformance.history import Operation
from taskkit_conformance.sequential.state import Item, Queue

_DEAD: Final = ("failed", "lost", "cancelled")


def step(queue: Queue, operation: Operation) -> Queue | None:
    """Return the state after an operation, or None if its answer is impossible now.

    An operation without an answer has its effect, whatever it would have answered.
    """
    if operation.ending == "refused":
        return queue
    return _STEPS[operation.kind](queue, operation.arguments, operation.answer)


def _put(queue: Queue, given: Any, answer: Any) -> Queue | None:
    said: list[list[str]] = []
    for task in given["tasks"]:
        task_id, group, key = task["id"], task["group"], task.get("unique_key")
        holder = queue.holder(group, key)
        if task_id in queue.items:
            said.append([task_id, "known"])
        elif holder is not None:
            said.append([holder, "duplicate"])
        else:
            said.append([task_id, "put"])
            queue = queue.put(task_id, _new(queue, task, key))
    return queue if answer is None or answer == said else None


def _new(queue: Queue, task: Mapping[str, Any], key: str | None) -> Item:
    due = task.get("due", {"after": 0})
    return Item(
        group=task["group"],
        due=due if isinstance(due, int) else queue.now + due["after"],
        state="queued",
        priority=task.get("priority", 0),
        key=key,
        lock=task.get("lock_key"),
        lock_limit=task.get("lock_limit", 1),
        max_lost=task.get("max_lost", 3),
    )


def _claim(queue: Queue, given: Any, answer: Any) -> Queue | None:
    if answer is None or answer["alive"] != queue.alive(given["worker"]):
        return None
    left = dict(given["wants"])
    order: dict[str, tuple[int, int, str]] = {}
    for task_id, token, attempt in answer["claims"]:
        item = queue.items.get(task_id)
        if item is None or item.state != "queued" or item.due > queue.now:
            return None
        rank = -item.priority, item.due, task_id
        if token <= item.token or attempt != item.attempt + 1 or rank < order.get(item.group, rank):
            return None
        if left.get(item.group, 0) < 1 or not _unlocked(queue, item):
            return None
        left[item.group] -= 1
        order[item.group] = rank
        running = replace(item, state="running", token=token, attempt=attempt, beaten=False)
        queue = queue.put(task_id, replace(running, worker=given["worker"]))
    return queue


def _unlocked(queue: Queue, item: Item) -> bool:
    if item.lock is None:
        return True
    running = sum(
        other.state == "running" and other.lock == item.lock and other.group == item.group
        for other in queue.items.values()
    )
    return running < item.lock_limit


def _settle(queue: Queue, given: Any, answer: Any) -> Queue | None:
    task_id, token, outcome = given["task"], given["token"], given["outcome"]
    item = queue.items.get(task_id)
    if item is None:
        known = outcome == "discard" and (task_id, token) in queue.discarded
        return queue if answer in (None, known) else None
    if item.state != "running" or item.token != token:
        if answer in (None, False):
            # Freedom: a repetition may be known for one if the task has moved on.
            last = item.token == token and (token, outcome) in item.stood
            return None if last and answer is False else queue
        return queue if (token, outcome) in item.stood else None
    if answer not in (None, True):
        return None
    item = replace(item, stood=item.stood | {(token, outcome)})
    return _end(queue.put(task_id, item), task_id, item, given)


def _end(queue: Queue, task_id: str, item: Item, given: Any) -> Queue:
    outcome = given["outcome"]
    if outcome == "discard":
        queue = replace(queue, discarded=queue.discarded | {(task_id, given["token"])})
        return queue.put(task_id, None)
    if outcome == "lose":
        return queue.lose(task_id)
    due = given.get("due", 0)
    due = item.due if due is None else queue.now + due
    if outcome == "release":
        return queue.back(task_id, replace(item, attempt=item.attempt - 1, due=due))
    if outcome == "retry":
        return queue.back(task_id, replace(item, due=due, retries=(item.retries or 0) + 1))
    state = "succeeded" if outcome == "succeed" else "failed"
    if item.cancelling or outcome == "cancel":
        state = "cancelled"
    return queue.put(task_id, replace(item, state=state, worker="", cancelling=False))


def _register(queue: Queue, given: Any, _answer: Any) -> Queue:
    worker = given["worker"]
    items = {
        task_id: replace(item, beaten=True) if item.worker == worker else item
        for task_id, item in queue.items.items()
    }
    leases = {**queue.leases, worker: queue.now + given["lease"]}
    return replace(queue, items=items, leases=leases)


def _beat(queue: Queue, given: Any, answer: Any) -> Queue | None:
    worker = given["worker"]
    alive = queue.alive(worker)
    if answer is not None and answer["alive"] != alive:
        return None
    if not alive:
        return queue
    held = {tuple(pair) for pair in given["held"]}
    cancelled = sorted(
        task_id
        for task_id, token in held
        if (item := queue.items.get(task_id)) is not None
        and item.worker == worker
        and item.token == token
        and item.cancelling
    )
    if answer is not None and answer["cancelled"] != cancelled:
        return None
    for task_id, item in queue.items.items():
        if item.worker != worker:
            continue
        if item.beaten and (task_id, item.token) not in held:
            queue = queue.back(task_id, replace(item, attempt=item.attempt - 1))
        else:
            queue = queue.put(task_id, replace(item, beaten=True))
    lease = max(queue.leases[worker], queue.now + given["lease"])
    return replace(queue, leases={**queue.leases, worker: lease})


def _retire(queue: Queue, given: Any, answer: Any) -> Queue | None:
    worker = given["worker"]
    known = worker in queue.leases
    left = [task_id for task_id, item in queue.items.items() if item.worker == worker and known]
    if answer not in (None, len(left)):
        return None
    for task_id in left:
        item = queue.items[task_id]
        if given["lost"]:
            queue = queue.lose(task_id)
        else:
            queue = queue.back(task_id, replace(item, attempt=item.attempt - 1))
    return replace(
        queue, leases={name: end for name, end in queue.leases.items() if name != worker}
    )


def _reclaim(queue: Queue, given: Any, answer: Any) -> Queue | None:
    dead = sorted(worker for worker in queue.leases if not queue.alive(worker))
    orphans = [
        task_id
        for task_id, item in queue.items.items()
        if item.state == "running" and not queue.alive(item.worker)
    ]
    assert len(orphans) <= given["limit"], "the suite reclaims without a narrow limit"
    if answer is not None and answer != {"tasks": len(orphans), "workers": dead}:
        return None
    for task_id in orphans:
        queue = queue.lose(task_id)
    return replace(
        queue, leases={name: end for name, end in queue.leases.items() if name not in dead}
    )


def _each(change: Callable[[Queue, str, Item], tuple[Queue, str]]) -> Any:
    def all_of_them(queue: Queue, given: Any, answer: Any) -> Queue | None:
        said: dict[str, str] = {}
        for task_id in given["ids"]:
            item = queue.items.get(task_id)
            if item is None:
                said[task_id] = "unknown"
            else:
                queue, said[task_id] = change(queue, task_id, item)
        return queue if answer is None or answer == said else None

    return all_of_them


def _cancel(queue: Queue, task_id: str, item: Item) -> tuple[Queue, str]:
    if item.state == "running":
        return queue.put(task_id, replace(item, cancelling=True)), "requested"
    if item.state == "queued":
        return queue.put(task_id, replace(item, state="cancelled")), "done"
    return queue, "refused"


def _delete(queue: Queue, task_id: str, _item: Item) -> tuple[Queue, str]:
    return queue.put(task_id, None), "done"


def _requeue(queue: Queue, task_id: str, item: Item) -> tuple[Queue, str]:
    if item.state not in _DEAD or queue.holder(item.group, item.key) is not None:
        return queue, "refused"
    item = replace(item, state="queued", due=queue.now, retries=0, losses=0)
    return queue.put(task_id, item), "done"


def _reschedule(queue: Queue, task_id: str, item: Item) -> tuple[Queue, str]:
    if item.state != "queued":
        return queue, "refused"
    return queue.put(task_id, replace(item, due=queue.now)), "done"


def _get(queue: Queue, given: Any, answer: Any) -> Queue | None:
    if answer is None:
        return queue
    for task_id in given["ids"]:
        item, found = queue.items.get(task_id), answer[task_id]
        if (item is None) != (found is None):
            return None
        if item is not None and not _looks_like(item, queue.now, found):
            return None
    return queue


def _looks_like(item: Item, now: int, found: Mapping[str, Any]) -> bool:
    state = "waiting" if item.state == "queued" and item.due > now else item.state
    worker = item.worker or None
    return (
        found["state"] == state
        and found["token"] == item.token
        and found["attempt"] == item.attempt
        and found["worker"] == worker
        and item.retries in (None, found["retries"])
        and found["losses"] == item.losses
    )


_STEPS: Final[Mapping[str, Callable[[Queue, Any, Any], Queue | None]]] = {
    "put": _put,
    "move": lambda queue, given, _answer: replace(queue, now=given["to"]),
    "claim": _claim,
    "settle": _settle,
    "register": _register,
    "beat": _beat,
    "retire": _retire,
    "reclaim": _reclaim,
    "cancel": _each(_cancel),
    "delete": _each(_delete),
    "requeue": _each(_requeue),
    "reschedule": _each(_reschedule),
    "get": _get,
}


def knows(operations: Iterable[Operation]) -> list[Operation]:
    """Return the operations that change or show what the queue models."""
    return [operation for operation in operations if operation.kind in _STEPS]
