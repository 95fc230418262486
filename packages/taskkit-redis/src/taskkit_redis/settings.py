"""How a store is to be opened: the URL and the options, checked before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from taskkit.errors import InvalidSetting, InvalidTask
from taskkit.limits import check_duration, check_group, check_int

Address: TypeAlias = tuple[str, int]
Kind: TypeAlias = Literal["standalone", "sentinel", "cluster"]

_SCHEMES: Final[Mapping[str, tuple[Kind, bool]]] = {
    "redis": ("standalone", False),
    "valkey": ("standalone", False),
    "unix": ("standalone", False),
    "rediss": ("standalone", True),
    "valkeys": ("standalone", True),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_PORTS: Final[Mapping[Kind, int]] = {"standalone": 6379, "sentinel": 26379, "cluster": 6379}

_PREFIX: Final = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
"""Characters that mean nothing in a hash tag or a pattern."""

_SHORTEST_WAIT: Final = 0.001
"""Seconds: WAIT takes whole milliseconds, and 0 means without end."""

PARTITIONS_OF_A_CLUSTER: Final = 64
"""Enough that each of a dozen masters gets its share; few enough to ask them all."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the servers are and how to log in: what the URL says."""

    kind: Kind
    addresses: tuple[Address, ...] = ()
    """Of the server, of sentinels, or of some nodes of a cluster."""
    path: str = ""
    """Of a Unix socket, instead of an address."""
    service: str = ""
    """The name by which sentinels know the master."""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    taken: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Further arguments of redis-py's connections, from a client that somebody had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be chosen; what is not in the URL is given as an option."""

    server: Server
    prefix: str = "taskkit"
    """What all keys begin with: the namespace of this store."""
    timeout: float = 5.0
    """Seconds that the server may take to answer before the call fails as ``Unavailable``."""
    connect_timeout: float = 2.0
    """Seconds that a connection may take to be made."""
    partitions: int = 1
    """Into how many parts the groups are divided; each part lies in one slot of a cluster."""
    shards: Mapping[str, int] = field(default_factory=dict)
    """Groups that are spread over several partitions each: how many."""
    replicas: int = 0
    """How many replicas have to confirm a write before it counts as done (``WAIT``)."""
    replicas_timeout: float = 1.0
    """Seconds that they may take: fewer than ``timeout``."""
    allow_eviction: bool = False
    """Work with a server that may throw tasks away when its memory is full."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    ssl_ca_certs: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_check_hostname: bool = True
    client_name: str = "taskkit"
    """By which ``CLIENT LIST`` tells our connections."""

    @classmethod
    def checked(cls, server: Server, options: Mapping[str, Any]) -> Settings:
        """Return the settings of a server and options.

        Raises:
            InvalidSetting: an option is not understood; says what was expected.
        """
        for name in options:
            if name not in _OPTIONS:
                close = get_close_matches(name, _OPTIONS, n=1)
                raise InvalidSetting(
                    f"option: expected one of {', '.join(_OPTIONS)}, found {name!r}"
                    + (f"; did you mean {close[0]!r}?" if close else "")
                )
        settings = cls(server=server, **options)
        try:
            _check(settings)
        except InvalidTask as error:  # what checks the limits of tasks checks ours, too
            raise InvalidSetting(str(error)) from None
        return settings


_OPTIONS: Final = tuple(each.name for each in fields(Settings) if each.name != "server")

# What may stand in the URL as ?name=value, with what makes a value of the text.
_IN_URL: Final[Mapping[str, type[str | float | int]]] = {
    "prefix": str,
    "timeout": float,
    "connect_timeout": float,
    "partitions": int,
    "replicas": int,
    "replicas_timeout": float,
    "client_name": str,
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
}


def read_settings(url: object, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a URL and options.

    Raises:
        InvalidSetting: one of them is not understood; says what was expected.
    """
    if not isinstance(url, str):
        found = "none" if url is None else f"a value of type {type(url).__name__}"
        raise InvalidSetting(f"url: expected {_EXAMPLE}, found {found}")
    server, in_url = _server(url)
    chosen = {**in_url, **options}
    if server.kind == "cluster":
        chosen.setdefault("partitions", PARTITIONS_OF_A_CLUSTER)
    return Settings.checked(server, chosen)


def _check(settings: Settings) -> None:
    for host, port in settings.server.addresses:
        _check_host(host)
        check_int("port", port, 1, 65535)
    prefix: object = settings.prefix
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise InvalidSetting(
            f"prefix: expected 1 to 60 letters, digits and '_', '.', ':', '-', found {prefix!r}"
        )
    check_duration("timeout", settings.timeout, zero=False)
    check_duration("connect_timeout", settings.connect_timeout, zero=False)
    check_int("replicas", settings.replicas, 0, 100)
    _check_replicas(settings)
    check_int("partitions", settings.partitions, 1, 1024)
    if not isinstance(settings.shards, Mapping):
        raise InvalidSetting(
            f"shards: expected numbers by group, as {{'mail': 4}}, found {settings.shards!r}"
        )
    for group, count in settings.shards.items():
        check_group(group)
        check_int(f"shards of {group!r}", count, 1, settings.partitions)
        if "." in group:
            raise InvalidSetting(
                f"shards: expected a group without a dot (its subgroups go with it), "
                f"found {group!r}"
            )


def _check_host(host: str) -> None:
    try:
        # As Python does it for each connection, in the middle of a call.
        is_name = host.isprintable() and bool(host.encode("idna"))
    except UnicodeError:
        is_name = False
    if not is_name:
        raise InvalidSetting(
            "host: expected an address, or a name with parts of 1 to 63 characters each, "
            f"found {host!r}"
        )


def _check_replicas(settings: Settings) -> None:
    seconds = settings.replicas_timeout
    check_duration("replicas_timeout", seconds, zero=False)
    if seconds < _SHORTEST_WAIT:
        raise InvalidSetting(
            f"replicas_timeout: expected seconds from {_SHORTEST_WAIT}, found {seconds}"
        )
    # The server's answer to WAIT has to come before we stop listening for it.
    if settings.replicas and seconds >= settings.timeout:
        raise InvalidSetting(
            f"replicas_timeout: expected less than timeout, which is {settings.timeout}, "
            f"found {seconds}"
        )


# ---- the URL

_EXAMPLE: Final = "one such as 'redis://localhost:6379/0' or 'redis://[::1]:6379'"

_DIGITS: Final = 9
"""Of a port or a database, at most: Python makes no number of thousands."""


def _server(url: str) -> tuple[Server, dict[str, Any]]:
    try:
        parts = urlsplit(url)
    except ValueError:  # its words may show a password
        raise InvalidSetting(
            f"url: expected {_EXAMPLE}, found one that cannot be taken apart; look at its square "
            "brackets, and for characters that look like others"
        ) from None
    if parts.scheme not in _SCHEMES:
        # Only the scheme is shown: the rest of a URL may hold a password.
        raise InvalidSetting(
            f"url: expected a scheme of {', '.join(_SCHEMES)}, found {parts.scheme!r}"
        )
    kind, tls = _SCHEMES[parts.scheme]
    login, _, hosts = parts.netloc.rpartition("@")
    username, separator, password = login.partition(":")
    path, service, addresses = "", "", list[Address]()
    if parts.scheme == "unix":
        path, db = unquote(parts.path), _db_of_socket(parts)
        if not path:
            raise InvalidSetting("url: expected the path of a socket, as in 'unix:///run/r.sock'")
    else:
        addresses = [_address(each, _PORTS[kind]) for each in hosts.split(",")]
        service, db = _path(kind, parts.path)
    server = Server(
        kind=kind,
        addresses=tuple(addresses),
        path=path,
        service=service,
        db=db,
        username=unquote(username) or None,
        password=unquote(password) if separator else None,
        tls=tls,
    )
    return server, _parameters(parts)


def _address(text: str, port: int) -> Address:
    host, separator, number = text.rpartition(":")
    if not separator or number.endswith("]"):
        host, number = text, str(port)
    if not number.isdecimal() or len(number) > _DIGITS:
        raise InvalidSetting(f"url: expected a host and a port, found {text[:200]!r}")
    return host.strip("[]") or "localhost", int(number)


def _path(kind: Kind, path: str) -> tuple[str, int]:
    words = [unquote(word) for word in path.split("/") if word]
    service = ""
    if kind == "sentinel":
        if not words:
            raise InvalidSetting(
                "url: expected the name of the master, as in "
                "'redis+sentinel://host1,host2,host3/mymaster/0'"
            )
        service = words.pop(0)
    db = _db(words.pop(0)) if words else 0
    if words:
        raise InvalidSetting(f"url: expected nothing behind the database, found {words}")
    if kind == "cluster" and db:
        raise InvalidSetting(f"url: expected no database (a cluster has one only), found {db}")
    return service, db


def _db(text: str) -> int:
    if not text.isdecimal() or len(text) > _DIGITS:
        raise InvalidSetting(f"url: expected the number of a database, found {text[:200]!r}")
    return int(text)


def _db_of_socket(parts: SplitResult) -> int:
    return _db(dict(parse_qsl(parts.query)).get("db", "0"))


def _parameters(parts: SplitResult) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name == "db" and parts.scheme == "unix":
            continue
        if name not in _IN_URL:
            close = get_close_matches(name, _IN_URL, n=1)
            raise InvalidSetting(
                f"url: expected parameters of {', '.join(_IN_URL)}, found {name!r}"
                + (f"; did you mean {close[0]!r}?" if close else "")
            )
        try:
            found[name] = _IN_URL[name](text)
        except ValueError:
            raise InvalidSetting(f"url: expected a number as {name}, found {text!r}") from None
    return found
