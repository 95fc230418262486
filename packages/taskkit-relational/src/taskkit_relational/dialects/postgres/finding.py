"""``find`` on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from taskkit.task import Label
from taskkit_relational.dialects.postgres.rarer import FIND
from taskkit_relational.dialects.searching import Condition, conditions
from taskkit_relational.history import dump
from taskkit_relational.schema import RECORDED, RUNNING
from taskkit_relational.statements import Search, Values

_ID: Final = RECORDED.index("id")
_LABELS: Final = RECORDED.index("labels")


def find(look: Callable[..., list[Values]], search: Search, limit: int) -> list[Values]:
    """Return whole rows that match, ordered by id.

    Before version 16 PostgreSQL cannot tell whether a text is JSON without failing where it is
    not, and one broken row would fail every search. So the statement keeps what may have a label,
    and what does have it is decided here.
    """
    where, values = conditions(search, _may_have)
    text = _text(search, where)
    found: list[Values] = []
    while True:
        wanted = limit - len(found)
        rows = look(text, *values, wanted)
        matching = [row for row in rows if _has(row[_LABELS], search.labels)]
        found += matching
        if len(rows) < wanted or len(matching) == wanted:
            return found
        where, values = conditions(replace(search, after=rows[-1][_ID]), _may_have)
        text = _text(search, where)


def _text(search: Search, where: str) -> str:
    # Few run at any time, however many have finished: those are better sorted than looked for
    # along the ids. An expression keeps the index of ids out of it.
    few = search.numbers is not None and set(search.numbers) == {RUNNING}
    order = "id || ''" if few and not (search.waiting or search.queued) else "id"
    return FIND.replace("#where", where.replace("?", "%s")).replace("#order", order)


def _may_have(key: str, value: Label) -> Condition:
    entry = f"{dump(key)}:"
    if isinstance(value, str | bool):
        return "strpos(labels, ?) > 0", [entry + dump(value)]
    # A whole number may have been written as either kind; then another label follows, or none.
    written = {dump(value), dump(float(value))} | ({"-0.0"} if value == 0 else set())
    if value == int(value):
        written.add(dump(int(value)))
    ways = [f"{entry}{number}{end}" for number in sorted(written) for end in ",}"]
    return " OR ".join(["strpos(labels, ?) > 0"] * len(ways)), ways


def _has(stored: str | None, labels: Mapping[str, Label]) -> bool:
    if not labels:
        return True
    try:
        found: Any = json.loads(stored or "{}")
    except ValueError:
        return False
    return isinstance(found, dict) and all(
        key in found
        and found[key] == value
        # To Python true is 1; as labels they are different.
        and isinstance(found[key], bool) is isinstance(value, bool)
        for key, value in labels.items()
    )
