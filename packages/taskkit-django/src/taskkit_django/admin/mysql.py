"""Where each part of the tasks stands on MySQL and MariaDB, which have no partial indexes.

Columns of the table stand in for those (see the tables' own words), and so the orders are others.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import BigIntegerField, QuerySet
from django.db.models.expressions import RawSQL

from taskkit_relational import schema

_COLUMNS: Final = {"rank": "place_rank", "at": "place_at", "mark": "due_or_end"}
"""Columns that no model has, by what they are called here."""

_IN_LINE: Final = ("group", "rank", "at", "due", "id")
_BY_MARK: Final = ("mark", "group", "id")

ORDERS: Final = {
    schema.READY: _IN_LINE,
    schema.PARKED: _IN_LINE,
    schema.WAITING: _BY_MARK,
    schema.FAILED: _BY_MARK,
    schema.LOST: _BY_MARK,
    schema.CANCELLED: _BY_MARK,
    schema.SUCCEEDED: ("-at", "-due", "-id"),
}
"""The order of the index that serves a state; of the others it is that of every database."""

_SPAN: Final = 1 << 56
"""Marks of a state: see ``due_or_end`` in the tables."""


def annotated(rows: QuerySet[Any], state: int | None) -> QuerySet[Any]:
    """Return rows with the columns that their order needs."""
    names = [each.lstrip("-") for each in ORDERS.get(state, ())] if state is not None else []
    wanted = {
        name: RawSQL(column, (), output_field=BigIntegerField())  # noqa: S611 - own names
        for name, column in _COLUMNS.items()
        if name in names or (state == schema.SUCCEEDED and name == "rank")
    }
    return rows.annotate(**wanted) if wanted else rows


def chosen(rows: QuerySet[Any], state: int) -> QuerySet[Any]:
    """Return those of annotated rows that are of a state, told as its index has them."""
    if state == schema.WAITING:
        return rows.filter(mark__gte=0)
    if state in (schema.FAILED, schema.LOST, schema.CANCELLED):
        return rows.filter(mark__gt=-(state + 1) * _SPAN, mark__lte=-state * _SPAN)
    if state == schema.SUCCEEDED:
        return rows.filter(state=state, rank=0)
    return rows.filter(state=state)


def sampled(state: int) -> str:
    """Return the condition and the order of a state, for a statement of one's own."""
    if state == schema.WAITING:
        return "due_or_end >= 0 ORDER BY due_or_end"
    if state in (schema.FAILED, schema.LOST, schema.CANCELLED):
        first, last = -(state + 1) * _SPAN, -state * _SPAN
        return f"due_or_end > {first} AND due_or_end <= {last} ORDER BY due_or_end"
    return f"state = {state}"
