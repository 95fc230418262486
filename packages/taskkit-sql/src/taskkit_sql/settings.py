"""How a store is to be opened: the URL and the options, checked before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from taskkit.errors import InvalidSetting
from taskkit.limits import check_duration

_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")
"""Short enough that prefix and name together stay below the 63 bytes of PostgreSQL."""

_OPTIONS: Final = ("prefix", "synchronous", "create", "busy_timeout")


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``sqlite:///taskkit.db`` and its options mean."""

    path: str
    """The database file, absolute: a later change of the working directory must not matter."""
    prefix: str = "taskkit_"
    """Before the names of all tables and indexes: the namespace of this store."""
    synchronous: str = "normal"
    """``normal``: a power cut may undo the last moments. ``full``: it may not."""
    create: bool = True
    """Whether a store without tables gets them on first use."""
    busy_timeout: float = 10.0
    """Seconds to wait for other writers before giving up with ``Unavailable``."""


def read_settings(url: str | None, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a URL and options.

    Raises:
        InvalidSetting: one of them is not understood; says what was expected.
    """
    if url is None:
        raise InvalidSetting("url: expected one such as 'sqlite:///taskkit.db', found none")
    for name in options:
        if name not in _OPTIONS:
            close = get_close_matches(name, _OPTIONS, n=1)
            raise InvalidSetting(
                f"option: expected one of {', '.join(_OPTIONS)}, found {name!r}"
                + (f"; did you mean {close[0]!r}?" if close else "")
            )
    settings = Settings(path=_path(url), **options)
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    if not _PREFIX.fullmatch(str(settings.prefix)):
        raise InvalidSetting(
            "prefix: expected at most 30 letters, digits and underscores, no digit first, "
            f"found {settings.prefix!r}"
        )
    if settings.synchronous not in ("normal", "full"):
        raise InvalidSetting(
            f"synchronous: expected 'normal' or 'full', found {settings.synchronous!r}"
        )
    if not isinstance(settings.create, bool):
        raise InvalidSetting(f"create: expected True or False, found {settings.create!r}")
    check_duration("busy_timeout", settings.busy_timeout)


def _path(url: str) -> str:
    parsed = _parse(url)
    database = parsed.database
    if not database or database == ":memory:" or database.startswith("file:"):
        raise InvalidSetting(
            "url: expected the path of a file, such as 'sqlite:///taskkit.db' (relative) or "
            "'sqlite:////var/lib/taskkit.db' (absolute), found "
            f"{url!r}; for a store in memory use connect('memory')"
        )
    if parsed.query:
        raise InvalidSetting(
            f"url: expected no parameters, found {', '.join(sorted(parsed.query))}; "
            f"give options as arguments: {', '.join(_OPTIONS)}"
        )
    return str(Path(database).absolute())


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Without the URL: it may hold a password.
        raise InvalidSetting(
            "url: expected one such as 'sqlite:///taskkit.db', found something else"
        ) from error
    if parsed.get_backend_name() != "sqlite" or parsed.host:
        raise InvalidSetting(
            "url: expected 'sqlite:///' and the path of a file (three slashes before a relative "
            f"path, four before an absolute one), found {parsed.render_as_string()!r}"
        )
    return parsed
