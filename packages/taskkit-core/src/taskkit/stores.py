"""From a name or a URL to a backend: finds the plugin and asks it to open."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, Final

from taskkit.errors import BrokenPlugin, InvalidSetting, UnknownBackend
from taskkit.plugins import backend_entries, load_backend

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock

DEFAULT_URL: Final = "sqlite:///taskkit.db"

# What to install for a scheme or name that nobody owns yet.
_INSTALL: Final = {
    "sql": "taskkit-sql",
    "sqlite": "taskkit-sql",
    "postgresql": "taskkit-sql[postgres]",
    "postgres": "taskkit-sql[postgres]",
    "mysql": "taskkit-sql[mysql]",
    "mariadb": "taskkit-sql[mysql]",
    "redis": "taskkit-redis",
    "rediss": "taskkit-redis",
    "valkey": "taskkit-redis",
    "unix": "taskkit-redis",
    "django": "taskkit-django",
}


@dataclass(frozen=True, slots=True)
class BackendPlugin:
    """An installed backend plugin; it has not been imported."""

    name: str
    schemes: tuple[str, ...]
    """The URL schemes that it owns, its name among them where that is one."""
    distribution: str
    version: str


def connect(
    name: str, *, url: str | None = None, clock: Clock | None = None, **options: Any
) -> Backend:
    """Open the backend that is installed under ``name``.

    Nothing is connected yet; that happens when the backend is first used.

    Args:
        name: An entry of ``taskkit.backends``, such as ``"sql"``.
        url: Where the store is; what it looks like is the plugin's business.
        clock: Replaces the store's clock, for tests.
        options: Passed to the plugin.

    Raises:
        UnknownBackend: nothing of this name is installed.
        BrokenPlugin: its plugin cannot be imported.
        InvalidSetting: the plugin does not understand the URL or an option.
    """
    return _open(_entry(name), url, options, clock)


def connect_url(url: str | None = None, *, clock: Clock | None = None, **options: Any) -> Backend:
    """Open the backend that owns the URL's scheme.

    ``driver+…`` falls back to what stands before the plus: ``postgresql+psycopg`` is
    ``postgresql``. Without a URL the environment's ``TASKKIT_URL`` counts, then a SQLite file
    ``taskkit.db`` in the current folder.
    """
    url = url or os.environ.get("TASKKIT_URL") or DEFAULT_URL
    if not isinstance(url, str):
        raise InvalidSetting(f"url: expected text such as {DEFAULT_URL!r}, found a {_kind(url)}")
    scheme, separator, _ = url.partition(":")
    scheme = scheme.lower()  # RFC 3986: SQLITE is the same scheme
    url = scheme + url[len(scheme) :]
    entries = backend_entries()
    entry = entries.get(scheme) or entries.get(scheme.partition("+")[0])
    if entry is None or not separator:
        # Only the scheme is shown: the rest of a URL may hold a password.
        raise UnknownBackend(_unknown("URL scheme", scheme if separator else "", entries))
    return _open(entry, url, options, clock)


def backends() -> dict[str, BackendPlugin]:
    """Return the installed backend plugins by name; none of them is imported."""
    by_plugin: dict[str, list[EntryPoint]] = {}
    for entry in backend_entries().values():
        by_plugin.setdefault(entry.value, []).append(entry)
    return {plugin.name: plugin for plugin in map(_describe, by_plugin.values())}


def backend_hooks(name: str) -> Any:
    """Return the callers of all hooks of one backend's plugin, for the conformance suite.

    Raises:
        UnknownBackend: nothing of this name is installed.
        BrokenPlugin: its plugin cannot be imported.
    """
    return load_backend(_entry(name))


def _entry(name: str) -> EntryPoint:
    if not isinstance(name, str):
        raise InvalidSetting(f"backend: expected a name such as 'sql', found a {_kind(name)}")
    entries = backend_entries()
    if name not in entries:
        raise UnknownBackend(_unknown("backend", name, entries))
    return entries[name]


def _kind(found: object) -> str:
    # Not shown itself: a URL may hold a password, whatever it is wrapped in.
    return type(found).__name__


def _describe(entries: list[EntryPoint]) -> BackendPlugin:
    first = entries[0]
    dist = first.dist
    # Of several names the one that its distribution is called after, as taskkit-sql after "sql".
    named = (e.name for e in entries if dist is not None and dist.name.endswith(f"-{e.name}"))
    return BackendPlugin(
        name=next(named, first.name),
        schemes=tuple(entry.name for entry in entries),
        distribution=dist.name if dist else "",
        version=dist.version if dist else "",
    )


def _open(
    entry: EntryPoint, url: str | None, options: dict[str, Any], clock: Clock | None
) -> Backend:
    hooks = load_backend(entry)
    opened: Backend | None = hooks.taskkit_open(url=url, options=options, clock=clock)
    if opened is None:
        raise BrokenPlugin(f"the backend plugin {entry.name!r} ({entry.value}) opened nothing")
    return opened


def _unknown(what: str, name: str, entries: dict[str, EntryPoint]) -> str:
    installed = ", ".join(sorted(entries)) or "none"
    message = f"expected a {what} that is installed ({installed}), found {name!r}"
    package = _INSTALL.get(name.partition("+")[0])
    if package is not None:
        return f"{message}; pip install {package}"
    close = get_close_matches(name, list(entries), n=1)
    return f"{message}; did you mean {close[0]!r}?" if close else message
