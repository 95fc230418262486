"""The layout of the tables, in numbered steps.

A step is a file ``VV_NN_pre_name.sql`` or ``VV_NN_post_name.sql`` in the folder of its dialect.
``pre`` is to be run before the code that needs it is deployed, and leaves the code before it
running; ``post`` after no older code runs any more. ``{prefix}`` stands for the prefix of the
tables. A step's version is VV * 100 + NN; ``schema_version`` lists the steps that were run.

Nothing is upgraded by itself, except that an empty store gets its tables when it is first used
(unless it was opened with ``create=False``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import sqlalchemy as sa

from taskkit.errors import SchemaMismatch
from taskkit_sql.engine import Transaction
from taskkit_sql.store import Store

_VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS {prefix}schema_version (
    version INTEGER PRIMARY KEY,
    step    TEXT NOT NULL,
    applied INTEGER NOT NULL                 -- when
)"""


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step."""

    version: int
    name: str
    is_post: bool
    sql: str

    def statements(self, prefix: str) -> list[str]:
        """Return the statements, without comments."""
        lines = (line.partition("--")[0].rstrip() for line in self.sql.splitlines())
        text = "\n".join(line for line in lines if line).replace("{prefix}", prefix)
        return [statement.strip() for statement in text.split(";") if statement.strip()]


@cache
def steps(dialect: str) -> tuple[Step, ...]:
    """Return all steps of a dialect, in order."""
    found: list[Step] = []
    for file in files(__name__).joinpath(dialect).iterdir():
        name, dot, ending = file.name.partition(".")
        if dot and ending == "sql":
            major, minor, phase, _ = name.split("_", 3)
            version = int(major) * 100 + int(minor)
            found.append(Step(version, name, phase == "post", file.read_text("utf-8")))
    return tuple(sorted(found, key=lambda step: step.version))


def versions(store: Store) -> tuple[int, int]:
    """Return the version that the store has (0: nothing yet) and the one that is current."""
    with store.database.reading() as connection:
        applied = _applied(store, connection)
    return max(applied, default=0), steps(store.dialect.name)[-1].version


def prepare(store: Store) -> None:
    """Make sure that the tables are those of this code; create them if there are none.

    Raises:
        SchemaMismatch: they are older or newer; says which command helps.
    """
    with store.database.reading() as connection:
        applied = _applied(store, connection)
    if not applied and store.create:
        migrate(store)
    else:
        _check(store, applied)


def prepare_within(store: Store, transaction: Transaction) -> None:
    """As ``prepare``, in a caller's transaction: the tables exist if and only if it commits."""
    applied = _applied(store, transaction.connection)
    if not applied and store.create:
        _run(store, transaction, applied)
    else:
        _check(store, applied)


def migrate(store: Store) -> None:
    """Run every step that has not been run.

    Raises:
        SchemaMismatch: the store has steps that this code does not know.
    """
    with store.database.writing() as transaction:
        applied = _applied(store, transaction.connection)
        _refuse_newer(store, applied)
        _run(store, transaction, applied)


def upgrade_sql(store: Store, since: int | None = None) -> str:
    """Return the SQL of every step after a version; None is the store's own."""
    if since is None:
        since = versions(store)[0]
    prefix = store.tables.prefix
    parts = [_VERSIONS.replace("{prefix}", prefix).lstrip() + ";\n"] if since == 0 else []
    for step in steps(store.dialect.name):
        if step.version > since:
            parts.append(f"-- {step.name}\n{step.sql.replace('{prefix}', prefix).strip()}")
            parts.append(
                f"INSERT INTO {prefix}schema_version (version, step, applied) "  # noqa: S608 - own names
                f"VALUES ({step.version}, '{step.name}', 0);\n"
            )
    return "\n".join(parts)


def _run(store: Store, transaction: Transaction, applied: set[int]) -> None:
    prefix = store.tables.prefix
    transaction.cursor.execute(_VERSIONS.replace("{prefix}", prefix))
    table = store.tables.version
    for step in steps(store.dialect.name):
        if step.version not in applied:
            for statement in step.statements(prefix):
                transaction.cursor.execute(statement)
            transaction.connection.execute(
                sa.insert(table).values(
                    version=step.version, step=step.name, applied=transaction.now
                )
            )


def _applied(store: Store, connection: sa.Connection) -> set[int]:
    table = store.tables.version
    if not sa.inspect(connection).has_table(table.name):
        return set()
    return set(connection.execute(sa.select(table.c.version)).scalars())


def _check(store: Store, applied: set[int]) -> None:
    _refuse_newer(store, applied)
    missing = [
        step.name
        for step in steps(store.dialect.name)
        # A post step may wait until no older code runs any more.
        if step.version not in applied and not step.is_post
    ]
    if missing:
        raise SchemaMismatch(
            f"expected the tables {store.tables.prefix}… of version "
            f"{steps(store.dialect.name)[-1].version}, found {_found(applied)}; "
            f"run: taskkit db upgrade --url {store.url}"
        )


def _refuse_newer(store: Store, applied: set[int]) -> None:
    newest = steps(store.dialect.name)[-1].version
    if max(applied, default=0) > newest:
        raise SchemaMismatch(
            f"expected the tables {store.tables.prefix}… of version {newest}, found "
            f"{_found(applied)}, made by a newer taskkit; "
            "run: pip install --upgrade taskkit-sql"
        )


def _found(applied: set[int]) -> str:
    return f"version {max(applied)}" if applied else "none"
