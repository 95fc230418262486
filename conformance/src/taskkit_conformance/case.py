"""One generated example: a clean namespace of the backend under test, and what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from taskkit.backend import Backend
from taskkit.clock import SECOND, ManualClock
from taskkit.ids import stable_id
from taskkit.records import Capabilities, Claim, WorkerInfo
from taskkit.task import NewTask
from taskkit_conformance.phrases import differing, in_words

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from taskkit_conformance.harness import Harness, Namespace

_NOTHING: Final = object()
"""Nothing was said of what was found; None can be found."""

LEASE = 10 * SECOND
"""The lease that checks give to workers unless they say otherwise."""


class Violated(AssertionError):
    """A property does not hold; the message says what was expected and what was found."""


class NotHere(KeyboardInterrupt):
    """What the check needs does not exist here; the message says what.

    A KeyboardInterrupt, because hypothesis ends its search for nothing less.
    """

    def __init__(self, reason: str, *, unproved: bool = False) -> None:
        super().__init__(reason)
        self.unproved = unproved
        """Whether the property may be broken all the same, where the suite cannot look."""


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
    url: str | None = None
    """The URL that the person gave, from which places are made."""
    log: list[object] = field(default_factory=list)
    """What was done, for the report of a failure: each entry's ``str`` is one line."""
    exercised: int = 0
    """How often the property's premise was met; a check that never meets it proves nothing."""
    undecided: list[str] = field(default_factory=list)
    """Why this example could not be judged, if it could not."""
    names: dict[str, str] = field(default_factory=dict)
    """Task ids to the names they have in reports: ``t1``, ``t2`` …"""
    files: dict[str, str] = field(default_factory=dict)
    """Files for the report folder, should this example fail: a raw history, a time-line."""
    opened: list[Backend] = field(default_factory=list)
    places: list[Namespace] = field(default_factory=list)
    record: Callable[[Backend, str], Backend] = lambda client, _name: client
    """Puts a client that writes down its calls in front of a client, under a name."""

    moved: Callable[[], None] = lambda: None
    """Tells whoever watches over hangs that this example goes on, however long it takes."""

    # ---- making things

    def task(self, group: str = "g", **fields: Any) -> NewTask:
        """Return a new task, ``t1``, ``t2`` … in reports. Its id is the same in each replay."""
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
        return self.record(client, f"client {len(self.opened) + 1}")

    def provision(self) -> Namespace:
        """Return another empty place in the store, removed with the case.

        For what runs by the store's own clock: nothing in it has seen this case's clock.
        """
        place = self.harness.provision(self.url)
        if place == self.namespace:
            self.no_means(
                "a second place in the store: the harness has one only (see {namespace} in "
                "docs/writing-a-backend.md)"
            )
        self.places.append(place)
        return place

    # ---- judging

    def met(self) -> None:
        """Count that the premise of the property was met."""
        self.exercised += 1

    def require(self, holds: object, sentence: str, *, found: object = _NOTHING) -> None:
        """Go on only if something holds; the sentence says what should have been, in words."""
        self.exercised += 1
        if not holds:
            self.violated(sentence, found=found)

    def equal(self, found: object, expected: object, what: str) -> None:
        """Go on only if ``found`` is ``expected``, in value and type."""
        self.exercised += 1
        if found != expected or type(found) is not type(expected):
            expected, found = differing(expected, found)
            self.violated(f"{what}: expected {self.words(expected)}", found=found)

    def violated(self, sentence: str, *, found: object = _NOTHING) -> NoReturn:
        """Report that the property does not hold."""
        tail = "" if found is _NOTHING else f"; found {self.words(found)}"
        raise Violated(f"{sentence}{tail}")

    def cannot_tell(self, reason: str) -> None:
        """Say that this example could not be judged. More than 1 % of those make it UNKNOWN."""
        self.undecided.append(reason)

    def not_applicable(self, reason: str) -> NoReturn:
        """Say that there is nothing here that could break the property: no connection, say."""
        raise NotHere(reason)

    def no_means(self, reason: str) -> NoReturn:
        """Say that the harness gives no means to look whether the property holds."""
        raise NotHere(reason, unproved=True)

    def words(self, value: object) -> str:
        """Return a value for a report, with task ids replaced by their names."""
        return in_words(value, self.names)
