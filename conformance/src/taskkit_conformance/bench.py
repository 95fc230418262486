"""Where checks are run: one place in the store, one client, one clock; cleared between examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from taskkit.clock import SECOND, ManualClock, SystemClock, monotonic
from taskkit.errors import TaskkitError
from taskkit_conformance.case import Case
from taskkit_conformance.harness import DefaultHarness, harness_of
from taskkit_conformance.phrases import START, instant
from taskkit_conformance.recording import Book

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from taskkit.backend import Backend
    from taskkit.records import Capabilities
    from taskkit_conformance.check import Lane
    from taskkit_conformance.harness import Harness, Namespace

SLOW_WIPE: Final = 0.020
"""Seconds; a wipe that takes longer eats the time for examples."""

_DAY: Final = 24 * 3600 * SECOND


class SetUpWrong(Exception):
    """Nothing can be said of the backend: it is not there, not reachable, not usable."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be tested, as a person names it."""

    backend: str
    url: str | Callable[[], str] | None = None
    """Where the store is, or what tells it once it is needed."""
    options: tuple[tuple[str, Any], ...] = ()
    clear: bool = False
    """Whether a place that is not empty may be cleared."""

    def bench(self) -> Bench:
        """Return an opened bench.

        Raises:
            SetUpWrong: the backend is not there, not reachable or not usable; says why.
        """
        try:
            harness = harness_of(self.backend, dict(self.options))
        except TaskkitError as error:
            raise SetUpWrong(str(error)) from error
        url = self.url() if callable(self.url) else self.url
        bench = Bench(harness, url, may_clear=self.clear)
        bench.open()
        return bench


@dataclass(slots=True, eq=False)
class Bench:
    """One place in a store, to run checks in; ``open`` it first, ``close`` it at the end."""

    harness: Harness
    url: str | None = None
    may_clear: bool = True
    """Whether a place that is not empty may be cleared; only asked with the default harness."""
    clock: ManualClock = field(default_factory=ManualClock)
    wipes: list[float] = field(default_factory=list)
    """How long each wipe took, in seconds."""
    _place: Namespace | None = None
    _client: Backend | None = None
    _capabilities: Capabilities | None = None
    _log: list[object] | None = None
    """Of the case that is being recorded."""

    # ---- opening and closing

    def open(self) -> None:
        """Make the place and connect.

        Raises:
            SetUpWrong: that cannot be done, or the place is not empty.
        """
        self.clock = ManualClock(START)
        self.clock.listen(self._moved)
        try:
            self._place = self.harness.provision(self.url)
            self._client = self.harness.open(self._place, self.clock)
            self._client.migrate()
            self._capabilities = self._client.capabilities()
        except Exception as error:  # whatever foreign code raises
            raise SetUpWrong(_reason("the store cannot be opened", error)) from error
        if isinstance(self.harness, DefaultHarness) and not self.may_clear:
            self._refuse_to_clear()
        self._check_clock()

    def reopen(self) -> None:
        """Connect anew: a client that has failed may not be what it was."""
        with suppress(Exception):
            self.client.close()
        self._client = self.harness.open(self.place, self.clock)

    def abandon(self) -> None:
        """Leave place and client to a thread that hangs in them, and begin anew elsewhere."""
        self.may_clear = True
        self.open()

    def close(self) -> None:
        """Remove the place. What goes wrong here says nothing of the backend any more."""
        if self._place is None:
            return
        if self._client is not None:
            with suppress(Exception):
                self._client.close()
        with suppress(Exception):
            self.harness.dispose(self._place)
        self._place = None

    @property
    def place(self) -> Namespace:
        """The place."""
        assert self._place is not None, "open the bench first"
        return self._place

    @property
    def client(self) -> Backend:
        """The client of the place."""
        assert self._client is not None, "open the bench first"
        return self._client

    @property
    def capabilities(self) -> Capabilities:
        """What the backend declares."""
        assert self._capabilities is not None, "open the bench first"
        return self._capabilities

    # ---- examples

    @contextmanager
    def case(self, draw: Callable[[SearchStrategy[Any]], Any], lane: Lane) -> Iterator[Case]:
        """Give a case on the emptied place, the clock set back; clears up after it."""
        self.wipe()
        self.clock.set(START)
        case = Case(
            self.harness, self.place, self.client, self.clock, self.capabilities, draw, self.url
        )
        if lane == "model":
            book = Book(case.log, case.names)
            case.backend, case.record = book.client(self.client), book.client
            self._log = case.log
        try:
            yield case
        finally:
            self._log = None
            for client in case.opened:
                with suppress(Exception):
                    client.close()
            for place in case.places:
                with suppress(Exception):
                    self.harness.dispose(place)
            if lane == "chaos":  # the store may have been killed, and our connections with it
                self.reopen()

    def wipe(self) -> None:
        """Empty the place."""
        began = monotonic()
        self.harness.wipe(self.place, self.client)
        self.wipes.append(monotonic() - began)

    @property
    def wipe_seconds(self) -> float:
        """How long a wipe usually takes: the median."""
        return sorted(self.wipes)[len(self.wipes) // 2] if self.wipes else 0.0

    def log_so_far(self) -> list[str]:
        """Return what the recorded case has done up to now."""
        return [str(entry) for entry in self._log or ()]

    def _moved(self) -> None:
        if self._log is not None:
            self._log.append(f"the clock is set to {instant(self.clock.now())}")

    # ---- set-up

    def _refuse_to_clear(self) -> None:
        held = 0
        # A store that cannot count yet is one that is being written, with nothing in it to lose.
        with suppress(Exception):
            held = sum(each.count for each in self.client.count())
        if held:
            place, self._place = self.place, None
            raise SetUpWrong(
                f"expected an empty place, found {held} tasks in {place.url or place.backend}; the "
                "suite removes everything there. Name another place, or say --taskkit-clear if "
                "nothing of it is needed"
            )

    def _check_clock(self) -> None:
        """Refuse a backend that was given a clock and goes by another.

        A put that fails or answers nonsense says nothing here: the properties will tell.
        """
        created = None
        with suppress(Exception):
            from taskkit.task import NewTask

            self.client.put([NewTask(id="g_probe", group="g", name="probe", data=b"")])
            record = self.client.get(["g_probe"])["g_probe"]
            created = None if record is None else record.task.created
        if isinstance(created, int) and abs(created - SystemClock().now()) < _DAY:
            raise SetUpWrong(
                f"expected the time of the clock that the backend was opened with ({START}), "
                f"found the real one ({created}): pass `clock` of taskkit_open on to everything "
                "that asks for now"
            )


def _reason(what: str, error: BaseException) -> str:
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 3:
        causes.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__
    return f"{what}: {'; caused by '.join(causes)}"


def options_of(pairs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return options in the form that a target keeps, so that equal targets are equal."""
    return tuple(sorted(pairs.items()))
