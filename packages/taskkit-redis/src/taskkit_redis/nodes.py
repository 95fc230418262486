"""Commands to one server, over connections of our own.

redis-py makes and drives the connections; its clients are not used, because theirs repeat what was
not answered, by default ten times. Here nothing is repeated: a call that was not answered fails as
``Unavailable``, and whoever called decides.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from redis.exceptions import NoScriptError, RedisError, ResponseError

from taskkit.clock import monotonic
from taskkit.errors import Unavailable
from taskkit_redis.faults import is_stale, translated
from taskkit_redis.scripts import Script

Command: TypeAlias = tuple[Any, ...]
Connect: TypeAlias = Callable[[], Any]
"""Returns a connection of redis-py; it may still have to connect."""

_RESTED: Final = 1.0
"""Seconds after which a connection is looked at before it is used: the server may have gone."""

_MOST_IDLE: Final = 8


def _find_packer() -> Callable[[Command], bytes] | None:
    try:
        from hiredis import pack_command
    except ImportError:  # it is an extra of this package
        return None
    found: Callable[[Command], bytes] = pack_command
    return found


_pack: Final = _find_packer()


class YieldPoint:
    """Whom to call before each round trip; for the conformance suite."""

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None

    def reach(self) -> None:
        """Let somebody else go on."""
        if self.callback is not None:
            self.callback()


yield_point: Final = YieldPoint()


class Node:
    """One server. Thread-safe, and usable after a fork.

    Args:
        where: Its name in messages.
        connect: Makes a connection.
        lost: Called when it does not answer or is no longer a master.
    """

    def __init__(
        self, where: str, connect: Connect, lost: Callable[[], None] = lambda: None
    ) -> None:
        self.where = where
        self.connect = connect
        self._lost = lost
        self._idle: deque[tuple[Any, float]] = deque()
        self._pid = os.getpid()
        self._closed = False

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together and return their answers; an error reply is an answer, too.

        Raises:
            Unavailable: not all were answered; each may have been executed or not.
        """
        yield_point.reach()
        connection: Any = None
        try:
            connection = self._take()
            connection.send_packed_command(_packed(connection, commands), check_health=False)
            answers = [_read(connection) for _ in commands]
        except (RedisError, OSError) as error:
            self._drop(connection)
            self._lost()
            raise translated(error, self.where) from error
        except BaseException:
            # Interrupted in the middle: the next answer would belong to this command.
            self._drop(connection)
            raise
        if any(isinstance(answer, Exception) and is_stale(answer) for answer in answers):
            self._drop(connection)
            self._lost()
        elif self._closed or len(self._idle) >= _MOST_IDLE:
            self._drop(connection)
        else:
            self._idle.append((connection, monotonic()))
        return answers

    def run_one(self, *command: Any) -> Any:
        """Send a command and return its answer.

        Raises:
            BackendError: the answer is an error.
        """
        [answer] = self.run([command])
        if isinstance(answer, ResponseError):
            raise translated(answer, self.where) from answer
        return answer

    def evaluate(
        self, script: Script, calls: Sequence[Command], then: Sequence[Command] = ()
    ) -> list[Any]:
        """Run a script once for each call (the base of its keys, and its arguments).

        ``then`` is sent behind, on the same connection, and its answers come behind the others.
        """
        commands = [*(("EVALSHA", script.sha, 1, *call) for call in calls), *then]
        answers = self.run(commands)
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            # It was not executed, so to send it again is no repetition.
            self.run_one(*script.loading)
            places = [*unknown, *range(len(calls), len(commands))]
            again = self.run([commands[n] for n in places])
            for n, answer in zip(places, again, strict=True):
                answers[n] = answer
        return answers

    def close(self) -> None:
        """Let go of all connections that are not in use."""
        self._closed = True
        self.reset()

    def reset(self) -> None:
        """Drop all connections that are not in use; others are made when they are needed."""
        while self._idle:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                break  # another thread was faster
            self._drop(connection)

    def _take(self) -> Any:
        if self._closed:
            raise Unavailable("this backend has been closed")
        if self._pid != os.getpid():
            # The parent's sockets: redis-py closes them here without ending them there.
            self._idle, self._pid = deque(), os.getpid()
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                connection = self.connect()
                connection.connect()
                return connection
            if monotonic() - since < _RESTED or _is_quiet(connection):
                return connection
            self._drop(connection)

    def _drop(self, connection: Any) -> None:
        if connection is not None:
            connection.disconnect()


def _packed(connection: Any, commands: Sequence[Command]) -> Any:
    if _pack is not None:
        # redis-py would look at each argument first; ours are what hiredis takes.
        return [_pack(command) for command in commands]
    if len(commands) == 1:
        return connection.pack_command(*commands[0])
    return connection.pack_commands(commands)


def _is_quiet(connection: Any) -> bool:
    try:
        return not connection.can_read(0)
    except (RedisError, OSError):
        return False


def _read(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
