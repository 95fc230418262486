"""taskkit on SQL databases, through SQLAlchemy Core.

The files, from the outside in: ``plugin`` is found by ``taskkit.connect`` and opens ``backend``,
the facade that joins the parts of the Backend protocol. ``queue/`` holds the hot path and every
transition of a task; ``workers``, ``reading``, ``operations``, ``controls`` and ``schedules`` hold
the rest; ``wakeup`` tells waiting workers. ``engine`` owns connections and transactions. What
differs between databases is in ``dialects/`` and ``migrations/`` alone.
"""

from __future__ import annotations

from taskkit_sql.backend import SqlBackend

__all__ = ["SqlBackend"]
