"""Programs as data: what an actor is to do, in a form that can be drawn, kept and sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final

from taskkit.records import Outcome
from taskkit.task import After, Instant, NewTask
from taskkit_conformance.history import Operation


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a program. What it refers to is looked up when it is performed."""

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)


# ---- steps


def put(*tasks: NewTask) -> Step:
    """Put tasks."""
    return Step("put", {"tasks": [to_fields(task) for task in tasks]})


def claim(worker: str, most: int = 1, want: str = "g", **wants: int) -> Step:
    """Claim tasks for a worker."""
    return Step("claim", {"worker": worker, "wants": wants or {want: most}})


def settle(
    worker: str,
    outcome: Outcome = Outcome.SUCCEED,
    held: tuple[str, int] | None = None,
    *,
    keep: bool = False,
    due: int | None = 0,
    result: str = "done",
) -> Step:
    """Settle a claim: this one, or else the oldest that this actor holds.

    ``keep``: go on holding it, so that a later step settles it again.
    """
    arguments: dict[str, Any] = {"worker": worker, "outcome": outcome.value, "keep": keep}
    if held is not None:
        arguments["task"], arguments["token"] = held
    if outcome in (Outcome.RETRY, Outcome.RELEASE):
        arguments["due"] = due
    if outcome is Outcome.SUCCEED:
        arguments["result"] = result
    return Step("settle", arguments)


def beat(worker: str, lease: int, held: Iterable[tuple[str, int]] | None = None) -> Step:
    """Send a heartbeat that names these claims, or else all that this actor holds."""
    arguments: dict[str, Any] = {"worker": worker, "lease": lease}
    if held is not None:
        arguments["held"] = [list(pair) for pair in held]
    return Step("beat", arguments)


def register(worker: str, lease: int) -> Step:
    """Register a worker."""
    return Step("register", {"worker": worker, "lease": lease})


def retire(worker: str, *, lost: bool = False) -> Step:
    """Remove a worker."""
    return Step("retire", {"worker": worker, "lost": lost})


def reclaim(limit: int = 1000) -> Step:
    """Reclaim."""
    return Step("reclaim", {"limit": limit})


def on(kind: str, *ids: str, **more: Any) -> Step:
    """Do what takes ids: ``get``, ``cancel``, ``delete``, ``requeue``, ``reschedule``."""
    return Step(kind, {"ids": list(ids), **more})


@dataclass(slots=True)
class Hands:
    """The claims that one actor holds."""

    held: list[tuple[str, int]] = field(default_factory=list)

    def resolve(self, step: Step) -> dict[str, Any] | None:
        """Return a step's arguments with what it refers to; None if there is nothing."""
        arguments = dict(step.arguments)
        if step.kind == "settle":
            keep = arguments.pop("keep", False)
            if "task" not in arguments:
                if not self.held:
                    return None
                arguments["task"], arguments["token"] = self.held[0]
            if not keep:
                self.drop(arguments["task"], arguments["token"])
        elif step.kind == "beat":
            arguments.setdefault("held", [list(pair) for pair in self.held])
        return arguments

    def drop(self, task_id: str, token: int) -> None:
        """Hold a claim no more."""
        if (task_id, token) in self.held:
            self.held.remove((task_id, token))

    def learn(self, operation: Operation) -> None:
        """Hold what was claimed."""
        self.held.extend(operation.claims)


# ---- tasks as plain data


_DEFAULTS: Final = {
    field.name: {} if field.default is MISSING else field.default for field in fields(NewTask)
}


def to_fields(task: NewTask) -> dict[str, Any]:
    """Return what differs from the usual in a task, plain."""
    plain: dict[str, Any] = {}
    for name in NewTask.__slots__:
        value = getattr(task, name)
        if value != _DEFAULTS[name]:
            plain[name] = _plain(value)
    return plain


def from_fields(plain: Mapping[str, Any]) -> NewTask:
    """Return the task that ``to_fields`` was given."""
    given = dict(plain)
    given["data"] = given["data"].encode("latin-1")
    for name in ("due", "expires"):
        if name in given:
            given[name] = _instant(given[name])
    return NewTask(**given)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return {"after": value.delay} if isinstance(value, After) else value


def _instant(value: Any) -> Instant:
    return After(value["after"]) if isinstance(value, Mapping) else value
