"""What concurrent actors did, when, and what they were told: recorded, stored, shown.

Every operation has the moment of its call and that of its return. In the interleave lane moments
are counted, so they order everything; in the race lane they are nanoseconds of a monotonic clock.
Arguments and answers are plain (what JSON knows), so that a history can come from another process
and be kept in a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from taskkit.clock import monotonic

Ending: TypeAlias = Literal["ok", "refused", "unknown"]
"""Answered; refused by an error of the contract; nobody knows whether it took effect."""

_PLAIN: Final = frozenset({"id", "name", "data", "group"})

NEVER: Final = 1 << 62
"""The return of an operation that did not return: later than everything."""


def nanoseconds() -> int:
    """Return the reading of a monotonic clock, the same one in all processes of this machine."""
    return int(monotonic() * 1e9)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one actor."""

    number: int
    actor: str
    kind: str
    """The protocol's method: ``claim``, ``settle`` …"""
    arguments: Mapping[str, Any] = field(hash=False)
    called: int
    returned: int = NEVER
    ending: Ending = "unknown"
    answer: Any = field(default=None, hash=False)
    error: str = ""
    """The error, for an operation that was refused or is unknown."""
    broken: bool = False
    """Whether the error is none that the contract allows."""

    @property
    def claims(self) -> list[tuple[str, int]]:
        """Task id and token of what it claimed."""
        if self.kind != "claim" or self.ending != "ok":
            return []
        return [(task_id, token) for task_id, token, _attempt in self.answer["claims"]]

    @property
    def claim(self) -> tuple[str, int]:
        """Task id and token that a settlement names."""
        return self.arguments["task"], self.arguments["token"]

    def before(self, other: Operation) -> bool:
        """Return whether it had returned when the other was called."""
        return self.returned < other.called

    def overlaps(self, other: Operation) -> bool:
        """Return whether neither was over before the other began."""
        return not self.before(other) and not other.before(self)

    def ids(self) -> frozenset[str]:
        """Return the ids of the tasks that it named or was told of."""
        found = {task_id for task_id, _ in self.claims}
        arguments = self.arguments
        found.update(task["id"] for task in arguments.get("tasks", ()))
        found.update(arguments.get("ids", ()))
        if "task" in arguments:
            found.add(arguments["task"])
        return frozenset(found)


class Recorder:
    """Writes operations down, for any number of threads."""

    def __init__(
        self,
        moment: Callable[[], int] = nanoseconds,
        tell: Callable[[Operation], object] = lambda _operation: None,
    ) -> None:
        self._moment = moment
        self._tell = tell
        """Told of every call and of every ending: what a killed process has not told is lost."""
        self._operations: list[Operation] = []

    def call(self, actor: str, kind: str, arguments: Mapping[str, Any]) -> Operation:
        """Enter an operation that is about to be called."""
        operation = Operation(-1, actor, kind, arguments, self._moment())
        self._operations.append(operation)
        self._tell(operation)
        return operation

    def back(
        self,
        called: Operation,
        ending: Ending,
        answer: Any = None,
        error: str = "",
        *,
        broken: bool = False,
    ) -> Operation:
        """Enter how an operation ended."""
        returned = NEVER if ending == "unknown" and not broken else self._moment()
        done = replace(
            called, returned=returned, ending=ending, answer=answer, error=error, broken=broken
        )
        # Its own actor only replaces it, and appending by others moves nothing.
        self._operations[self._place(called)] = done
        self._tell(done)
        return done

    def add(self, operations: Iterable[Operation]) -> None:
        """Enter operations that were recorded elsewhere."""
        self._operations.extend(operations)

    def _place(self, operation: Operation) -> int:
        operations = self._operations
        for place in range(len(operations) - 1, -1, -1):
            if operations[place] is operation:
                return place
        raise LookupError(f"expected an operation of this recorder, found {operation}")

    def history(self) -> list[Operation]:
        """Return what was recorded, numbered from 1 in the order of the calls."""
        return numbered(self._operations)


def numbered(operations: Iterable[Operation]) -> list[Operation]:
    """Return operations in the order of their calls, numbered from 1."""
    ordered = sorted(operations, key=lambda operation: operation.called)
    return [replace(operation, number=number) for number, operation in enumerate(ordered, 1)]


# ---- in a file


def to_json(operation: Operation) -> str:
    """Return an operation as one line."""
    return json.dumps(asdict(operation), ensure_ascii=False, separators=(",", ":"))


def from_json(line: str) -> Operation:
    """Return the operation that a line holds."""
    return Operation(**json.loads(line))


def write(path: Path, operations: Iterable[Operation]) -> None:
    """Write a history, one operation to a line."""
    path.write_text("".join(to_json(operation) + "\n" for operation in operations), "utf-8")


def read(path: Path) -> list[Operation]:
    """Read what ``write`` wrote."""
    return [from_json(line) for line in path.read_text("utf-8").splitlines() if line]


# ---- in words


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
    wide = {"move", "reclaim", "retire", "register", "beat", "pause", "resume", "purge"}
    return [
        operation
        for operation in operations
        if operation.kind in wide or not operation.ids().isdisjoint(ids)
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
