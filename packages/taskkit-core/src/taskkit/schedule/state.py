"""What a scheduler remembers, and how that is written: one versioned JSON object per name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from taskkit.errors import Corrupt, SchemaMismatch
from taskkit.limits import EARLIEST, LATEST, check_int

FORMAT: Final = 1

Form: TypeAlias = dict[str, Any]
"""A JSON object."""


@dataclass(frozen=True, slots=True)
class EntryState:
    """What is remembered of one entry."""

    last: int
    """Every tick up to this instant is done with: put, or passed over."""
    paused: bool = False
    """Somebody paused it at run time."""
    held: bool = False
    """It was paused, in code or at run time, when a scheduler last looked: when it is not any
    more, it goes on from now instead of from ``last``."""
    stored: bool = False
    """It exists only here; otherwise it is defined in code."""
    form: Form | None = None
    """What it does, for a stored entry; for one in code a copy without data, to be looked at."""


States: TypeAlias = Mapping[str, EntryState]
"""The memory of one scheduler, by key."""


def released(state: EntryState, now: int) -> EntryState:
    """Return the state of an entry that is not paused any more: if it was held, it begins now."""
    return replace(state, held=False, last=max(state.last, now)) if state.held else state


def encode_states(states: States) -> bytes:
    """Return the bytes to store."""
    entries = {key: _written(state) for key, state in states.items()}
    text = json.dumps({"v": FORMAT, "entries": entries}, separators=(",", ":"), sort_keys=True)
    return text.encode()


def decode_states(data: bytes | None) -> dict[str, EntryState]:
    """Return what was stored; nothing before the first time.

    Raises:
        Corrupt: this is nothing that ``encode_states`` wrote.
        SchemaMismatch: a newer taskkit wrote it.
    """
    if data is None:
        return {}
    try:
        found = json.loads(data)
        version = found["v"]
        if isinstance(version, int) and version > FORMAT:
            raise SchemaMismatch(
                f"the state is of format {version}, this taskkit knows formats up to {FORMAT}; "
                "upgrade taskkit here"
            )
        return {key: _read(form) for key, form in found["entries"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Corrupt(f"expected the JSON state of a scheduler, found {data[:100]!r}") from error


def _written(state: EntryState) -> Form:
    written: Form = {"last": state.last}
    # Flags are written only where set: most states are a number, and are written every tick.
    written |= {name: True for name in ("paused", "held", "stored") if getattr(state, name)}
    if state.form is not None:
        written["form"] = state.form
    return written


def _read(form: Form) -> EntryState:
    last, definition = form["last"], form.get("form")
    check_int("last", last, EARLIEST, LATEST)
    if not isinstance(definition, dict | None):
        raise TypeError(f"expected a form, found {definition!r}")
    return EntryState(
        last=last,
        paused=form.get("paused") is True,
        held=form.get("held") is True,
        stored=form.get("stored") is True,
        form=definition,
    )
