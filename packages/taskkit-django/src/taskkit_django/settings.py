"""What ``TASKKIT = {…}`` in the project's settings means, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Final

from django.conf import settings as project

from taskkit.errors import InvalidInput, InvalidSetting
from taskkit.limits import DEFAULT_MAX_DATA_BYTES, check_duration, check_group, check_int
from taskkit.settings import DEFAULT_HEARTBEAT, DEFAULT_LEASE, MAX_PROCESSES, Slots

NAME: Final = "TASKKIT"

_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")
"""Short enough that prefix and name together stay below the 63 bytes of PostgreSQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The keys of ``TASKKIT``, here in lower case."""

    database: str | None = None
    """The alias of the database; None: where the routers send writes of ``taskkit``'s models."""
    prefix: str = "taskkit_"
    """Before the names of all tables: the namespace of the store. Not to be changed later."""
    notify: bool = True
    """PostgreSQL: push by LISTEN and NOTIFY; False behind a pooler that changes sessions."""
    kit: str | None = None
    """``module.attr`` of the project's own kit, or of a function that returns it."""
    groups: Mapping[str, int | str] = field(default_factory=lambda: {"default": 8})
    """Slots of each group in a worker process: ``{"mail": 8, "crawl": "async:200"}``."""
    processes: int = 1
    """Worker processes of ``manage.py taskkit_worker``."""
    schedules: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Schedule entries for each scheduler, as for ``Kit.start``."""
    plugins: Sequence[str] = ()
    """``module.attr`` of plugins of the kit: objects with hooks, or classes of such."""
    autodiscover: str | None = "tasks"
    """The module that workers import from every installed app; None: none."""
    redact: str | None = None
    """``module.attr`` of a function of a task's name and its arguments by name, which returns those
    that the admin may show; None: what is named like a password, token or key is hidden."""
    max_data_bytes: int = DEFAULT_MAX_DATA_BYTES
    """The largest data and result of a task that is accepted."""
    lease: float = DEFAULT_LEASE
    """Seconds without a heartbeat after which a worker counts as dead."""
    heartbeat: float = DEFAULT_HEARTBEAT
    """Seconds between heartbeats; at most half of the lease."""


KEYS: Final = tuple(sorted(entry.name.upper() for entry in fields(Settings)))


def read_settings() -> Settings:
    """Return what the project says.

    Raises:
        InvalidSetting: a key is unknown, or its value outside its limits.
    """
    said = getattr(project, NAME, {})
    if not isinstance(said, Mapping):
        raise InvalidSetting(f"{NAME}: expected a dict, found {said!r}")
    for key in said:
        if key not in KEYS:
            close = get_close_matches(str(key).upper(), KEYS, n=1)
            raise InvalidSetting(
                f"{NAME}: expected one of {', '.join(KEYS)}, found {key!r}"
                + (f"; did you mean {close[0]!r}?" if close else "")
            )
    settings = Settings(**{key.lower(): value for key, value in said.items()})
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    check_prefix(settings.prefix)
    if settings.database is not None and settings.database not in project.DATABASES:
        raise InvalidSetting(
            f"{NAME}['DATABASE']: expected an alias of DATABASES "
            f"({', '.join(project.DATABASES)}) or None, found {settings.database!r}"
        )
    _check_kinds(settings)
    try:
        for group, slots in settings.groups.items():
            check_group(group)
            Slots.of(slots, group)
        check_int("processes", settings.processes, 1, MAX_PROCESSES)
        check_int("max_data_bytes", settings.max_data_bytes, 1, 1 << 40)
        for key in ("lease", "heartbeat"):
            check_duration(key, getattr(settings, key), zero=False)
    except InvalidInput as error:
        raise InvalidSetting(f"{NAME}: {error}") from error


def _check_kinds(settings: Settings) -> None:
    if not isinstance(settings.notify, bool):
        raise InvalidSetting(f"{NAME}['NOTIFY']: expected True or False, found {settings.notify!r}")
    for key in ("groups", "schedules"):
        if not isinstance(getattr(settings, key), Mapping):
            raise InvalidSetting(
                f"{NAME}[{key.upper()!r}]: expected a dict, found {getattr(settings, key)!r}"
            )
    for key in ("kit", "autodiscover", "redact"):
        value = getattr(settings, key)
        if value is not None and not isinstance(value, str):
            raise InvalidSetting(
                f"{NAME}[{key.upper()!r}]: expected an import path or None, found {value!r}"
            )
    if not isinstance(settings.plugins, list | tuple):
        raise InvalidSetting(
            f"{NAME}['PLUGINS']: expected a list of import paths, found {settings.plugins!r}"
        )


def check_prefix(prefix: object) -> None:
    """Refuse a prefix that cannot begin the name of a table.

    Raises:
        InvalidSetting: it is none.
    """
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise InvalidSetting(
            "prefix: expected at most 30 letters, digits and underscores, no digit first, "
            f"found {prefix!r}"
        )
