"""How workers run: frozen settings, checked when they are made and passed on explicitly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from taskkit.errors import InvalidSetting, InvalidTask
from taskkit.limits import check_duration, check_group, check_int

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

    @classmethod
    def of(cls, value: int | str | Slots, group: str | None = None) -> Slots:
        """Return slots from ``8``, ``"8"`` or ``"async:200"``; ``group`` is for the message."""
        if isinstance(value, Slots):
            return value
        kind, _, count = value.rpartition(":") if isinstance(value, str) else ("", "", value)
        try:
            number = int(count)
        except ValueError:
            number = 0
        if kind not in ("", "thread", "async") or isinstance(value, bool):
            number = 0
        if not 1 <= number <= MAX_SLOTS:
            whose = "a group" if group is None else f"group {group!r}"
            raise InvalidSetting(
                f"slots of {whose}: expected 1 to {MAX_SLOTS}, such as 8 or 'async:200', "
                f"found {value!r}"
            )
        return cls(number, "async" if kind == "async" else "thread")


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
        with _settings():
            for group in self.groups:
                check_group(group)
            check_duration("grace", self.grace)
            check_duration("poll", self.poll, zero=False)
            if self.max_tasks is not None:
                check_int("max_tasks", self.max_tasks, 1, 1 << 53)
            if self.max_age is not None:
                check_duration("max_age", self.max_age, zero=False)
            if self.max_rss is not None:
                check_int("max_rss", self.max_rss, 1, 1 << 53)
        if self.unknown not in ("fail", "park"):
            raise InvalidSetting(f"unknown: expected 'fail' or 'park', found {self.unknown!r}")


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
