"""From the driver's errors to ours: nothing else leaves this package."""

from __future__ import annotations

from typing import Final

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from taskkit.errors import BackendError, Unavailable

# Within a script the server's word stands somewhere in the text, at the beginning redis-py cuts it
# off and chooses a class.
_STALE: Final = (ReadOnlyError, MasterDownError, BusyLoadingError)
_STALE_WORDS: Final = ("READONLY", "MASTERDOWN", "LOADING")
_MOVED: Final = (AskError, TryAgainError, ClusterDownError)  # a MovedError is an AskError, too
_MOVED_WORDS: Final = ("MOVED", "TRYAGAIN", "CLUSTERDOWN", "non local key", "is being moved")
_PASSING: Final = (*_STALE, *_MOVED, OutOfMemoryError)
_PASSING_WORDS: Final = (
    *(*_STALE_WORDS, *_MOVED_WORDS),
    *("OOM", "BUSY", "MISCONF", "NOREPLICAS"),
)


def translated(error: RedisError | OSError, where: str) -> BackendError:
    """Return our error for one of the driver's; raise it ``from`` that."""
    if isinstance(error, AuthenticationError | NoPermissionError):
        return Unavailable(
            f"the server at {where} refuses us: {error}; check the user, the password and what "
            "the user may do (docs/redis.md lists the commands)"
        )
    if isinstance(error, ResponseError) and not _is(error, _PASSING, _PASSING_WORDS):
        return BackendError(f"the server at {where} refused a command: {error}")
    return Unavailable(f"the server at {where} cannot be used now: {error}")


def is_stale(error: object) -> bool:
    """Return whether an answer says that the server is no longer, or not yet, a master."""
    return isinstance(error, RedisError) and _is(error, _STALE, _STALE_WORDS)


def is_moved(error: object) -> bool:
    """Return whether an answer says that a slot is, or soon will be, somewhere else.

    The command was not executed then. ``ASK`` is not followed: a script needs all keys of its slot,
    and while that is being moved they lie on two nodes.
    """
    return isinstance(error, RedisError) and _is(error, _MOVED, _MOVED_WORDS)


def _is(error: RedisError, kinds: tuple[type[Exception], ...], words: tuple[str, ...]) -> bool:
    return isinstance(error, kinds) or any(word in str(error) for word in words)
