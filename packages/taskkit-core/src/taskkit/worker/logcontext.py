"""Which task a log line belongs to: add ``TaskFilter`` to a handler.

    handler = logging.StreamHandler()
    handler.addFilter(TaskFilter())
    handler.setFormatter(logging.Formatter("%(message)s task=%(task_id)s attempt=%(attempt)s"))

Opt-in, because it costs every record of the program a little, and because a filter on a handler
sees the records of all loggers, which is what one wants here.
"""

from __future__ import annotations

import logging

from taskkit.context import active


class TaskFilter(logging.Filter):
    """Gives each record ``task_id``, ``task_name``, ``group``, ``attempt`` and ``worker_id``.

    Outside of a task they are empty, and ``attempt`` is 0, so that one format fits all.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields and let the record pass."""
        context = active.get(None)
        if context is None:
            record.task_id = record.task_name = record.group = record.worker_id = ""
            record.attempt = 0
        else:
            record.task_id = context.id
            record.task_name = context.name
            record.group = context.group
            record.worker_id = context.worker_id
            record.attempt = context.attempt
        return True
