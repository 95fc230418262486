"""Values and calls in words: what a report shows in place of the reprs of data classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final

from taskkit.clock import SECOND, ManualClock
from taskkit.records import Claim, Claims, PutResult, Settlement
from taskkit.task import NOW, After, NewTask, Task

START: Final = ManualClock().now()
"""Where the clock stands when an example begins; instants near it are told relative to it."""

_NEAR: Final = 400 * 24 * 3600 * SECOND
_LONGEST: Final = 60
"""Characters of a text or of bytes that are shown; the rest is counted."""


def in_words(value: object, names: Mapping[str, str] | None = None) -> str:
    """Return a value in words, with the ids of tasks replaced by their names."""
    names = names or {}
    if isinstance(value, Claims):
        return _claims(value, names)
    if isinstance(value, Task | NewTask):
        return names.get(value.id) or in_words(value.id)
    if isinstance(value, Claim):
        return f"a claim of {in_words(value.task, names)} (token {value.token})"
    if is_dataclass(value) and not isinstance(value, type | After):
        return f"{type(value).__name__}({', '.join(fields_told(value, names, ()))})"
    if isinstance(value, Mapping):
        inner = (f"{in_words(k, names)}: {in_words(v, names)}" for k, v in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, Collection) and not isinstance(
        value, str | bytes | bytearray | memoryview
    ):
        return f"[{', '.join(in_words(each, names) for each in value)}]"
    return _plain(value, names)


def differing(expected: object, found: object) -> tuple[object, object]:
    """Return of two data objects of one type only the fields that differ, else both as they are."""
    if type(expected) is not type(found) or not is_dataclass(expected) or expected == found:
        return expected, found
    assert is_dataclass(found)
    unequal = [
        each.name
        for each in fields(expected)
        if getattr(expected, each.name) != getattr(found, each.name)
    ]
    return (
        {name: getattr(expected, name) for name in unequal},
        {name: getattr(found, name) for name in unequal},
    )


def instant(value: object) -> str:
    """Return an instant in words: ``now``, ``in 5 s``, ``start + 5 s``."""
    if isinstance(value, After):
        return "now" if value == NOW else _after(value)
    return _number(value) if isinstance(value, int) else repr(value)


def duration(microseconds: float) -> str:
    """Return a duration in words."""
    if microseconds and abs(microseconds) < SECOND and microseconds % 1000:
        return f"{microseconds:g} µs"
    return f"{microseconds / SECOND:.6f}".rstrip("0").rstrip(".") + " s"


def fields_told(value: object, names: Mapping[str, str], hidden: Collection[str]) -> list[str]:
    """Return the fields of a data object that are not at their defaults, as ``name value``."""
    told = []
    assert is_dataclass(value)
    for each in fields(value):
        content = getattr(value, each.name)
        if each.name in hidden or content == _default(each):
            continue
        shown = instant(content) if each.name in ("due", "expires") else in_words(content, names)
        told.append(f"{each.name} {shown}")
    return told


def settlement(value: Settlement, claim: str, names: Mapping[str, str]) -> str:
    """Return a settlement in words: ``claim 2 of t3: succeed``."""
    hidden = ("task_id", "token", "outcome", "failure")
    told = [str(value.outcome), *fields_told(value, names, hidden)]
    if value.failure is not None:
        told.append(f"because {value.failure.type}: {_cut(value.failure.message)}")
    return f"{claim}: {', '.join(told)}"


def new_task(value: object, names: Mapping[str, str]) -> str:
    """Return a task that is put in words: ``t1 in g, due in 5 s``."""
    if not isinstance(value, NewTask):
        return in_words(value, names)
    hidden = {"id", "group"} | {
        name for name, usual in (("name", "n"), ("data", b"{}")) if getattr(value, name) == usual
    }
    head = f"{in_words(value.id, names)} in {_cut(str(value.group))}"
    return ", ".join([head, *fields_told(value, names, hidden)])


def put_results(answer: Sequence[PutResult], tasks: Sequence[object], names: Any) -> str:
    """Return the answers to a put in words."""
    told = []
    for result, task in zip(answer, tasks, strict=False):
        same = isinstance(task, NewTask) and task.id == result.id
        told.append(result.status if same else f"{result.status} of {in_words(result.id, names)}")
    return ", ".join(told) or "nothing"


def _claims(value: Claims, names: Mapping[str, str]) -> str:
    if not value.alive:
        return "not alive"
    given = ", ".join(in_words(claim, names) for claim in value.claims) or "nothing"
    return given if value.next_due is None else f"{given}; next {instant(value.next_due)}"


def _plain(value: object, names: Mapping[str, str]) -> str:
    if isinstance(value, str):
        return names.get(value) or _cut(str.__repr__(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(value)
    if isinstance(value, After):
        return _after(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return _number(value)
    return _cut(repr(value))


def _default(field: Any) -> object:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def _number(value: int) -> str:
    if value == START:
        return "start"
    if abs(value - START) < _NEAR:
        sign = "+" if value > START else "-"
        return f"start {sign} {duration(abs(value - START))}"
    return str(value)


def _after(value: After) -> str:
    if value.delay < 0:
        return f"{duration(-value.delay)} ago"
    return f"in {duration(value.delay)}" if value.delay else "now"


def _bytes(value: bytes | bytearray | memoryview) -> str:
    content = bytes(value)
    kind = "" if isinstance(value, bytes) else f"{type(value).__name__} "
    if len(content) > _LONGEST:
        return f"{kind}{content[:16]!r}… ({len(content)} bytes)"
    return kind + repr(content)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
