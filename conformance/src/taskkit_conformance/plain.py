"""A handler for the checks that go through a Kit: its data is bytes already."""

from __future__ import annotations

from typing import Any


class PlainHandler:
    """Data and results are bytes, handed through as they are."""

    def handle(self, task: Any) -> Any:
        """Return the task's data."""
        return task.data

    def get_retry_interval(self, task: Any, exception: Exception) -> float | None:  # noqa: ARG002 - the protocol's parameter
        """Never retry."""
        return None

    def encode_data(self, group: str, task_name: str, data: Any) -> Any:  # noqa: ARG002 - the protocol's parameter
        """Return the data."""
        return data

    def encode_result(self, task: Any, result: Any) -> Any:  # noqa: ARG002 - the protocol's parameter
        """Return the result."""
        return result

    def decode_result(self, task: Any, encoded: Any) -> Any:  # noqa: ARG002 - the protocol's parameter
        """Return the result."""
        return encoded
