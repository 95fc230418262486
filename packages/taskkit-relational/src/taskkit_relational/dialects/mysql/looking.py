"""Where tasks are, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from taskkit.task import Label
from taskkit_relational.dialects.mysql import rarer
from taskkit_relational.dialects.mysql.named import Named
from taskkit_relational.dialects.searching import Condition, conditions
from taskkit_relational.history import dump
from taskkit_relational.schema import CANCELLED, RUNNING, SUCCEEDED
from taskkit_relational.statements import Cursor, Search, Values


def find(named: Named, cursor: Cursor, search: Search, limit: int) -> list[Values]:
    """Return whole rows that match, ordered by id."""
    where, values = conditions(search, _has_label)
    few = search.numbers is not None and SUCCEEDED not in search.numbers
    text = (rarer.FIND_FEW if few else rarer.FIND).replace("#where", where.replace("?", "%s"))
    return named.rows(cursor, text, *values, limit)


def _has_label(key: str, value: Label) -> Condition:
    return rarer.HAS_LABEL, [dump({key: value})]


def counts(named: Named, cursor: Cursor, groups: Sequence[str] | None, now: int) -> list[Values]:
    """Return how many tasks there are, by group, state and lateness."""
    if groups is None:
        return named.rows(cursor, rarer.COUNTS.replace("#groups", ""), now)
    text = rarer.COUNTS.replace("#groups", "AND grp IN (#ids)")
    return named.listed_rows(cursor, text, groups, before=(now,))


def next_finished(named: Named, cursor: Cursor, group: str, number: int) -> tuple[str, int] | None:
    """Return the first group and state behind this pair that has finished tasks."""
    seeks = [
        rarer.NEXT_FINISHED.replace("#state", str(state)).replace(
            "#behind", ">=" if state > number else ">"
        )
        for state in range(RUNNING + 1, CANCELLED + 1)
    ]
    found = named.rows(cursor, " UNION ALL ".join(seeks), *[group] * len(seeks))
    # Texts are compared here as the index has them: byte by byte.
    return min(found, default=None)
