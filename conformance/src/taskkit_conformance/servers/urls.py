"""URLs of stores: where they point, and how to point them elsewhere."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

_PORTS: Final = {
    "postgresql": 5432,
    "postgres": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "valkey": 6379,
}


class Address(NamedTuple):
    """A host and a port."""

    host: str
    port: int


def address_of(url: str | None) -> Address | None:
    """Return where one server of a network listens, or None.

    None for files and memory, and where a URL names several servers or a topology
    (``redis+sentinel``): there the client learns addresses that the URL does not tell.
    """
    if url is None or "," in url:
        return None
    parts = urlsplit(url)
    scheme, _, rest = parts.scheme.partition("+")
    if rest in {"cluster", "sentinel"} or not parts.hostname:
        return None
    port = parts.port or _PORTS.get(scheme)
    return None if port is None else Address(parts.hostname, port)


def is_remote(url: str) -> bool:
    """Return whether a URL names any server of a network."""
    return bool(urlsplit(url).netloc)


def at_address(url: str, address: Address) -> str:
    """Return the URL with another host and port; user and password stay."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return _joined(parts._replace(netloc=f"{user}{at}{address.host}:{address.port}"))


def with_database(url: str, database: str) -> str:
    """Return the URL with another database."""
    return _joined(urlsplit(url)._replace(path=f"/{database}"))


def _joined(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"
