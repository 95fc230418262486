"""Statements that a process says again and again: prepared once, then sent by libpq as they are.

The driver's own cursors can adapt whatever there is, and look up with every statement whether it is
prepared. For a few plain values that takes longer than the server's answer.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

from taskkit.clock import monotonic

Values: TypeAlias = Sequence[Any] | Mapping[str, Any]

_PARAMETER: Final = re.compile(r"%(?:s|%|\((\w+)\)s)")

Writing: TypeAlias = tuple[Callable[[Any], bytes | None], Format]
"""How values of a type are written."""


def _writing(encoding: str) -> Mapping[type, Writing]:
    """Return how plain values are written; what is not here is not plain.

    Texts are sent as bytes are, with their length: a zero in one would end what libpq takes for
    text, and here the server refuses it.
    """
    return {
        str: (lambda text: text.encode(encoding), Format.BINARY),
        bytes: (bytes, Format.BINARY),
        int: (lambda number: b"%d" % number, Format.TEXT),
        type(None): (lambda _: None, Format.TEXT),
    }


class Direct:
    """A cursor on a connection to PostgreSQL that is in autocommit.

    A statement names the type of each parameter. One whose values are not all plain is executed by
    a cursor of the driver.

    Args:
        connection: Nobody else uses it meanwhile.
        seconds: After these without an answer it is closed.
    """

    def __init__(self, connection: psycopg.Connection[Any], seconds: float) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._seconds = seconds
        # A database that says nothing of its texts (SQL_ASCII) takes any.
        told = connection.info.encoding
        self._encoding = "utf-8" if told == "ascii" else told
        self._writing = _writing(self._encoding)
        self._readable = select.poll()
        self._readable.register(self._pgconn.socket, select.POLLIN)
        self._both = select.poll()
        self._both.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)
        self._transformer = Transformer.from_context(connection)
        self._prepared: dict[str, tuple[bytes, Sequence[str]]] = {}
        self._numbers = count()
        self._rows: list[Any] = []
        self.rowcount = -1

    def execute(self, text: str, values: Values = (), /) -> None:
        """Execute a statement; its parameters are written ``%s``, or ``%(name)s``."""
        given = values.values() if isinstance(values, Mapping) else values
        if any(type(value) not in self._writing for value in given):
            self._execute_by_driver(text, values)
            return
        try:
            self._execute_prepared(text, values)
        except psycopg.errors.InvalidSqlStatementName:
            # The driver forgets all that is prepared on a connection after a ROLLBACK, not only
            # what it has prepared itself. Nothing was executed.
            self._prepared.clear()
            self._execute_prepared(text, values)

    def _execute_prepared(self, text: str, values: Values) -> None:
        name, order = self._prepared.get(text) or self._prepare(text)
        if isinstance(values, Mapping):
            values = [values[key] for key in order]
        how = [self._writing[type(value)] for value in values]
        written = [write(value) for (write, _), value in zip(how, values, strict=True)]
        formats = [kind for _, kind in how]
        self._pgconn.send_query_prepared(name, written, formats, Format.BINARY)
        self._keep(self._answer())

    def _prepare(self, text: str) -> tuple[bytes, Sequence[str]]:
        order: list[str] = []

        def numbered(found: re.Match[str]) -> str:
            if found[0] == "%%":
                return "%"
            if found[1] is None or found[1] not in order:
                order.append(found[1])
            number = len(order) if found[1] is None else order.index(found[1]) + 1
            return f"${number}"

        statement = _PARAMETER.sub(numbered, text)
        name = b"taskkit_%d" % next(self._numbers)
        self._pgconn.send_prepare(name, statement.encode())
        self._answer()
        self._prepared[text] = name, order
        return name, order

    def _answer(self) -> PGresult:
        """Return the answer to what was sent last.

        Raises:
            psycopg.Error: it is an error, or there is none.
        """
        pgconn = self._pgconn
        deadline = monotonic() + self._seconds
        while pgconn.flush():
            self._wait(self._both, deadline)
            # It may have to be rid of an answer before it takes more.
            pgconn.consume_input()
        answer: PGresult | None = None
        try:
            while True:
                while pgconn.is_busy():
                    self._wait(self._readable, deadline)
                    pgconn.consume_input()
                found = pgconn.get_result()
                if found is None:
                    break
                answer = found
        except psycopg.OperationalError:
            # A server that ends a connection says why before it does.
            if answer is None or answer.status != ExecStatus.FATAL_ERROR:
                raise
        if answer is None:
            raise psycopg.OperationalError("no answer")
        if answer.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            raise error_from_result(answer, self._encoding)
        return answer

    def _wait(self, poll: select.poll, deadline: float) -> None:
        left = deadline - monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            self._connection.close()
            raise psycopg.OperationalError(f"no answer for {self._seconds:g} s")

    def _keep(self, answer: PGresult) -> None:
        changed = answer.command_tuples
        self.rowcount = -1 if changed is None else changed
        self._rows = []
        if answer.ntuples:
            self._transformer.set_pgresult(answer)
            self._rows = self._transformer.load_rows(0, answer.ntuples, tuple)

    def _execute_by_driver(self, text: str, values: Values) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(text.encode(), values)
            self.rowcount = cursor.rowcount
            self._rows = cursor.fetchall() if cursor.description else []

    def executemany(self, text: str, rows: Sequence[Values], /) -> None:
        """Execute a statement once for each row of values."""
        for values in rows:
            self.execute(text, values)

    def fetchone(self) -> Any:
        """Return the next row of the answer; None if there is no further one."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        """Return what is left of the answer."""
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        """Let go of the answer."""
        self._rows = []


__all__ = ["Direct"]
