"""What supervisor, template and workers say to each other over their lines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeAlias


class Force(IntEnum):
    """How hard processes are told to stop; each signal to the supervisor is one step."""

    NONE = 0
    GRACEFUL = 1
    """Claim no more, finish what runs within the grace, release the rest."""
    RELEASE = 2
    """Release at once what runs."""
    KILL = 3


class Ending(StrEnum):
    """Why a worker ended in good order."""

    ASKED = "asked"
    """Its supervisor, or a signal sent to it alone, told it to."""
    STOPPED = "stopped"
    """``kit.shutdown()``: it is not started again."""
    DRAINED = "drained"
    """Nothing was left to do: it is not started again."""
    RECYCLED = "recycled"
    """It has reached its count, age or memory, or a thread of it is stuck."""


# ---- from the supervisor


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to do."""

    number: int
    index: int
    settings: bytes
    """Packed ``WorkerSettings`` or ``PartialSettings``, which may name the user's classes."""
    lost: str | None = None
    """A worker that is known to be dead: do nothing but retire it."""
    suspects: frozenset[str] = frozenset()
    """With ``lost``: tasks that ran in children of their own and are blamed all the same."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End, with at most so many seconds for what runs."""

    force: Force
    grace: float


# ---- from a worker


@dataclass(frozen=True, slots=True)
class Named:
    """The id under which the worker is about to register: should it die, this is to be retired."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class Isolated:
    """A claim runs in a child process of its own, or does so no longer."""

    task_id: str
    over: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """The worker has registered, and claims."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The worker cannot start."""

    error: str
    traceback: str
    final: bool = False
    """Another attempt would end the same."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The worker takes no more tasks and wants a successor while it finishes those it runs."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The worker has settled or released everything and retired; its process ends."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class Birth:
    """To the template: fork a child for one claim; the file that comes along is its line."""

    number: int


# ---- from a template, and from whatever else starts processes


@dataclass(frozen=True, slots=True)
class Ready:
    """The kit is loaded."""


@dataclass(frozen=True, slots=True)
class Unsafe:
    """Importing the user's code has started threads, so that nothing may be forked."""

    threads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The kit cannot be loaded."""

    error: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Started:
    """The process of this order runs."""

    number: int
    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The process of this order has ended; a negative status is the signal that killed it."""

    number: int
    status: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """No process was started for this order."""

    number: int
    error: str | None
    """None: nothing is wrong, it only has to be ordered anew."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Processes ordered from now on run the code as it is now."""


WorkerMessage: TypeAlias = Named | Registered | Isolated | StartFailed | Leaving | Goodbye
LauncherEvent: TypeAlias = Ready | Unsafe | LoadFailed | Started | Exited
SourceEvent: TypeAlias = Started | Exited | Dropped | LoadFailed | Refreshed
