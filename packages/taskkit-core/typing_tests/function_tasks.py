"""What type checkers know about function tasks. Checked by mypy and pyright, never run.

Each ``type: ignore`` is an error that must be found: one that is not needed is itself an error.
"""
# Declarations for type checkers, part of no package:
# ruff: noqa: ARG002, ARG005, D102, D103, INP001
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, assert_type

from taskkit import Result, TaskHandler, TaskRegistry, exponential, fixed, linear
from taskkit.registry import FunctionTask, Prepared

tasks = TaskRegistry()


@tasks.task
def bare(to: str, subject: str = "hi") -> int:
    return len(to + subject)


@tasks.task
async def bare_async(url: str) -> bytes:
    return url.encode()


@tasks.task(
    group="mail",
    retry=exponential(1, factor=2, max_retries=5),
    retry_on=(ConnectionError, TimeoutError),
    never_retry_on=ConnectionRefusedError,
    timeout=30,
    unique=("to", "subject"),
    unique_scope="unfinished",
    lock=lambda to, subject: f"{to}",
    limit=2,
    priority=-1,
    isolation="process",
    ttl=timedelta(days=1),
    on_lost="keep",
    labels={"team": "post"},
    aliases=("old.send",),
)
def send(to: str, *, subject: str) -> list[int]:
    return [len(to), len(subject)]


@tasks.task(group="crawl", retry=lambda retry_count, error: retry_count if error else None)
async def crawl(url: str, depth: int = 0) -> dict[str, int]:
    return {url: depth}


@tasks.task(retry=lambda retry_count: 1.5 * retry_count, unique="number", limit=3)
def nothing(number: int) -> None: ...


# ---- the decorated function is a task, and still the function

assert_type(bare("a"), int)
assert_type(send("a", subject="b"), list[int])
coroutine: Coroutine[Any, Any, dict[str, int]] = crawl("a")
bare(1)  # type: ignore[arg-type]

# ---- delay keeps parameters, and results are typed, for async functions by what is awaited

assert_type(bare.delay("a"), Result[int])
assert_type(bare.delay("a", "b"), Result[int])
assert_type(bare.delay(to="a", subject="b"), Result[int])
assert_type(bare.delay("a").get(), int)
assert_type(bare_async.delay("a"), Result[bytes])
assert_type(send.delay("a", subject="b"), Result[list[int]])
assert_type(crawl.delay("a", depth=1), Result[dict[str, int]])
assert_type(nothing.delay(1), Result[None])

bare.delay()  # type: ignore[call-arg]
bare.delay(1)  # type: ignore[arg-type]
bare.delay("a", "b", "c")  # type: ignore[call-arg]
bare.delay("a", other="b")  # type: ignore[call-arg]
bare_async.delay(1)  # type: ignore[arg-type]
send.delay("a", "b")  # type: ignore[call-arg]
send.delay("a")  # type: ignore[call-arg]
crawl.delay("a", depth="1")  # type: ignore[arg-type]


async def awaited() -> None:
    assert_type(await bare_async("a"), bytes)
    assert_type(await crawl("a"), dict[str, int])
    assert_type(await bare.adelay("a"), Result[int])
    assert_type(await crawl.adelay("a"), Result[dict[str, int]])
    assert_type(await (await crawl.adelay("a")).aget(), dict[str, int])
    assert_type(await crawl.options(due=5).adelay("a"), Result[dict[str, int]])
    assert_type(await bare.adelay_many([("a",)]), list[Result[int]])
    await bare.adelay(1)  # type: ignore[arg-type]


# ---- options keep both

later = send.options(due=timedelta(minutes=5), priority=9, labels={"team": "x"}, within=object())
assert_type(later.delay("a", subject="b"), Result[list[int]])
assert_type(later.options(group="mail.acme", eager=True).delay("a", subject="b"), Result[list[int]])
later.delay(1, subject="b")  # type: ignore[arg-type]
later.options(colour="red")  # type: ignore[call-arg]
send.options(due="tomorrow")  # type: ignore[arg-type]
prepared: Prepared[[str], bytes] = bare_async.options(ttl=1)
task: FunctionTask[[str], Coroutine[Any, Any, bytes], bytes] = bare_async

# ---- many

assert_type(bare.delay_many([("a",), ("b", "hi"), {"to": "c"}]), list[Result[int]])
assert_type(crawl.options(priority=1).delay_many([("a",)]), list[Result[dict[str, int]]])
bare.delay_many(["a"])  # type: ignore[list-item]

# ---- declarations


@tasks.task(unique_scope="for ever")  # type: ignore[call-overload,untyped-decorator]
def refused_scope() -> None: ...


@tasks.task(retry=5)  # type: ignore[call-overload,untyped-decorator]
def refused_retry() -> None: ...


assert_type(fixed(1)(0), float | None)
assert_type(linear(1, 2, max_retries=None)(0), float | None)

# ---- a registry is a handler, by its methods alone

handler: TaskHandler = tasks


class Plain:
    """Handles without inheriting."""

    def handle(self, task: object) -> str:
        return str(task)

    def get_retry_interval(self, task: object, exception: Exception) -> float | None:
        return None

    def encode_data(self, group: str, task_name: str, data: object) -> bytes:
        return repr((group, task_name, data)).encode()

    def encode_result(self, task: object, result: object) -> bytes:
        return repr((task, result)).encode()

    def decode_result(self, task: object, encoded: bytes) -> str:
        return encoded.decode()


plain: TaskHandler = Plain()
