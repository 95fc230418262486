"""``taskkit tasks``: list, show, retry, cancel and delete."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

from taskkit.backend import Backend
from taskkit.cli import output
from taskkit.cli.store import open_backend
from taskkit.errors import InvalidSetting, TaskNotFound
from taskkit.limits import check_id, check_query
from taskkit.records import Answered, Query, Record
from taskkit.task import NOW, State

BATCH = 500
"""Tasks that one round trip of a bulk operation is about."""


def list_tasks(namespace: argparse.Namespace) -> int:
    """List one page of tasks."""
    query = _query(namespace)
    check_query(query, namespace.limit, namespace.after)
    with open_backend(namespace) as backend:
        page = backend.find(query, namespace.limit, namespace.after)
    if namespace.json:
        tasks = [output.summary(record) for record in page.records]
        output.print_json({"tasks": tasks, "next": page.next})
        return 0
    if not page.records:
        print("no tasks")
        return 0
    headers = ("ID", "NAME", "STATE", "DUE", "ATTEMPT", "NOTE")
    output.print_table(headers, [_row(record) for record in page.records])
    if page.next:
        print(f"\nmore: --after {page.next}", file=sys.stderr)
    return 0


def _row(record: Record) -> tuple[object, ...]:
    failed = record.failure
    note = "" if failed is None else f"{failed.type}: {failed.message}".strip(": ")
    return (
        record.task.id,
        record.task.name,
        record.state.value,
        output.ago(record.task.due),
        record.attempt,
        note.partition("\n")[0][:80],
    )


def show(namespace: argparse.Namespace) -> int:
    """Show one task, payloads and history included."""
    check_id(namespace.id)
    with open_backend(namespace) as backend:
        record = backend.get([namespace.id])[namespace.id]
    if record is None:
        raise TaskNotFound(namespace.id)
    if namespace.json:
        output.print_json(output.details(record))
        return 0
    _print_details(record)
    return 0


def _print_details(record: Record) -> None:
    shown = output.details(record)
    for name in ("due", "created", "began", "done", "scheduled", "expires"):
        instant = getattr(record.task, name, None) or getattr(record, name, None)
        shown[name] = f"{output.local(instant)} ({output.ago(instant)})" if instant else None
    failure, history = shown.pop("failure"), shown.pop("history")
    for name, value in shown.items():
        if value not in (None, {}, False):
            print(f"{name.replace('_', ' ') + ':':13}{value}")
    for past in history:
        took = f"after {_took(past)} on {past['worker']}"
        print(f"attempt {past['attempt']}: {past['outcome']} {took}")
        if past["failure"]:
            print(f"    {past['failure']['type']}: {past['failure']['message']}")
    if failure:
        print(f"failure:     {failure['type']}: {failure['message']}")
        print(failure["traceback"], end="")


def _took(attempt: dict[str, Any]) -> str:
    from datetime import datetime

    began, ended = (datetime.fromisoformat(attempt[name]) for name in ("began", "ended"))
    return f"{(ended - began).total_seconds():.3f} s"


def retry(namespace: argparse.Namespace) -> int:
    """Put tasks back in the queue."""
    with open_backend(namespace) as backend:
        return _each(namespace, backend, lambda ids: backend.requeue(ids, NOW))


def cancel(namespace: argparse.Namespace) -> int:
    """Cancel tasks."""
    with open_backend(namespace) as backend:
        return _each(namespace, backend, backend.cancel)


def delete(namespace: argparse.Namespace) -> int:
    """Delete tasks."""
    with open_backend(namespace) as backend:
        return _each(namespace, backend, backend.delete)


def _each(
    namespace: argparse.Namespace,
    backend: Backend,
    operation: Callable[[Collection[str]], dict[str, Answered]],
) -> int:
    """Apply an operation to the named or matching tasks and say what became of each.

    The exit code is 1 if a task that was named could not be found or its state forbids it; of
    tasks that a filter found, some may well change in between.
    """
    filtered = _is_filtered(namespace)
    if filtered == bool(namespace.id):
        raise InvalidSetting(
            f"tasks {namespace.run.rpartition(':')[2]}: expected ids or a filter such as "
            f"--state failed, found {'both' if filtered else 'neither'}"
        )
    for task_id in namespace.id:
        check_id(task_id)
    answers: dict[str, Answered] = {}
    for ids in [namespace.id] if namespace.id else _matching(namespace, backend):
        answers |= operation(ids)
    if namespace.json:
        output.print_json({task_id: answer.value for task_id, answer in answers.items()})
    else:
        if namespace.id:
            output.print_table(("ID", "ANSWER"), list(answers.items()))
        counts = Counter(answer.value for answer in answers.values())
        print(", ".join(f"{count} {answer}" for answer, count in counts.items()) or "no tasks")
    refused = {Answered.REFUSED, Answered.UNKNOWN} & set(answers.values())
    return 1 if refused and namespace.id else 0


def _is_filtered(namespace: argparse.Namespace) -> bool:
    return bool(namespace.group or namespace.state or namespace.name or namespace.label)


def _matching(namespace: argparse.Namespace, backend: Backend) -> Iterator[list[str]]:
    # The next page is read before this one is changed: ids only grow, so a page stays where it is.
    after: str | None = None
    most = min(BATCH, backend.capabilities().max_batch)
    query = _query(namespace)
    check_query(query, most, after)
    while True:
        page = backend.find(query, most, after)
        if page.records:
            yield [record.task.id for record in page.records]
        after = page.next
        if after is None:
            return


def _query(namespace: argparse.Namespace) -> Query:
    states = frozenset(map(State, namespace.state)) if namespace.state else None
    return Query(
        namespace.group, namespace.subgroups, states, namespace.name, dict(namespace.label)
    )
