"""Runs one check: looks for a failure, keeps watch over hangs, says what was seen."""

from __future__ import annotations

import sys
import threading
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from taskkit.clock import monotonic
from taskkit_conformance.patience import Patience
from taskkit_conformance.properties import property_of
from taskkit_conformance.search import Found, Search, Tally
from taskkit_conformance.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

    from taskkit_conformance.bench import Bench
    from taskkit_conformance.check import Check
    from taskkit_conformance.profiles import Budget

PATIENCE: Final = 30.0
"""Seconds that an example may take beyond its check's budget before it counts as hanging; only
those count in which this process could have computed."""

_LOOK: Final = 1.0
"""Seconds between two looks at a search. Few of them: who looks needs Python's lock, and on a busy
machine the search waits until it has had it."""

_UNDECIDED: Final = 0.01
"""Share of examples that may remain undecided."""


def execute(
    check: Check,
    bench: Bench,
    budget: Budget,
    *,
    seed: int = 0,
    shelf: ExampleDatabase | None = None,
    patience: float = PATIENCE,
) -> Outcome:
    """Run a check on a bench and return what was seen.

    Whether the backend declares what the check needs is looked at first; prerequisites and
    expected failures are not: those are matters of a whole run (see ``judge``).
    """
    missing = missing_capability(check, bench)
    if missing:
        return Outcome.of(check, Verdict.NOT_APPLICABLE, f"no {missing}", seed=seed)
    began = monotonic()
    search = Search(check, bench, budget, seed, shelf=shelf)
    tally = _watched(search, budget.seconds + budget.shrinking + patience)
    outcome = _judged(check, tally)
    outcome.seconds = round(monotonic() - began, 3)
    outcome.seed = seed
    return outcome


def replay(
    check: Check, bench: Bench, budget: Budget, witness: str, *, seed: int = 0
) -> Outcome | None:
    """Repeat a failure; None if the witness cannot be read or does not fail any more."""
    search = Search(check, bench, replace(budget, examples=1), seed, witness=witness)
    tally = _watched(search, budget.seconds + PATIENCE)
    if tally.failure is None:
        return None
    outcome = _judged(check, tally)
    outcome.seed, outcome.witness = seed, witness
    return outcome


def missing_capability(check: Check, bench: Bench) -> str:
    """Return the capability that the check needs and the backend does not declare, or nothing."""
    for name in (property_of(check.number).capability, check.capability):
        if name and not getattr(bench.capabilities, name):
            return name
    return ""


def _judged(check: Check, tally: Tally) -> Outcome:
    seen: dict[str, Any] = {"exercised": tally.exercised, "examples": tally.examples}
    if tally.failure is not None:
        return _failure(check, tally.failure, flaky=tally.flaky, **seen)
    if tally.not_here:
        seen["unproved"] = tally.unproved
        return Outcome.of(check, Verdict.NOT_APPLICABLE, tally.not_here, **seen)
    if len(tally.undecided) > tally.examples * _UNDECIDED:
        share = f"{len(tally.undecided)} of {tally.examples} examples could not be judged"
        return Outcome.of(check, Verdict.UNKNOWN, f"{share}: {tally.undecided[0]}", **seen)
    if not tally.exercised:
        reason = f"none of {tally.examples} examples met the premise"
        return Outcome.of(check, Verdict.UNEXERCISED, reason, **seen)
    return Outcome.of(check, Verdict.PASS, **seen)


def _failure(check: Check, found: Found, *, flaky: bool, exercised: int, examples: int) -> Outcome:
    once = "\n(it did not fail again when it was repeated: something depends on chance)"
    return Outcome.of(
        check,
        Verdict.FAIL,
        found.message.partition("\n")[0],
        message=found.message + (once if flaky else ""),
        program=found.program,
        exercised=exercised,
        examples=examples,
        witness=found.witness,
        files=found.files,
    )


def _watched(search: Search, patience: float) -> Tally:
    """Run a search in a thread, and give it up when an example does not come to its end.

    A store that deadlocks must be told of as a failure of the property, not as a run that stopped.
    """
    trouble: list[BaseException] = []

    def run() -> None:
        try:
            search.run()
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            trouble.append(error)

    thread = threading.Thread(target=run, name=search.check.id, daemon=True)
    # An example that has not begun yet is not one that hangs: a busy machine may let a thread start
    # late, so the limit counts from here, not from the beginning of time.
    limit, seen = Patience(patience), search.tally.touched
    thread.start()
    while thread.is_alive():
        thread.join(min(_LOOK, patience))
        if search.tally.touched != seen:
            seen = search.tally.touched
            limit.begin()
        elif thread.is_alive() and limit.is_over():
            return _hanging(search, thread, patience)
    if trouble:
        raise trouble[0]
    if search.tally.failure is not None or search.check.lane in ("race", "chaos"):
        search.bench.reopen()
    return search.tally


def _hanging(search: Search, thread: threading.Thread, patience: float) -> Tally:
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to another thread's stack
    frame = frames.get(thread.ident or 0)
    stack = "".join(traceback.format_stack(frame)[-6:]).rstrip()
    log = search.bench.log_so_far()
    search.bench.abandon()
    message = f"expected an answer, found none within {patience:.0f} s; it hangs in\n{stack}"
    tally = replace(search.tally)
    tally.failure = Found(message, log, {})
    return tally
