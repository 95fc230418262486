"""What a task is: the request that is put, the task that is stored, its states.

The data types that cross the Backend protocol are plain and frozen. Instants are integer
microseconds (see ``taskkit.clock``); durations that a person chose are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from taskkit.clock import to_datetime
from taskkit.ids import new_id

DEFAULT_TTL: Final = 604_800.0
"""Seconds that a finished task is kept: a week."""

DEFAULT_MAX_LOST: Final = 3
"""Deaths of its worker after which a task is ``lost`` instead of queued again."""

DEFAULT_MAX_HISTORY: Final = 10
"""Ended attempts that a task remembers, the newest."""

Label: TypeAlias = str | int | float | bool
"""A value that a task can be labelled with and found by."""

UniqueScope: TypeAlias = Literal["queued", "unfinished"]
"""How long a unique key is taken: until the task is claimed, or until it is finished."""

OnLost: TypeAlias = Literal["retry", "keep", "fail"]
"""What becomes of a task whose worker died: queued again, kept as lost, or failed."""


class State(StrEnum):
    """Where a task is in its life; ``docs/lifecycle.md`` draws it."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to the task by itself."""
        return self in FINISHED


FINISHED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.LOST, State.CANCELLED})

UNCLAIMED: Final = frozenset({State.WAITING, State.QUEUED})

# From each state the states that one operation may lead to; None is "not in the store". Whatever a
# backend does to a task is one of these arrows.
TRANSITIONS: Final[Mapping[State | None, frozenset[State | None]]] = MappingProxyType(
    {
        # put; the finished states by `record`, for a task that was run in place (eager)
        None: frozenset({State.WAITING, State.QUEUED, State.SUCCEEDED, State.FAILED}),
        # its due comes, reschedule, cancel or expiry, delete
        State.WAITING: frozenset({State.WAITING, State.QUEUED, State.CANCELLED, None}),
        # claim, reschedule, cancel or expiry, delete
        State.QUEUED: frozenset(
            {State.WAITING, State.QUEUED, State.RUNNING, State.CANCELLED, None}
        ),
        # retry and release, succeed, fail, worker died, cancel, discard
        State.RUNNING: frozenset(
            {
                State.WAITING,
                State.QUEUED,
                State.SUCCEEDED,
                State.FAILED,
                State.LOST,
                State.CANCELLED,
                None,
            }
        ),
        # purge and delete
        State.SUCCEEDED: frozenset({None}),
        # requeue, purge and delete
        State.FAILED: frozenset({State.WAITING, State.QUEUED, None}),
        State.LOST: frozenset({State.WAITING, State.QUEUED, None}),
        State.CANCELLED: frozenset({State.WAITING, State.QUEUED, None}),
    }
)


@dataclass(frozen=True, slots=True)
class After:
    """An instant that only the store can know: so many microseconds after its own now.

    Hosts whose clocks are wrong agree, because none of them is asked.
    """

    delay: int = 0


Instant: TypeAlias = int | After
"""Microseconds since the epoch, or a delay from the store's now."""

NOW: Final = After(0)


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as it is put: what ``Task`` is, before the store has given it its instants."""

    id: str
    group: str
    name: str
    data: bytes
    due: Instant = NOW
    """From when it may be claimed, inclusive."""
    priority: int = 0
    """Among due tasks of a group the higher goes first."""
    scheduled: int | None = None
    """The tick that asked for it."""
    ttl: float = DEFAULT_TTL
    """Seconds for which it is kept after it finished."""
    timeout: float | None = None
    """Seconds that one attempt may take."""
    expires: Instant | None = None
    """Not claimed before this instant, it never is: it becomes cancelled."""
    unique_key: str | None = None
    """At most one unclaimed task of its group has this key."""
    unique_scope: UniqueScope = "queued"
    lock_key: str | None = None
    """At most ``lock_limit`` running tasks of its group have this key."""
    lock_limit: int = 1
    on_lost: OnLost = "retry"
    max_lost: int = DEFAULT_MAX_LOST
    max_history: int = DEFAULT_MAX_HISTORY
    labels: Mapping[str, Label] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, task: Task) -> NewTask:
        """Return the request to put a task that is already whole, its due included."""
        return cls(**{name: getattr(task, name) for name in cls.__slots__})


in_common: Final = attrgetter(
    *(field.name for field in fields(NewTask) if field.name not in ("id", "data"))
)
"""All fields of a new task but id and data: tasks of one call mostly hold the very same objects,
so that what was found out about one need not be found out again."""


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work, as the store knows it.

    A handler receives this. It is equal in every attempt except for ``due`` and ``retry_count``.
    """

    id: str
    group: str
    name: str
    data: bytes
    due: int
    """From when it may be claimed, in microseconds since the epoch, inclusive."""
    created: int
    """When it was put, by the store's clock."""
    priority: int = 0
    retry_count: int = 0
    """How often it was retried on purpose, from 0. Losses and releases do not count."""
    scheduled: int | None = None
    """The tick that asked for it, if a schedule did."""
    ttl: float = DEFAULT_TTL
    """Seconds for which it is kept after it finished."""
    timeout: float | None = None
    """Seconds that one attempt may take."""
    expires: int | None = None
    """Not claimed before this instant, it never is."""
    unique_key: str | None = None
    unique_scope: UniqueScope = "queued"
    lock_key: str | None = None
    lock_limit: int = 1
    on_lost: OnLost = "retry"
    max_lost: int = DEFAULT_MAX_LOST
    max_history: int = DEFAULT_MAX_HISTORY
    labels: Mapping[str, Label] = field(default_factory=dict, hash=False)

    @classmethod
    def init(
        cls,
        group: str,
        name: str,
        data: bytes,
        due: datetime | None = None,
        scheduled: datetime | None = None,
        ttl: float = DEFAULT_TTL,
    ) -> Task:
        """Make a task by hand, with a new id; ``due`` defaults to this machine's now."""
        from taskkit.convert import moment_to_instant

        created = moment_to_instant(datetime.now(UTC))
        return cls(
            id=new_id(group),
            group=group,
            name=name,
            data=data,
            due=created if due is None else moment_to_instant(due),
            created=created,
            scheduled=None if scheduled is None else moment_to_instant(scheduled),
            ttl=ttl,
        )

    def due_dt(self, tz: tzinfo = UTC) -> datetime:
        """Return ``due`` as an aware datetime."""
        return to_datetime(self.due, tz)

    def created_dt(self, tz: tzinfo = UTC) -> datetime:
        """Return ``created`` as an aware datetime."""
        return to_datetime(self.created, tz)

    def scheduled_dt(self, tz: tzinfo = UTC) -> datetime | None:
        """Return the tick that asked for the task, or None."""
        return None if self.scheduled is None else to_datetime(self.scheduled, tz)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt ended badly: plain text, so that it outlives the code that raised it."""

    type: str
    """Qualified name of the exception's class, such as ``"httpx.ReadTimeout"``."""
    message: str
    traceback: str = ""


CANCELLED_BY_REQUEST: Final = "cancelled"
EXPIRED: Final = "expired"
SUPERSEDED: Final = "superseded"
WORKER_DIED: Final = "worker died"
