"""What a mutant is: one small fault, and the property that has to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Final, TypeAlias

import pytest

from taskkit.memory.entry import Entry
from taskkit.memory.state import Memory
from taskkit_conformance.check import Lane

Apply: TypeAlias = Callable[[pytest.MonkeyPatch], None]
"""Puts the fault in place; the patch takes it out again."""

MUTANTS: Final[list[Mutant]] = []


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault. Numbers are never used again; those from 105 on came after the first list."""

    number: int
    property: str
    """What has to find it."""
    sentence: str
    """What the mutant does."""
    apply: Apply
    lane: Lane = "model"
    """Where it has to be found."""
    backend: str = "memory"
    fault: str = ""
    """Of the store behind a network (``remote_store``), where one process cannot show it."""


def mutant(
    number: int, found_by: str, sentence: str, *, lane: Lane = "model", backend: str = "memory"
) -> Callable[[Apply], Apply]:
    """Add a fault to the table."""

    def add(apply: Apply) -> Apply:
        MUTANTS.append(Mutant(number, found_by, sentence, apply, lane, backend))
        return apply

    return add


def fault(number: int, found_by: str, sentence: str, name: str) -> None:
    """Add a fault of the store behind a network, which the chaos lane has to find."""
    MUTANTS.append(
        Mutant(number, found_by, sentence, lambda _: None, "chaos", backend="remote", fault=name)
    )


def around(patch: pytest.MonkeyPatch, owner: Any, name: str) -> Callable[[Any], Any]:
    """Call what is decorated instead of a function, with the real one as first argument."""
    real = getattr(owner, name)

    def install(change: Any) -> Any:
        @wraps(real)
        def changed(*args: Any, **options: Any) -> Any:
            return change(real, *args, **options)

        patch.setattr(owner, name, changed)
        return change

    return install


@contextmanager
def pretending(entry: Entry, **fields: Any) -> Iterator[None]:
    """Let a task have other fields for a moment."""
    before = {name: getattr(entry.task, name) for name in fields}
    entry.task = replace(entry.task, **fields)
    try:
        yield
    finally:
        entry.task = replace(entry.task, **before)


@contextmanager
def one_step_early(memory: Memory) -> Iterator[None]:
    """Let a store think for a moment that it is a microsecond earlier."""
    tick = memory.tick
    memory.tick = lambda: tick() - 1  # type: ignore[method-assign]  # that is the fault
    try:
        yield
    finally:
        del memory.tick
