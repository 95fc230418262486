"""Backends with something wrong, for the tests of the plugin: installed by its fixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from taskkit.backend import Backend
from taskkit.clock import Clock
from taskkit.errors import Unavailable
from taskkit.memory.backend import MemoryBackend
from taskkit.plugins import hookimpl
from taskkit.records import ScheduleState


class Forgetful(MemoryBackend):
    """Loses the state of schedules."""

    def load_schedule(self, name: str) -> ScheduleState:
        return replace(super().load_schedule(name), state=None)


class Unreachable(MemoryBackend):
    """Has no server."""

    def migrate(self) -> None:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as error:
            raise Unavailable("cannot reach strange://nowhere") from error


class Clockless(MemoryBackend):
    """Goes by the real time, whatever clock it is given."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(None)


class Occupied(MemoryBackend):
    """Holds somebody's tasks."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        from taskkit.task import NewTask

        self.put([NewTask(id="g_1", group="g", name="n", data=b"")])


class Plugin:
    """A plugin that opens stores of one class."""

    def __init__(self, store: type[MemoryBackend]) -> None:
        self._store = store

    @hookimpl
    def taskkit_open(
        self, url: str | None, options: Mapping[str, Any], clock: Clock | None
    ) -> Backend:
        return self._store(clock)


forgetful = Plugin(Forgetful)
unreachable = Plugin(Unreachable)
clockless = Plugin(Clockless)
occupied = Plugin(Occupied)
