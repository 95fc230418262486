"""A client in front of the backend that writes down each call, to be told in words if needed.

Entries keep what was given and answered, and become text only when a failure is reported: most
examples are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

from taskkit.backend import Backend
from taskkit.records import Claims
from taskkit_conformance import phrases
from taskkit_conformance.phrases import in_words


@dataclass(slots=True)
class Book:
    """What the clients of one case write in."""

    entries: list[object]
    names: Mapping[str, str]
    """The names of tasks by id."""
    claims: dict[tuple[str, int], int] = field(default_factory=dict)
    """The number of each claim of a task, by the task's id and the claim's token."""

    def client(self, backend: Backend, name: str = "") -> Backend:
        """Return the backend with this book in front of it."""
        return cast("Backend", Recorder(backend, self, name))

    def saw(self, answer: Claims) -> None:
        """Number the claims of an answer: each task's from 1."""
        for claim in answer.claims:
            of_task = sum(task_id == claim.task.id for task_id, _ in self.claims)
            self.claims.setdefault((claim.task.id, claim.token), of_task + 1)

    def claim(self, task_id: str, token: int) -> str:
        """Return ``claim 2 of t3``."""
        number = self.claims.get((task_id, token))
        of = in_words(task_id, self.names)
        return f"a claim of {of} (token {token})" if number is None else f"claim {number} of {of}"


@dataclass(slots=True)
class Call:
    """One call and what came of it; its ``str`` is a line of the report."""

    book: Book
    client: str
    method: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    answer: object = None
    error: BaseException | None = None

    def __str__(self) -> str:
        head = f"{self.client}: " if self.client else ""
        return f"{head}{self._asked()} → {self._answered()}"

    def _asked(self) -> str:
        # Arguments may be wrong on purpose; then they are told as they are.
        with suppress(Exception):
            return _ASKED[self.method](self.book, *self.arguments, **self.options)
        told = [in_words(each, self.book.names) for each in self.arguments]
        told += [f"{key} {in_words(v, self.book.names)}" for key, v in self.options.items()]
        return " ".join([self.method.replace("_", " "), ", ".join(told)]).strip()

    def _answered(self) -> str:
        if self.error is not None:
            return f"raises {type(self.error).__name__}: {self.error}"
        # A backend may answer anything; what is no proper answer is told as it is.
        with suppress(Exception):
            return _ANSWERED[self.method](self.book, self.answer, self.arguments)
        return in_words(self.answer, self.book.names)


class Recorder:
    """A backend whose calls are written in a book."""

    def __init__(self, backend: Backend, book: Book, name: str) -> None:
        self._backend = backend
        self._book = book
        self._name = name

    def __getattr__(self, method: str) -> Any:
        inner = getattr(self._backend, method)
        if not callable(inner) or method.startswith("_") or method == "capabilities":
            return inner

        def recorded(*arguments: Any, **options: Any) -> Any:
            call = Call(self._book, self._name, method, arguments, options)
            self._book.entries.append(call)
            try:
                call.answer = inner(*arguments, **options)
            except BaseException as error:
                call.error = error
                raise
            if isinstance(call.answer, Claims):
                self._book.saw(call.answer)
            return call.answer

        # So that the next call of this method finds it without coming here again.
        self.__dict__[method] = recorded
        return recorded


def _put(book: Book, tasks: Any, within: object = None) -> str:
    told = "; ".join(phrases.new_task(each, book.names) for each in tasks) or "nothing"
    return f"put {told}" + ("" if within is None else " within the caller's transaction")


def _claim(book: Book, worker_id: str, wants: Any, excluding: Any = ()) -> str:
    told = ", ".join(f"{count} of {group}" for group, count in wants.items()) or "nothing"
    without = f" excluding {in_words(excluding, book.names)}" if excluding else ""
    return f"{worker_id} claims {told}{without}"


def _settle(book: Book, worker_id: str, settlements: Any) -> str:
    told = [
        phrases.settlement(each, book.claim(each.task_id, each.token), book.names)
        for each in settlements
    ]
    return f"{worker_id} settles {'; '.join(told) or 'nothing'}"


def _heartbeat(book: Book, worker_id: str, lease: int, held: Any, progress: Any) -> str:
    holding = ", ".join(book.claim(task_id, token) for task_id, token in held) or "nothing"
    told = f"; progress {in_words(progress, book.names)}" if progress else ""
    return f"{worker_id} beats for {phrases.duration(lease)}, holding {holding}{told}"


def _register(_book: Book, info: Any, lease: int) -> str:
    return f"{info.id} registers for {phrases.duration(lease)}"


def _retire(_book: Book, worker_id: str, lost: bool = False) -> str:
    return f"{worker_id} {'is known to be dead' if lost else 'retires'}"


def _record(book: Book, task: Any, outcome: Any, began: int) -> str:
    told = f"{phrases.new_task(task, book.names)}: {outcome.outcome}"
    return f"record {told}, began {phrases.instant(began)}"


def _claimed(book: Book, answer: Any, _arguments: object) -> str:
    if not answer.alive:
        return "not alive"
    given = ", ".join(book.claim(each.task.id, each.token) for each in answer.claims) or "nothing"
    return given if answer.next_due is None else f"{given}; next {phrases.instant(answer.next_due)}"


def _stands(_book: Book, answer: Any, _arguments: object) -> str:
    return ", ".join("stands" if each else "does not stand" for each in answer) or "nothing"


def _alive(book: Book, answer: Any, _arguments: object) -> str:
    told = phrases.fields_told(answer, book.names, ("alive",))
    return ", ".join(["alive" if answer.alive else "not alive", *told])


_ASKED: Final[Mapping[str, Callable[..., str]]] = {
    "put": _put,
    "claim": _claim,
    "settle": _settle,
    "heartbeat": _heartbeat,
    "register": _register,
    "retire": _retire,
    "record": _record,
}
_ANSWERED: Final[Mapping[str, Callable[..., str]]] = {
    "put": lambda book, answer, given: phrases.put_results(answer, given[0], book.names),
    "claim": _claimed,
    "settle": _stands,
    "heartbeat": _alive,
    "register": lambda _book, _answer, _given: "registered",
}
