"""Failures and ended attempts as JSON text, and back; what cannot be read hides nothing else."""

from __future__ import annotations

import json
from typing import Any, Final

from taskkit.errors import Corrupt
from taskkit.records import Attempt, Outcome
from taskkit.task import Failure

CORRUPT: Final = f"{Corrupt.__module__}.{Corrupt.__qualname__}"
"""The type of the failure of a task whose row cannot be understood."""

_FIELDS: Final = 6
"""Of an ended attempt: see ``attempt_entry``."""


def dump(value: object) -> str:
    """Return compact JSON, in ASCII: lone surrogates and NULs in a message survive it."""
    return json.dumps(value, separators=(",", ":"))


def dump_failure(failure: Failure | None) -> str | None:
    """Return a failure as it is stored."""
    if failure is None:
        return None
    return dump([failure.type, failure.message, failure.traceback])


def read_failure(stored: str | None) -> Failure | None:
    """Return a stored failure; one that cannot be read says so itself."""
    if stored is None:
        return None
    try:
        kind, message, trace = json.loads(stored)
        return Failure(str(kind), str(message), str(trace))
    except (ValueError, TypeError) as error:
        return corrupt("failure", error)


def corrupt(what: str, error: Exception) -> Failure:
    """Return the failure of a task whose row cannot be understood."""
    return Failure(CORRUPT, f"the stored {what} cannot be understood and is left as it is: {error}")


def read_history(stored: str | None) -> list[Any]:
    """Return the stored attempts; none if they cannot be read."""
    if stored is None:
        return []
    try:
        found = json.loads(stored)
    except ValueError:
        return []
    if not isinstance(found, list):
        return []
    return [entry for entry in found if isinstance(entry, list) and len(entry) == _FIELDS]


def read_attempts(stored: str | None) -> list[Attempt]:
    """Return the stored attempts as the core has them."""
    found: list[Attempt] = []
    for entry in read_history(stored):
        try:
            attempt, began, ended, worker_id, outcome, failure = entry
            found.append(
                Attempt(
                    attempt,
                    began,
                    ended,
                    worker_id,
                    "lost" if outcome == "lost" else Outcome(outcome),
                    None if failure is None else Failure(*failure),
                )
            )
        except (ValueError, TypeError):
            continue
    return found


def attempt_entry(
    attempt: int,
    began: int | None,
    ended: int,
    worker_id: str | None,
    outcome: str,
    failure: Failure | None,
) -> list[Any]:
    """Return an ended attempt as the history keeps it."""
    told = None if failure is None else [failure.type, failure.message, failure.traceback]
    return [attempt, began, ended, worker_id or "", str(outcome), told]
