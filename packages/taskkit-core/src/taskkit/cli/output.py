"""How commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from taskkit.clock import SECOND, SystemClock, to_datetime
from taskkit.records import Attempt, Record
from taskkit.task import Failure


def print_json(document: Any) -> None:
    """Print a document that consists of plain types."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in aligned columns: by rich where it is installed and somebody looks."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and _print_rich(headers, texts):
        return
    widths = [max(map(len, column)) for column in zip(headers, *texts, strict=True)]
    for row in (headers, *texts):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        # Text, not str: a task's name may hold what rich takes for markup.
        table.add_row(*map(Text, row))
    Console().print(table)
    return True


def iso(instant: int | None) -> str | None:
    """Return an instant as a program reads it: ISO 8601, UTC."""
    if instant is None:
        return None
    return to_datetime(instant).isoformat(timespec="microseconds").replace("+00:00", "Z")


def local(instant: int | None) -> str:
    """Return an instant as a person reads it: local time, to the second."""
    if instant is None:
        return ""
    return to_datetime(instant, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(instant: int | None) -> str:
    """Return how far an instant is from now: ``3m ago``, ``in 2h``."""
    if instant is None:
        return ""
    delta = (SystemClock().now() - instant) // SECOND
    amount, unit = abs(delta), "s"
    for size, name in ((60, "m"), (60, "h"), (24, "d")):
        if amount < size:
            break
        amount, unit = amount // size, name
    return f"{amount}{unit} ago" if delta >= 0 else f"in {amount}{unit}"


def payload(data: bytes | None) -> Any:
    """Return data or a result as JSON if it is that, else as text, else as hex digits."""
    if data is None:
        return None
    try:
        return json.loads(data)
    except ValueError:
        pass
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def summary(record: Record) -> dict[str, Any]:
    """Return what a list says of a task: everything but its payloads and history."""
    task = record.task
    return {
        "id": task.id,
        "group": task.group,
        "name": task.name,
        "state": record.state.value,
        "due": iso(task.due),
        "created": iso(task.created),
        "began": iso(record.began),
        "done": iso(record.done),
        "attempt": record.attempt,
        "retry_count": task.retry_count,
        "losses": record.losses,
        "priority": task.priority,
        "labels": dict(task.labels),
        "worker": record.worker_id,
        "failure": failure(record.failure),
    }


def details(record: Record) -> dict[str, Any]:
    """Return all about a task."""
    task = record.task
    return {
        **summary(record),
        "scheduled": iso(task.scheduled),
        "expires": iso(task.expires),
        "ttl": task.ttl,
        "timeout": task.timeout,
        "unique_key": task.unique_key,
        "lock_key": task.lock_key,
        "cancelling": record.cancelling,
        "data": payload(task.data),
        "result": payload(record.result),
        "progress": payload(record.progress),
        "history": [_attempt(attempt) for attempt in record.history],
    }


def failure(failed: Failure | None) -> Mapping[str, str] | None:
    """Return a failure as plain types."""
    if failed is None:
        return None
    return {"type": failed.type, "message": failed.message, "traceback": failed.traceback}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "began": iso(attempt.began),
        "ended": iso(attempt.ended),
        "worker": attempt.worker_id,
        "outcome": str(attempt.outcome),
        "failure": failure(attempt.failure),
    }
