"""``count`` and ``find`` over records, for backends that can look at all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from taskkit.errors import InvalidInput
from taskkit.groups import covers
from taskkit.records import Count, Page, Query, Record
from taskkit.task import Label, State


def counted(records: Iterable[Record], groups: Collection[str] | None) -> list[Count]:
    """Return what ``count`` answers, of records as they are seen now."""
    dues: dict[tuple[str, State], list[int]] = {}
    for record in records:
        if groups is None or record.task.group in groups:
            dues.setdefault((record.task.group, record.state), []).append(record.task.due)
    return [Count(*place, len(found), min(found)) for place, found in sorted(dues.items())]


def page(records: Iterable[Record], query: Query, limit: int, after: str | None) -> Page:
    """Return what ``find`` answers, of records as they are seen now.

    Raises:
        InvalidInput: the limit is negative.
    """
    if limit < 0:
        raise InvalidInput(f"limit: expected a number from 0, found {limit}")
    later = (each for each in records if after is None or each.task.id > after)
    found = sorted((each for each in later if matches(each, query)), key=lambda each: each.task.id)
    shown = found[:limit]
    return Page(shown, shown[-1].task.id if shown and len(found) > limit else None)


def matches(record: Record, query: Query) -> bool:
    """Return whether a record, as it is seen now, is asked for."""
    task, group = record.task, query.group
    return (
        (group is None or task.group == group or (query.subgroups and covers(group, task.group)))
        and (query.states is None or record.state in query.states)
        and (query.name is None or task.name == query.name)
        and all(
            key in task.labels and _same(task.labels[key], value)
            for key, value in query.labels.items()
        )
    )


def _same(one: Label, other: Label) -> bool:
    # In Python 1 is True; as labels they are two.
    return one == other and isinstance(one, bool) is isinstance(other, bool)
