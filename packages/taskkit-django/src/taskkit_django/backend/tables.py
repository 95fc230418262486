"""The tables of one store: are they there, and are they those of this code?"""

from __future__ import annotations

from contextlib import suppress

from django.db import router

from taskkit.errors import SchemaMismatch
from taskkit_django.backend.vendor import Vendor
from taskkit_relational.migrations import Layout, steps
from taskkit_relational.statements import Cursor

LABEL = "taskkit"
"""The app's label: what ``manage.py migrate`` and routers call it."""


class Tables:
    """The tables on one database; ``ensure`` costs nothing after it was content once."""

    def __init__(self, vendor: Vendor, layout: Layout, alias: str) -> None:
        self._vendor = vendor
        self._layout = layout
        self._alias = alias
        self._sound = False

    def ensure(self, cursor: Cursor) -> None:
        """Make sure that the tables are those of this code.

        Raises:
            SchemaMismatch: they are older, newer or none; says which command helps.
        """
        if self._sound:
            return
        applied = self.applied(cursor)
        missing = [
            step.version
            for step in steps(self._layout.dialect)
            # A post step may wait until no older code runs any more.
            if step.version not in applied and not step.is_post
        ]
        if missing:
            raise SchemaMismatch(
                f"expected taskkit's tables {self._layout.prefix}… of version "
                f"{self._layout.current()} in the database {self._alias!r}, found "
                f"{f'version {max(applied)}' if applied else 'none'}; run: {self.command}"
                + ("" if self._is_allowed() else " (and let your routers allow that)")
            )
        self._layout.check(applied)  # is there anything newer?
        self._sound = True

    @property
    def command(self) -> str:
        """What makes the tables, or brings them up to date."""
        return f"manage.py migrate {LABEL} --database {self._alias}"

    def applied(self, cursor: Cursor) -> set[int]:
        """Return the versions of the steps that were run."""
        return self._layout.applied(cursor, self._vendor.tables(cursor))

    def migrate(self, cursor: Cursor, *, alone: bool) -> None:
        """Run every step that has not been run.

        Args:
            cursor: On the database.
            alone: Whether to begin and commit; else that is the caller's.
        """
        if alone:
            with self._vendor.migrating(cursor):
                self._run(cursor)
        else:
            self._run(cursor)
        self._sound = False

    def _run(self, cursor: Cursor) -> None:
        self._layout.prepare(cursor)
        self._layout.run(cursor, self.applied(cursor), self._vendor.statements.now(cursor))

    def _is_allowed(self) -> bool:
        allowed = True
        with suppress(Exception):  # whatever a project's router says to being asked from here
            allowed = router.allow_migrate(self._alias, LABEL)
        return allowed
