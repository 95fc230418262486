"""What is handed to ``Kit.initiate_tasks``: arguments, or tasks made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypedDict

from taskkit.convert import Moment, to_when
from taskkit.errors import InvalidTask
from taskkit.handler import TaskHandler, completed
from taskkit.ids import new_id
from taskkit.limits import check_group, check_name, labels_of
from taskkit.shown import shown
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    DEFAULT_TTL,
    NOW,
    Label,
    NewTask,
    OnLost,
    Task,
    UniqueScope,
)


class _Required(TypedDict):
    group: str
    name: str


class InitiateTaskArgs(_Required, total=False):
    """The arguments of ``Kit.initiate_task`` as a dict, for ``Kit.initiate_tasks``."""

    data: Any
    due: Moment | None
    ttl: float
    priority: int
    unique_key: str | None
    unique_scope: UniqueScope
    lock_key: str | None
    lock_limit: int
    labels: Mapping[str, Label] | None
    timeout: float | None
    expires: Moment | None
    on_lost: OnLost
    max_lost: int
    max_history: int
    eager: bool


TaskSpec: TypeAlias = Task | NewTask | tuple[Task | NewTask, bool] | InitiateTaskArgs
"""A task, a task and whether it is eager, or the arguments of ``Kit.initiate_task``."""


@dataclass(frozen=True, slots=True)
class Initiation:
    """A task to be put, or to be run in place."""

    task: NewTask
    eager: bool = False


def initiation(handler: TaskHandler, spec: TaskSpec) -> Initiation:
    """Return what a spec asks for, its data encoded by the handler."""
    if isinstance(spec, tuple):
        if len(spec) != 2:
            raise InvalidTask(f"expected a task and whether it is eager, found {shown(spec)}")
        task, eager = spec
        return Initiation(_as_new(task), eager)
    if isinstance(spec, Mapping):
        _check_names(spec)
        task = completed(handler, _from_args(handler, **spec))
        return Initiation(task, spec.get("eager", False))
    return Initiation(_as_new(spec))


def with_bytes(task: NewTask) -> NewTask:
    """Return the task with its data as ``bytes`` where that is something like bytes.

    A view or a bytearray may change once it is handed over; what is neither is left to be refused.
    """
    data: object = task.data
    return replace(task, data=bytes(data)) if isinstance(data, bytearray | memoryview) else task


def _check_names(spec: Mapping[str, Any]) -> None:
    known = InitiateTaskArgs.__annotations__ | _Required.__annotations__
    for name in spec:
        if name not in known:
            raise InvalidTask(
                f"expected arguments of initiate_task ({', '.join(sorted(known))}), found {name!r}"
            )
    for name in ("group", "name"):
        if name not in spec:
            raise InvalidTask(f"expected at least a group and a name, found no {name!r}")


def _as_new(task: Task | NewTask) -> NewTask:
    if isinstance(task, NewTask):
        return task
    if isinstance(task, Task):
        return NewTask.of(task)
    raise InvalidTask(f"expected a Task, a NewTask or a dict of arguments, found {task!r}")


def _from_args(
    handler: TaskHandler,
    *,
    group: str,
    name: str,
    data: Any = None,
    due: Moment | None = None,
    ttl: float = DEFAULT_TTL,
    priority: int = 0,
    unique_key: str | None = None,
    unique_scope: UniqueScope = "queued",
    lock_key: str | None = None,
    lock_limit: int = 1,
    labels: Mapping[str, Label] | None = None,
    timeout: float | None = None,
    expires: Moment | None = None,
    on_lost: OnLost = "retry",
    max_lost: int = DEFAULT_MAX_LOST,
    max_history: int = DEFAULT_MAX_HISTORY,
    eager: bool = False,  # noqa: ARG001 - read by the caller, beside the task
) -> NewTask:
    # Before the handler sees them: it may look names up.
    check_group(group)
    check_name(name)
    return NewTask(
        id=new_id(group),
        group=group,
        name=name,
        data=handler.encode_data(group, name, data),
        due=NOW if due is None else to_when("due", due),
        priority=priority,
        ttl=ttl,
        timeout=timeout,
        expires=None if expires is None else to_when("expires", expires),
        unique_key=unique_key,
        unique_scope=unique_scope,
        lock_key=lock_key,
        lock_limit=lock_limit,
        on_lost=on_lost,
        max_lost=max_lost,
        max_history=max_history,
        labels=labels_of(labels) if labels else {},
    )
