"""An exception as text: what of it is stored, so that it outlives the code that raised it."""

from __future__ import annotations

import traceback
from typing import Final

from taskkit.errors import AttemptCancelled, AttemptTimedOut
from taskkit.task import Failure, Task

MAX_MESSAGE: Final = 4_000
MAX_TRACEBACK: Final = 20_000
"""Characters; of longer texts the middle is left out. History keeps ten of them per task."""


def describe(error: BaseException, task: Task, prefix: str = "") -> Failure:
    """Return an exception as a ``Failure`` of ``task``."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    message = _message(error, task)
    return Failure(
        name,
        _storable(f"{prefix}: {message}" if prefix else message, MAX_MESSAGE),
        _storable(_traceback(error), MAX_TRACEBACK),
    )


def _message(error: BaseException, task: Task) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide that the task failed
        return f"({type(error).__name__} whose text cannot be made)"
    if text or error.args:
        return text
    # An exception raised from outside comes without arguments: Python takes only its class.
    if isinstance(error, AttemptTimedOut):
        return f"the attempt used up its timeout of {task.timeout} s"
    if isinstance(error, AttemptCancelled):
        return "cancelled while it was running"
    return text


def _traceback(error: BaseException) -> str:
    # The first frame is Execution's own and says nothing.
    frames = error.__traceback__
    if frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception as unprintable:  # noqa: BLE001 - as above
        return f"(no traceback: {type(unprintable).__name__} while it was formatted)"


def _storable(text: str, longest: int) -> str:
    # NUL and lone surrogates are text to Python and an error to most stores.
    text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
