"""taskkit on SQL databases, through SQLAlchemy.

The rules and the SQL are in ``taskkit_relational``; here is what connects them to a database, from
the outside in: ``plugin`` is found by ``taskkit.connect``; ``settings`` checks the URL and the
options; ``opening`` joins a backend. SQLite has ``single_writer``, ``sqlite`` and its source of
news; a database server has ``pooled`` and a connector (``server`` says what that is): ``postgres``
or ``mysql``.
"""

from __future__ import annotations

from taskkit_sql.opening import open_backend

__all__ = ["open_backend"]
