"""Hypothesis, told to look for a failure of one check within a budget, or to repeat one."""

from __future__ import annotations

import base64
import hashlib
import traceback
import unittest
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Flaky, HypothesisException

from taskkit.clock import monotonic
from taskkit_conformance.case import NotHere, Violated
from taskkit_conformance.patience import denied_seconds

if TYPE_CHECKING:
    from taskkit_conformance.bench import Bench
    from taskkit_conformance.case import Case
    from taskkit_conformance.check import Check
    from taskkit_conformance.profiles import Budget

_REAL: Final = ("race", "chaos")
"""Lanes that depend on more than what was drawn: what failed there is not run again and shrunk."""

_LONGER: Final = 10
"""So many times longer than its share a check may look for an example that proves something."""

_PROGRAM: Final = 200
"""Lines of a failing example that are kept."""


def _given() -> float:
    """Return seconds that go on only while the machine lets this thread do something.

    So that a check finds on a busy machine what it finds on a quiet one, if later.
    """
    return monotonic() - denied_seconds()


class _Enough(KeyboardInterrupt):
    """Ends a search from within: a KeyboardInterrupt is what hypothesis lets through at once."""


@dataclass(slots=True)
class Found:
    """An example that failed."""

    message: str
    program: list[str]
    files: dict[str, str]
    witness: str = ""


@dataclass(slots=True)
class Tally:
    """What a search has seen."""

    examples: int = 0
    exercised: int = 0
    undecided: list[str] = field(default_factory=list)
    failure: Found | None = None
    """The smallest that was found."""
    flaky: bool = False
    """Whether it did not fail again when it was repeated."""
    not_here: str = ""
    """Why the check cannot be made here."""
    unproved: bool = False
    """Whether that is for lack of means, and not because there is nothing to be broken."""
    touched: int = 0
    """How often something has moved; a watchdog looks at it."""


@dataclass(slots=True)
class Search:
    """One search. ``tally`` can be read from another thread while it runs."""

    check: Check
    bench: Bench
    budget: Budget
    seed: int
    witness: str = ""
    """Look for nothing new: repeat this example."""
    shelf: ExampleDatabase | None = None
    """Where failures of earlier runs are kept, tried first."""
    tally: Tally = field(default_factory=Tally)
    _latest: Found | None = None
    _began: float = 0.0
    _shrinking_since: float | None = None
    _in_time: bool = False
    """Whether it was stopped because its time was over."""

    def run(self) -> Tally:
        """Search, and return what was seen."""
        self._began = _given()
        self._touch()
        try:
            self._hypothesis()(self)
        except _Enough:
            pass
        except unittest.SkipTest:
            pass  # hypothesis' word for a witness that it cannot read
        except NotHere as reason:
            self.tally.not_here = str(reason)
            self.tally.unproved = reason.unproved
        except HypothesisException as error:
            self._ended_by(error)
        except Exception:
            if self._latest is None:
                raise
        if self._latest is not None and self.tally.failure is None:
            self.tally.failure = self._latest
        return self.tally

    def example(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        """Run the check once."""
        self._stop_in_time()
        self.tally.examples += 1
        self._touch()
        if self.check.lane in _REAL:
            # Chance plays a part there, so that a second look at the same example is a look.
            draw(st.integers(0, 2**63))
        with self.bench.case(draw, self.check.lane) as case:
            case.moved = self._touch
            try:
                self.check.run(case)
            except HypothesisException:
                raise
            except Exception as error:
                self._failed(case, error)
                raise
            finally:
                self.tally.exercised += case.exercised
                self.tally.undecided += case.undecided

    def best_so_far(self, choices: bytes) -> None:
        """Take note that hypothesis has made the failure that was seen last its best one."""
        if self._latest is not None:
            self._latest.witness = encode(choices)
            self.tally.failure = self._latest

    # ---- within an example

    def _touch(self) -> None:
        self.tally.touched += 1

    def _stop_in_time(self) -> None:
        now = _given()
        if self._shrinking_since is not None:
            over = now > self._shrinking_since + self.budget.shrinking
        else:
            # On a busy machine the time may be over before the premise was met once.
            longer = 1 if self.tally.exercised else _LONGER
            over = bool(self.tally.examples) and now > self._began + longer * self.budget.seconds
        if over:
            self._in_time = True
            raise _Enough

    def _failed(self, case: Case, error: Exception) -> None:
        if self._shrinking_since is None:
            self._shrinking_since = _given()
        lines = [str(entry) for entry in case.log[-_PROGRAM:]]
        self._latest = Found(_message(error), lines, dict(case.files))
        if self.check.lane in _REAL:
            raise _Enough from error

    def _ended_by(self, error: HypothesisException) -> None:
        flaky = isinstance(error, Flaky)
        if flaky and self._in_time:
            # To stop before an example has drawn what it drew the last time looks flaky as well.
            return
        if self._latest is None and (flaky or self.tally.exercised):
            # What failed was not the check but what surrounds it, such as a wipe that raised.
            raise error
        self.tally.flaky = self.tally.flaky or flaky

    # ---- hypothesis

    def _hypothesis(self) -> Callable[[Search], None]:
        phases = [Phase.reuse] if self.witness else [Phase.reuse, Phase.generate]
        if not self.witness and self.budget.shrinking > 0 and self.check.lane not in _REAL:
            phases.append(Phase.shrink)

        @settings(
            max_examples=self.budget.examples,
            deadline=None,
            database=_Shelf(self),
            derandomize=False,
            phases=phases,
            suppress_health_check=cast("list[HealthCheck]", list(HealthCheck)),
            report_multiple_bugs=False,
            print_blob=False,
        )
        @seeded(_seed(self.seed, self.check.id))
        @given(data=st.data())
        def example(search: Search, data: st.DataObject) -> None:
            search.example(data.draw)

        return example


class _Shelf(ExampleDatabase):
    """Hypothesis' view of the failures of earlier runs and of the best one of this."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._inner = search.shelf
        self._key = f"taskkit {search.bench.place.backend} {search.check.id}".encode()

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """Return what is to be tried first."""
        if _is_side_shelf(key):
            return ()
        if self._search.witness:
            choices = decode(self._search.witness)
            return () if choices is None else (choices,)
        return () if self._inner is None else tuple(self._inner.fetch(self._key))

    def save(self, key: bytes, value: bytes) -> None:
        """Take note of the best failure."""
        if _is_side_shelf(key):
            return
        self._search.best_so_far(value)
        if self._inner is not None:
            self._inner.save(self._key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        """Forget what does not fail any more."""
        if self._inner is not None and not _is_side_shelf(key):
            self._inner.delete(self._key, value)


def encode(choices: bytes) -> str:
    """Return a witness: the choices of an example, as text."""
    return base64.b64encode(zlib.compress(choices, 9)).decode()


def decode(witness: str) -> bytes | None:
    """Return the choices of a witness, None if it is none."""
    try:
        return zlib.decompress(base64.b64decode(witness, validate=True))
    except (ValueError, zlib.error):
        return None


def _is_side_shelf(key: bytes) -> bool:
    # Where hypothesis keeps what it has shrunk already, and what it calls the Pareto front.
    return key.endswith((b".secondary", b".pareto"))


def _seed(seed: int, check_id: str) -> int:
    # Not hash(), which differs from process to process.
    return int.from_bytes(hashlib.sha256(f"{seed} {check_id}".encode()).digest()[:8])


def _message(error: Exception) -> str:
    if isinstance(error, Violated):
        return str(error)
    frames = traceback.format_tb(error.__traceback__)[-4:]
    causes = "" if error.__cause__ is None else f"\n  caused by {error.__cause__!r}"
    text = "".join(frames).rstrip()
    return f"raised {type(error).__name__}: {error}{causes}\n{text}"
