"""How many finished tasks there are, without looking at each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from taskkit.records import Count
from taskkit.task import State, Task


class _Number:
    __slots__ = ("count", "oldest")

    def __init__(self) -> None:
        self.count = 0
        self.oldest: int | None = None
        """The smallest due; None: the one who had it has gone, and it must be looked for."""


class Tally:
    """Finished tasks by group and state, with their oldest due."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, State], _Number] = {}

    def add(self, task: Task, state: State) -> None:
        """Count a task in."""
        key = task.group, state
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = _Number()
            number.oldest = task.due
        elif number.oldest is not None and task.due < number.oldest:
            number.oldest = task.due
        number.count += 1

    def remove(self, task: Task, state: State) -> None:
        """Count a task out."""
        key = task.group, state
        number = self._numbers[key]
        number.count -= 1
        if not number.count:
            del self._numbers[key]
        elif number.oldest == task.due:
            number.oldest = None

    def counts(self, tasks: Iterable[tuple[Task, State]]) -> Iterator[Count]:
        """Yield the counts; ``tasks`` is read only if an oldest due has to be looked for."""
        unknown = {key for key, number in self._numbers.items() if number.oldest is None}
        if unknown:
            self._look(unknown, tasks)
        for (group, state), number in self._numbers.items():
            yield Count(group, state, number.count, number.oldest)

    def _look(self, unknown: set[tuple[str, State]], tasks: Iterable[tuple[Task, State]]) -> None:
        for task, state in tasks:
            if (task.group, state) in unknown:
                number = self._numbers[task.group, state]
                if number.oldest is None or task.due < number.oldest:
                    number.oldest = task.due
