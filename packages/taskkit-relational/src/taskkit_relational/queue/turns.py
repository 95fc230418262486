"""Which concrete groups a want stands for.

Names are compared byte by byte, so the subgroups of ``mail`` are exactly the names from
``mail.`` up to, not including, ``mail/``, the next character.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, TypeAlias

from taskkit.groups import covered, covers, lineage

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

    @property
    def is_free(self) -> bool:
        """Whether all that lies in its ranges may be taken."""
        return bool(self.ranges) and not self._blocked

    def past(self, group: str) -> str | None:
        """Return from where to go on if this group is not to be taken; None if it is."""
        if self._blocked:
            for name in lineage(group):
                if name in self._blocked:
                    # Its subgroups are passed in one step, however many there are.
                    return behind(group) if name == group else name + "/"
        return None
