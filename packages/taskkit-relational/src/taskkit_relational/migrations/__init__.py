"""The layout of the tables, in numbered steps.

A step is a file ``VV_NN_pre_name.sql`` or ``VV_NN_post_name.sql`` in the folder of its database.
``pre`` is to be run before the code that needs it is deployed, and leaves the code before it
running; ``post`` after no older code runs any more. ``{prefix}`` stands for the prefix of the
tables, ``{plain}`` for the same without a schema, which the name of an index cannot have. A step's
version is VV * 100 + NN; ``schema_version`` lists the steps that were run.

Nothing is upgraded by itself, except that an empty store gets its tables when it is first used
(unless it was opened with ``create=False``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from taskkit.errors import SchemaMismatch
from taskkit_relational.statements import Cursor

_VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS {prefix}schema_version (
    version INTEGER PRIMARY KEY,
    step    VARCHAR(200) NOT NULL,
    applied BIGINT NOT NULL
)"""

_APPLIED: Final = "SELECT version FROM {prefix}schema_version"

_NOTE: Final = "INSERT INTO {prefix}schema_version (version, step, applied)"

VERSION_TABLE: Final = "schema_version"


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step."""

    version: int
    name: str
    is_post: bool
    sql: str

    def statements(self, layout: Layout) -> list[str]:
        """Return the statements, without comments."""
        lines = (line.partition("--")[0].rstrip() for line in self.sql.splitlines())
        text = layout.named("\n".join(line for line in lines if line))
        return [statement.strip() for statement in text.split(";") if statement.strip()]


@cache
def steps(dialect: str) -> tuple[Step, ...]:
    """Return all steps of a database, in order."""
    found: list[Step] = []
    for file in files(__name__).joinpath(dialect).iterdir():
        name, dot, ending = file.name.partition(".")
        if dot and ending == "sql":
            major, minor, phase, _ = name.split("_", 3)
            version = int(major) * 100 + int(minor)
            found.append(Step(version, name, phase == "post", file.read_text("utf-8")))
    return tuple(sorted(found, key=lambda step: step.version))


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables of one store."""

    dialect: str
    """The folder of steps."""
    prefix: str
    url: str
    """For messages: what the store was opened with, without a password."""
    schema: str | None = None
    """Where the tables are, on databases that have schemas; None: where the connection looks."""

    def named(self, sql: str) -> str:
        """Return SQL with the names of this store's tables."""
        full = self.prefix if self.schema is None else f"{self.schema}.{self.prefix}"
        return sql.replace("{prefix}", full).replace("{plain}", self.prefix)

    def current(self) -> int:
        """Return the version of this code."""
        return steps(self.dialect)[-1].version

    def applied(self, cursor: Cursor, tables: Collection[str]) -> set[int]:
        """Return the versions of the steps that were run, given the tables that exist."""
        if f"{self.prefix}{VERSION_TABLE}" not in tables:
            return set()
        cursor.execute(self.named(_APPLIED))
        return {row[0] for row in cursor.fetchall()}

    def prepare(self, cursor: Cursor) -> None:
        """Create the table of versions, if there is none."""
        cursor.execute(self.named(_VERSIONS))

    def run(self, cursor: Cursor, applied: Collection[int], now: int) -> None:
        """Run every step that has not been run; ``prepare`` comes before.

        Raises:
            SchemaMismatch: the store has steps that this code does not know.
        """
        self._refuse_newer(applied)
        for step in steps(self.dialect):
            if step.version not in applied:
                for statement in step.statements(self):
                    cursor.execute(statement)
                cursor.execute(self._noted(step, now))

    def check(self, applied: Collection[int]) -> None:
        """Make sure that the tables are those of this code.

        Raises:
            SchemaMismatch: they are older or newer; says which command helps.
        """
        self._refuse_newer(applied)
        missing = [
            step.name
            for step in steps(self.dialect)
            # A post step may wait until no older code runs any more.
            if step.version not in applied and not step.is_post
        ]
        if missing:
            raise SchemaMismatch(
                f"expected the tables {self.prefix}… of version {self.current()}, found "
                f"{_found(applied)}; run: taskkit db upgrade --url {self.url}"
            )

    def upgrade_sql(self, since: int) -> str:
        """Return the SQL of every step after a version."""
        parts = [self.named(_VERSIONS).lstrip() + ";\n"] if since == 0 else []
        for step in steps(self.dialect):
            if step.version > since:
                parts.append(f"-- {step.name}\n{self.named(step.sql).strip()}")
                parts.append(f"{self._noted(step, 0)};\n")
        return "\n".join(parts)

    def _noted(self, step: Step, now: int) -> str:
        return self.named(_NOTE) + f" VALUES ({step.version}, '{step.name}', {now})"

    def _refuse_newer(self, applied: Collection[int]) -> None:
        newest = self.current()
        if max(applied, default=0) > newest:
            raise SchemaMismatch(
                f"expected the tables {self.prefix}… of version {newest}, found "
                f"{_found(applied)}, made by a newer taskkit; "
                "run: pip install --upgrade taskkit-relational"
            )


def _found(applied: Collection[int]) -> str:
    return f"version {max(applied)}" if applied else "none"
