"""Push, the side that tells: what a commit says to those who listen; see ``listening``."""

from __future__ import annotations

import os
import secrets

from taskkit_relational.dialects.postgres.listening import CLAIMABLE, FINISHED
from taskkit_relational.dialects.postgres.rarer import CLOCK

# ruff: noqa: S608 - own names


class Telling:
    """The news of a store that this process tells.

    Args:
        channel: Of the store, see ``channel_of``.
        prefix: Before the names of its tables.
    """

    def __init__(self, channel: str, prefix: str) -> None:
        self._channel = channel
        self._prefix = prefix
        self._tag = (0, "")

    def tag(self) -> str:
        """Return what this process signs its news with: it has told its own threads already."""
        process = os.getpid()
        if self._tag[0] != process:  # not the parent's, after a fork
            self._tag = (process, secrets.token_hex(6))
        return self._tag[1]

    def commit(self, *, wakes: bool, finished: bool) -> str:
        """Return the statements that commit, and tell other processes in which somebody waits."""
        if not (wakes or finished):
            return "COMMIT"
        kinds = ", ".join(f"'{kind}'" for kind in kinds_of(wakes=wakes, finished=finished))
        return (
            f"SELECT pg_notify('{self._channel}', kind || '{self.tag()}') "
            f"FROM {self._prefix}waiting WHERE kind IN ({kinds}) AND until > {CLOCK}; COMMIT"
        )


def kinds_of(*, wakes: bool, finished: bool) -> list[str]:
    """Return the kinds of news that a transaction has."""
    return [kind for kind, told in ((CLAIMABLE, wakes), (FINISHED, finished)) if told]
