"""One generated example: a clean namespace of the backend under test, and what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from taskkit.backend import Backend
from taskkit.clock import SECOND, ManualClock
from taskkit.ids import stable_id
from taskkit.records import Capabilities, Claim, WorkerInfo
from taskkit.task import NewTask

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from taskkit_conformance.harness import Harness, Namespace

T = TypeVar("T")

LEASE = 10 * SECOND
"""The lease that checks give to workers unless they say otherwise."""


class Violated(AssertionError):
    """A property does not hold; the message says what was expected and what was found."""


@dataclass(slots=True, eq=False)
class Case:
    """What a check works with.

    Everything that differs from example to example comes from ``draw``; nothing that the backend
    returns may decide what is drawn next, or failures could not be replayed and shrunk.
    """

    harness: Harness
    namespace: Namespace
    backend: Backend
    """A client of the namespace. In the model lane it writes down every call, in words."""
    clock: ManualClock
    capabilities: Capabilities
    draw: Callable[[SearchStrategy[Any]], Any]
    log: list[str] = field(default_factory=list)
    """What was done, in words, for the report of a failure."""
    exercised: int = 0
    """How often the property's premise was met; a check that never meets it proves nothing."""
    names: dict[str, str] = field(default_factory=dict)
    """Task ids to the names they have in reports: ``t1``, ``t2`` …"""
    opened: list[Backend] = field(default_factory=list)

    # ---- making things

    def task(self, group: str = "g", **fields: Any) -> NewTask:
        """Return a new task, named ``t1``, ``t2`` … in reports. Its id is the same in each replay."""
        name = f"t{len(self.names) + 1}"
        task_id = fields.pop("id", None) or stable_id(group, name)
        self.names[task_id] = name
        return NewTask(**{"id": task_id, "group": group, "name": "n", "data": b"{}", **fields})

    def worker(self, worker_id: str = "w1", lease: int = LEASE) -> str:
        """Register a worker and return its id."""
        self.backend.register(WorkerInfo(worker_id, {"g": 8}), lease)
        return worker_id

    def claim(self, want: str = "g", most: int = 1, worker_id: str = "w1") -> list[Claim]:
        """Claim and return the claims."""
        return list(self.backend.claim(worker_id, {want: most}).claims)

    def open(self) -> Backend:
        """Return a second, independent client of the same namespace; closed with the case."""
        client = self.harness.open(self.namespace, self.clock)
        self.opened.append(client)
        return client

    # ---- judging

    def met(self) -> None:
        """Count that the premise of the property was met."""
        self.exercised += 1

    def require(self, holds: object, sentence: str, *, found: object = None) -> None:
        """Go on only if something holds; the sentence says what should have been, in words."""
        self.exercised += 1
        if not holds:
            self.violated(sentence, found=found)

    def equal(self, found: object, expected: object, what: str) -> None:
        """Go on only if ``found`` is ``expected``, in value and type."""
        self.exercised += 1
        if found != expected or type(found) is not type(expected):
            self.violated(f"{what}: expected {self.words(expected)}", found=found)

    def violated(self, sentence: str, *, found: object = None) -> NoReturn:
        """Report that the property does not hold."""
        tail = "" if found is None else f"; found {self.words(found)}"
        raise Violated(f"{sentence}{tail}")

    def words(self, value: object) -> str:
        """Return a value for a report, with task ids replaced by their names."""
        text = repr(value)
        for task_id, name in self.names.items():
            text = text.replace(repr(task_id), name).replace(task_id, name)
        return text
