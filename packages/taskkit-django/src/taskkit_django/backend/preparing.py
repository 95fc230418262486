"""Prepared statements on Django's connections to PostgreSQL, which prepare none of their own."""

from __future__ import annotations

from typing import Any, Final

import psycopg

_THRESHOLD: Final = 5
"""Runs of a statement after which it is worth a round trip to prepare it: the driver's default."""


class PreparingPuts(psycopg.Cursor[Any]):
    """A cursor whose inserts are prepared after a few, although the connection says never.

    To plan the insert of a task takes the server about as long as to run it. Only inserts, whose
    plan is the same for whatever values; Django's own statements stay as they are.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> PreparingPuts:
        """Execute a statement."""
        if query[:6] not in ("INSERT", b"INSERT"):
            super().execute(query, params, **options)
            return self
        driver = self.connection
        # With None the driver would not even prepare where it is asked to.
        driver.prepare_threshold = _THRESHOLD
        try:
            super().execute(query, params, **options)
        finally:
            driver.prepare_threshold = None
        return self
