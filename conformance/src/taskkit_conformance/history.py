"""What concurrent actors did, when, and what they were told: recorded and stored.

Every operation has the moment of its call and that of its return. In the interleave lane moments
are counted, so they order everything; in the race lane they are nanoseconds of a monotonic clock.
Arguments and answers are plain (what JSON knows), so that a history can come from another process
and be kept in a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from taskkit.clock import monotonic

Ending: TypeAlias = Literal["ok", "refused", "unknown"]
"""Answered; refused by an error of the contract; nobody knows whether it took effect."""

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
