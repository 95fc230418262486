"""What the parts of the backend share: the database, its tables, its limits and pauses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taskkit_sql.dialects import Dialect, Hot
from taskkit_sql.schema import Tables

if TYPE_CHECKING:
    from taskkit.records import Limits
    from taskkit_sql.engine import Database


@dataclass(frozen=True, slots=True)
class Controlled:
    """Pauses and limits as of one value of the store's counter ``controls``."""

    version: int = -1
    pauses: dict[str, int | None] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)


@dataclass(slots=True)
class Store:
    """One store, opened."""

    database: Database
    dialect: Dialect
    tables: Tables
    url: str
    """For messages: what the store was opened with, without a password."""
    create: bool
    """Whether a store without tables gets them on first use."""
    controlled: Controlled = field(default_factory=Controlled)
    """The newest that this process has read; a claim reads it again only after a change."""

    @property
    def hot(self) -> Hot:
        """The hot statements."""
        return self.dialect.hot
