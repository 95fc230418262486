"""A history in words: who did what, what they were told, and which operations overlapped."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from taskkit_conformance.history import NEVER, Operation

_PLAIN: Final = frozenset({"id", "name", "data", "group"})
"""What need not be said of a task that is put."""
_WIDE: Final = frozenset(
    {"move", "reclaim", "retire", "register", "beat", "pause", "resume", "purge"}
)
"""Operations that may concern any task without naming it."""


class Words:
    """Says what operations did: tasks by their names, tokens as ``claim 2 of t3``."""

    def __init__(self, operations: Iterable[Operation], names: Mapping[str, str]) -> None:
        self._names = names
        tokens: dict[str, set[int]] = {}
        for operation in operations:
            for task_id, token in operation.claims:
                tokens.setdefault(task_id, set()).add(token)
            if operation.kind == "settle":
                tokens.setdefault(operation.claim[0], set()).add(operation.claim[1])
        self._numbers = {
            (task_id, token): number
            for task_id, found in tokens.items()
            for number, token in enumerate(sorted(found), 1)
        }

    def task(self, task_id: str) -> str:
        """Return the name of a task."""
        return self._names.get(task_id, task_id)

    def _put(self, task: Mapping[str, Any]) -> str:
        rest = {name: value for name, value in task.items() if name not in _PLAIN}
        said = ", ".join(f"{name} {value}" for name, value in rest.items())
        return self.task(task["id"]) + (f" ({said})" if said else "")

    def claim(self, task_id: str, token: int) -> str:
        """Return the name of a claim: ``claim 2 of t3``."""
        number = self._numbers.get((task_id, token), "?")
        return f"claim {number} of {self.task(task_id)}"

    def call(self, operation: Operation) -> str:
        """Say what was asked."""
        kind, given = operation.kind, operation.arguments
        by = f" for {given['worker']}" if "worker" in given else ""
        if kind == "put":
            return "put " + ", ".join(self._put(task) for task in given["tasks"])
        if kind == "claim":
            wants = " and ".join(f"{most} of {want}" for want, most in given["wants"].items())
            return f"claim up to {wants}{by}"
        if kind == "settle":
            return f"{given['outcome']} {self.claim(*operation.claim)}"
        if kind == "beat":
            held = ", ".join(self.claim(*pair) for pair in given["held"]) or "nothing"
            return f"heartbeat of {given['worker']}, holding {held}"
        if "ids" in given:
            return f"{kind} " + ", ".join(self.task(task_id) for task_id in given["ids"])
        rest = ", ".join(
            f"{name} {value}" for name, value in given.items() if name not in ("worker", "tasks")
        )
        return f"{kind}{by}" + (f" ({rest})" if rest else "")

    def back(self, operation: Operation) -> str:
        """Say what was answered."""
        if operation.error:
            return f"{operation.ending}: {operation.error}"
        if operation.ending != "ok":
            return operation.ending
        answer = operation.answer
        if operation.kind == "claim":
            if not answer["alive"]:
                return "not alive"
            return ", ".join(self.claim(*pair) for pair in operation.claims) or "nothing"
        if operation.kind == "settle":
            return "stands" if answer else "does not stand"
        if operation.kind == "put":
            return ", ".join(
                f"{status} of {self.task(task_id)}" if status == "duplicate" else status
                for task_id, status in answer
            )
        if operation.kind == "get":
            return "; ".join(
                f"{self.task(task_id)} {_state(found)}" for task_id, found in answer.items()
            )
        text = "done" if answer is None else json.dumps(answer, ensure_ascii=False)
        for task_id, name in self._names.items():
            text = text.replace(f'"{task_id}"', name).replace(task_id, name)
        return text


def _state(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "is not known"
    shown = ("attempt", "retries", "losses", "result", "failure")
    parts = [f"{name} {found[name]}" for name in shown if found[name] not in (None, 0)]
    by = f" on {found['worker']}" if found["worker"] else ""
    return f"{found['state']}{by}" + (f" ({', '.join(parts)})" if parts else "")


def involving(operations: Sequence[Operation], ids: Collection[str]) -> list[Operation]:
    """Return the operations that named one of these tasks, or may have changed any task."""
    return [
        operation
        for operation in operations
        if operation.kind in _WIDE or not operation.ids().isdisjoint(ids)
    ]


def timeline(operations: Sequence[Operation], names: Mapping[str, str]) -> list[str]:
    """Return lines that show which operations overlapped, one column for each actor.

    ``+`` is a call, ``|`` an operation that goes on, ``o`` its return, ``*`` a call and its return
    with nothing in between.
    """
    words = Words(operations, names)
    actors = list(dict.fromkeys(operation.actor for operation in operations))
    running: set[str] = set()
    lines = ["  " + " ".join(actors)]
    for mark, operation in _moments(operations):
        here = operation.actor
        cells = [
            (mark if actor == here else "|" if actor in running else ".").ljust(len(actor))
            for actor in actors
        ]
        if mark == "+":
            running.add(here)
            said = words.call(operation)
        elif mark == "o":
            running.discard(here)
            said = f"{words.call(operation)} -> {words.back(operation)}"
        else:
            said = f"{words.call(operation)} -> {words.back(operation)}"
        lines.append("  " + " ".join(cells) + f"  {here}: {said}")
    return lines


def _moments(operations: Sequence[Operation]) -> Iterator[tuple[str, Operation]]:
    moments = [(operation.called, 0, operation) for operation in operations]
    moments += [
        (operation.returned, 1, operation)
        for operation in operations
        if operation.returned != NEVER
    ]
    moments.sort(key=lambda moment: (moment[0], moment[1]))
    skip = False
    for place, (_, side, operation) in enumerate(moments):
        if skip:
            skip = False
            continue
        following = moments[place + 1] if place + 1 < len(moments) else None
        if side == 0 and following is not None and following[2] is operation:
            skip = True
            yield "*", operation
        else:
            yield ("+", "o")[side], operation
