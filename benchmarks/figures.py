"""What a server tells about itself: statements that it has executed, rows and bytes that it keeps.

Each question is asked over a connection of its own, which is closed again, and the question itself
is not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_STATEMENTS = """
SELECT query, sum(calls) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database() AND query NOT LIKE '%pg_stat_statements%'
GROUP BY query
"""

_SIZES = {
    "postgresql": """
SELECT pg_table_size(to_regclass(:table)) AS table_bytes,
       pg_indexes_size(to_regclass(:table)) AS index_bytes,
       n_live_tup AS live, n_dead_tup AS dead, autovacuum_count AS cleanings
FROM pg_stat_all_tables WHERE relid = to_regclass(:table)
""",
    # The file holds rows and indexes. Rows that are marked as deleted are counted by the server
    # as a whole: the history that is not yet purged.
    "mysql": """
SELECT s.file_size AS table_bytes, t.index_length AS index_bytes, t.table_rows AS live,
       (SELECT count FROM information_schema.innodb_metrics
        WHERE name = 'trx_rseg_history_len') AS dead, 0 AS cleanings
FROM information_schema.tables t
JOIN information_schema.innodb_sys_tablespaces s ON s.name = concat(t.table_schema, '/', :table)
WHERE t.table_schema = database() AND t.table_name = :table
""",
}


@contextmanager
def asking(url: str) -> Iterator[sa.Connection]:
    """Connect while the block lasts, every statement its own transaction."""
    engine = sa.create_engine(with_driver(url), poolclass=sa.NullPool)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    finally:
        engine.dispose()


def with_driver(url: str) -> str:
    """Return the URL as SQLAlchemy takes it, with the drivers that taskkit uses."""
    for scheme, full in (("postgresql:", "postgresql+psycopg:"), ("mysql:", "mysql+pymysql:")):
        url = url.replace(scheme, full)
    return url


def version(url: str) -> str:
    """Return which server this is."""
    with asking(url) as connection:
        if connection.dialect.name == "sqlite":
            return f"SQLite {connection.scalar(sa.text('SELECT sqlite_version()'))}"
        told = str(connection.scalar(sa.text("SELECT version()")))
        return told.partition(",")[0].partition(" (")[0]


def statements(url: str) -> Counter[str]:
    """Return how often this database, or this MariaDB, has executed each (kind of) statement."""
    with asking(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_stat_statements"))
            rows = connection.execute(sa.text(_STATEMENTS)).all()
            return Counter({" ".join(query.split()): int(calls) for query, calls in rows})
        # Empty ones are told too; "admin" are pings and the like.
        rows = connection.execute(sa.text("SHOW GLOBAL STATUS LIKE 'Com\\_%'")).all()
        return Counter({name: int(count) for name, count in rows if int(count)})


def executed(url: str, while_doing: Callable[[], None]) -> Counter[str]:
    """Return what was executed meanwhile, without what it takes to ask."""
    first = statements(url)
    own = statements(url) - first
    before = statements(url)
    while_doing()
    return statements(url) - before - own


def sizes(url: str, table: str) -> dict[str, Any]:
    """Return bytes of a table and of its indexes, its rows, and those that are dead in it."""
    with asking(url) as connection:
        name = connection.dialect.name
        if name == "sqlite":
            path = Path(str(connection.engine.url.database))
            rows = connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - own names and numbers
            return {"table_bytes": path.stat().st_size, "live": rows, "dead": 0}
        row = connection.execute(sa.text(_SIZES[name]), {"table": table}).mappings().one()
        return {key: int(value) for key, value in row.items()}
