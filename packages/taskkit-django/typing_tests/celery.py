"""What type checkers know of the Celery-style API. Checked by mypy and pyright, never run.

Each ``type: ignore`` is an error that must be found: one that is not needed is itself an error.
"""
# Declarations for type checkers, part of no package:
# ruff: noqa: D103, INP001
# pyright: reportUnnecessaryTypeIgnoreComment=true

from typing import assert_type

from taskkit_django.celery import AsyncResult, shared_task


@shared_task
def bare(to: str, times: int = 1) -> list[str]:
    return [to] * times


@shared_task(queue="mail", autoretry_for=(OSError,), retry_backoff=True)
def with_options(to: str) -> int:
    return len(to)


@shared_task(isolation="process", labels={"tenant": 7}, max_lost=1, ttl=60)
def with_taskkits_own(to: str) -> bool:
    return bool(to)


@shared_task
async def coroutine(to: str) -> bytes:
    return to.encode()


assert_type(bare("a"), list[str])
assert_type(bare.delay("a", times=2), AsyncResult[list[str]])
assert_type(with_options.delay("a"), AsyncResult[int])
assert_type(coroutine.delay("a"), AsyncResult[bytes])
assert_type(with_taskkits_own.delay("a"), AsyncResult[bool])
assert_type(bare.s("a").set(countdown=5).apply_async(), AsyncResult[list[str]])
assert_type(with_options.apply_async(("a",), countdown=5), AsyncResult[int])

bare.delay(5)  # type: ignore[arg-type]
bare.delay("a", time=2)  # type: ignore[call-arg]
with_options.s()  # type: ignore[call-arg]
shared_task(line="mail")  # type: ignore[call-overload]
