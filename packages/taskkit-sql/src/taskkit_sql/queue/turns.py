"""Which concrete groups a want stands for, and whose turn it is among them.

Names are compared byte by byte, so the subgroups of ``mail`` are exactly the names from
``mail.`` up to, not including, ``mail/``, the next character.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, TypeAlias

import sqlalchemy as sa

from taskkit.groups import covered, covers, lineage
from taskkit_sql.engine import Transaction
from taskkit_sql.store import Store

_NEXT: Final = "\x01"
"""Appended to a name it sorts before all others behind that name: names are printable."""

Range: TypeAlias = tuple[str, str]
"""Names from the first, included, to the second, excluded."""


def ranges(name: str) -> tuple[Range, Range]:
    """Return where a group and its subgroups lie."""
    return (name, name + _NEXT), (name + ".", name + "/")


def behind(group: str) -> str:
    """Return from where on the names behind a group lie."""
    return group + _NEXT if group else ""


class Want:
    """One wanted group, with what is not to be taken from under it."""

    __slots__ = ("_blocked", "most", "name", "ranges")

    def __init__(
        self, name: str, most: int, wants: Mapping[str, int], shut: Collection[str]
    ) -> None:
        self.name = name
        self.most = most
        self.ranges: tuple[Range, ...] = () if covered(name, shut) else ranges(name)
        self._blocked = {other for other in wants if other != name and covers(name, other)}
        self._blocked.update(shut)

    def past(self, group: str) -> str | None:
        """Return from where to go on if this group is not to be taken; None if it is."""
        if self._blocked:
            for name in lineage(group):
                if name in self._blocked:
                    # Its subgroups are passed in one step, however many there are.
                    return behind(group) if name == group else name + "/"
        return None


def last_served(store: Store, transaction: Transaction, want: str) -> str:
    """Return the subgroup that was served last; empty before the first."""
    table = store.tables.turn
    query = sa.select(table.c.grp).where(table.c.want == want)
    return transaction.connection.execute(query).scalar() or ""


def remember_served(store: Store, transaction: Transaction, want: str, group: str) -> None:
    """Store which subgroup was served last, so that other workers go on behind it."""
    table = store.tables.turn
    update = sa.update(table).where(table.c.want == want).values(grp=group)
    if transaction.connection.execute(update).rowcount == 0:
        transaction.connection.execute(sa.insert(table).values(want=want, grp=group))
