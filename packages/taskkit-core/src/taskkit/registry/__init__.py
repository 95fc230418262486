"""Function tasks: a handler made of decorated functions, their codec, their retry rules."""

from __future__ import annotations

from taskkit.registry.function import FunctionTask
from taskkit.registry.options import TaskOptions
from taskkit.registry.prepared import Prepared
from taskkit.registry.registry import TaskRegistry
from taskkit.registry.retry import Backoff, RetryRule, exponential, fixed, linear

__all__ = [
    "Backoff",
    "FunctionTask",
    "Prepared",
    "RetryRule",
    "TaskOptions",
    "TaskRegistry",
    "exponential",
    "fixed",
    "linear",
]
