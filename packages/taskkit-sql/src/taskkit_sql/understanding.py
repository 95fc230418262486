"""What drivers say to a URL that they cannot use: everything but an error of their own.

They hand its parameters on as they are: to a function that has no such parameter, to ``int``, to
whatever opens a file or looks up a name. What comes out depends on where it fails.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.event import listen

from taskkit.errors import InvalidSetting, Unavailable
from taskkit_sql.settings import ServerSettings

_MISTAKES = (TypeError, ValueError, AttributeError, LookupError)
"""Of a parameter or a host; ``UnicodeError`` is a ``ValueError``."""

_FILES = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, ssl.SSLError)
"""Of a file that a parameter names."""


@contextmanager
def understanding(settings: ServerSettings) -> Iterator[None]:
    """Turn what a driver raises of a URL into taskkit's errors; not for more than the driver."""
    try:
        yield
    except (*_MISTAKES, *_FILES) as error:
        raise InvalidSetting(
            f"url: expected a host and parameters that {settings.url.get_driver_name()} can use, "
            f"found {settings.shown}: {type(error).__name__}: {error}"
        ) from error
    except OSError as error:
        raise Unavailable(f"cannot connect to {settings.shown}: {error}") from error


def understand(engine: sa.Engine, settings: ServerSettings) -> None:
    """Let an engine connect within ``understanding``."""

    def connect(
        dialect: Any, _record: object, arguments: Any, parameters: dict[str, Any]
    ) -> object:
        with understanding(settings):
            return dialect.connect(*arguments, **parameters)

    listen(engine, "do_connect", connect)


__all__ = ["understand", "understanding"]
