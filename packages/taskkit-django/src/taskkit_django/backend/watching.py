"""Calls back before every statement of this process; for the conformance suite's interleavings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from taskkit_relational.statements import Cursor


class _Watch:
    """Whom to call before a statement."""

    def __init__(self) -> None:
        self.wanted = False
        self.callback: Callable[[], None] | None = None


_watch = _Watch()


@contextmanager
def calling(callback: Callable[[], None]) -> Iterator[None]:
    """While the context lasts, call back before every statement."""
    before, _watch.callback = _watch.callback, callback
    try:
        yield
    finally:
        _watch.callback = before


def watch_cursors() -> None:
    """Let all cursors that are made from now on take part."""
    _watch.wanted = True


def watched(cursor: Cursor) -> Cursor:
    """Return the cursor, or in its place one that calls back, where anybody wants that."""
    return cast("Cursor", _Watched(cursor)) if _watch.wanted else cursor


class _Watched:
    """A cursor that calls back before each statement."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, *arguments: Any, **options: Any) -> Any:
        if _watch.callback is not None:
            _watch.callback()
        return self._cursor.execute(*arguments, **options)

    def executemany(self, *arguments: Any, **options: Any) -> Any:
        if _watch.callback is not None:
            _watch.callback()
        return self._cursor.executemany(*arguments, **options)
