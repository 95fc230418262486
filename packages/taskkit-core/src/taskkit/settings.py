"""How workers run: frozen settings, checked when they are made and passed on explicitly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from taskkit.errors import InvalidSetting, InvalidTask
from taskkit.limits import check_duration, check_group, check_int
from taskkit.shown import shown

if TYPE_CHECKING:
    from taskkit.schedule.entry import ScheduleEntry

DEFAULT_LEASE: Final = 15.0
DEFAULT_HEARTBEAT: Final = 5.0
DEFAULT_GRACE: Final = 25.0
"""Seconds: inside the 30 that container platforms give between SIGTERM and SIGKILL."""
MAX_SLOTS: Final = 10_000
MAX_PROCESSES: Final = 1_000

StartMethod: TypeAlias = Literal["auto", "forkserver", "spawn"]


@dataclass(frozen=True, slots=True)
class Slots:
    """How many tasks of a group one worker runs at a time, and on what.

    ``thread``: each in a thread of its own. ``async``: as coroutines on the worker's event loop.
    """

    count: int
    kind: Literal["thread", "async"] = "thread"

    def __post_init__(self) -> None:
        with _settings():
            check_int("slots", self.count, 1, MAX_SLOTS)
        _check_choice("kind of slots", self.kind, "thread", "async")

    @classmethod
    def of(cls, value: int | str | Slots, group: str | None = None) -> Slots:
        """Return slots from ``8``, ``"8"`` or ``"async:200"``; ``group`` is for the message."""
        if isinstance(value, Slots):
            return value
        kind, _, count = value.rpartition(":") if isinstance(value, str) else ("", "", value)
        try:
            # What is no text is left as it is: int() would make 1 of 1.5, and of True.
            number = int(count) if isinstance(count, str) else count
            return cls(number, kind or "thread")  # type: ignore[arg-type]  # it is looked at there
        except ValueError as error:
            whose = "a group" if group is None else f"group {group!r}"
            raise InvalidSetting(
                f"slots of {whose}: expected 1 to {MAX_SLOTS}, such as 8 or 'async:200', "
                f"found {shown(value)}"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """All that one worker process is told. Picklable."""

    groups: Mapping[str, Slots]
    lease: float = DEFAULT_LEASE
    """Seconds without a heartbeat after which the worker counts as dead."""
    heartbeat: float = DEFAULT_HEARTBEAT
    grace: float = DEFAULT_GRACE
    """Seconds that running tasks get to finish after a stop; then they are released."""
    poll: float = 5.0
    """Seconds after which an idle worker looks even if nothing woke it: the safety net. Three times
    as long where the store pushes."""
    drain: bool = False
    """Stop by itself once no task of its groups is queued or running."""
    max_tasks: int | None = None
    """Recycle the process after so many tasks…"""
    max_age: float | None = None
    """… or seconds …"""
    max_rss: int | None = None
    """… or bytes of memory."""
    services: bool = True
    """Whether this process reclaims, purges and runs the schedulers."""
    schedules: Mapping[str, Sequence[ScheduleEntry]] = field(default_factory=dict)
    tzinfo: tzinfo | None = None
    max_data_bytes: int = 1 << 20
    unknown: Literal["fail", "park"] = "fail"
    """A task whose name the handler does not know fails, or goes back for a newer worker."""

    def __post_init__(self) -> None:
        check_shared(self.lease, self.heartbeat, self.max_data_bytes, self.tzinfo)
        _check_groups(self.groups)
        with _settings():
            check_duration("grace", self.grace)
            check_duration("poll", self.poll, zero=False)
            if self.max_tasks is not None:
                check_int("max_tasks", self.max_tasks, 1, 1 << 53)
            if self.max_age is not None:
                check_duration("max_age", self.max_age, zero=False)
            if self.max_rss is not None:
                check_int("max_rss", self.max_rss, 1, 1 << 53)
        for name, switch in (("drain", self.drain), ("services", self.services)):
            if not isinstance(switch, bool):
                raise InvalidSetting(f"{name}: expected True or False, found {shown(switch)}")
        if not isinstance(self.schedules, Mapping):
            raise InvalidSetting(
                "schedules: expected entries by the names of schedulers, "
                f"found {shown(self.schedules)}"
            )
        _check_choice("unknown", self.unknown, "fail", "park")


def _check_groups(groups: object) -> None:
    if not isinstance(groups, Mapping):
        raise InvalidSetting(
            f"groups: expected Slots by the names of groups, found {shown(groups)}"
        )
    for group, slots in groups.items():
        with _settings():
            check_group(group)
        if not isinstance(slots, Slots):
            raise InvalidSetting(
                f"slots of group {group!r}: expected Slots, such as Slots(8), found {shown(slots)}"
            )


def _check_choice(what: str, found: object, one: str, other: str) -> None:
    if found not in (one, other):
        raise InvalidSetting(f"{what}: expected {one!r} or {other!r}, found {shown(found)}")


def check_shared(lease: float, heartbeat: float, max_data_bytes: int, zone: object) -> None:
    """Refuse what cannot be a setting of a kit, and so of its workers.

    Raises:
        InvalidSetting: naming the setting.
    """
    with _settings():
        check_duration("lease", lease, zero=False)
        check_duration("heartbeat", heartbeat, zero=False)
        check_int("max_data_bytes", max_data_bytes, 1, 1 << 40)
    if heartbeat * 2 > lease:
        raise InvalidSetting(
            f"lease: expected at least twice the heartbeat ({heartbeat} s), so that one "
            f"lost heartbeat does not cost the lease; found {lease} s"
        )
    if zone is not None and not isinstance(zone, tzinfo):
        raise InvalidSetting(
            f"tzinfo: expected a time zone such as ZoneInfo('Europe/Berlin'), found {zone!r}"
        )


@contextmanager
def _settings() -> Iterator[None]:
    """Name what is outside its limits a setting: the limits know of tasks alone."""
    try:
        yield
    except InvalidTask as error:
        raise InvalidSetting(str(error)) from error
